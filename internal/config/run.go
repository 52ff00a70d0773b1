// Package config reads what cmd/run is told: flags, environment variables, and a YAML file, in this
// order of precedence. A wrong word is an error that says which one would be right.
package config

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"sluice/buffer"
	"sluice/internal/check"
	"sluice/internal/kafkaio"
	"sluice/internal/pipeline"
)

// Run is everything that cmd/run needs to know. No secret in it prints itself.
type Run struct {
	// Pipeline is complete but for logs, hooks and the kill switch.
	Pipeline pipeline.Config
	// KillSwitchFile holds rules for spans to drop; empty for none.
	KillSwitchFile string
	// HTTP is the address to serve on; empty for none.
	HTTP string
	// LogLevel is the least level that is logged; LogFormat is "auto", "text" or "json".
	LogLevel  slog.Level
	LogFormat string
	// Embedded brings servers and a load of EmbeddedRate spans per second along.
	Embedded     bool
	EmbeddedRate int
	// Doubts are settings that are allowed and hardly meant, in words.
	Doubts []string
	// Duration is after how long the program ends by itself; 0: never.
	Duration time.Duration
}

// What --embedded takes instead of the defaults, so that there is soon something to see.
const (
	embeddedTimeout     = 4 * time.Second
	embeddedRootTimeout = 2 * time.Second
	embeddedHTTP        = "127.0.0.1:0"
)

// hurry changes defaults for --embedded, where no other value is given. What it brings along cannot be
// given, too.
func (f *flags) hurry(given func(flag string) bool) error {
	if !f.Embedded {
		return nil
	}
	for _, server := range []string{"redis", "kafka"} {
		if given(server) {
			return fmt.Errorf("--embedded brings its own servers, so that --%s would not be used: leave "+
				"out one of the two (flag, variable or file)", server)
		}
	}
	if !given("timeout") {
		f.Timeout = embeddedTimeout
	}
	if !given("root-timeout") {
		f.RootTimeout = embeddedRootTimeout
	}
	if !given("http") {
		f.HTTP = embeddedHTTP // a free port, whatever else runs here
	}
	return nil
}

// timeouts returns what is wrong with the time-outs, in the words of the flags.
func (f *flags) timeouts() error {
	var faults check.Faults
	const words = "--%s: %v is no time to wait for spans: want more than 0, such as 10s"
	faults.When(f.Timeout <= 0, words, "timeout", f.Timeout)
	faults.When(f.RootTimeout <= 0, words, "root-timeout", f.RootTimeout)
	return faults.Err()
}

// resolve turns flags into a configuration. The error is a *UsageError, or about a secret's file.
func (f *flags) resolve() (Run, error) {
	err := errors.Join(noURL("redis", f.Redis), noURL("kafka", f.Kafka), f.timeouts())
	if err != nil {
		return Run{}, &UsageError{Err: err}
	}
	c := pipeline.DefaultConfig()
	f.redis(&c.Redis)
	f.kafka(&c.Kafka)
	f.topics(&c)
	f.buffering(&c)
	f.flushing(&c)
	if err := f.secrets(&c); err != nil {
		return Run{}, err
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(f.LogLevel)); err != nil {
		return Run{}, err
	}
	if f.EmbeddedRate < 1 {
		return Run{}, &UsageError{
			Err: fmt.Errorf("--embedded-rate: %d spans per second: want 1 or more", f.EmbeddedRate),
		}
	}
	if err := c.Validate(); err != nil {
		return Run{}, &UsageError{Err: err}
	}
	var doubts []string
	if f.RootTimeout > f.Timeout {
		doubts = append(doubts, fmt.Sprintf("--root-timeout %v is above --timeout %v: a segment whose root "+
			"has come waits longer than one whose root is missing", f.RootTimeout, f.Timeout))
	}
	return Run{
		Doubts:         doubts,
		Pipeline:       c,
		KillSwitchFile: f.KillSwitch,
		HTTP:           f.HTTP,
		LogLevel:       level,
		LogFormat:      f.LogFormat,
		Embedded:       f.Embedded,
		EmbeddedRate:   f.EmbeddedRate,
		Duration:       f.Duration,
	}, nil
}

