package defects_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"sluice/internal/harness"
	"sluice/internal/judge"
	"sluice/reports"
	"sluice/scenarios"
	"sluice/sim"
)

// brief are changes of the library's scenarios for runs of a few seconds. A worker has one restart.
var brief = []string{
	"duration=4s", "workload.rate=constant 500/s", "workload.traces_at_once=10", "pipeline.timeout=4s",
	"pipeline.root_timeout=3s", "pipeline.max_unhealthy=1s", "pipeline.restart_budget=1",
	"expectations.throughput_min=0/s", "expectations.freshness_p99_max=off",
	"expectations.worker_restarts_max=unlimited", "expectations.repeated_spans_max=unlimited",
}

// TestFaultsAtPortsOfTheSupervisor and of the audit hit the calls that they name, and are judged by what
// follows: what fails once is tried again, one start too many that fails ends the consumer.
func TestFaultsAtPortsOfTheSupervisor(t *testing.T) {
	const passed = ""
	for _, c := range []struct {
		ports    string
		changes  []string
		restarts string // by worker
		violated string
	}{
		{"refuse store.memory 1..3", []string{"pipeline.max_memory=80%", "faults=[at 1s fill redis for 2s]"}, "0 0", passed},
		{"slow store.memory by 200ms", []string{"pipeline.max_memory=80%", "faults=[at 1s fill redis for 2s]"}, "0 0", passed},
		{"lose store.beat every 2", nil, "0 0", passed},
		{"refuse store.beat 4..9", []string{"faults=[at 2s wipe redis for 500ms]", "expectations.split_spans_max=unlimited"}, "0 0", passed},
		{"refuse store.sweep every 2", nil, "0 0", passed},
		{"lose store.sweep 1..3", nil, "0 0", passed},
		{"lose store.adopt every 2", nil, "0 0", passed},
		{"refuse store.adopt 1", nil, "0 0", passed},
		{"slow spawner.start by 300ms", nil, "0 0", passed},
		{"refuse spawner.start 1..2", nil, "1 1", passed},
		// The budget of worker 1 is one restart, which the crash costs.
		{"refuse spawner.start 3..9", []string{"faults=[at 1s crash worker 1]"}, "0 1", "liveness"},
		{"refuse spawner.start 3..9", []string{"faults=[at 1s crash worker 1]", "expectations.end=budget"}, "0 1", passed},
		{"slow spawner.stop by 500ms", []string{"faults=[at 1s rebalance for 1s]"}, "0 0", passed},
		{"slow spawner.kill by 3s", []string{"faults=[at 1s hang worker 1]"}, "0 1", passed},
	} {
		t.Run(c.ports+fmt.Sprint(c.changes), func(t *testing.T) {
			t.Parallel()
			outcome := runWith(t, c.ports, slices.Concat(brief, c.changes)...)
			j, failed := outcome.Decisive()
			if failed != (c.violated != passed) || failed && j.Name != c.violated {
				t.Errorf("%s: %s: %s, want %q", j.Name, j.Verdict, j.Detail, c.violated)
			}
			var restarts []string
			for _, w := range outcome.Result.Workers {
				restarts = append(restarts, fmt.Sprint(w.Restarts))
			}
			if got := strings.Join(restarts, " "); got != c.restarts {
				t.Errorf("restarts of the workers: %s, want %s", got, c.restarts)
			}
			if !slices.ContainsFunc(outcome.Result.Faults, func(f reports.FaultSummary) bool {
				return f.Fault == c.ports && f.Injected
			}) {
				t.Errorf("it hit nothing: %+v", outcome.Result.Faults)
			}
		})
	}
}

// runWith runs steady in virtual time with faults at ports.
func runWith(t *testing.T, ports string, changes ...string) *judge.Outcome {
	t.Helper()
	s, _, err := scenarios.LoadWith("steady", nil, append(changes, "port_faults=["+ports+"]")...)
	if err != nil {
		t.Fatal(err)
	}
	outcome, err := harness.Run(t.Context(), harness.Config{Scenario: s, World: sim.World{}})
	if err != nil {
		t.Fatal(err)
	}
	return outcome
}
