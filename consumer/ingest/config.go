package ingest

import (
	"time"

	"sluice/buffer"
	"sluice/internal/check"
)

// Config says how the loop cuts batches and how patient it is.
type Config struct {
	// InputTopic is where the messages come from; it stands in the headers of dead letters.
	InputTopic string
	// DeadLetterTopic receives the messages that cannot be decoded.
	DeadLetterTopic string
	// Options set the deadlines.
	Options buffer.Options
	// MaxBatch is the largest number of messages in a batch of a partition that keeps up. Default
	// 1000.
	MaxBatch int
	// BatchGrowth is how many times MaxBatch a batch may hold if that much came in while the
	// batches before it were in work: the fuller the batches, the less each span costs the store.
	// 1 for no growth. Default 4.
	BatchGrowth int
	// BytesMax is how many bytes of messages are here, for their batches or in them, of all partitions
	// together: each has an equal share, and comes no further than a poll beyond it. With many
	// partitions it is what bounds batches, and memory. Default 32 MiB.
	BytesMax buffer.Bytes
	// AttachSpansMax is how many spans of one trace are attached at once. Default
	// buffer.AttachSpansMax.
	AttachSpansMax int
	// MaxBatchWait is how long a batch that is not full waits for more after the one before it
	// was started, as far as the time-outs allow it (see BatchWait). A message that finds its
	// partition idle for so long waits for nothing. Default 1 s.
	MaxBatchWait time.Duration
	// PollWait is how long one poll waits for messages, and how late a change of the gate is
	// noticed at the most. Default 100 ms.
	PollWait time.Duration
	// PollEvery is how long after a poll that brought little comes the next one: a poll, and the fetch that
	// follows it, cost the client and the broker half a millisecond of processor time and more, however
	// few messages they bring. Never more than a fifth of the time that a batch waits, and nothing after a
	// poll of a whole batch or of 256 KiB. Default 20 ms; 0 waits for nothing.
	PollEvery time.Duration
	// BusyWait is PollWait while batches are in work: how late the end of one is noticed. Default
	// 2 ms.
	BusyWait time.Duration
	// CommitInterval is the least time between two commits. Default 50 ms.
	CommitInterval time.Duration
	// AssignWait is how long the flushing of a new partition waits for its first batches at the
	// most: until a batch is in the store with which all was read that had been polled, or
	// catchUpMax full ones. If the owner
	// before died, they hold what it had stored and not committed. Stored once more before the
	// flush they are recognised; after it they would open segments of their own. Default 500 ms;
	// 0 waits for nothing.
	AssignWait time.Duration
	// TickEvery is how often each shard hears that its input is in touch with the source. Default
	// 500 ms; well below UnseenMax.
	TickEvery time.Duration
	// UnseenMax is that of the workers: for how long the shard's clock goes on without. Default 2 s.
	UnseenMax time.Duration
	// RetryMin and RetryMax bound the wait between two tries of a step that fails for now; it
	// doubles from the one to the other. Default 10 ms and 1 s.
	RetryMin, RetryMax time.Duration
}

// commitTriesMax is how often the last offsets of a partition that leaves are tried to commit, at least once
// after it was to leave. After that they stay uncommitted, and the next owner reads a few spans twice.
const commitTriesMax = 3

// catchUpMax is how many full batches of a partition can have been stored and not committed when its
// owner died: those of a commit interval at full rate.
const catchUpMax = 4

// DefaultConfig returns the defaults for these topics.
func DefaultConfig(inputTopic, deadLetterTopic string) Config {
	return Config{
		InputTopic:      inputTopic,
		DeadLetterTopic: deadLetterTopic,
		Options:         buffer.DefaultOptions(),
		MaxBatch:        1000,
		BatchGrowth:     4,
		BytesMax:        32 << 20,
		AttachSpansMax:  buffer.AttachSpansMax,
		MaxBatchWait:    time.Second,
		PollWait:        100 * time.Millisecond,
		PollEvery:       20 * time.Millisecond,
		BusyWait:        2 * time.Millisecond,
		CommitInterval:  50 * time.Millisecond,
		AssignWait:      500 * time.Millisecond,
		TickEvery:       500 * time.Millisecond,
		UnseenMax:       2 * time.Second,
		RetryMin:        10 * time.Millisecond,
		RetryMax:        time.Second,
	}
}

