package buffer

import (
	"time"

	"sluice/internal/check"
)

// Bytes is a number of bytes.
type Bytes int64

// NoSegmentLimit is the MaxSegmentBytes that never cuts a segment off.
const NoSegmentLimit Bytes = 0

// HeldMax is how many spans a batch and how many segments a cycle of a worker may have at the most: they
// are held in memory, and counts that are made of it do not overflow.
const HeldMax = 100_000

// TimeoutMin is the shortest Timeout and RootTimeout.
const TimeoutMin = time.Millisecond

// NoSegmentAge is the MaxSegmentAge under which steady traffic keeps a segment open forever.
const NoSegmentAge time.Duration = 0

// Options say when a segment is complete and how large it may grow.
type Options struct {
	// Timeout is how long after its last write a segment without a root is due.
	Timeout time.Duration
	// RootTimeout is how long after its last write a segment that has seen a root is due.
	RootTimeout time.Duration
	// MaxSegmentAge is how long after its first span a segment is due at the latest.
	// NoSegmentAge switches it off.
	MaxSegmentAge time.Duration
	// MaxSegmentBytes is the size, in payload bytes, over which newcomers form a segment of their
	// own, and over which a segment is written in chunks. NoSegmentLimit switches it off.
	MaxSegmentBytes Bytes
	// LateWindow is how long a flushed segment is remembered. Only 0 is implemented.
	LateWindow time.Duration
}

// DefaultOptions returns 60 s, 10 s, no age limit, 10 MiB.
func DefaultOptions() Options {
	return Options{
		Timeout:         60 * time.Second,
		RootTimeout:     10 * time.Second,
		MaxSegmentAge:   NoSegmentAge,
		MaxSegmentBytes: 10 << 20,
	}
}

// Validate returns every fault of the options, joined, or nil.
func (o Options) Validate() error {
	var f check.Faults
	f.When(o.Timeout < TimeoutMin, "timeout %v must be %v or more: deadlines are milliseconds", o.Timeout, TimeoutMin)
	f.When(o.RootTimeout < TimeoutMin, "root_timeout %v must be %v or more: deadlines are milliseconds",
		o.RootTimeout, TimeoutMin)
	f.When(o.MaxSegmentAge < 0, "max_segment_age %v must not be negative (0 switches it off)",
		o.MaxSegmentAge)
	f.When(o.MaxSegmentBytes < 0, "max_segment_bytes %d must not be negative (0 switches it off)",
		o.MaxSegmentBytes)
	f.When(o.LateWindow != 0, "late_window %v is not supported yet: only 0", o.LateWindow)
	return f.Err()
}
