package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"sluice/internal/diff"
	"sluice/internal/harness"
	"sluice/internal/judge"
	"sluice/internal/process"
	"sluice/internal/rundir"
	"sluice/internal/swarm"
	"sluice/reports"
)

// sweepCommand is "simulate sweep".
type sweepCommand struct {
	scenarioFlags
	worldFlags
	Processes []int  `help:"Process counts to run with (1,2,4)." placeholder:"1,2,4"`
	Over      string `help:"Change another key instead: --over topology.partitions=8,64,256. Values with commas in them are separated by |." placeholder:"PATH=VALUE,..."`
	Repeat    int    `help:"How many times to run each." default:"3"`
	Out       string `help:"Directory of the results." placeholder:"runs/NAME-sweep"`
	JSON      bool   `name:"json" help:"Print the tables as JSON."`
}

// Run runs the sweep.
func (c *sweepCommand) Run(ctx context.Context, to *streams) (err error) {
	s, err := c.load(c.worldFlags)
	if err != nil {
		return err
	}
	if c.Repeat < 1 {
		return usageError{errors.New("--repeat must be 1 or more")}
	}
	cfg := harness.SweepConfig{Repeat: c.Repeat}
	if cfg.Config, err = c.config(s, to.err); err != nil {
		return err
	}
	if cfg.Over, cfg.Points, err = c.points(s, to.err); err != nil {
		return err
	}
	dir, err := outDir(c.Out, s.Name+"-sweep", rundir.FileSweep)
	if err != nil {
		return err
	}
	earlier := keeper{}
	if c.Out == "" {
		of := setOf(diff.KindSweep, cfg.Config)
		for _, p := range cfg.Points {
			of.Runs = append(of.Runs, diff.Run{Group: reports.Sweep{Over: cmp.Or(cfg.Over, reports.OverProcesses)}.Group(
				reports.SweepRun{Processes: p.Scenario.Topology.Workers(), Value: p.Value})})
		}
		if earlier, err = newKeeper(dir, rundir.FileSweep, readSweepSet, of); err != nil {
			return err
		}
	}
	cfg.Run, cfg.Ran = runOnce, func(r reports.SweepRun) {
		verdict := r.Verdict
		if r.Reason != "" {
			verdict += " (" + r.Reason + ")"
		}
		fmt.Fprintf(to.err, "%s, repeat %d of %d: %.0f spans/s, %s\n", reports.Sweep{Over: cfg.Over}.Group(r),
			r.Repeat, c.Repeat, r.SpansPerSecond, verdict)
	}
	c.mentionLitter(ctx, to.err)
	stop, err := shareServers(&cfg.Config)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	return c.sweep(ctx, to, s, dir, earlier, cfg)
}

// sweep makes all runs, and writes and prints what comes of them.
func (c *sweepCommand) sweep(
	ctx context.Context, to *streams, s scenario, dir string, earlier keeper, cfg harness.SweepConfig,
) error {
	result, failed := harness.Sweep(ctx, cfg)
	if failed != nil && len(result.Runs) == 0 {
		return c.nothing(to, s, dir, result, failed)
	}
	result.Version, result.Costs = process.Version(), c.costFlags.name()
	if failed != nil { // what was measured until then is kept
		result.Unfinished = unfinishedSweep(result, failed, c.Repeat*len(cfg.Points))
		result.Code = judge.Graver(result.Code, judge.ExitUnknown)
	}
	written := earlier.keep(to)
	if written == nil {
		written = rundir.WriteSweep(result.Sweep, dir, s.Scenario, costsText(cfg.World))
	}
	var err error
	if c.JSON {
		err = reports.WriteJSON(to.out, result.Sweep)
	} else if err = result.WriteTables(to.out); err == nil {
		blame, again := c.worst(s, dir, result)
		_, err = fmt.Fprintf(to.out, "Results  %s\n%s\n", dir, verdictLine(result.Code, blame, again))
	}
	verdict := verdictOf(result.Code)
	if failed != nil && !errors.Is(failed, errInterrupted) && result.Code == judge.ExitUnknown {
		verdict = failed // no run that was made is worse than that the others could not be
	}
	return to.ended(verdict, written, err)
}

// nothing is how the command ends without a whole run, and so without a table. What was not safe is said all the
// same.
func (c *sweepCommand) nothing(to *streams, s scenario, dir string, of harness.SweepResult, failed error) error {
	if of.Unsafe == nil {
		return failed
	}
	fmt.Fprintln(to.err, "simulate:", failed)
	again := ""
	if c.Scenario != swarm.Name { // what was drawn would be among the results
		again = c.one(s, dir, of.Over, *of.Unsafe)
	}
	return to.unsafe(verdictOf(of.Code), []string{unsafeSweep(of)}, c.JSON, again)
}

