package sim_test

import (
	"strings"
	"testing"

	"sluice/internal/harness"
	"sluice/reports"
	"sluice/scenarios"
	"sluice/sim"
)

// TestNoProcessIsTooShort to be counted: two beside each other, for less time than is between two looks,
// violate the limit at the moment at which the second was started.
func TestNoProcessIsTooShort(t *testing.T) {
	s, _, err := scenarios.LoadWith("hang", nil, "duration=6s", "topology.partitions=1",
		"pipeline.max_unhealthy=3s", "workload.rate=constant 4/s", "expectations.throughput_min=0/s",
		"faults=[at 1s hang worker 0, at 4.15s crash consumer for 1s]")
	if err != nil {
		t.Fatal(err)
	}
	outcome, err := harness.Run(t.Context(), harness.Config{Scenario: s, World: sim.World{},
		Defect: "kill-skipped"})
	if err != nil {
		t.Fatal(err)
	}
	for _, sample := range outcome.Samples {
		if sample.WorkersLive > 1 {
			t.Fatalf("a look at %.1fs saw both, so this shows nothing", sample.T)
		}
	}
	if j := judgement(t, outcome, "process limit"); j.Verdict != reports.Violated || j.At == nil || *j.At < 4.1 ||
		*j.At > 4.15 || !strings.Contains(j.Detail, "s the consumer had 2 worker processes, the limit is 1; before that") {
		t.Errorf("%s at %v: %s", j.Verdict, j.At, j.Detail)
	}
}
