package harness_test

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/internal/defects"
	"sluice/internal/harness"
	"sluice/internal/judge"
	"sluice/internal/worlds/wall/fakes"
	"sluice/internal/worlds/wall/real"
	"sluice/reports"
	"sluice/scenarios"
	"sluice/sim"
)

// TestDefectsAreCaught puts failures back: the harness must say that the invariant is violated, with
// the event that shows it, and must not say so without the failure. In virtual time the museum does
// that with its own; here some of them follow on fakes and on real servers, with the scenarios that
// are kept of them.
func TestDefectsAreCaught(t *testing.T) {
	t.Parallel()
	museum := slices.DeleteFunc(defects.Museum(),
		func(d defects.Defect) bool { return !d.OnServers })
	for i := range museum {
		museum[i].Shown, museum[i].Changes = museum[i].Name, nil
	}
	for _, c := range []struct {
		world   harness.World
		defects []defects.Defect
	}{
		{sim.World{}, defects.Damages()},
		{fakes.World{}, append(museum, defects.Damages()...)},
		// What a worker damages does not depend on the servers.
		{real.World{Servers: real.Start}, museum},
	} {
		t.Run(c.world.Name(), func(t *testing.T) {
			t.Parallel()
			for _, d := range c.defects {
				t.Run(d.Name, func(t *testing.T) {
					t.Parallel()
					catch(t, c.world, d)
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
	if _, virtual := world.(sim.World); !virtual && !isDamage(d) {
		// The least scenario ends at the moment that shows the failure. On the wall clock, that moment
		// comes when a process has started.
		s.Duration += 4 * time.Second
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
			if with && (j.Verdict != reports.Violated || outcome.Code == judge.ExitPassed ||
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
