package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"text/tabwriter"

	"sluice/internal/harness"
	"sluice/internal/judge"
	"sluice/internal/rundir"
	"sluice/internal/statusline"
	"sluice/internal/swarm"
	"sluice/reports"
	"sluice/scenarios"
)

// seedRange is a range of seeds, "1..1000", both included.
type seedRange struct{ from, to uint64 }

// UnmarshalText reads the text form.
func (r *seedRange) UnmarshalText(text []byte) error {
	from, to, _ := strings.Cut(string(text), "..")
	a, err1 := strconv.ParseUint(from, 10, 64)
	b, err2 := strconv.ParseUint(to, 10, 64)
	if err := errors.Join(err1, err2); err != nil || a > b {
		return fmt.Errorf("seeds %q are not a range: write 1..1000", text)
	}
	if b-a >= seedsMax {
		return fmt.Errorf("seeds %q are too many: %d at most", text, seedsMax)
	}
	*r = seedRange{a, b}
	return nil
}

// seedsMax is how many seeds a range has at most: more than anybody waits for.
const seedsMax = 1_000_000_000

// count returns how many seeds it has.
func (r seedRange) count() int { return int(r.to - r.from + 1) }

// allScenarios stands for the whole library and, for each seed, a scenario that is drawn by it.
const allScenarios = "all"

// tally is what became of one scenario's seeds.
type tally struct {
	name   string // on the command line
	config func(seed uint64) (harness.Config, error)
	codes  map[int]int // by exit code
	// failures are runs that did not pass, the gravest first, and of those the lowest seeds: failuresMax at
	// the most.
	failures []seedsFailure
}

// failuresMax is how many runs of a scenario that did not pass are named.
const failuresMax = 20

// job is one run of a sweep over seeds.
type job struct {
	of   *tally
	seed uint64
}

// runSeeds runs scenarios with each seed of a range, on all cores, and prints what became of them.
func (c *runCommand) runSeeds(ctx context.Context, to *streams) error {
	if !isVirtual(c.World) {
		return usageError{errors.New("--seeds is for --world virtual: elsewhere runs disturb each other")}
	}
	if c.Seed != nil {
		return usageError{errors.New("--seeds and --seed exclude each other")}
	}
	if c.CheckDeterminism {
		return usageError{errors.New("--seeds and --check-determinism exclude each other: check one run with --seed")}
	}
	names := []string{c.Scenario}
	if c.Scenario == allScenarios {
		names = append(scenarios.List(), swarm.Name)
	}
	var tallies []*tally
	for _, name := range names {
		t, err := c.tally(name, to.err)
		if err != nil {
			return err
		}
		tallies = append(tallies, t)
	}
	if c.Out != "" {
		if err := rundir.Check(c.Out, coverageFile+".svg"); err != nil {
			return usageError{err}
		}
	}
	jobs := make(chan job)
	total := c.Seeds.count() * len(tallies)
	line := statusline.New(to.err)
	var mu sync.Mutex // of the tallies and what was covered
	var covered reports.Coverage
	done := 0
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for j := range jobs {
				outcome, err := j.run(ctx)
				if errors.Is(err, errInterrupted) {
					continue
				}
				mu.Lock()
				j.of.add(j.seed, outcome, err)
				if err == nil {
					covered.AddAll(outcome.Result.Coverage)
				}
				if done++; line.Terminal && !c.Quiet {
					line.Show(fmt.Sprintf("%d of %d runs", done, total))
				}
				mu.Unlock()
			}
		})
	}
	for i := range c.Seeds.count() {
		for _, of := range tallies {
			select {
			case jobs <- job{of, c.Seeds.from + uint64(i)}:
			case <-ctx.Done():
			}
		}
		if ctx.Err() != nil {
			break
		}
	}
	close(jobs)
	workers.Wait()
	line.Clear()
	return c.report(to, tallies, covered, done, total)
}

// tally loads a scenario, and begins to count its runs. One that is drawn is another with each seed.
func (c *runCommand) tally(name string, errs io.Writer) (*tally, error) {
	flags := c.scenarioFlags
	flags.Scenario = name
	t := &tally{name: name, codes: map[int]int{}}
	if name == swarm.Name {
		t.config = func(seed uint64) (harness.Config, error) {
			flags := flags // several seeds are drawn at a time
			flags.Seed = &seed
			s, err := flags.load(c.worldFlags)
			if err != nil {
				return harness.Config{}, err
			}
			return c.config(s, errs)
		}
		_, err := t.config(c.Seeds.from)
		return t, err
	}
	s, err := flags.load(c.worldFlags)
	if err != nil {
		return nil, err
	}
	cfg, err := c.config(s, errs)
	t.config = func(seed uint64) (harness.Config, error) {
		cfg := cfg
		cfg.Scenario.Seed = seed
		return cfg, nil
	}
	return t, err
}