// unsafeSweep says which run that was ended early violated safety, and how.
func unsafeSweep(of harness.SweepResult) string {
	return fmt.Sprintf("with %s (repeat %d): %s", of.Group(*of.Unsafe), of.Unsafe.Repeat, of.Unsafe.Reason)
}

// unfinishedSweep says why not all of the planned runs were made.
func unfinishedSweep(of harness.SweepResult, failed error, planned int) string {
	if errors.Is(failed, errInterrupted) {
		failed = errInterrupted // whichever run was under way
	}
	first, _, _ := strings.Cut(failed.Error(), "\n") // of a kernel that failed, all who wait follow
	why := fmt.Sprintf("%s; %d of %d runs were made", first, len(of.Runs), planned)
	if of.Unsafe != nil {
		why += "; safety was violated in the one that was ended, " + unsafeSweep(of)
	}
	return why
}

// worst is what the verdict of a sweep is due to: the first run that ended like that, with the command that makes it
// again, or that not all were made.
func (c *sweepCommand) worst(s scenario, dir string, of harness.SweepResult) (blame, again string) {
	runs := of.Runs
	if of.Unsafe != nil {
		runs = append(slices.Clone(runs), *of.Unsafe)
	}
	for _, r := range runs {
		if judge.CodeOf(r.Verdict) == of.Code {
			what, _, _ := strings.Cut(r.Reason, ": ")
			return fmt.Sprintf("%s, repeat %d: %s", of.Group(r), r.Repeat, what), c.one(s, dir, of.Over, r)
		}
	}
	return of.Unfinished, ""
}

// one is the command that makes one of the runs by itself. With another seed, swarm is another scenario: the one
// that was drawn is among the results.
func (c *sweepCommand) one(s scenario, dir, over string, r reports.SweepRun) string {
	flags, world := c.scenarioFlags, c.worldFlags
	if c.Scenario == swarm.Name {
		flags = scenarioFlags{Scenario: filepath.Join(dir, rundir.FileScenario)}
		if len(s.ports) > 0 {
			world.Ports = append(slices.Clone(world.Ports), s.ports.String())
		}
	}
	flags.Set = append(slices.Clone(flags.Set), over+"="+r.Value)
	return program() + " run" + flags.replay(r.Seed) + world.replay()
}

// points returns the key that the sweep changes, and the scenario with each of its values. Each has been
// checked as for a run of its own.
func (c *sweepCommand) points(s scenario, errs io.Writer) (string, []harness.SweepPoint, error) {
	if c.Over == "" {
		if len(c.Processes) == 0 {
			c.Processes = []int{1, 2, 4}
		}
		for i, n := range c.Processes {
			if slices.Contains(c.Processes[:i], n) {
				return "", nil, usageError{fmt.Errorf("--processes has %d twice: --repeat runs each again, with other seeds", n)}
			}
			if n < 1 || n > s.Topology.Partitions {
				return "", nil, usageError{fmt.Errorf("--processes %d must be 1 to %d, the number of partitions",
					n, s.Topology.Partitions)}
			}
		}
		return reports.OverProcesses, harness.ByProcesses(s.Scenario, c.Processes...), nil
	}
	if len(c.Processes) > 0 {
		return "", nil, usageError{fmt.Errorf("--processes and --over are two sweeps: leave out --processes, "+
			"or write --over %s=1,2,4", reports.OverProcesses)}
	}
	key, list, ok := strings.Cut(c.Over, "=")
	if !ok || key == "" || list == "" {
		return "", nil, usageError{fmt.Errorf("--over %q is not a key with its values: write "+
			"--over topology.partitions=8,64,256", c.Over)}
	}
	separator := ","
	if strings.Contains(list, "|") {
		separator = "|"
	}
	var points []harness.SweepPoint
	for value := range strings.SplitSeq(list, separator) {
		value = strings.TrimSpace(value)
		if slices.ContainsFunc(points, func(p harness.SweepPoint) bool { return p.Value == value }) {
			return "", nil, usageError{fmt.Errorf("--over %s has %s twice", c.Over, value)}
		}
		with, err := c.load(c.worldFlags, key+"="+value)
		if err == nil {
			_, err = c.config(with, errs)
		}
		if err != nil {
			return "", nil, fmt.Errorf("with %s=%s: %w", key, value, err)
		}
		points = append(points, harness.SweepPoint{Value: value, Scenario: with.Scenario})
	}
	return key, points, nil
}
