package harness

import (
	"context"
	"errors"
	"math"
	"testing"
	"time"

	"sluice/internal/judge"
	"sluice/reports"
	"sluice/scenarios"
)

// TestMeasure: a load that outlasts its duration, as its traces do, was offered over all of its time; and
// what its spans took was taken in all of that, and in the drain.
func TestMeasure(t *testing.T) {
	o := &judge.Outcome{LoadSeconds: 20}
	o.Scenario.Duration = 5 * time.Second
	o.Result.Ledger = reports.Ledger{Sent: 60_000, Flushed: 60_000}
	o.Result.Run.DrainSeconds = 4
	for i := range 265 { // for 2 s after all was out
		at := float64(i) / 10
		o.Samples = append(o.Samples, reports.Sample{T: at, Flushed: min(60_000, int64(250*i)), CPUWorkers: 0.5 * at, CPURedis: 0.25 * at})
	}
	var run reports.SweepRun
	measure(&run, o)
	if run.OfferedPerSecond != 3000 || math.Abs(run.WorkerTime-0.5*24e6/60_000) > 1e-6 ||
		math.Abs(run.RedisTime-0.25*24e6/60_000) > 1e-6 {
		t.Errorf("%+v", run)
	}
}

// named is a world that nothing is asked but its name.
type named struct{ World }

func (named) Name() string { return "named" }

// TestSweepKeepsWhatWasMade before a run that could not be made, or was ended early: that one counts only if it
// violated safety. Each run's reason is what its verdict is due to.
func TestSweepKeepsWhatWasMade(t *testing.T) {
	planted := errors.New("planted")
	outcome := func(code int) *judge.Outcome {
		return &judge.Outcome{Code: code, Result: reports.Result{Verdict: judge.Verdicts[code],
			Invariants: []reports.Judgement{{Name: "liveness", Verdict: reports.Unknown},
				{Name: "store contract", Verdict: map[int]reports.Verdict{judge.ExitSafety: reports.Violated}[code], Detail: "twice"}},
			Expectations: []reports.Judgement{{Name: "drain_max", Verdict: reports.Violated, Detail: "9s"}},
		}}
	}
	for name, c := range map[string]struct {
		ended  *judge.Outcome // the second run
		code   int
		unsafe string
	}{
		"not made":             {nil, judge.ExitUnknown, ""},
		"ended early":          {outcome(judge.ExitUnknown), judge.ExitUnknown, ""},
		"ended early, unsafe":  {outcome(judge.ExitSafety), judge.ExitSafety, "store contract: twice"},
		"ended early, missing": {outcome(judge.ExitExpectation), judge.ExitUnknown, ""},
	} {
		n := 0
		got, err := Sweep(t.Context(), SweepConfig{Config: Config{World: named{}}, Repeat: 1,
			Points: ByProcesses(scenarios.Default(), 1, 2, 3),
			Run: func(context.Context, Config) (*judge.Outcome, error) {
				if n++; n == 2 {
					return c.ended, planted
				}
				return outcome(judge.ExitUnknown), nil
			}})
		if !errors.Is(err, planted) || n != 2 || len(got.Runs) != 1 || got.Code != c.code ||
			got.Runs[0].Reason != "liveness: " || (got.Unsafe != nil) != (c.unsafe != "") {
			t.Errorf("%s: %d runs, %v: %+v", name, n, err, got)
		} else if got.Unsafe != nil && (got.Unsafe.Reason != c.unsafe || got.Unsafe.Value != "2") {
			t.Errorf("%s: %+v", name, got.Unsafe)
		}
	}
}
