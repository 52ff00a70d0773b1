package ledger

import (
	"math"
	"time"
)

// dues are when spans were due to be sent, by their number: four bytes each, in pieces, so that
// growing copies nothing. Messages are sent in the order in which they are due, so they tell also
// which of two spans of a partition was delivered first, unless both were due at the same step.
type dues [][]uint32

const (
	// dueChunk is how many spans' times are kept in one piece.
	dueChunk = 1 << 16
	// dueStep is how fine they are. 2^32 steps are eleven hours.
	dueStep = 10 * time.Microsecond
)

func (d *dues) set(seq uint64, at time.Duration) {
	for uint64(len(*d)) <= seq/dueChunk {
		*d = append(*d, nil)
	}
	chunk := &(*d)[seq/dueChunk]
	if *chunk == nil {
		*chunk = make([]uint32, dueChunk)
	}
	(*chunk)[seq%dueChunk] = uint32(min(max(at, 0)/dueStep, math.MaxUint32))
}

// of returns when a span that was sent was due.
func (d dues) of(seq uint64) time.Duration {
	return time.Duration(d[seq/dueChunk][seq%dueChunk]) * dueStep
}

// Due returns when a span was due to be sent, since the start of the load; 0 if it was not sent.
func (l *Ledger) Due(seq uint64) time.Duration {
	l.in.Lock()
	defer l.in.Unlock()
	if !l.sent.has(seq) {
		return 0
	}
	return l.due.of(seq)
}
