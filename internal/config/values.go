package config

import (
	"fmt"
	"strings"
	"time"

	"sluice/buffer"
	"sluice/flusher"
	"sluice/internal/kafkaio"
	"sluice/internal/options"
)

// duration is a time with a unit, and never negative.
type duration time.Duration

// UnmarshalText reads "60s", "1m30s", "250ms", or a plain 0.
func (d *duration) UnmarshalText(text []byte) error {
	v, err := options.ParseDuration(string(text))
	*d = duration(v)
	return err
}

// String returns the text form of time.Duration.
func (d duration) String() string { return time.Duration(d).String() }

// patience is a duration, or none: waiting forever.
type patience time.Duration

// UnmarshalText reads a duration or "none".
func (p *patience) UnmarshalText(text []byte) error {
	v, err := options.Or(string(text), "none", flusher.NoTimeout, options.ParseDuration)
	if err != nil {
		err = fmt.Errorf("%w to wait as long as it takes", err)
	}
	*p = patience(v)
	return err
}

// optionalDuration is a duration that "off" switches off.
type optionalDuration time.Duration

// UnmarshalText reads a duration or "off", which is 0.
func (o *optionalDuration) UnmarshalText(text []byte) error {
	v, err := options.Or(string(text), options.Off, 0, options.ParseDuration)
	*o = optionalDuration(v)
	return err
}

// size is a number of bytes; "off" is 0.
type size buffer.Bytes

// UnmarshalText reads "10MiB", "512KB", "10485760" or "off".
func (s *size) UnmarshalText(text []byte) error {
	v, err := options.Or(string(text), options.Off, 0, options.ParseSize)
	*s = size(v)
	return err
}

// count is a number of partitions or replicas, or the broker's default.
type count int16

// UnmarshalText reads a number from 1, or "broker".
func (c *count) UnmarshalText(text []byte) (err error) {
	*c, err = options.Or(string(text), "broker", kafkaio.BrokerDefault, options.Count[count](1))
	return err
}

// processes is a number of workers, or one per shard.
type processes int

// UnmarshalText reads a number from 1, or "per-shard".
func (p *processes) UnmarshalText(text []byte) (err error) {
	*p, err = options.Or(string(text), "per-shard", flusher.PerShard, options.Count[processes](1))
	return err
}

// share is a fraction of a node's memory.
type share float64

// UnmarshalText reads "0.8", "80%", or "off", which is 1.
func (s *share) UnmarshalText(text []byte) error {
	v, err := options.Or(string(text), options.Off, flusher.MemoryOff, options.ParseShare)
	*s = share(v)
	return err
}

// listen is an address to serve on, or off.
type listen string

// UnmarshalText reads "host:port", or "off" (also empty).
func (l *listen) UnmarshalText(text []byte) error {
	word := string(text)
	if word == options.Off || word == "" {
		*l = ""
		return nil
	}
	_, port, found := strings.Cut(word, ":")
	if !found || port == "" {
		return fmt.Errorf("%q is not an address: want host:port, such as 127.0.0.1:8080, or off", word)
	}
	*l = listen(word)
	return nil
}
