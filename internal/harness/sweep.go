package harness

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"sluice/internal/judge"
	"sluice/internal/options"
	"sluice/reports"
	"sluice/scenarios"
)

// SweepConfig is one scenario with several process counts.
type SweepConfig struct {
	Config
	// Processes are the counts, Repeat how often each is run. Each repeat has a seed of its own,
	// one higher than the last, the same for all counts.
	Processes []int
	Repeat    int
	// Ran hears of each run when it is over.
	Ran func(reports.SweepRun)
}

// SweepResult is a sweep with the worst exit code of its runs.
type SweepResult struct {
	reports.Sweep
	Code int
}

// Sweep runs the scenario with each process count. The counts take turns, so that whatever else
// happens on the machine meets all of them alike. If a run cannot be made, what was measured so
// far comes with the error.
func Sweep(ctx context.Context, cfg SweepConfig) (SweepResult, error) {
	var runs []reports.SweepRun
	worst := judge.ExitPassed
	var portFaults []string
	result := func() SweepResult {
		s := reports.NewSweep(cfg.Scenario.Name, cfg.World.Name(), runs)
		s.Defect, s.PortFaults = cfg.Defect, portFaults
		return SweepResult{s, worst}
	}
	for repeat := range cfg.Repeat {
		for _, processes := range cfg.Processes {
			one := cfg.Config
			one.Scenario.Topology.FlusherProcesses = scenarios.Processes(processes)
			one.Scenario.Seed += uint64(repeat)
			outcome, err := Run(ctx, one)
			if err == nil && outcome.Interrupted {
				err = errors.New("interrupted")
			}
			if err != nil {
				return result(), fmt.Errorf("run %d with %s: %w", repeat+1,
					options.FormatCount(processes, "process"), err)
			}
			run := reports.SweepRun{
				Processes: processes, Repeat: repeat + 1, Seed: one.Scenario.Seed,
				Verdict:          outcome.Result.Verdict,
				KeptUp:           keptUp(outcome),
				OfferedPerSecond: float64(outcome.Result.Ledger.Sent) / one.Scenario.Duration.Seconds(),
				SpansPerSecond:   outcome.Result.Throughput.SpansPerSecond,
				BytesPerSecond:   outcome.Result.Throughput.BytesPerSecond,
				FreshnessP50:     outcome.Result.Freshness.P50,
				FreshnessP99:     outcome.Result.Freshness.P99,
				LatencyP99:       outcome.Result.Latency.P99,
				DrainSeconds:     outcome.Result.Run.DrainSeconds,
				Digest:           outcome.Result.Digest,
			}
			for _, s := range outcome.Samples {
				run.WorkerBytesMax = max(run.WorkerBytesMax, s.WorkerBytesMax)
				run.RedisBytesMax = max(run.RedisBytesMax, s.RedisBytes)
			}
			// Short loads are flushed in the drain, most of them.
			run.Cores = reports.CoresDuring(outcome.Samples, 0,
				one.Scenario.Duration.Seconds()+run.DrainSeconds)
			if j, ok := reports.First(outcome.Result.Invariants, outcome.Result.Expectations); ok {
				run.Reason = j.Name + ": " + j.Detail
			}
			runs, portFaults = append(runs, run), outcome.Result.PortFaults
			worst = judge.Graver(worst, outcome.Code)
			if cfg.Ran != nil {
				cfg.Ran(run)
			}
		}
	}
	return result(), nil
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

// WriteText writes the tables for a reader: spans per second, and the cores used where they are
// known; and what the figures do not tell apart.
func (s SweepResult) WriteText(w io.Writer, dir string) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "processes\toffered/s\tleast/s\tmedian/s\tgreatest/s\tspeedup\tp99 fresh s\tpassed\t"+
		"load was the limit\t")
	for _, r := range s.Rows {
		fmt.Fprintf(t, "%d\t%.0f\t%.0f\t%.0f\t%.0f\t%.2f\t%.3f\t%d of %d\t%d of %d\t\n", r.Processes,
			r.Offered, r.Least, r.Median, r.Greatest, r.Speedup, r.FreshnessP99, r.Passed, r.Repeats,
			r.KeptUp, r.Repeats)
	}
	if users, rows := s.CoreUsers(); len(users) > 0 {
		fmt.Fprintf(t, "\nprocesses\tcores: %s\t\n", strings.Join(users, "\t"))
		for i, cores := range rows {
			fmt.Fprintf(t, "%d\t", s.Rows[i].Processes)
			for _, used := range cores {
				fmt.Fprintf(t, "%.2f\t", used)
			}
			fmt.Fprintln(t)
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, note := range s.Notes() {
		fmt.Fprintln(w, note)
	}
	_, err := fmt.Fprintf(w, "Results  %s\nverdict: %s\n", dir, judge.Verdicts[s.Code])
	return err
}
