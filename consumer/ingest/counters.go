package ingest

import (
	"maps"
	"slices"
	"sync"

	"sluice/buffer"
	"sluice/flusher"
)

// Counters are what the loop has done since it was made. They only grow.
type Counters struct {
	// Partitions that were ever assigned, by number.
	Partitions []PartitionCounters
	// Rules counts the spans that the kill switch dropped, by the text of the rule.
	Rules map[string]uint64
	// Commits and CommitErrors count the calls.
	Commits, CommitErrors uint64
}

// PartitionCounters are the counters of one partition.
type PartitionCounters struct {
	Partition int32
	// Assigned is true while the partition is this member's.
	Assigned bool
	// Paused is why its input pauses, or empty; PausedAt is since when.
	Paused   string
	PausedAt buffer.Instant
	// Messages were read; of them Spans were stored or recognised, Dropped fell to the kill
	// switch, and DeadLetters could not be decoded, or not be added to a damaged trace.
	Messages, Spans, Dropped, DeadLetters uint64
	// Deleted counts the messages that Kafka deleted before they were read, at most: the offsets of
	// transactions count, too.
	Deleted uint64
	// Skewed counts the messages whose timestamp is not on the course of the partition, and so has
	// no part in its clock.
	Skewed uint64
	// Bytes is the sum of the spans' sizes.
	Bytes uint64
	// Duplicates counts the spans that were in the same batch or in the store already.
	Duplicates uint64
	// Batches were enqueued; Retries counts the tries that failed for now.
	Batches, Retries uint64
	// Next is the offset behind the last committed message; 0 before the first commit.
	Next int64
	// Clock and Wall are those of the last batch since the partition was assigned, and 0 before: their
	// difference is how far behind the input is read.
	Clock, Wall buffer.Instant
}

// ledger keeps the counters; the loop and its tasks write, anyone reads.
type ledger struct {
	mu         sync.Mutex
	partitions map[int32]*PartitionCounters
	rules      map[string]uint64

	commits, commitErrors uint64
	// storing are the batches on their way to the store, by partition.
	storing map[int32][]buffer.TraceBatch
}

func newLedger() *ledger {
	return &ledger{
		partitions: make(map[int32]*PartitionCounters),
		rules:      make(map[string]uint64),
		storing:    make(map[int32][]buffer.TraceBatch),
	}
}

// store notes what is on its way to the store; nil: nothing.
func (l *ledger) store(number int32, traces []buffer.TraceBatch) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if traces == nil {
		delete(l.storing, number)
		return
	}
	l.storing[number] = traces
}

// of returns the counters of a partition. It is called under the lock.
func (l *ledger) of(number int32) *PartitionCounters {
	counters := l.partitions[number]
	if counters == nil {
		counters = &PartitionCounters{Partition: number}
		l.partitions[number] = counters
	}
	return counters
}

// add counts a batch that is in the store. Its clock is the partition's if that is still assigned, by the
// tenure that the batch is of.
func (l *ledger) add(b *batch, current bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.of(b.number)
	c.Messages += b.tally.Messages
	c.Spans += b.tally.Spans
	c.Bytes += b.tally.Bytes
	c.Duplicates += b.tally.Duplicates
	c.Dropped += b.tally.Dropped
	c.DeadLetters += b.tally.DeadLetters
	c.Skewed += b.tally.Skewed
	c.Batches += b.tally.Batches
	if current && b.tally.Batches > 0 {
		c.Clock, c.Wall = b.clock, b.wall
	}
	//order-free: sums
	for rule, spans := range b.dropped {
		l.rules[rule] += spans
	}
}

// assign notes whether a partition is this member's; one that is not does not pause either.
func (l *ledger) assign(number int32, assigned bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.of(number)
	c.Assigned, c.Paused, c.PausedAt = assigned, "", 0
	c.Clock, c.Wall = 0, 0 // of another tenure they would say nothing of this one
}

// pause notes why the input of a partition pauses from now on; empty if it does not.
func (l *ledger) pause(number int32, reason string, now buffer.Instant) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.of(number)
	switch {
	case reason == "":
		c.PausedAt = 0
	case c.Paused == "":
		c.PausedAt = now
	}
	c.Paused = reason
}

// catchUp notes that all that had come until wall was read.
func (l *ledger) catchUp(number int32, wall buffer.Instant) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.of(number).Clock, l.of(number).Wall = wall, wall
}

// skip counts messages that were deleted unread.
func (l *ledger) skip(gap flusher.Gap) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.of(gap.Partition).Deleted += uint64(gap.To - gap.From)
}

// retry counts a try that failed for now.
func (l *ledger) retry(number int32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.of(number).Retries++
}

// moveOn notes the offset behind the last committed message.
func (l *ledger) moveOn(number int32, next int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.of(number).Next = next
}

// commit counts a commit.
func (l *ledger) commit(failed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.commits++
	if failed {
		l.commitErrors++
	}
}

// Storing returns the traces that are on their way to the store: they may be attached, and not be
// enqueued yet. It may be called at any time.
func (l *Loop) Storing() map[buffer.TraceKey]bool {
	l.ledger.mu.Lock()
	defer l.ledger.mu.Unlock()
	keys := make(map[buffer.TraceKey]bool)
	//order-free: a set
	for _, traces := range l.ledger.storing {
		for _, t := range traces {
			keys[t.TraceKey] = true
		}
	}
	return keys
}

// Counters returns a copy of the counters. It may be called at any time.
func (l *Loop) Counters() Counters {
	l.ledger.mu.Lock()
	defer l.ledger.mu.Unlock()
	counters := Counters{
		Rules:        maps.Clone(l.ledger.rules),
		Commits:      l.ledger.commits,
		CommitErrors: l.ledger.commitErrors,
	}
	for _, number := range slices.Sorted(maps.Keys(l.ledger.partitions)) {
		counters.Partitions = append(counters.Partitions, *l.ledger.partitions[number])
	}
	return counters
}