// Validate returns every fault of the config, joined, or nil.
func (c Config) Validate() error {
	var f check.Faults
	f.When(c.InputTopic == "", "no input topic is named")
	f.When(c.DeadLetterTopic == "", "no dead-letter topic is named")
	f.When(c.DeadLetterTopic != "" && c.DeadLetterTopic == c.InputTopic,
		"dead-letter topic %q must not be the input topic", c.DeadLetterTopic)
	f.When(c.MaxBatch < 1 || c.MaxBatch > buffer.HeldMax, "max_batch %d must be from 1 to %d", c.MaxBatch,
		buffer.HeldMax)
	f.When(c.BatchGrowth < 1 || c.BatchGrowth > buffer.HeldMax, "batch growth %d must be from 1 to %d",
		c.BatchGrowth, buffer.HeldMax)
	f.When(c.BytesMax < 1, "bytes %d of messages must be 1 or more", c.BytesMax)
	f.When(c.AttachSpansMax < 1, "%d spans attached at once: want 1 or more", c.AttachSpansMax)
	f.When(c.MaxBatchWait < 0, "max_batch_wait %v must not be negative", c.MaxBatchWait)
	f.When(c.PollWait <= 0, "poll wait %v must be positive", c.PollWait)
	f.When(c.PollEvery < 0, "poll interval %v must not be negative", c.PollEvery)
	f.When(c.BusyWait <= 0, "busy wait %v must be positive", c.BusyWait)
	f.When(c.CommitInterval < 0, "commit interval %v must not be negative", c.CommitInterval)
	f.When(c.AssignWait < 0, "assign wait %v must not be negative", c.AssignWait)
	f.When(c.TickEvery <= 0, "tick interval %v must be positive", c.TickEvery)
	f.When(c.UnseenMax <= 0, "unseen time %v must be positive", c.UnseenMax)
	f.When(c.RetryMin <= 0, "least retry wait %v must be positive", c.RetryMin)
	f.When(c.RetryMax < c.RetryMin, "longest retry wait %v must not be below the least, %v",
		c.RetryMax, c.RetryMin)
	f.Add(c.Options.Validate())
	return f.Err()
}

// grownBatch is the largest number of messages in any batch.
func (c Config) grownBatch() int { return c.MaxBatch * c.BatchGrowth }

// waitShare is the part of the shortest time-out that a batch waits at the most.
const waitShare = 20

// BatchWait is how long a batch really waits, of at most so long as is asked for: never more than a
// twentieth of the shortest time-out. The shard's clock goes on meanwhile, so what waits can be
// overtaken by the flush of its segment.
func BatchWait(asked, timeout, rootTimeout time.Duration) time.Duration {
	return min(asked, min(timeout, rootTimeout)/waitShare)
}

// batchWait is MaxBatchWait as far as the time-outs allow it.
func (c Config) batchWait() time.Duration {
	return BatchWait(c.MaxBatchWait, c.Options.Timeout, c.Options.RootTimeout)
}

// pollEvery is PollEvery as far as the time that a batch waits allows it.
func (c Config) pollEvery() time.Duration { return min(c.PollEvery, c.batchWait()/5) }

// grainShare is the part of the shortest time-out by which the clocks in one batch may be apart.
const grainShare = 8

// grain is how far apart the clocks in one batch may be. What is at the end of a batch is due so
// much too early, and with a spread beyond the time-out, before the rest of its trace is read.
func (c Config) grain() time.Duration {
	return min(c.Options.RootTimeout, c.Options.Timeout) / grainShare
}

// longest is the time after which a segment is flushed at the latest.
func (c Config) longest() time.Duration { return max(c.Options.RootTimeout, c.Options.Timeout) }