// run makes a run with the job's seed. One that was interrupted counts if it was not safe.
func (j job) run(ctx context.Context) (*judge.Outcome, error) {
	cfg, err := j.of.config(j.seed)
	if err != nil {
		return nil, err
	}
	outcome, err := runOnce(ctx, cfg)
	if violatesSafety(outcome) {
		err = nil
	}
	return outcome, err
}

// code is that of a run's verdict. Whoever draws a scenario does not know whether each fault finds its
// moment, so only the invariants are asked then.
func (t *tally) code(o *judge.Outcome) (int, reports.Judgement) {
	if t.name == swarm.Name {
		return o.Invariants()
	}
	why, _ := o.Decisive()
	return o.Code, why
}

// add counts a run, and keeps it if it did not pass.
func (t *tally) add(seed uint64, outcome *judge.Outcome, err error) {
	code, failure := judge.ExitEnvironment, seedsFailure{Seed: seed, what: "failed"}
	if err == nil {
		var why reports.Judgement
		code, why = t.code(outcome)
		failure.what, failure.Reason = why.Name, why.String()
	} else {
		failure.Reason = err.Error()
	}
	t.codes[code]++
	if code == judge.ExitPassed {
		return
	}
	failure.code = gravity(code)
	at, _ := slices.BinarySearchFunc(t.failures, failure, seedsFailure.compare)
	t.failures = slices.Insert(t.failures, at, failure)
	t.failures = t.failures[:min(len(t.failures), failuresMax)]
}

// gravity is an exit code as the whole is judged by it: of a run that could not be made nothing is known.
func gravity(code int) int {
	if code == judge.ExitEnvironment {
		return judge.ExitUnknown
	}
	return code
}

// seedsTable is what became of the runs with a range of seeds.
type seedsTable struct {
	Scenarios []seedsRow `json:"scenarios"`
	Verdict   string     `json:"verdict"`
	// Planted is what flags put into every run, in words; empty if they put nothing.
	Planted string `json:"planted,omitempty"`
	// Runs is how many were made of all Planned ones.
	Runs    int `json:"runs"`
	Planned int `json:"planned"`
	// Coverage counts which stages the faults hit. Where it is asked for, Empty are the cells that were
	// never hit and are not waived.
	Coverage reports.Coverage       `json:"coverage"`
	Empty    []reports.CoverageCell `json:"coverage_missing,omitempty"`
}

// seedsRow counts the runs of one scenario.
type seedsRow struct {
	Scenario string `json:"scenario"`
	Passed   int    `json:"passed"`
	Violated int    `json:"violated"`
	Missed   int    `json:"missed"`
	Unknown  int    `json:"unknown"`
	Failed   int    `json:"failed"`
	// Failures are runs that did not pass, the gravest first, and of those the lowest seeds: failuresMax at
	// the most.
	Failures []seedsFailure `json:"did_not_pass,omitempty"`
}

// seedsFailure is a run that did not pass.
type seedsFailure struct {
	Seed   uint64 `json:"seed"`
	Reason string `json:"reason"`
	Replay string `json:"replay"`
	what   string // failed, in short
	code   int    // its gravity
}

func (f seedsFailure) String() string { return fmt.Sprintf("seed %d: %s", f.Seed, f.Reason) }

// compare orders the graver before the others, so that none that is kept leaves out a graver one.
func (f seedsFailure) compare(other seedsFailure) int {
	switch {
	case f.code == other.code:
		return cmp.Compare(f.Seed, other.Seed)
	case judge.Graver(f.code, other.code) == f.code:
		return -1
	}
	return 1
}

// row sums up the tally.
func (c *runCommand) row(t *tally) seedsRow {
	row := seedsRow{
		Scenario: t.name, Passed: t.codes[judge.ExitPassed],
		Violated: t.codes[judge.ExitSafety] + t.codes[judge.ExitLiveness],
		Missed:   t.codes[judge.ExitExpectation], Unknown: t.codes[judge.ExitUnknown],
		Failed: t.codes[judge.ExitEnvironment],
	}
	flags := c.scenarioFlags
	flags.Scenario = t.name
	for _, f := range t.failures {
		f.Replay = program() + " run" + flags.replay(f.Seed) + c.worldFlags.replay()
		row.Failures = append(row.Failures, f)
	}
	return row
}

