package flusher

import (
	"context"
	"errors"
	"time"

	"sluice/buffer"
)

// Clock is where the core gets its time from.
type Clock interface {
	// Now returns the wall-clock time, with a monotonic reading where there is one.
	Now() time.Time
	// Sleep returns nil after d, or the context's error as soon as it is done.
	Sleep(ctx context.Context, d time.Duration) error
	// WithTimeout returns a context that ends with its parent or after d, whichever is first.
	WithTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc)
}

// Tasks is the only way in which the core gets concurrency: goroutines on the wall clock,
// coroutines of one event loop in the virtual world.
type Tasks interface {
	// Go starts fn as a concurrent task of that name.
	Go(name string, fn func()) Task
}

// Task is a task that was started.
type Task interface {
	// Wait returns when the task's function has returned.
	Wait()
	// Done tells without blocking whether it has.
	Done() bool
}

// Record is a message to produce.
type Record struct {
	Topic   string
	Key     []byte
	Value   []byte
	Headers []Header
}

// Header is a header of a message.
type Header struct {
	Key   string
	Value []byte
}

// ErrRecordTooLarge means that the broker refuses a record because of its size, now and always.
var ErrRecordTooLarge = errors.New("record is larger than the broker accepts")

// Producer sends records to Kafka with acks=all and without reordering or duplicating on retry.
type Producer interface {
	// Produce hands a record over and returns at once, or blocks while as many are in flight as
	// the producer allows. The record must not be changed until the future is done.
	Produce(ctx context.Context, record Record) Future
	// Flush returns when every record handed over is done, or with the context's error.
	Flush(ctx context.Context) error
}

// Future is the outcome of a Produce.
type Future interface {
	// Wait returns nil once the broker has acknowledged the record, ErrRecordTooLarge (wrapped)
	// if it never will, another error if the record's fate is unknown or it was refused, or the
	// context's error.
	Wait(ctx context.Context) error
}

// Message is a message of the input topic.
type Message struct {
	Position buffer.Position
	// Time is the message's Kafka timestamp.
	Time time.Time
	// LeaderEpoch goes with the offset when it is committed, and so does Queued: the store was told of the
	// offset behind the message, as buffer.QueueUpdate.Next. It is not of a batch without spans.
	LeaderEpoch int32
	Queued      bool
	Key, Value  []byte
}

// Batch is what Poll returned for one partition: messages in the order of their offsets.
type Batch struct {
	Partition int32
	Messages  []Message
}

// Gap is messages of a partition, by their offsets: From the first, and To behind the last.
type Gap struct {
	Partition int32
	From, To  int64
}

// Source is the consumer group's side of the input topic.
type Source interface {
	// Poll waits for messages, at most limit per partition and at most wait long; it may return
	// none. Changes of the assignment are reported before the first messages that follow them.
	// An error is one that will not pass by polling again.
	Poll(ctx context.Context, limit int, wait time.Duration) (Fetch, error)
	// Pause stops Poll from returning messages of these partitions; Resume ends that, and so does
	// the end of the assignment: one that is assigned again is not paused.
	Pause(partitions ...int32)
	Resume(partitions ...int32)
	// Commit records that everything up to and including these messages need not be read again:
	// per partition the last message. An error means that it may be read again: all of it, unless
	// the error is a *NotCommitted.
	Commit(ctx context.Context, last []Message) error
	// Released tells the source that nothing of these revoked partitions is in work any more,
	// so that the group may give them to another member.
	Released(partitions ...int32)
}

// NotCommitted is the error of a Commit that had effect for some of its partitions, if any.
type NotCommitted struct {
	// Partitions are those that were not committed; all others were.
	Partitions []int32
	Err        error
}

// Error returns the cause in words.
func (e *NotCommitted) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *NotCommitted) Unwrap() error { return e.Err }

// Fetch is the answer of Poll.
type Fetch struct {
	// Revoked partitions are no longer this member's as soon as Released was called; lost ones
	// already belong to another, and nothing of them can be committed.
	Revoked, Lost []int32
	// Assigned partitions are new.
	Assigned []int32
	// Gaps are messages of assigned partitions that Kafka deleted before they were read: the source
	// goes on behind them.
	Gaps []Gap
	// Batches holds messages, at most one batch per partition.
	Batches []Batch
	// InTouch is true if the source has heard of its servers just now, so that what it does not
	// return has not come yet: of all partitions but the Silent, of which it has not heard, since the
	// server that has them does not answer, or not for them, or none has them.
	InTouch bool
	Silent  []int32
}

// Gate tells the ingest loop which shards are not to be read for now.
type Gate interface {
	// Closed returns the shards whose input is to pause, each with the reason in words. Nil or
	// empty means that all may be read.
	Closed() map[buffer.Shard]string
	// Full tells whether the store is fuller than it should be. The clocks of shards whose input
	// pauses must keep running then: what they make due, and only that, makes room.
	Full() bool
}

// Assigner takes over the flushing of shards: the supervisor.
type Assigner interface {
	// Assign makes exactly these shards the ones that are flushed here. It returns at once; the
	// workers follow as soon as they can.
	Assign(shards []buffer.Shard)
}
