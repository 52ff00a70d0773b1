package sim

import (
	"testing"
	"time"

	"sluice/flusher"
	"sluice/scenarios"
)

// TestSlowEndsWithItsFault: what is on its way then comes at once, as it would behind a proxy, or when the
// faults that last let it.
func TestSlowEndsWithItsFault(t *testing.T) {
	for side, direction := range []scenarios.Direction{scenarios.Requests, scenarios.Answers} {
		for _, beside := range []time.Duration{0, 5 * time.Second} {
			r := newRig(t)
			r.send()
			r.poll("first", 1, assigned)
			slow := func(by time.Duration) func() error {
				undo, _ := r.breakDown(scenarios.Fault{Verb: scenarios.VerbSlow, By: by, Direction: direction})
				return undo
			}
			if beside > 0 {
				slow(beside)
			}
			undo := slow(time.Minute)
			want := max(beside, time.Second)
			r.k.After(time.Second, func() { _ = undo() })
			begin := r.k.Now()
			task := r.k.Go("asks", func() {
				if err := r.connect()[0].ask(t.Context(), patient, 0, small, func() (int, time.Duration) {
					return small, 0
				}); err != nil {
					t.Error(err)
				}
				if took := r.k.Now().Sub(begin); took < want || took > want+time.Second {
					t.Errorf("direction %d: a request took %v, want %v", side, took, want)
				}
			})
			r.send()
			r.poll("slow", 1, flusher.Fetch{})
			if took := r.k.Now().Sub(begin); took < want || took > want+time.Second {
				t.Errorf("direction %d: a poll took %v, want %v", side, took, want)
			}
			task.Wait()
		}
	}
}
