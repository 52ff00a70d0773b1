package sim_test

import (
	"os"
	"slices"
	"testing"

	"sluice/internal/harness"
	"sluice/reports"
	"sluice/scenarios"
	"sluice/sim"
)

// TestJournal: of a span that is lost each step is known, and so is every one of those that are not.
func TestJournal(t *testing.T) {
	s, err := scenarios.Load("../scenarios/museum/ack-first.yaml", os.ReadFile)
	if err != nil {
		t.Fatal(err)
	}
	outcome, err := harness.Run(t.Context(), harness.Config{Scenario: s, World: sim.World{}, Defect: "ack-first",
		Journal: true})
	if err != nil {
		t.Fatal(err)
	}
	spans := outcome.Watched.Spans
	if !spans.Exact || len(spans.Look) == 0 || spans.Total != len(spans.Traces) || spans.Total != int(outcome.Result.Ledger.Sent) {
		t.Fatalf("%+v of %+v", spans, outcome.Result.Ledger)
	}
	out := 0
	for i, trace := range spans.Traces {
		var steps []reports.SpanStep
		for _, e := range trace.Entries {
			steps = append(steps, e.Step)
		}
		if slices.Contains(steps, reports.SpanOut) {
			out++
			for _, want := range []reports.SpanStep{reports.SpanStored, reports.SpanQueued, reports.SpanLeased,
				reports.SpanLoaded, reports.SpanAcked} {
				if !slices.Contains(steps, want) {
					t.Errorf("trace %d has steps %v, without %d", i, steps, want)
				}
			}
			continue
		}
		want := []reports.SpanStep{reports.SpanStored, reports.SpanQueued, reports.SpanLeased, reports.SpanLoaded, reports.SpanAcked}
		if !slices.Equal(steps, want) {
			t.Errorf("a lost span has steps %v, want %v", steps, want)
		}
	}
	if out != int(outcome.Result.Ledger.Flushed) {
		t.Errorf("%d came out, and the ledger says %d", out, outcome.Result.Ledger.Flushed)
	}
	if len(outcome.Watched.Stages) < 10 || outcome.Watched.StagesMissed > 0 {
		t.Errorf("%d stages, without %d", len(outcome.Watched.Stages), outcome.Watched.StagesMissed)
	}
}
