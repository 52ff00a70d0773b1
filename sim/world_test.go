package sim

import (
	"testing"
	"time"

	"sluice/internal/judge"
	"sluice/scenarios"
)

// TestGrantsLittle: virtual time draws out nothing but the turns of the program, and starts as long as they
// are; where everything waits for the same cores it does.
func TestGrantsLittle(t *testing.T) {
	slow, shared := DefaultCosts(), DefaultCosts()
	slow.Program.Start, slow.Kafka.Session = time.Second, 0
	shared.Hosts.Shared = true
	for name, c := range map[string]struct {
		costs *Costs
		want  judge.Slacks
	}{
		"built-in":                     {nil, judge.Slacks{Gate: 0.3, Uncovered: 8, Reading: 0.1}},
		"a slow start, and no session": {&slow, judge.Slacks{Gate: 0.3, Uncovered: 5.6, Reading: 0.1}},
		"one host for all":             {&shared, judge.Slacks{Behind: 5, Gate: 1, Handover: 0.5, Uncovered: 10, Silence: 0.2, Orphan: 0.1, Reading: 0.1}},
	} {
		got, _ := World{Costs: c.costs}.Grants(scenarios.Default())
		round := func(seconds *float64) { *seconds = time.Duration(*seconds * 1e9).Round(time.Millisecond).Seconds() }
		round(&got.Gate)
		round(&got.Uncovered)
		if got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}
