package harness_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"sluice/internal/defects"
	"sluice/internal/harness"
	"sluice/internal/judge"
	"sluice/internal/worlds/wall/fakes"
	"sluice/internal/worlds/wall/real"
	"sluice/reports"
	"sluice/scenarios"
	"sluice/sim"
)

// TestDefectsAreCaught puts each failure back, in all worlds: the harness must say that its
// invariant is violated, with the event that shows it, and must not say so without the failure.
func TestDefectsAreCaught(t *testing.T) {
	for _, world := range []harness.World{
		sim.World{}, fakes.World{}, real.World{Servers: real.Start},
	} {
		t.Run(world.Name(), func(t *testing.T) {
			for _, d := range defects.All() {
				if _, servers := world.(real.World); servers && isDamage(d) {
					continue // what a worker damages does not depend on the servers
				}
				t.Run(d.Name, func(t *testing.T) {
					t.Parallel() // most of it is waiting
					catch(t, world, d)
				})
			}
		})
	}
}

func isDamage(d defects.Defect) bool {
	return slices.ContainsFunc(defects.Damages(), func(o defects.Defect) bool { return o.Name == d.Name })
}

func catch(t *testing.T, world harness.World, d defects.Defect) {
	s, _, err := scenarios.LoadWith(d.Shown, os.ReadFile, d.Changes...)
	if err != nil {
		t.Fatal(err)
	}
	cfg := harness.Config{Scenario: s, World: world, Defect: d.Name}
	for _, with := range []bool{true, false} {
		if !with {
			cfg.Defect = ""
		}
		if _, virtual := world.(sim.World); !with && !virtual && isDamage(d) {
			break // they share a scenario
		}
		outcome := runOn(t, cfg)
		for _, j := range outcome.Result.Invariants {
			if j.Name != d.Caught {
				continue
			}
			if with && (j.Verdict != reports.Violated || outcome.Code != judge.ExitSafety ||
				!strings.Contains(j.Detail, "at ") ||
				isDamage(d) && d.Caught != "freshness" && !strings.Contains(j.Detail, "span ")) {
				t.Errorf("with the defect %s is %s: %s", j.Name, j.Verdict, j.Detail)
			}
			if !with && j.Verdict != reports.Passed {
				t.Errorf("without the defect %s is %s: %s", j.Name, j.Verdict, j.Detail)
			}
		}
	}
}
