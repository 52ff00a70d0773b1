package kernel

import "math/bits"

// An event is a value of 16 bytes without a pointer: moving it costs no write barrier.
type event struct {
	at int64 // in nanoseconds since the start; not negative
	// key is the event's number, and in its lowest slotBits the slot of whom it resumes. A number is
	// never used twice, so that a key also tells whether the event is still wanted.
	key uint64
}

const (
	slotBits = 24
	slotMask = 1<<slotBits - 1
)

// agenda is what will happen, in the order of instant and number: a radix heap (Ahuja, Mehlhorn,
// Orlin and Tarjan, 1990). It needs what holds here: nothing is added before what was taken last.
//
// Bucket b has the events whose instants differ from the last one in bit b-1, and in no higher one;
// so the events of a bucket are all before those of the next. When the lowest bucket is needed its
// events are dealt out to those below it, which are empty then. So an event is moved about as often
// as the logarithm of how many there are, and compared with none but the least of its bucket.
// Events of one instant are in one bucket always, and stay in the order in which they were added,
// which is that of their numbers.
type agenda struct {
	last    int64  // the instant of the events in bucket 0
	filled  uint64 // bit b: bucket b has events
	least   [64]int64
	buckets [64][]event
	taken   int // of bucket 0
}

func (a *agenda) add(e event) {
	b := bits.Len64(uint64(e.at^a.last)) & 63
	if bit := uint64(1) << b; a.filled&bit == 0 {
		a.filled |= bit
		a.least[b] = e.at
	} else {
		a.least[b] = min(a.least[b], e.at)
	}
	a.buckets[b] = append(a.buckets[b], e)
}

// take returns the key of the next event of an instant, and false if nothing is left in it.
func (a *agenda) take(now int64) (key uint64, any bool) {
	if a.filled&1 == 0 {
		if at, any := a.next(); !any || at != now {
			return 0, false
		}
		a.deal()
	}
	key = a.buckets[0][a.taken].key
	if a.taken++; a.taken == len(a.buckets[0]) {
		a.buckets[0], a.taken = a.buckets[0][:0], 0
		a.filled &^= 1
	}
	return key, true
}

// deal moves the events of the lowest bucket to those below it.
func (a *agenda) deal() {
	b := bits.TrailingZeros64(a.filled)
	a.last = a.least[b]
	a.filled &^= 1 << b
	events := a.buckets[b]
	a.buckets[b] = events[:0]
	for _, e := range events {
		a.add(e)
	}
}

// next returns the instant of the first event, and false if there is none.
func (a *agenda) next() (at int64, any bool) {
	return a.least[bits.TrailingZeros64(a.filled)&63], a.filled != 0
}

// empty tells whether nothing happens up to an instant to come.
func (a *agenda) empty(until int64) bool {
	at, any := a.next()
	return !any || at > until
}
