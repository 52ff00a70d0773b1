package harness

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"time"

	"sluice/internal/judge"
	"sluice/reports"
	"sluice/scenarios"
)

// SweepConfig is one scenario with several values of one of its keys.
type SweepConfig struct {
	// Config is that of each run, but for the scenario.
	Config
	// Over is the key, with those above it. Default: the number of workers.
	Over string
	// Points are the values. Each is run Repeat times. Each repeat has a seed of its own, one higher
	// than the last, the same for all points.
	Points []SweepPoint
	Repeat int
	// Run makes a run. The outcome of one that was ended early comes with the error.
	Run func(context.Context, Config) (*judge.Outcome, error)
	// Ran hears of each run when it is over.
	Ran func(reports.SweepRun)
}

// SweepPoint is the scenario with one of the values.
type SweepPoint struct {
	Value    string
	Scenario scenarios.Scenario
}

// ByProcesses are points that differ in the number of workers.
func ByProcesses(s scenarios.Scenario, counts ...int) []SweepPoint {
	points := make([]SweepPoint, len(counts))
	for i, n := range counts {
		s.Topology.FlusherProcesses = scenarios.Processes(n)
		points[i] = SweepPoint{strconv.Itoa(n), s}
	}
	return points
}

// SweepResult is a sweep with the worst exit code of its runs.
type SweepResult struct {
	reports.Sweep
	Code int
	// Unsafe is the run that ended the sweep if it violated safety all the same; nil if none did.
	Unsafe *reports.SweepRun
}

// Sweep runs the scenario with each value. The values take turns, so that whatever else happens on the
// machine meets all of them alike. If a run cannot be made, what was measured so far comes with the
// error.
func Sweep(ctx context.Context, cfg SweepConfig) (SweepResult, error) {
	var runs []reports.SweepRun
	worst := judge.ExitPassed
	var portFaults []string
	result := func() SweepResult {
		s := reports.NewSweep(cfg.Points[0].Scenario.Name, cfg.World.Name(),
			cmp.Or(cfg.Over, reports.OverProcesses), runs)
		s.Defect, s.PortFaults = cfg.Defect, portFaults
		return SweepResult{Sweep: s, Code: worst}
	}
	for repeat := range cfg.Repeat {
		for _, point := range cfg.Points {
			one := cfg.Config
			one.Scenario = point.Scenario
			one.Scenario.Seed += uint64(repeat)
			outcome, err := cfg.Run(ctx, one)
			run := reports.SweepRun{Processes: one.Scenario.Topology.Workers(), Value: point.Value,
				Repeat: repeat + 1, Seed: one.Scenario.Seed}
			if err != nil {
				swept := result()
				if outcome != nil && outcome.Code == judge.ExitSafety {
					measure(&run, outcome)
					swept.Code, swept.Unsafe = outcome.Code, &run
				}
				return swept, fmt.Errorf("run %d with %s: %w", repeat+1, swept.Group(run), err)
			}
			measure(&run, outcome)
			runs, portFaults = append(runs, run), outcome.Result.PortFaults
			worst = judge.Graver(worst, outcome.Code)
			if cfg.Ran != nil {
				cfg.Ran(run)
			}
		}
	}
	return result(), nil
}

// measure enters what came of a run.
func measure(run *reports.SweepRun, o *judge.Outcome) {
	r, seconds := o.Result, o.LoadSeconds
	run.Verdict, run.FlushersKeptUp, run.Digest = r.Verdict, keptUp(o), r.Digest
	run.OfferedPerSecond = float64(r.Ledger.Sent) / max(seconds, 1e-3)
	run.SpansPerSecond, run.BytesPerSecond = r.Throughput.SpansPerSecond, r.Throughput.BytesPerSecond
	run.FreshnessP50, run.FreshnessP99 = r.Freshness.P50, r.Freshness.P99
	run.LatencyP99, run.DrainSeconds = r.Latency.P99, r.Run.DrainSeconds
	for _, s := range o.Samples {
		run.WorkerBytesMax = max(run.WorkerBytesMax, s.WorkerBytesMax)
		run.RedisBytesMax = max(run.RedisBytesMax, s.RedisBytes)
	}
	// Short loads are flushed in the drain, most of them.
	run.Cores = reports.CoresDuring(o.Samples, 0, seconds+run.DrainSeconds)
	run.SpanCosts = reports.CostsOf(o.Samples, r.Ledger.Flushed)
	why, _ := o.Decisive()
	run.Reason = why.String()
}

// Bounds of a run in which the flushers kept up.
const (
	// freshMax is how long 99 % of the segments may have waited for a flusher.
	freshMax = time.Second
	// drainSlack is how much longer than the longest time-out the drain may have taken.
	drainSlack = 3 * time.Second
)

// keptUp tells whether the flushers, and the way to them, were faster than the load: nothing waited
// long, and at its end there was no more to drain than waited for its deadline.
func keptUp(o *judge.Outcome) bool {
	timeout := max(o.Scenario.Pipeline.Timeout, o.Scenario.Pipeline.RootTimeout)
	return o.Result.Freshness.P99 <= freshMax.Seconds() &&
		o.Result.Run.DrainSeconds <= (timeout+drainSlack).Seconds()
}
