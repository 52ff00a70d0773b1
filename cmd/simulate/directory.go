package main

import (
	"encoding/json"
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
	"sluice/internal/yamlfile"
	"sluice/reports"
	"sluice/scenarios"
	"sluice/sim"
)

// readJSON reads a file of results.
func readJSON(dir, name string, v any) error {
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return usageError{fmt.Errorf("%w: %w", rundir.ErrNotARun, err)}
	}
	if err := json.Unmarshal(text, v); err != nil {
		return usageError{fmt.Errorf("%s in %s: %w", name, dir, err)}
	}
	return nil
}

// readResult reads the result of a run's directory.
func readResult(dir string) (r reports.Result, err error) {
	return r, readJSON(dir, rundir.FileResult, &r)
}

// readEvents reads the events of a run's directory.
func readEvents(dir string) ([]reports.Event, error) {
	file, err := os.Open(filepath.Join(dir, rundir.FileEvents))
	if err != nil {
		return nil, usageError{err}
	}
	defer file.Close()
	events, err := reports.ReadEvents(file)
	if err != nil {
		return nil, usageError{fmt.Errorf("%s in %s: %w", rundir.FileEvents, dir, err)}
	}
	return events, nil
}

// readSamples reads the samples of a run's directory.
func readSamples(dir string) ([]reports.Sample, error) {
	file, err := os.Open(filepath.Join(dir, rundir.FileSamples))
	if err != nil {
		return nil, usageError{err}
	}
	defer file.Close()
	samples, err := reports.ReadCSV[reports.Sample](file)
	if err != nil {
		return nil, usageError{fmt.Errorf("%s in %s: %w", rundir.FileSamples, dir, err)}
	}
	return samples, nil
}

// readScenario reads the scenario of a directory of results.
func readScenario(dir string) (scenarios.Scenario, yamlfile.Places, error) {
	s, places, err := scenarios.LoadWith(filepath.Join(dir, rundir.FileScenario), os.ReadFile)
	if err != nil {
		return s, places, usageError{err}
	}
	return s, places, nil
}

// costsOf returns the file of the costs that the run of a directory was made with, which the command
// replay made; empty if they are the built-in ones. Before the costs were kept there, the command had
// their file, and nothing else did.
func costsOf(dir, replay string) (string, error) {
	path := filepath.Join(dir, rundir.FileCosts)
	switch _, err := os.Stat(path); {
	case err == nil:
		return path, nil
	case !errors.Is(err, fs.ErrNotExist):
		return "", usageError{err}
	case strings.Contains(replay, flagCosts), strings.Contains(replay, flagCost):
		return "", usageError{fmt.Errorf("the run in %s was made with --costs or --cost, and there is no %s: copy the "+
			"file there that it had, if it is still as it was; %s", dir, path, replay)}
	}
	return "", nil
}

// readSet reads a directory of results for a comparison: that of a run, a sweep or a capacity report,
// or one whose subdirectories are those of runs.
func readSet(dir string) (diff.Set, error) {
	has := func(name string) bool {
		_, err := os.Stat(filepath.Join(dir, name))
		return err == nil
	}
	var set diff.Set
	var err error
	switch {
	case has(rundir.FileResult):
		set, err = readRunSet(dir)
	case has(rundir.FileSweep):
		set, err = readSweepSet(dir)
	case has(fileCapacity):
		set, err = readCapacitySet(dir)
	default:
		set, err = readRunsSet(dir)
	}
	set.Virtual = set.World == sim.World{}.Name()
	return set, err
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
	if set.World != (sim.World{}).Name() {
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
	set.Version, set.World, set.Scenario = r.Version, r.World, &s
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
			set.Version, set.World, set.Scenario, set.Conditions =
				one.Version, one.World, one.Scenario, one.Conditions
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
	return set.World == sim.World{}.Name() && run.Digest != "" && slices.ContainsFunc(set.Runs, func(r diff.Run) bool {
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
	set.Version, set.World, set.Scenario = sweep.Version, sweep.World, &s
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
	set.Version, set.World = report.Version, report.World
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
			Figures: diff.Figures{diff.Sustained: p.Throughput},
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

// conditionCosts begins the names of what steps take.
const conditionCosts = "costs "

// differencesText lists what differs; of the costs, of which another calibration has others all over, the
// first few.
func differencesText(list []scenarios.Difference) string {
	const shown = 6
	var parts []string
	costs := 0
	for _, d := range list {
		if strings.HasPrefix(d.Key, conditionCosts) {
			if costs++; costs > shown {
				continue
			}
		}
		parts = append(parts, fmt.Sprintf("%s (%s, and then %s)", d.Key, orNone(d.A), orNone(d.B)))
	}
	if more := costs - shown; more > 0 {
		parts = append(parts, fmt.Sprintf("%d more of the costs (%s)", more, rundir.FileCosts))
	}
	return strings.Join(parts, ", ")
}

func orNone(text string) string {
	if text == "" {
		return "none"
	}
	return text
}

// sameFile tells whether two paths lead to one file or directory, which is there.
func sameFile(a, b string) bool {
	first, err := os.Stat(a)
	if err != nil {
		return false
	}
	second, err := os.Stat(b)
	return err == nil && os.SameFile(first, second)
}
