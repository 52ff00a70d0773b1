package ingest

import (
	"time"

	"sluice/flusher"
)

// witnesses is how many messages after one tell whether the input has moved on with it.
const witnesses = 16

// cutAt returns how many of the pending messages, at most, make a batch: up to the first with which
// the clock of the input has moved on by more than the grain. One that is later than those around it
// is no such move: producers whose clocks differ would cut a batch at every message.
func cutAt(pending []flusher.Message, most int, grain time.Duration) int {
	most = min(most, len(pending))
	first := pending[0].Time
	for i := 1; i < most; i++ {
		t := pending[i].Time
		if t.Before(first) {
			first = t
		}
		if after := first.Add(grain); t.After(after) && movedOn(pending[i+1:], after) {
			return i
		}
	}
	return most
}

// movedOn tells whether most of the next messages are later, if there are any.
func movedOn(next []flusher.Message, than time.Time) bool {
	next = next[:min(witnesses, len(next))]
	later := 0
	for i := range next {
		if next[i].Time.After(than) {
			later++
		}
	}
	return 2*later >= len(next)
}
