package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"text/tabwriter"

	"sluice/internal/harness"
	"sluice/internal/judge"
	"sluice/internal/statusline"
	"sluice/scenarios"
	"sluice/sim"
	"sluice/sim/kernel"
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
	*r = seedRange{a, b}
	return nil
}

// tally is what became of one scenario's seeds.
type tally struct {
	name    string // on the command line
	config  harness.Config
	codes   map[int]int // by exit code
	worst   *judge.Outcome
	failure error // of a run that has no verdict
	seed    uint64
}

// job is one run of a sweep over seeds.
type job struct {
	of   *tally
	seed uint64
}

// runSeeds runs scenarios with each seed of a range, on all cores, and prints what became of them.
func (c *runCommand) runSeeds(ctx context.Context, to *streams) error {
	names := []string{c.Scenario}
	if c.Scenario == "all" {
		names = scenarios.List()
	}
	var list []scenario
	for _, name := range names {
		flags := c.scenarioFlags
		flags.Scenario = name
		s, err := flags.load(c.worldFlags)
		if err != nil {
			return err
		}
		list = append(list, s)
	}
	if c.World != (sim.World{}).Name() {
		return usageError{errors.New("--seeds is for --world virtual: elsewhere runs disturb each other")}
	}
	var tallies []*tally
	for i, s := range list {
		cfg, err := c.config(s, to.err)
		if err != nil {
			return err
		}
		tallies = append(tallies, &tally{name: names[i], config: cfg, codes: map[int]int{}})
	}
	jobs := make(chan job)
	total := int(c.Seeds.to-c.Seeds.from+1) * len(list)
	line := statusline.New(to.err)
	var mu sync.Mutex // of the tallies
	done := 0
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for j := range jobs {
				outcome, err := runSeed(ctx, j.of.config, j.seed)
				if ctx.Err() != nil {
					continue
				}
				mu.Lock()
				j.of.add(j.seed, outcome, err)
				if done++; line.Terminal {
					line.Show(fmt.Sprintf("%d of %d runs", done, total))
				}
				mu.Unlock()
			}
		})
	}
	for seed := c.Seeds.from; seed <= c.Seeds.to && ctx.Err() == nil; seed++ {
		for _, of := range tallies {
			select {
			case jobs <- job{of, seed}:
			case <-ctx.Done():
			}
		}
	}
	close(jobs)
	workers.Wait()
	line.Clear()
	return c.report(to, tallies, done, total)
}

// runSeed is one run; a failure of the kernel is its error.
func runSeed(
	ctx context.Context, cfg harness.Config, seed uint64,
) (outcome *judge.Outcome, err error) {
	defer kernel.Catch(&err)
	cfg.Scenario.Seed = seed
	return harness.Run(ctx, cfg)
}

// add counts a run, and keeps the one with the lowest seed of those that did not pass.
func (t *tally) add(seed uint64, outcome *judge.Outcome, err error) {
	code := judge.ExitEnvironment
	if err == nil {
		code = outcome.Code
	}
	t.codes[code]++
	known := t.worst != nil || t.failure != nil
	if code != judge.ExitPassed && (!known || seed < t.seed) {
		t.worst, t.failure, t.seed = outcome, err, seed
	}
}

// report prints a row per scenario, and the first run that did not pass with its replay.
func (c *runCommand) report(to *streams, tallies []*tally, done, total int) error {
	t := tabwriter.NewWriter(to.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "scenario\tpassed\tviolated\tmissed\tunknown\tfailed\tfirst that did not pass")
	code := judge.ExitPassed
	for _, row := range tallies {
		first := "-"
		if row.failure != nil {
			first = fmt.Sprintf("seed %d: %v", row.seed, row.failure)
		} else if row.worst != nil {
			why, _ := row.worst.Decisive()
			first = fmt.Sprintf("seed %d: %s: %s", row.seed, why.Name, why.Detail)
		}
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%d\t%d\t%s\n", row.name, row.codes[judge.ExitPassed],
			row.codes[judge.ExitSafety]+row.codes[judge.ExitLiveness], row.codes[judge.ExitExpectation],
			row.codes[judge.ExitUnknown], row.codes[judge.ExitEnvironment], first)
		for outcome := range row.codes {
			if outcome == judge.ExitEnvironment {
				outcome = judge.ExitUnknown
			}
			code = judge.Graver(code, outcome)
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, row := range tallies {
		if row.worst != nil || row.failure != nil {
			fmt.Fprintf(to.out, "replay: %s run %s --seed %d%s%s\n", to.program, row.name,
				row.seed, c.changes(), c.worldFlags.replay())
			break
		}
	}
	verdict := "passed"
	if code != judge.ExitPassed {
		verdict = "not passed"
	}
	if done < total {
		verdict = "unknown"
		code = judge.Graver(code, judge.ExitUnknown)
	}
	_, err := io.WriteString(to.out, fmt.Sprintf("verdict: %s; %d of %d runs\n", verdict, done, total))
	if err == nil && code != judge.ExitPassed {
		err = exitError(code)
	}
	return err
}
