// Package buffer says what a segment is and how it is kept until it is complete.
//
// A span (Span) belongs to a trace of a project and is filed below its effective parent. A segment
// is a root span with everything below it, up to the next root; it is named after its root, or
// after the unseen parent of its spans as long as the root has not come. Group files the spans of
// one batch as far as the batch alone can tell, a Store joins what batches brought.
//
// The unit that moves is a generation (Generation) of a segment: live while it collects spans, in
// flight once an owner has claimed it, then gone. A segment has at most one live generation; a
// span that arrives while one is in flight starts the next.
//
// The manual of the protocol is the Store interface: its steps, what a caller owes in which order,
// and what each rule prevents. Everything else here is a pure value or function with a rule of its
// own: Deadline, Chunks, FlushID, KillSwitch, CutOffSegment. Decoder and Encoder are the seam behind
// which spans have a written form; nothing here knows which.
//
// The package imports no driver, takes no time from a clock, and starts nothing.
package buffer
