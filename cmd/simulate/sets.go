package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sluice/internal/capacity"
	"sluice/internal/diff"
	"sluice/internal/judge"
	"sluice/internal/options"
	"sluice/internal/rundir"
	"sluice/reports"
	"sluice/scenarios"
	"sluice/sim"
)

// readSet reads a directory of results for a comparison: that of a run, a sweep or a capacity report,
// or one whose subdirectories are those of runs.
func readSet(dir string) (diff.Set, error) {
	has := func(name string) bool {
		_, err := os.Stat(filepath.Join(dir, name))
		return err == nil
	}
	switch {
	case has(rundir.FileResult):
		return readRunSet(dir)
	case has(rundir.FileSweep):
		return readSweepSet(dir)
	case has(fileCapacity):
		return readCapacitySet(dir)
	}
	return readRunsSet(dir)
}

// conditions are what the runs of a directory must have in common beside the scenario.
func conditions(defect string, portFaults []string) []diff.Condition {
	return []diff.Condition{
		{Name: "defect", Value: defect}, {Name: "port faults", Value: strings.Join(portFaults, ", ")},
	}
}

// addCosts adds what steps took in the runs of a directory, if they are virtual: the built-in costs if it
// has none of its own. The command is the one that made it, if that is known.
func addCosts(set *diff.Set, dir, replay string) error {
	if !set.Virtual {
		return nil
	}
	file, err := costsOf(dir, replay)
	if err != nil { // from before costs were kept
		set.Notes = append(set.Notes, "what steps took in the runs of "+dir+" is not known: it has no "+
			rundir.FileCosts+", and they were made with --costs")
		return nil
	}
	costs := sim.DefaultCosts()
	if file != "" {
		text, err := os.ReadFile(file)
		if err == nil {
			costs, err = sim.ReadCosts(file, text)
		}
		if err != nil {
			return usageError{err}
		}
	}
	set.Conditions = append(set.Conditions, costConditions(costs)...)
	return nil
}

func costConditions(costs sim.Costs) (list []diff.Condition) {
	for name, value := range costs.Values() {
		list = append(list, diff.Condition{Name: conditionCosts + name, Value: value})
	}
	return list
}

func readRunSet(dir string) (diff.Set, error) {
	set := diff.Set{Dir: dir, Kind: diff.KindRun}
	r, err := readResult(dir)
	if err != nil {
		return set, err
	}
	if r.Verdict == "" || r.World == "" {
		return set, usageError{fmt.Errorf("%s in %s has no verdict or no world: it is %w",
			rundir.FileResult, dir, rundir.ErrNotARun)}
	}
	s, _, err := readScenario(dir)
	if err != nil {
		return set, err
	}
	set.Version, set.World, set.Virtual, set.Scenario = r.Version, r.World, isVirtual(r.World), &s
	set.Conditions = conditions(r.Defect, r.PortFaults)
	if err := addCosts(&set, dir, r.Replay); err != nil {
		return set, err
	}
	if r.Cause != "" {
		return set, unfinished(dir, r.Cause)
	}
	samples, err := readSamples(dir)
	if err != nil {
		return set, err
	}
	run := diff.Run{
		Seed: r.Seed, Verdict: r.Verdict, Digest: r.Digest, Samples: samples,
		Figures: diff.FiguresOf(r, samples, s.Duration.Seconds()),
		Events:  func() ([]reports.Event, error) { return readEvents(dir) },
	}
	why, _ := judge.Decisive(r)
	run.Reason = why.String()
	set.Runs = []diff.Run{run}
	return set, nil
}

// unfinishedError says that results are of something that was ended before it was done. What was to be
// done is in the set that comes with it.
type unfinishedError struct{ dir, why string }

func (e *unfinishedError) Error() string {
	return fmt.Sprintf("%s is not finished, so it cannot be compared: %s; run it again", e.dir, e.why)
}

func unfinished(dir, why string) error { return usageError{&unfinishedError{dir, why}} }

// readRunsSet reads runs of one scenario with several seeds, each in a directory of its own. A virtual run
// that is the same as another, as a replay is, counts once: it is no repeat, and what has no spread would
// be certain.
func readRunsSet(dir string) (diff.Set, error) {
	set := diff.Set{Dir: dir, Kind: diff.KindRuns}
	entries, err := os.ReadDir(dir)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("there is no directory %s", dir)
		}
		return set, usageError{err}
	}
	var skipped, same []string
	for _, entry := range entries {
		inner := filepath.Join(dir, entry.Name())
		if _, err := os.Stat(filepath.Join(inner, rundir.FileResult)); err != nil {
			if entry.IsDir() && !strings.HasPrefix(entry.Name(), ".") {
				skipped = append(skipped, inner)
			}
			continue
		}
		one, err := readRunSet(inner)
		if err != nil {
			return set, err
		}
		if len(set.Runs) == 0 {
			set.Version, set.World, set.Virtual, set.Scenario, set.Conditions =
				one.Version, one.World, one.Virtual, one.Scenario, one.Conditions
		}
		if different := diff.Differences(set, one); len(different) > 0 {
			return set, usageError{fmt.Errorf("the runs in %s are not of one scenario: %s differs in %s",
				dir, inner, differencesText(different))}
		}
		if one.Version != set.Version {
			set.Notes = append(set.Notes, inner+" was made by another version: "+one.Version)
		}
		if isIn(set, one.Runs[0]) {
			same = append(same, inner)
			continue
		}
		set.Runs = append(set.Runs, one.Runs...)
	}
	if len(set.Runs) == 0 {
		return set, usageError{fmt.Errorf("%s holds no results: want the directory of a run (%s), a sweep "+
			"(%s) or a capacity report (%s), or one with directories of runs in it", dir, rundir.FileResult,
			rundir.FileSweep, fileCapacity)}
	}
	if len(skipped) > 0 {
		set.Notes = append(set.Notes, "no results of a run, so left out: "+strings.Join(skipped, ", "))
	}
	if len(same) > 0 {
		set.Notes = append(set.Notes, "the same as another run beside it, event by event, so left out: "+strings.Join(same, ", "))
	}
	return set, nil
}

