// Package ingest brings spans from the input topic into the buffer: poll, decode, kill switch,
// group, attach, enqueue, commit.
//
// Per partition, and in this order:
//
//  1. A batch is cut from what was polled. A message that is not a span becomes a dead letter, one
//     that the kill switch names is dropped.
//  2. The spans are grouped, attached to their traces, and the deadlines of the live generations
//     are enqueued in the partition's shard.
//  3. When that is done and the dead letters are acknowledged, and not before, the offset of the
//     batch is committed.
//
// A crash between any two steps makes Kafka deliver the batch again; the store recognises the
// spans and answers with the generations that hold them, so the queue is repaired.
//
// A new partition is flushed only when the first batches are in the store (AssignWait), for they
// may be such a repeat:
//
//	stored up to offset 900, committed up to 800, killed
//	flushed by the next owner, then 801 to 900 delivered again: spans of segments that are gone
//
// Partitions are independent: each has at most one batch in the store and one decoded behind it,
// each batch in a task of its own (flusher.Tasks), while the loop polls on. A batch that the store
// does not take for now is tried again until it does; only its own partition waits.
//
// The package is pure: time, concurrency and side effects come through its Ports.
package ingest
