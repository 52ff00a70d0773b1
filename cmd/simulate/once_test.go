package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sluice/internal/compare"
	"sluice/internal/harness"
	"sluice/internal/judge"
	"sluice/internal/rundir"
	"sluice/reports"
	"sluice/sim"
	"sluice/sim/kernel"
)

// stuckWith is the virtual world, in which runs with so many workers can get nowhere, or with that seed.
type stuckWith struct {
	sim.World
	workers int
	seed    uint64
}

func (w stuckWith) Open(ctx context.Context, setup harness.Setup) (harness.System, error) {
	if setup.Scenario.Topology.Workers() == w.workers || setup.Scenario.Seed == w.seed {
		panic(&kernel.Failure{Waiting: []kernel.Waiting{{Task: "harness/main"}}})
	}
	return w.World.Open(ctx, setup)
}

// unsafeLate is a run that violates safety, and is interrupted soon after that.
func unsafeLate(t *testing.T) (context.Context, harness.Config) {
	t.Helper()
	in := worldFlags{World: worldVirtual, Defect: "kill-skipped"}
	s, err := scenarioFlags{Scenario: "kill-skipped"}.load(in)
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := in.config(s, &bytes.Buffer{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, interrupt := context.WithCancel(t.Context())
	cfg.Progress = func(p harness.Progress) {
		if p.Event == nil && p.Sample.T >= 5 {
			interrupt()
		}
	}
	return ctx, cfg
}

// TestRunOnce: a kernel that can get nowhere is an error, and so is an interruption, which takes no outcome along.
func TestRunOnce(t *testing.T) {
	s, err := scenarioFlags{Scenario: scenarioFile(t, quick)}.load(worldFlags{World: worldVirtual})
	if err != nil {
		t.Fatal(err)
	}
	var failure *kernel.Failure
	o, err := runOnce(t.Context(), harness.Config{Scenario: s.Scenario, World: stuckWith{workers: 2}})
	if o != nil || !errors.As(err, &failure) {
		t.Errorf("a kernel that can get nowhere: %v, %v", o, err)
	}
	over := func(string, reports.Sample) bool { return false }
	o, err = runUntil(t.Context(), harness.Config{Scenario: s.Scenario, World: stuckWith{workers: 2}}, over)
	if o != nil || !errors.As(err, &failure) {
		t.Errorf("a kernel that can get nowhere, watched: %v, %v", o, err)
	}
	ctx, cfg := unsafeLate(t)
	if o, err = runOnce(ctx, cfg); !errors.Is(err, errInterrupted) || !violatesSafety(o) {
		t.Errorf("interrupted: %+v, %v", o, err)
	}
}

// TestSeedsCountWhatWasNotSafe, also of a run that was interrupted.
func TestSeedsCountWhatWasNotSafe(t *testing.T) {
	ctx, cfg := unsafeLate(t)
	of := &tally{name: "kill-skipped", codes: map[int]int{},
		config: func(uint64) (harness.Config, error) { return cfg, nil }}
	o, err := job{of, 1}.run(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if of.add(1, o, err); of.codes[judge.ExitSafety] != 1 || len(of.failures) != 1 || of.failures[0].what != "process limit" {
		t.Errorf("%+v", of)
	}
	var out bytes.Buffer
	err = (&runCommand{Seeds: &seedRange{1, 3}}).report(&streams{out: &out}, []*tally{of}, nil, 1, 3)
	const want = "verdict: not passed (kill-skipped, seed 1: process limit); 0 of 1 passed; 2 more were not made; replay: "
	if exitCode(err, &out) != judge.ExitSafety || !strings.HasPrefix(lastLine(out.String()), want) {
		t.Errorf("%v\n%s", err, &out)
	}
	cfg.Defect = ""
	if _, err := (job{of, 1}).run(ctx); !errors.Is(err, errInterrupted) {
		t.Errorf("of one that was interrupted and violated nothing: %v", err)
	}
}

// swept makes a sweep over one and two workers, and returns what its file says.
func swept(
	t *testing.T, c sweepCommand, to *streams, run func(context.Context, harness.Config) (*judge.Outcome, error),
) (reports.Sweep, error) {
	t.Helper()
	c.worldFlags.World, c.Repeat = worldVirtual, 1
	s, err := c.load(c.worldFlags)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "swept")
	failed := c.sweep(t.Context(), to, s, dir, keeper{}, harness.SweepConfig{
		Config: harness.Config{Scenario: s.Scenario, World: stuckWith{workers: 2}}, Over: reports.OverProcesses,
		Points: harness.ByProcesses(s.Scenario, 1, 2), Repeat: 1, Run: run})
	var of reports.Sweep
	if err := readJSON(dir, rundir.FileSweep, &of); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return of, failed
}

// TestSweepOutlastsItsRuns: neither a run that can get nowhere takes those along that were made, nor is it lost if
// the one that was interrupted was not safe.
func TestSweepOutlastsItsRuns(t *testing.T) {
	c := sweepCommand{scenarioFlags: scenarioFlags{Scenario: scenarioFile(t, quick)}}
	var out, errs bytes.Buffer
	to := &streams{out: &out, err: &errs}
	of, err := swept(t, c, to, runOnce)
	var failure *kernel.Failure
	const want = "run 1 with 2 processes: deadlock: nothing can happen any more, 0s after the start; 1 of 2 runs were made"
	if len(of.Runs) != 1 ||
		of.Unfinished != want || !errors.As(err, &failure) || lastLine(out.String()) != "verdict: unknown ("+want+")" {
		t.Errorf("%v, unfinished: %q\n%s", err, of.Unfinished, &out)
	}

	ctx, cfg := unsafeLate(t)
	bad, _ := runOnce(ctx, cfg)
	for _, made := range []int{1, 0} {
		out.Reset()
		errs.Reset()
		n := 0
		of, err = swept(t, c, to, func(ctx context.Context, cfg harness.Config) (*judge.Outcome, error) {
			if n++; n <= made {
				return runOnce(ctx, cfg)
			}
			return bad, errInterrupted
		})
		blame := []string{"with 1 process (repeat 1): process limit: ", "2 processes, repeat 1: process limit); replay: "}[made]
		if exitCode(err, &errs) != judge.ExitSafety || len(of.Runs) != made ||
			!strings.HasPrefix(lastLine(out.String()), "verdict: safety violated ("+blame) ||
			made > 0 && !strings.HasPrefix(of.Unfinished, "interrupted; 1 of 2 runs were made; safety was violated in "+
				"the one that was ended, with 2 processes (repeat 1): process limit: ") ||
			made == 0 && !strings.Contains(errs.String(), "simulate: run 1 with 1 process: interrupted\n") {
			t.Errorf("after %d runs: %v, unfinished: %q\n%s%s", made, err, of.Unfinished, &out, &errs)
		}
	}
}

// TestCompareOutlastsItsRuns: a run that can get nowhere takes no count along that was compared, nor a repeat of
// the same count.
func TestCompareOutlastsItsRuns(t *testing.T) {
	s, err := scenarioFlags{Scenario: scenarioFile(t, quick)}.load(worldFlags{World: worldVirtual})
	if err != nil {
		t.Fatal(err)
	}
	sound := sim.World{}
	for _, c := range []struct {
		predicting, measuring harness.World
		processes             []int
		repeat                int
		made                  []int // repeats of each count
		why                   string
	}{
		{stuckWith{workers: 2}, stuckWith{workers: 2}, []int{1, 2}, 1, []int{1}, "2 processes in world virtual (repeat 1 of 1)"},
		{stuckWith{seed: s.Seed + 1}, sound, []int{1, 2}, 3, []int{1}, "1 process in world virtual (repeat 2 of 3)"},
		{sound, stuckWith{seed: s.Seed + 2}, []int{1}, 3, []int{2}, "1 process in world virtual (repeat 3 of 3)"},
		{stuckWith{seed: s.Seed}, sound, []int{1}, 3, nil, "1 process in world virtual (repeat 1 of 3)"},
	} {
		cmd := compareCommand{Worlds: []string{worldVirtual, worldVirtual}, Processes: c.processes, Repeat: c.repeat, Tolerance: 10,
			Factor: 1000, Recovery: 10}
		var out, errs bytes.Buffer
		dir := filepath.Join(t.TempDir(), "out")
		err = cmd.compare(t.Context(), &streams{out: &out, err: &errs}, "mine", dir, [2]harness.Config{
			{Scenario: s.Scenario, World: c.predicting}, {Scenario: s.Scenario, World: c.measuring}}, 0)
		var failure *kernel.Failure
		if !errors.As(err, &failure) || !strings.HasPrefix(err.Error(), c.why+": deadlock: ") {
			t.Errorf("%s: %v\n%s%s", c.why, err, &out, &errs)
		}
		var report compare.Report
		if err := readJSON(dir, fileCompare, &report); (err == nil) != (c.made != nil) {
			t.Errorf("%s: %v", c.why, err)
		}
		var made []int
		for _, row := range report.Rows {
			made = append(made, len(row.Measured))
			if len(row.Predicted) != len(row.Measured) {
				t.Errorf("%s: %d runs predict and %d measure", c.why, len(row.Predicted), len(row.Measured))
			}
		}
		if !slices.Equal(made, c.made) {
			t.Errorf("%s: repeats of each count that are kept: %v, want %v", c.why, made, c.made)
		}
		if c.made != nil && !strings.Contains(out.String(), "Not all was compared: "+c.why+": deadlock: ") {
			t.Errorf("%s: %s", c.why, &out)
		}
	}
}

// TestSeedsKeepTheGravest runs, whatever their seeds, and the last line blames the gravest of all.
func TestSeedsKeepTheGravest(t *testing.T) {
	ended := func(code int, name string) *judge.Outcome {
		o := &judge.Outcome{Code: code}
		o.Result.Verdict = judge.Verdicts[code]
		why := []reports.Judgement{{Name: name, Verdict: reports.Violated}}
		if code == judge.ExitExpectation {
			o.Result.Expectations = why
		} else {
			o.Result.Invariants = why
		}
		return o
	}
	var tallies []*tally
	for _, name := range []string{"a", "b"} {
		tallies = append(tallies, &tally{name: name, codes: map[int]int{}})
	}
	for seed := range uint64(3 * failuresMax) {
		tallies[0].add(seed, ended(judge.ExitExpectation, "drain_max"), nil)
		tallies[1].add(seed, ended(judge.ExitExpectation, "drain_max"), nil)
	}
	tallies[1].add(80, nil, errors.New("it cannot be made"))
	tallies[1].add(92, ended(judge.ExitSafety, "conservation"), nil)
	tallies[1].add(91, ended(judge.ExitSafety, "conservation"), nil)
	tallies[1].add(90, ended(judge.ExitLiveness, "liveness"), nil)
	var kept []uint64
	for _, f := range tallies[1].failures {
		kept = append(kept, f.Seed)
	}
	if want := []uint64{91, 92, 90, 80, 0, 1}; len(kept) != failuresMax || !slices.Equal(kept[:len(want)], want) {
		t.Errorf("kept are the seeds %v, want %v first", kept, want)
	}
	var out bytes.Buffer
	err := (&runCommand{Seeds: &seedRange{0, 99}}).report(&streams{out: &out}, tallies, nil, 124, 124)
	const want = "verdict: not passed (b, seed 91: conservation); 0 of 124 passed; replay: "
	if last := lastLine(out.String()); exitCode(err, &out) != judge.ExitSafety || !strings.HasPrefix(last, want) ||
		!strings.Contains(last, " b --seed 91") {
		t.Errorf("%v\n%s", err, &out)
	}
}
