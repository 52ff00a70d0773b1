package sim

import (
	"errors"
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

// TestWhatIsOnItsWayIsSwallowed: a black hole that begins meanwhile takes it, as behind a proxy, and whoever asked
// hears of that when it is over.
func TestWhatIsOnItsWayIsSwallowed(t *testing.T) {
	for side, direction := range []scenarios.Direction{scenarios.Requests, scenarios.Answers} {
		r := newRig(t)
		_, _ = r.breakDown(scenarios.Fault{Verb: scenarios.VerbSlow, By: 5 * time.Second, Direction: direction})
		served, ended := false, false
		var failed error
		task := r.k.Go("asks", func() {
			failed = r.connect()[0].ask(t.Context(), patient, 0, small, func() (int, time.Duration) {
				served = true
				return small, 0
			})
			ended = true
		})
		_ = r.k.Sleep(t.Context(), time.Second)
		undo, _ := r.breakDown(scenarios.Fault{Verb: scenarios.VerbBlackHole, Direction: direction})
		_ = r.k.Sleep(t.Context(), 10*time.Second)
		if ended || served != (side == answers) {
			t.Errorf("direction %d: it is served: %v, and answered: %v", side, served, ended)
		}
		if err := undo(); err != nil {
			t.Fatal(err)
		}
		if task.Wait(); !errors.Is(failed, errBroken) {
			t.Errorf("direction %d: %v", side, failed)
		}
	}
}
