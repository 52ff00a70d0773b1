package judge

import (
	"slices"
	"testing"

	"sluice/flusher"
	"sluice/reports"
)

// TestNoTimePassesWhileTheMachineStandsStill: what is granted for something to happen is not used up by a time
// in which nobody ran, of which only that nobody looked tells.
func TestNoTimePassesWhileTheMachineStandsStill(t *testing.T) {
	for name, c := range map[string]struct {
		plant     func(e *Evidence)
		from, to  float64 // nobody looks
		invariant string
		all       bool // it lasts for too long all the same
	}{
		"a hand-over":                     {second(2, 6, 1), 2.1, 4.9, "shard coverage", false},
		"a hand-over that takes too long": {second(2, 9, 1), 2.1, 4.9, "shard coverage", true},
		"an orphan":                       {each(3, 9, func(l *Look) { l.Orphans = 1 }), 3.1, 6, "process limit", false},
		"an orphan that stays":            {each(2, 10.9, func(l *Look) { l.Orphans = 1 }), 3.1, 6, "process limit", true},
		"a worker that died": {func(e *Evidence) {
			later(3.9, 7)(e) // the supervisor's first turn is after that
			// What the looks say of it does not matter here.
		}, 4, 7.2, "shard coverage", false},
		"one that nobody misses": {later(3.9, 8), 4, 5.5, "shard coverage", true},
		"a gate": {func(e *Evidence) {
			later(4.2, 9)(e)
			for i := range e.Moves {
				if e.Moves[i].Kind == flusher.EventGateClosed {
					e.Moves[i].T = 8.6
				}
			}
		}, 4.3, 8.2, "backpressure", false},
		"a gate that never closes": {func(e *Evidence) {
			later(4.2, 11)(e)
			e.Moves = slices.DeleteFunc(e.Moves, func(m Move) bool { return m.Kind == flusher.EventGateClosed })
		}, 4.3, 5.5, "backpressure", true},
	} {
		for _, still := range []bool{false, true} {
			e := clean()
			c.plant(e)
			if still {
				e.Looks = slices.DeleteFunc(e.Looks, func(l Look) bool { return c.from < l.T && l.T < c.to })
			}
			want := reports.Violated
			if still && !c.all {
				want = reports.Passed
			}
			i := slices.IndexFunc(Judge(e).Result.Invariants, func(j reports.Judgement) bool {
				return j.Name == c.invariant
			})
			if j := Judge(e).Result.Invariants[i]; j.Verdict != want {
				t.Errorf("%s, the machine stands still %v: %s is %s: %s", name, still, j.Name, j.Verdict, j.Detail)
			}
		}
	}
}
