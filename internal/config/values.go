package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"

	"sluice/buffer"
	"sluice/flusher"
	"sluice/internal/kafkaio"
)

// duration is a time with a unit, and never negative.
type duration time.Duration

// UnmarshalText reads "60s", "1m30s", "250ms", or a plain 0.
func (d *duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	switch {
	case err != nil && isNumber(string(text)):
		return fmt.Errorf("%q has no unit: want for example %ss or %sms", text, text, text)
	case err != nil:
		return fmt.Errorf("%q is no duration: want a number with a unit, as 10s, 250ms or 1m30s", text)
	case v < 0:
		return fmt.Errorf("%q is negative: want 0 or more", text)
	}
	*d = duration(v)
	return nil
}

// String returns the text form of time.Duration.
func (d duration) String() string { return time.Duration(d).String() }

// patience is a duration, or none: waiting for ever.
type patience time.Duration

// UnmarshalText reads a duration or "none".
func (p *patience) UnmarshalText(text []byte) error {
	if string(text) == "none" {
		*p = patience(flusher.NoTimeout)
		return nil
	}
	var d duration
	if err := d.UnmarshalText(text); err != nil {
		return fmt.Errorf("%w, 0 for at once, or none to wait as long as it takes", err)
	}
	*p = patience(d)
	return nil
}

// span of time that "off" switches off.
type optionalDuration time.Duration

// UnmarshalText reads a duration or "off", which is 0.
func (o *optionalDuration) UnmarshalText(text []byte) error {
	if string(text) == "off" {
		*o = 0
		return nil
	}
	var d duration
	if err := d.UnmarshalText(text); err != nil {
		return fmt.Errorf("%w, or off", err)
	}
	*o = optionalDuration(d)
	return nil
}

// size is a number of bytes; "off" is 0.
type size buffer.Bytes

// sizeUnits are ordered so that a longer suffix is tried before the one it ends in.
var sizeUnits = []struct {
	suffix string
	bytes  float64
}{
	{"kib", 1 << 10}, {"mib", 1 << 20}, {"gib", 1 << 30},
	{"kb", 1e3}, {"mb", 1e6}, {"gb", 1e9}, {"b", 1},
}

// UnmarshalText reads "10MiB", "512KB", "10485760" or "off".
func (s *size) UnmarshalText(text []byte) error {
	word := strings.ToLower(strings.TrimSpace(string(text)))
	if word == "off" {
		*s = 0
		return nil
	}
	factor := 1.0
	for _, unit := range sizeUnits {
		if rest, ok := strings.CutSuffix(word, unit.suffix); ok {
			word, factor = strings.TrimSpace(rest), unit.bytes
			break
		}
	}
	n, err := strconv.ParseFloat(word, 64)
	if err != nil || !isNumber(word) {
		return fmt.Errorf("%q is no size: want bytes, as 10485760, 10MiB or 512KB, or off", text)
	}
	bytes := n * factor
	if bytes != math.Trunc(bytes) || bytes > math.MaxInt64/2 {
		return fmt.Errorf("%q is no whole number of bytes that fits", text)
	}
	*s = size(bytes)
	return nil
}

// count is a number of partitions or replicas, or the broker's default.
type count int16

// UnmarshalText reads a number from 1, or "broker".
func (c *count) UnmarshalText(text []byte) error {
	if string(text) == "broker" {
		*c = kafkaio.BrokerDefault
		return nil
	}
	n, err := strconv.ParseInt(string(text), 10, 16)
	if err != nil || n < 1 {
		return fmt.Errorf("%q: want a number from 1 to %d, or broker", text, math.MaxInt16)
	}
	*c = count(n)
	return nil
}

// processes is a number of workers, or one per shard.
type processes int

// UnmarshalText reads a number from 1, or "per-shard".
func (p *processes) UnmarshalText(text []byte) error {
	if string(text) == "per-shard" {
		*p = processes(flusher.PerShard)
		return nil
	}
	n, err := strconv.Atoi(string(text))
	if err != nil || n < 1 {
		return fmt.Errorf("%q: want a number from 1, or per-shard", text)
	}
	*p = processes(n)
	return nil
}

// share is a fraction of a node's memory.
type share float64

// UnmarshalText reads "0.8", "80%", or "off", which is 1.
func (s *share) UnmarshalText(text []byte) error {
	word, percent := strings.CutSuffix(string(text), "%")
	n, err := strconv.ParseFloat(word, 64)
	if percent {
		n /= 100
	}
	switch {
	case string(text) == "off":
		n = flusher.MemoryOff
	case err != nil || !(n > 0 && n <= 1):
		return fmt.Errorf("%q is no share of memory: want for example 0.8 or 80%%, or off", text)
	}
	*s = share(n)
	return nil
}

// listen is an address to serve on, or off.
type listen string

// UnmarshalText reads "host:port", or "off" (also empty).
func (l *listen) UnmarshalText(text []byte) error {
	word := string(text)
	if word == "off" || word == "" {
		*l = ""
		return nil
	}
	_, port, found := strings.Cut(word, ":")
	if !found || port == "" {
		return fmt.Errorf("%q is no address: want host:port, as 127.0.0.1:8080, or off", word)
	}
	*l = listen(word)
	return nil
}

// isNumber tells whether the text is digits and at most a dot.
func isNumber(text string) bool {
	digits := strings.Replace(text, ".", "", 1)
	return digits != "" && strings.IndexFunc(digits, func(r rune) bool {
		return !unicode.IsDigit(r)
	}) < 0
}
