package defects_test

import (
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"

	"sluice/internal/defects"
	"sluice/internal/harness"
	"sluice/internal/judge"
	"sluice/internal/portfault"
	"sluice/internal/portfault/inject"
	"sluice/internal/process"
	"sluice/internal/worlds/wall/fakes"
	"sluice/reports"
	"sluice/scenarios"
	"sluice/sim"
)

func TestMain(m *testing.M) {
	// The consumers are this test binary, started again, and so are their workers.
	process.MaybeChild()
	os.Exit(m.Run())
}

// TestPortFaultsAreSurvived: whole runs with calls that fail, whose answers are lost and in which
// workers die lose nothing, and repeat no more than the faults excuse. That a worker dies proves
// that the faults reach the processes of workers.
func TestPortFaultsAreSurvived(t *testing.T) {
	texts := []string{
		"lose store.ack every 2, lose store.attach every 3, lose producer.produce every 5",
		"refuse store.enqueue every 3, refuse source.commit every 2, crash after store.ack 2",
		// Of two fences in a row both must be answered, which every second loss would prevent for ever.
		"slow store.load by 20ms, crash before store.release 1, lose store.fence every 3",
		// Who watches the store, and who starts and ends workers: one of them starts at the second try.
		"refuse spawner.start 2, slow spawner.start 1 by 20ms, slow spawner.stop by 20ms, lose store.beat every 2, " +
			"refuse store.sweep every 3, lose store.adopt every 2, refuse store.memory every 2",
	}
	for _, world := range []harness.World{sim.World{}, fakes.World{}} {
		for _, text := range texts {
			t.Run(world.Name()+": "+text, func(t *testing.T) {
				t.Parallel() // most of it is waiting
				survive(t, world, text)
			})
		}
	}
}

// TestAPortFaultThatHitsNothingExcusesNothing, and is said not to have been: one at a port that is never
// called hid a defect for as long as it was taken to last.
func TestAPortFaultThatHitsNothingExcusesNothing(t *testing.T) {
	for text, lasts := range map[string]float64{
		"slow dead-letters.produce 1 by 1ms": 0,
		"slow store.attach 1 by 1ms":         inject.Settles.Seconds() + 1,
	} {
		d, err := defects.Find("never-idle")
		if err != nil {
			t.Fatal(err)
		}
		s, _, err := scenarios.LoadWith(d.Shown, nil, d.Changes...)
		if err != nil {
			t.Fatal(err)
		}
		cfg := harness.Config{Scenario: s, World: sim.World{}, Defect: d.Name}
		if cfg.PortFaults, err = portfault.Parse(text); err != nil {
			t.Fatal(err)
		}
		outcome, err := harness.Run(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		if outcome.Code != judge.ExitSafety {
			t.Errorf("%s: %s", text, outcome.Verdict())
		}
		at := slices.IndexFunc(outcome.Result.Faults, func(f reports.FaultSummary) bool {
			return strings.HasPrefix(f.Fault, text)
		})
		if at < 0 {
			t.Errorf("the result does not name %q: %+v", text, outcome.Result.Faults)
		} else if f := outcome.Result.Faults[at]; f.Injected != (lasts > 0) || f.To-f.From > lasts {
			t.Errorf("%+v, want one of %vs at most", f, lasts)
		}
	}
}

func survive(t *testing.T, world harness.World, text string) {
	s, _, err := scenarios.LoadWith("steady", nil, "duration=4s", "workload.rate=constant 500/s", "pipeline.max_memory=80%",
		"workload.traces_at_once=10", "pipeline.timeout=4s", "pipeline.root_timeout=3s",
		"expectations.freshness_p99_max=off",
		"expectations.throughput_min=0/s", "expectations.repeated_spans_max=unlimited",
		"expectations.worker_restarts_max=1")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(text, "crash") || strings.Contains(text, "refuse spawner.start") {
		s.Expectations.RestartsMin = 1
	}
	cfg := harness.Config{
		Scenario: s, World: world,
		Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	}
	if cfg.PortFaults, err = portfault.Parse(text); err != nil {
		t.Fatal(err)
	}
	outcome, err := harness.Run(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if outcome.Code != judge.ExitPassed || outcome.Result.Ledger.Lost > 0 {
		t.Errorf("%s; %+v", outcome.Verdict(), outcome.Result.Ledger)
		for _, j := range slices.Concat(outcome.Result.Invariants, outcome.Result.Expectations) {
			if j.Verdict == reports.Violated {
				t.Logf("%s: %s", j.Name, j.Detail)
			}
		}
		t.Logf("latency %+v, freshness %+v", outcome.Result.Latency, outcome.Result.Freshness)
	}
	for _, f := range cfg.PortFaults {
		if !slices.ContainsFunc(outcome.Result.Faults, func(s reports.FaultSummary) bool {
			return s.Fault == f.String()
		}) {
			t.Errorf("the result does not name %q: %+v", f, outcome.Result.Faults)
		}
	}
}
