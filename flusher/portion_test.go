package flusher

import "testing"

// What waits behind a portion must not keep its segments, and the records that they became, alive: a
// lease may hold far more than fits into memory.
func TestTheRestDoesNotKeepAPortion(t *testing.T) {
	w := &worker{cfg: WorkerConfig{MaxFlushBytes: 20}}
	for range 5 {
		w.claimed = append(w.claimed, &segment{shard: &shard{}, size: 10})
	}
	claimed := w.claimed
	portion := w.portion()
	if len(portion) != 2 || portion[1] == nil || len(w.claimed) != 3 || w.claimed[0] == nil {
		t.Fatalf("portion %v, and the rest %v", portion, w.claimed)
	}
	if claimed[0] != nil || claimed[1] != nil {
		t.Error("the portion is held where the rest is")
	}
}
