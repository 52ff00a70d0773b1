package harness

import (
	"math"
	"testing"
	"time"

	"sluice/internal/judge"
	"sluice/reports"
)

// TestMeasure: a load that outlasts its duration, as its traces do, was offered over all of its time; and
// what its spans took was taken in all of that, and in the drain.
func TestMeasure(t *testing.T) {
	o := &judge.Outcome{LoadSeconds: 20}
	o.Scenario.Duration = 5 * time.Second
	o.Result.Ledger = reports.Ledger{Sent: 60_000, Flushed: 60_000}
	o.Result.Run.DrainSeconds = 4
	for i := range 245 {
		at := float64(i) / 10
		o.Samples = append(o.Samples, reports.Sample{T: at, CPUWorkers: 0.5 * at, CPURedis: 0.25 * at})
	}
	var run reports.SweepRun
	measure(&run, o)
	if run.OfferedPerSecond != 3000 || math.Abs(run.WorkerTime-0.5*24e6/60_000) > 1e-6 ||
		math.Abs(run.RedisTime-0.25*24e6/60_000) > 1e-6 {
		t.Errorf("%+v", run)
	}
}
