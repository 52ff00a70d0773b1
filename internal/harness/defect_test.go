package harness_test

import (
	"fmt"
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
		s.Duration += longerOnTheWall
	}
	_, virtual := world.(sim.World)
	cfg := harness.Config{Scenario: s, World: world, Defect: d.Name}
	tries := caughtWithin
	if virtual {
		tries = 1
	}
	var reason string
	for range tries {
		if reason = missed(runOn(t, cfg), d); reason == "" {
			break
		}
		t.Log(reason)
	}
	if reason != "" {
		t.Errorf("in %d runs, the last: %s", tries, reason)
	}
	if !virtual && isDamage(d) {
		return // they share a scenario
	}
	cfg.Defect = ""
	for range tries { // a machine that is too busy may miss this moment, too
		outcome := runOn(t, cfg)
		if reason = unclean(outcome, d); reason == "" || outcome.Code == judge.ExitSafety ||
			outcome.Code == judge.ExitLiveness {
			break
		}
		t.Log(reason)
	}
	if reason != "" {
		t.Error(reason)
	}
}

// unclean says why a run without a defect does not show that the defect was to blame; "" if it does.
func unclean(outcome *judge.Outcome, d defects.Defect) string {
	if j := judgementOf(outcome, d); j.Verdict != reports.Passed {
		return fmt.Sprintf("without the defect %s is %s: %s", j.Name, j.Verdict, j.Detail)
	}
	for _, j := range outcome.Result.Invariants {
		if j.Verdict == reports.Violated {
			return fmt.Sprintf("without the defect %s holds, but %s is violated: %s", d.Caught, j.Name, j.Detail)
		}
	}
	return ""
}

// TestAnyViolationIsUnclean: a run without the defect that violates something else is no proof.
func TestAnyViolationIsUnclean(t *testing.T) {
	d := defects.Defect{Caught: "liveness"}
	judged := func(name string, verdict reports.Verdict) reports.Judgement {
		return reports.Judgement{Name: name, Verdict: verdict}
	}
	for want, list := range map[bool][]reports.Judgement{
		false: {judged("liveness", reports.Passed), judged("duplicates", reports.Unknown)},
		true:  {judged("liveness", reports.Passed), judged("duplicates", reports.Violated)},
	} {
		o := &judge.Outcome{Result: reports.Result{Invariants: list}}
		if got := unclean(o, d); (got != "") != want {
			t.Errorf("%v: %q", list, got)
		}
	}
}

// longerOnTheWall is how much longer the load of a kept scenario is on the wall clock: docs/museum.md says so.
const longerOnTheWall = 4 * time.Second

// caughtWithin is in how many runs a defect must be caught where the moment that shows it may be missed,
// as on a machine that is too busy for it.
const caughtWithin = 3

// missed says why a run with a defect did not catch it; "" if it did.
func missed(outcome *judge.Outcome, d defects.Defect) string {
	j := judgementOf(outcome, d)
	if j.Verdict != reports.Violated || outcome.Code == judge.ExitPassed ||
		!strings.Contains(j.Detail, "at ") ||
		isDamage(d) && d.Caught != "freshness" && !strings.Contains(j.Detail, "span ") {
		return fmt.Sprintf("with the defect %s is %s: %s", j.Name, j.Verdict, j.Detail)
	}
	return ""
}

// judgementOf is what is judged of the invariant that a defect violates.
func judgementOf(outcome *judge.Outcome, d defects.Defect) reports.Judgement {
	for _, j := range outcome.Result.Invariants {
		if j.Name == d.Caught {
			return j
		}
	}
	return reports.Judgement{Name: d.Caught, Detail: "it was not judged"}
}
