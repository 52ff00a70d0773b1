package harness

import (
	"testing"
	"time"
)

// TestWhatHasComeIsNotDrawnAnew: a fault whose moment came, but whose target was busy, comes as soon as it can,
// whatever is drawn; one that is still to come may stay away.
func TestWhatHasComeIsNotDrawnAnew(t *testing.T) {
	faults := []string{"when 1 spans sent crash worker 1", "at 1s crash worker 1", "when 2 spans sent crash worker 0"}
	came, stayed := 0, 0
	for seed := range uint64(20) {
		r := newRig(t, faults...)
		delete(r.first.Processes, 1)
		r.sink.Ledger.Sent(0, 0, 0)
		r.at(t, time.Second)
		r.redraw(withFaults(t, faults...), seed, 1500*time.Millisecond)
		r.first.Processes[1] = 101
		r.at(t, 2*time.Second, killed+" 101", killed+" 101")
		r.sink.Ledger.Sent(1, 0, 0)
		r.step(3 * time.Second)
		r.wait()
		if len(r.done) > 2 {
			came++
		} else {
			stayed++
		}
	}
	if came == 0 || stayed == 0 {
		t.Errorf("what was still to come came %d times, and stayed away %d times", came, stayed)
	}
}