// noURL refuses addresses that may hold a password, and does not repeat them.
func noURL(flag string, addresses []string) error {
	for _, address := range addresses {
		if strings.ContainsAny(address, "@/") {
			return fmt.Errorf("--%s: an address looks like a URL: want host:port, the user in "+
				"--%s-user, and the password in $%s%s_PASSWORD", flag, flag, envPrefix,
				strings.ToUpper(flag))
		}
	}
	return nil
}

func (f *flags) redis(r *pipeline.Redis) {
	r.Addresses = f.Redis
	r.User = f.RedisUser
	r.TLS = pipeline.TLS(f.RedisTLS)
	r.Namespace, r.Slice = f.RedisNamespace, f.Slice
	r.Compression = f.RedisCompression
}

func (f *flags) kafka(k *pipeline.Kafka) {
	k.Brokers = f.Kafka
	k.SASL = kafkaio.SASL{User: f.KafkaUser}
	if f.KafkaSASL != "none" {
		k.SASL.Mechanism = kafkaio.Mechanism(f.KafkaSASL)
	}
	k.TLS = pipeline.TLS(f.KafkaTLS)
}

func (f *flags) topics(c *pipeline.Config) {
	c.InputTopic, c.OutputTopic, c.DeadLetterTopic = f.InputTopic, f.OutputTopic, f.DLQTopic
	if f.DLQTopic == "" {
		c.DeadLetterTopic = pipeline.DeadLetterTopicOf(f.InputTopic)
	}
	c.CreateTopics = f.CreateTopics
	c.Partitions, c.Replication = int32(f.Partitions), f.Replication
	c.Group, c.InstanceID = f.Group, f.InstanceID
	c.Source.Uncommitted = f.ReadUncommitted
}

func (f *flags) buffering(c *pipeline.Config) {
	c.Options = buffer.Options{
		Timeout: f.Timeout, RootTimeout: f.RootTimeout, MaxSegmentAge: f.MaxSegmentAge,
		MaxSegmentBytes: f.MaxSegmentBytes, LateWindow: f.LateWindow,
	}
	c.Ingest.MaxBatch, c.Ingest.MaxBatchWait = f.MaxBatch, f.MaxBatchWait
}

func (f *flags) flushing(c *pipeline.Config) {
	s := &c.Flusher
	s.Processes = f.FlusherProcesses
	s.MaxUnhealthy = f.MaxUnhealthy
	s.CheckEvery = min(s.CheckEvery, max(s.MaxUnhealthy/10, time.Millisecond))
	s.BackpressureAfter = f.BackpressureAfter
	s.RestartBudget = f.RestartBudget
	s.MaxMemory = f.MaxMemory
	s.ShutdownTimeout = f.ShutdownTimeout
	c.Mode = pipeline.Mode(f.FlusherMode)
	c.Worker.MaxFlushSegments = f.MaxFlushSegments
	c.Limits.Threads, c.Limits.MemoryMax = f.WorkerThreads, f.WorkerMemory
}

// secrets come from a variable or a file, never from the command line, which everyone can read.
func (f *flags) secrets(c *pipeline.Config) error {
	redis, err1 := secret("redis-password", f.RedisPasswordFile)
	kafka, err2 := secret("kafka-password", f.KafkaPasswordFile)
	c.Redis.Password, c.Kafka.SASL.Password = redis, kafka
	return errors.Join(err1, err2)
}

// secretBytesMax bounds a password; what is longer is not one.
const secretBytesMax = 64 << 10

// secret reads SLUICE_NAME, or the file that --NAME-file names.
func secret(name, file string) (kafkaio.Secret, error) {
	variable := envPrefix + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
	value, set := os.LookupEnv(variable)
	set = set && value != ""
	switch {
	case set && file != "":
		return "", &UsageError{Err: fmt.Errorf("both $%s and --%s-file are given: want one",
			variable, name)}
	case file == "":
		return kafkaio.Secret(value), nil
	}
	info, err := os.Stat(file)
	if err == nil && info.Size() > secretBytesMax {
		return "", &UsageError{Err: fmt.Errorf("--%s-file: %s has %d bytes: that is not a password",
			name, file, info.Size())}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("--%s-file: %w", name, err)
	}
	word := strings.TrimRight(string(text), "\r\n")
	if word == "" {
		return "", &UsageError{Err: fmt.Errorf("--%s-file: %s is empty", name, file)}
	}
	return kafkaio.Secret(word), nil
}
