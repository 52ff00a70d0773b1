// Package config reads what cmd/run is told: flags, environment variables, and a YAML file, in this
// order of precedence; other programs that log in take RedisLogin and KafkaLogin of it. A wrong word is an error that says which one would be right.
package config

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"sluice/buffer"
	"sluice/consumer/ingest"
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

// resolve turns flags into a configuration. The error is a *UsageError, or about a secret's file.
func (f *flags) resolve(given func(flag string) bool) (Run, error) {
	c := pipeline.DefaultConfig()
	err := errors.Join(f.RedisLogin.Apply(&c.Redis, f.Redis), f.KafkaLogin.Apply(&c.Kafka, f.Kafka))
	if err != nil {
		return Run{}, err
	}
	c.Redis.Namespace, c.Redis.Slice = f.RedisNamespace, f.Slice
	c.Redis.Compression = f.RedisCompression
	f.topics(&c)
	f.buffering(&c)
	f.flushing(&c)
	var level slog.Level
	if err := level.UnmarshalText([]byte(f.LogLevel)); err != nil {
		return Run{}, err
	}
	if err := c.Validate(); err != nil {
		return Run{}, &UsageError{Err: err}
	}
	return Run{
		Doubts:         f.doubts(given),
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

// What is below these is allowed, and hardly meant.
const (
	workerMemoryMin    buffer.Bytes = 64 << 20
	maxSegmentBytesMin buffer.Bytes = 64 << 10
)

// meant says which size is likely meant by a number so small that its unit must have been forgotten.
func meant(size buffer.Bytes) string {
	if size >= maxSegmentBytesMin {
		return ""
	}
	return fmt.Sprintf(" (a number without a unit is bytes; write %dMiB for MiB)", size)
}

// doubts are settings that are allowed and hardly meant, in words.
func (f *flags) doubts(given func(flag string) bool) (doubts []string) {
	if f.RootTimeout > f.Timeout {
		doubts = append(doubts, fmt.Sprintf("--root-timeout %v is above --timeout %v: a segment whose root "+
			"has come waits longer than one whose root is missing", f.RootTimeout, f.Timeout))
	}
	if f.MaxUnhealthy < time.Second {
		doubts = append(doubts, fmt.Sprintf("--max-unhealthy %v: a worker that waits for the processor, for "+
			"Redis or for Kafka for so long is killed, and a start that takes %v is", f.MaxUnhealthy,
			2*f.MaxUnhealthy))
	}
	if f.WorkerMemory > 0 && f.WorkerMemory < workerMemoryMin {
		doubts = append(doubts, fmt.Sprintf("--worker-memory of %d bytes: a worker takes more than that by itself, "+
			"and spends half of its time on collecting garbage%s", f.WorkerMemory, meant(f.WorkerMemory)))
	}
	if f.MaxSegmentBytes > 0 && f.MaxSegmentBytes < maxSegmentBytesMin {
		doubts = append(doubts, fmt.Sprintf("--max-segment-bytes of %d bytes: most segments come out in pieces%s",
			f.MaxSegmentBytes, meant(f.MaxSegmentBytes)))
	}
	waits := ingest.BatchWait(f.MaxBatchWait, f.Timeout, f.RootTimeout)
	if given("max-batch-wait") && waits < f.MaxBatchWait {
		doubts = append(doubts, fmt.Sprintf("--max-batch-wait %v: no batch waits for longer than %v, a twentieth "+
			"of the shortest time-out", f.MaxBatchWait, waits))
	}
	return doubts
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