// report prints a row per scenario, the gravest run that did not pass with its replay, and what was
// covered.
func (c *runCommand) report(
	to *streams, tallies []*tally, covered reports.Coverage, done, total int,
) error {
	code := judge.ExitPassed
	table := seedsTable{Verdict: "passed", Planted: c.planted(), Runs: done, Planned: total, Coverage: covered}
	for _, t := range tallies {
		table.Scenarios = append(table.Scenarios, c.row(t))
		for outcome := range t.codes {
			code = judge.Graver(code, gravity(outcome))
		}
	}
	if c.Scenario == allScenarios && done == total && c.Seeds.count() >= coverageSeedsMin {
		if err := table.ask(); err != nil {
			return err
		}
		if len(table.Empty) > 0 {
			code = judge.Graver(code, judge.ExitExpectation)
		}
	}
	if code != judge.ExitPassed {
		table.Verdict = "not passed"
	}
	if done < total {
		if code = judge.Graver(code, judge.ExitUnknown); code == judge.ExitUnknown {
			table.Verdict = "unknown"
		}
	}
	write := table.writeText
	switch {
	case c.Quiet && !c.JSON:
		write = table.writeVerdict
	case c.JSON:
		write = func(w io.Writer) error { return reports.WriteJSON(w, table) }
	}
	var drawn error
	if c.Out != "" {
		drawn = c.draw(covered)
	}
	err := write(to.out)
	return to.ended(verdictOf(code), drawn, err)
}

// draw draws what was covered into the directory of the results.
func (c *runCommand) draw(covered reports.Coverage) error {
	err := rundir.Replace(c.Out, coverageFile+".svg", func(dir string) error {
		return covered.Chart(harness.CoverageStages()).Save(dir, coverageFile)
	})
	if err != nil {
		return fmt.Errorf("draw %s: %w", filepath.Join(c.Out, coverageFile), err)
	}
	return nil
}

func (s seedsTable) writeText(w io.Writer) error {
	if s.Planted != "" {
		fmt.Fprintf(w, "In every run: %s.\n\n", s.Planted)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "scenario\tpassed\tviolated\tmissed\tunknown\tfailed\tgravest that did not pass")
	others := ""
	for _, row := range s.Scenarios {
		gravest := "-"
		for i, f := range row.Failures {
			if i == 0 {
				gravest = f.String()
				continue
			}
			others += fmt.Sprintf("also %s, %s\n", row.Scenario, f)
		}
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%d\t%d\t%s\n", row.Scenario, row.Passed, row.Violated,
			row.Missed, row.Unknown, row.Failed, gravest)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprint(w, others)
	if len(s.Coverage) > 0 {
		fmt.Fprintln(w, "\nHow often a kind of fault hit a stage:")
		if err := s.Coverage.WriteText(w, harness.CoverageStages()); err != nil {
			return err
		}
		fmt.Fprintln(w)
	}
	const few = 5
	for i, cell := range s.Empty {
		if i == few {
			fmt.Fprintf(w, "not covered: %d more\n", len(s.Empty)-few)
			break
		}
		fmt.Fprintf(w, "not covered: %v\n", &cell)
	}
	return s.writeVerdict(w)
}

// writeVerdict ends the text: with the gravest failure, the first if there are several, and how to have it
// again, or what was not covered.
func (s seedsTable) writeVerdict(w io.Writer) error {
	passed, worst, blame, replay, unfinished := 0, judge.ExitPassed, "", "", ""
	for _, row := range s.Scenarios {
		passed += row.Passed
		if len(row.Failures) == 0 {
			continue
		}
		if f := row.Failures[0]; judge.Graver(worst, f.code) != worst {
			worst = f.code
			blame, replay = fmt.Sprintf(" (%s, seed %d: %s)", row.Scenario, f.Seed, f.what), replayText(f.Replay)
		}
	}
	if len(s.Empty) > 0 && blame == "" {
		blame = fmt.Sprintf(" (not covered: %v)", &s.Empty[0])
	}
	if s.Runs < s.Planned {
		unfinished = fmt.Sprintf("; %d more were not made", s.Planned-s.Runs)
	}
	_, err := fmt.Fprintf(w, "verdict: %s%s; %d of %d passed%s%s\n", s.Verdict, blame, passed, s.Runs, unfinished, replay)
	return err
}