// isIn tells whether a set has a virtual run already.
func isIn(set diff.Set, run diff.Run) bool {
	return set.Virtual && run.Digest != "" && slices.ContainsFunc(set.Runs, func(r diff.Run) bool {
		return r.Seed == run.Seed && r.Digest == run.Digest
	})
}

func readSweepSet(dir string) (diff.Set, error) {
	set := diff.Set{Dir: dir, Kind: diff.KindSweep}
	var sweep reports.Sweep
	if err := readJSON(dir, rundir.FileSweep, &sweep); err != nil {
		return set, err
	}
	s, _, err := readScenario(dir)
	if err != nil {
		return set, err
	}
	set.Version, set.World, set.Virtual, set.Scenario = sweep.Version, sweep.World, isVirtual(sweep.World), &s
	set.Conditions = conditions(sweep.Defect, sweep.PortFaults)
	if err := addCosts(&set, dir, ""); err != nil {
		return set, err
	}
	for _, r := range sweep.Runs {
		set.Runs = append(set.Runs, diff.Run{
			Group: sweep.Group(r), Seed: r.Seed, Verdict: r.Verdict,
			Reason: r.Reason, Digest: r.Digest, Figures: diff.FiguresOfSweep(r),
		})
	}
	if sweep.Unfinished != "" {
		return set, unfinished(dir, sweep.Unfinished)
	}
	return set, checkRuns(set)
}

func readCapacitySet(dir string) (diff.Set, error) {
	set := diff.Set{Dir: dir, Kind: diff.KindCapacity}
	var report capacity.Report
	if err := readJSON(dir, fileCapacity, &report); err != nil {
		return set, err
	}
	if report.Unfinished != "" {
		return set, unfinished(dir, report.Unfinished)
	}
	set.Version, set.World, set.Virtual = report.Version, report.World, isVirtual(report.World)
	set.Conditions = []diff.Condition{{Name: "scenario", Value: report.Scenario}}
	switch s, _, err := readScenario(dir); {
	case err == nil:
		set.Scenario = &s
		set.Conditions = append(set.Conditions, searchConditions(report.Conditions)...)
	case errors.Is(err, fs.ErrNotExist): // from before it was kept
		set.Notes = append(set.Notes, fmt.Sprintf("of the scenario of %s only the name is known: it has no %s, "+
			"so keys and flags that differ are not seen", dir, rundir.FileScenario))
	default:
		return set, err
	}
	if err := addCosts(&set, dir, ""); err != nil {
		return set, err
	}
	for _, p := range report.Points {
		run := diff.Run{
			Group: options.FormatCount(p.Processes, "process"), Verdict: judge.Verdicts[judge.ExitPassed],
			Figures: diff.Figures{diff.Sustained: p.Throughput}, Failed: p.Failed,
		}
		if run.Reason = report.UnsafeWith(p.Processes); run.Reason != "" {
			run.Verdict = judge.Verdicts[judge.ExitSafety]
		}
		set.Runs = append(set.Runs, run)
	}
	return set, checkRuns(set)
}

// searchConditions are what the searches of a capacity report must have in common beside the scenario.
func searchConditions(of capacity.Conditions) []diff.Condition {
	duration := ""
	if of.DurationSeconds > 0 {
		duration = options.FormatNumber(of.DurationSeconds) + "s"
	}
	return append(conditions(of.Defect, of.PortFaults), diff.Condition{Name: "--duration", Value: duration},
		diff.Condition{Name: "--most", Value: scenarios.PerSecond(of.Most).String()},
		diff.Condition{Name: "--precision", Value: options.FormatNumber(of.Precision)})
}

func checkRuns(set diff.Set) error {
	if len(set.Runs) == 0 {
		return usageError{fmt.Errorf("%s has no runs in it", set.Dir)}
	}
	return nil
}

// steadyOf is the part of a run that is cut into batches, in which the load of both sets is steady;
// none if a scenario is not known.
func steadyOf(a, b diff.Set) diff.Steady {
	if a.Scenario == nil || b.Scenario == nil {
		return diff.Steady{}
	}
	return diff.Steady{
		From: max(capacity.Warmup(*a.Scenario), capacity.Warmup(*b.Scenario)),
		To:   min(a.Scenario.Duration, b.Scenario.Duration).Seconds(),
	}
}
