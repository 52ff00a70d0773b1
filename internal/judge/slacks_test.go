package judge

import (
	"testing"

	"sluice/buffer"
	"sluice/flusher"
	"sluice/reports"
)

// TestSlacks plants what is granted by one slack alone: without it the invariant that it belongs to
// is violated, with it all pass. Silence is the other way round: a consumer that is heard of has
// nothing to excuse it.
func TestSlacks(t *testing.T) {
	for name, c := range map[string]struct {
		plant         func(e *Evidence)
		slack         func(s *Slacks) *float64
		judged        string
		with, without reports.Verdict
	}{
		"gate that opens late": {
			func(e *Evidence) {
				for i := range e.Moves {
					if e.Moves[i].Kind == flusher.EventGateOpened {
						e.Moves[i].T++
					}
				}
			},
			func(s *Slacks) *float64 { return &s.Gate }, "backpressure",
			reports.Passed, reports.Violated,
		},
		"gate that closes late": {
			func(e *Evidence) {
				later(4.2, 7)(e) // worse than backpressure_after
				for i := range e.Moves {
					if e.Moves[i].Kind == flusher.EventGateClosed {
						e.Moves[i].T = 6.5
					}
				}
			},
			func(s *Slacks) *float64 { return &s.Gate }, "backpressure",
			reports.Passed, reports.Violated,
		},
		"hand-over": {
			second(2, 4, 1), func(s *Slacks) *float64 { return &s.Handover }, "shard coverage",
			reports.Passed, reports.Violated,
		},
		"two hand-overs": { // which do not add up
			all(second(1, 3, 1), second(5, 7, 1)),
			func(s *Slacks) *float64 { return &s.Handover }, "shard coverage",
			reports.Passed, reports.Violated,
		},
		"shard that nobody reads": {
			all(second(0, 20), theFirst(3, 5, readNot2)),
			func(s *Slacks) *float64 { return &s.Uncovered }, "shard coverage",
			reports.Passed, reports.Violated,
		},
		"silence": {
			theFirst(3, 5, func(c *ConsumerLook) { c.Heard = 0.5; readNot2(c) }),
			func(s *Slacks) *float64 { return &s.Silence }, "shard coverage",
			reports.Violated, reports.Passed,
		},
		"orphan": {
			each(3, 3.1, func(l *Look) { l.Orphans = 1 }), // one look
			func(s *Slacks) *float64 { return &s.Orphan }, "process limit",
			reports.Passed, reports.Violated,
		},
		"late generator": {
			func(e *Evidence) { e.Behind = 0.5 },
			func(s *Slacks) *float64 { return &s.Behind }, "open loop",
			reports.Passed, reports.Violated,
		},
	} {
		for _, granted := range []bool{true, false} {
			e := clean()
			c.plant(e)
			want := c.with
			if !granted {
				*c.slack(&e.Slacks) = 0
				want = c.without
			}
			r := Judge(e).Result
			for _, j := range append(r.Invariants, r.Expectations...) {
				switch {
				case j.Name == c.judged && j.Verdict != want:
					t.Errorf("%s, granted %v: %s is %s, want %s: %s", name, granted, j.Name, j.Verdict, want,
						j.Detail)
				case j.Name != c.judged && j.Verdict != reports.Passed:
					t.Errorf("%s, granted %v: %s is %s: %s", name, granted, j.Name, j.Verdict, j.Detail)
				}
			}
		}
	}
}

func readNot2(c *ConsumerLook) { c.States[0].Shards = []buffer.Shard{0} }
