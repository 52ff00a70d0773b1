package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"sluice/internal/harness"
	"sluice/internal/judge"
	"sluice/internal/options"
	"sluice/internal/process"
	"sluice/internal/rundir"
	"sluice/reports"
	"sluice/sim/kernel"
)

// sweepCommand is "simulate sweep".
type sweepCommand struct {
	scenarioFlags
	worldFlags
	Processes []int  `help:"Process counts to run with." default:"1,2,4"`
	Repeat    int    `help:"How many times to run each count." default:"3"`
	Out       string `help:"Directory of the results." placeholder:"runs/NAME-sweep"`
	JSON      bool   `name:"json" help:"Print the tables as JSON."`
}

// Run runs the sweep.
func (c *sweepCommand) Run(ctx context.Context, to *streams) (err error) {
	defer kernel.Catch(&err)
	s, err := c.load(c.worldFlags)
	if err != nil {
		return err
	}
	if c.Repeat < 1 || len(c.Processes) == 0 {
		return usageError{errors.New("--repeat and --processes must ask for at least one run")}
	}
	cfg := harness.SweepConfig{Processes: c.Processes, Repeat: c.Repeat}
	for _, n := range c.Processes {
		if n < 1 || n > s.Topology.Partitions {
			return usageError{fmt.Errorf("--processes %d must be 1 to %d, the number of partitions",
				n, s.Topology.Partitions)}
		}
	}
	if cfg.Config, err = c.config(s, to.err); err != nil {
		return err
	}
	dir := c.Out
	if dir == "" {
		dir = filepath.Join("runs", s.Name+"-sweep")
	}
	if err := rundir.Check(dir, rundir.FileSweep); err != nil {
		return usageError{err}
	}
	cfg.Ran = func(r reports.SweepRun) {
		verdict := r.Verdict
		if r.Reason != "" {
			verdict += " (" + r.Reason + ")"
		}
		fmt.Fprintf(to.err, "%s, repeat %d of %d: %.0f spans/s, %s\n",
			options.FormatCount(r.Processes, "process"), r.Repeat, c.Repeat, r.SpansPerSecond, verdict)
	}
	c.mentionLitter(ctx, to.err)
	stop, err := shareServers(&cfg.Config)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	result, err := harness.Sweep(ctx, cfg)
	if err != nil {
		return err
	}
	result.Version = process.Version()
	// As in run, a disk that is full must not take the verdict along.
	if c.JSON {
		err = reports.WriteJSON(to.out, result.Sweep)
	} else {
		err = result.WriteText(to.out, dir)
	}
	if written := rundir.WriteSweep(result.Sweep, dir, s.Scenario); written != nil {
		fmt.Fprintln(to.err, "simulate:", written)
		err = cmp.Or(err, error(exitError(judge.ExitEnvironment)))
	}
	if result.Code != judge.ExitPassed {
		err = exitError(result.Code)
	}
	return err
}
