package flusher

import (
	"time"

	"sluice/buffer"
	"sluice/internal/check"
)

// WorkerConfig bounds a worker.
type WorkerConfig struct {
	// MaxFlushSegments is how many segments a cycle takes at most, shared evenly by the worker's
	// shards: each leases the quotient, rounded up. Default 500.
	MaxFlushSegments int
	// MaxFlushBytes is how many payload bytes are loaded at a time; what was leased beyond them
	// waits, claimed, and if it is small (1.6 kB) loaded, too. Two such portions are in work at once. A
	// segment that is larger alone is loaded alone. Default 1.5 MiB.
	MaxFlushBytes buffer.Bytes
	// IdleSleep is how long after it began to look for what is due a worker looks again, unless a shard
	// had as much as a cycle may take. Default 100 ms.
	IdleSleep time.Duration
	// DueEvery is how far apart deadlines are, at the least: a shard of which all that is due was taken is
	// not asked again before its clock has come to the next, or RestMax is over, after which there may
	// be news of its clock. Default 0: that is not known, so each look asks all shards.
	DueEvery time.Duration
	// RestMax must be well below UnseenMax. Default 500 ms.
	RestMax time.Duration
	// RetryMin and RetryMax are the first and the longest pause before a step is tried again that
	// a server did not answer; each pause is twice the last. Default 50 ms and 1 s, as ingest's: who
	// flushes should be back no later than who reads, or spans pile up in the store.
	RetryMin, RetryMax time.Duration
	// BeatEvery is how long a worker waits for an acknowledgement, or pauses before it tries again,
	// until it gives a sign of life and waits on: a slow server is not a hang. It must be well
	// below the supervisor's MaxUnhealthy. Default 1 s.
	BeatEvery time.Duration
	// UnseenMax is how far a shard's clock runs beyond the last sign that its input is in touch with
	// its source: some signs may be late, but what is less than a time-out away from its deadline
	// must not become due by it while spans wait to be read. Default 2 s, for time-outs well above
	// that.
	UnseenMax time.Duration
	// OutputTopic takes the segments. Default "buffered-segments".
	OutputTopic string
	// DeadLetterTopic takes single spans that the broker refuses as too large, or that cannot be
	// encoded. Default "ingest-spans-dlq".
	DeadLetterTopic string
	// InputTopic is where spans come from, for the headers of dead letters. Default "": unknown.
	InputTopic string
}

// DefaultWorkerConfig returns the defaults named at the fields.
func DefaultWorkerConfig() WorkerConfig {
	return WorkerConfig{
		MaxFlushSegments: 500,
		MaxFlushBytes:    3 << 19, // 1.5 MiB
		IdleSleep:        100 * time.Millisecond,
		RestMax:          500 * time.Millisecond,
		RetryMin:         50 * time.Millisecond,
		RetryMax:         time.Second,
		BeatEvery:        time.Second,
		UnseenMax:        2 * time.Second,
		OutputTopic:      "buffered-segments",
		DeadLetterTopic:  "ingest-spans-dlq",
	}
}

// Validate returns every fault of the config, joined, or nil.
func (c WorkerConfig) Validate() error {
	var f check.Faults
	f.When(c.MaxFlushSegments < 1 || c.MaxFlushSegments > buffer.HeldMax,
		"max_flush_segments %d must be from 1 to %d", c.MaxFlushSegments, buffer.HeldMax)
	f.When(c.MaxFlushBytes < 1, "max flush bytes %d must be 1 or more", c.MaxFlushBytes)
	f.When(c.IdleSleep <= 0, "idle sleep %v must be positive", c.IdleSleep)
	f.When(c.DueEvery < 0 || c.DueEvery%time.Millisecond != 0,
		"time between deadlines %v must be whole milliseconds, 0 or more", c.DueEvery)
	f.When(c.RestMax <= 0, "longest rest %v must be positive", c.RestMax)
	f.When(c.RetryMin <= 0, "retry pause %v must be positive", c.RetryMin)
	f.When(c.RetryMax < c.RetryMin, "longest retry pause %v must not be below the first, %v",
		c.RetryMax, c.RetryMin)
	f.When(c.BeatEvery <= 0, "beat interval %v must be positive", c.BeatEvery)
	f.When(c.UnseenMax <= 0, "unseen time %v must be positive", c.UnseenMax)
	f.When(c.OutputTopic == "", "output topic is missing")
	f.When(c.DeadLetterTopic == "", "dead-letter topic is missing")
	f.When(c.OutputTopic != "" && c.OutputTopic == c.DeadLetterTopic,
		"output topic and dead-letter topic are both %q", c.OutputTopic)
	return f.Err()
}

// WorkerPorts are a worker's side effects.
type WorkerPorts struct {
	Clock    Clock
	Store    buffer.Store
	Producer Producer
	Encoder  buffer.Encoder
	Reporter Reporter
	// Tasks let the worker ask the store about several of its shards at a time, if it has many. Optional:
	// without, it does so one after the other.
	Tasks Tasks
	// RefusesAbove returns above how many bytes a topic is known to refuse a record, keys and headers
	// included; 0: that is not known. A record of several spans that is larger is not sent at all, but
	// split as if it had been refused: that would take the network, the broker, and another load of
	// the segment for each half. Optional. It must not block.
	RefusesAbove func(topic string) int
	// Trouble hears once that a server does not answer, and once that it does again. Optional. It
	// must not block.
	Trouble func(Trouble)
	// DeadLetter hears of every span that goes to the dead-letter topic, on the same terms. Optional.
	DeadLetter func(DeadLetter)
	// Damaged hears of every generation that the store cannot read, each time that it is tried, on the same
	// terms. Optional.
	Damaged func(Damaged)
}
