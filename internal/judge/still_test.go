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
	}{
		"a hand-over": {second(2, 6, 1), 2.1, 4.9, "shard coverage"},
		"an orphan":   {each(3, 9, func(l *Look) { l.Orphans = 1 }), 3.1, 6, "process limit"},
		"a worker that died": {func(e *Evidence) {
			later(3.9, 7)(e) // the supervisor's first turn is after that
			// What the looks say of it does not matter here.
		}, 4, 7.2, "shard coverage"},
		"a gate": {func(e *Evidence) {
			later(4.2, 9)(e)
			for i := range e.Moves {
				if e.Moves[i].Kind == flusher.EventGateClosed {
					e.Moves[i].T = 8.6
				}
			}
		}, 4.3, 8.2, "backpressure"},
	} {
		for _, still := range []bool{false, true} {
			e := clean()
			c.plant(e)
			if still {
				e.Looks = slices.DeleteFunc(e.Looks, func(l Look) bool { return c.from < l.T && l.T < c.to })
			}
			want := reports.Violated
			if still {
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
