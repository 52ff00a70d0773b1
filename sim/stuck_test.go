package sim_test

import (
	"slices"
	"strings"
	"testing"

	"sluice/internal/harness"
	"sluice/internal/judge"
	"sluice/reports"
	"sluice/scenarios"
	"sluice/sim"
)

// TestStuckRunSaysWhere what did not come out is, and whose it is, though the consumers know of nothing.
func TestStuckRunSaysWhere(t *testing.T) {
	for defect, want := range map[string]string{
		"lost-store": "shard 0: 5 segments queued, 0 leased by epoch 0, which no worker has: worker 0 of the " +
			"consumer has a later one, and is healthy",
		"empty-shards": "1 message of the input not committed",
	} {
		s, err := scenarios.Load(defect, nil)
		if err != nil {
			t.Fatal(err)
		}
		outcome, err := harness.Run(t.Context(), harness.Config{Scenario: s, World: sim.World{}, Defect: defect})
		if err != nil {
			t.Fatal(err)
		}
		if j := judgement(t, outcome, "liveness"); j.Verdict != reports.Violated || !strings.HasSuffix(j.Detail, want) {
			t.Errorf("%s: %s %q, want that it ends with %q", defect, j.Verdict, j.Detail, want)
		}
	}
}

// judgement is what is judged of an invariant.
func judgement(t *testing.T, outcome *judge.Outcome, name string) reports.Judgement {
	t.Helper()
	at := slices.IndexFunc(outcome.Result.Invariants, func(j reports.Judgement) bool { return j.Name == name })
	if at < 0 {
		t.Fatalf("%s is not judged", name)
	}
	return outcome.Result.Invariants[at]
}
