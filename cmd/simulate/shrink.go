package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"sluice/internal/harness"
	"sluice/internal/judge"
	"sluice/internal/shrink"
	"sluice/internal/statusline"
	"sluice/internal/swarm"
	"sluice/reports"
)

// shrinkCommand is "simulate shrink".
type shrinkCommand struct {
	Dir   string `arg:"" help:"Directory of a run in virtual time that did not pass."`
	Out   string `help:"The scenario file to write." placeholder:"DIR/shrunk.yaml"`
	Force bool   `help:"Replace the file of --out if it exists."`
	Runs  int    `help:"How many runs to make at most." default:"2000"`
	JSON  bool   `name:"json" help:"Print the result as JSON."`
}

// Run shrinks the run's scenario, and writes the rest.
func (c *shrinkCommand) Run(ctx context.Context, to *streams) error {
	p, why, err := openViolated(to, c.Dir, "there is nothing to shrink")
	if err != nil {
		return err
	}
	if c.Runs < 1 {
		return usageError{errors.New("--runs must be 1 or more")}
	}
	file := cmp.Or(c.Out, filepath.Join(c.Dir, "shrunk.yaml"))
	if err := checkFile("--out", file); err != nil {
		return err
	}
	if c.Out != "" {
		if err := checkReplaced("--out", file, "", c.Force); err != nil {
			return err
		}
	}
	small, found := c.shrink(ctx, to, p, why.Name)
	least := shrunkAnswer{Violated: why.Name, PortFaults: []string{}, Steps: []string{}}
	switch {
	case !found && ctx.Err() != nil:
		least.answer = interrupted().again(c.command())
		return to.end(least, c.JSON)
	case !found:
		least.answer = answer{fmt.Sprintf("not the same; %s is not violated when the run is made again", why.Name),
			judge.ExitNotDeterministic}.again(p.command(c.Dir))
		return to.end(least, c.JSON)
	}
	small.Scenario.PortFaults = small.Ports
	written := writeWhole(file, small.Scenario.Brief())
	how := runs(small.Runs) + ", and nothing more can go"
	if !small.Done {
		how = runs(small.Runs) + ", and then it was ended"
	}
	p.flags.Ports = nil // those that are left are in the file
	least.Scenario, least.File, least.Runs, least.Done = small.Scenario.Brief(), file, small.Runs, small.Done
	for _, fault := range small.Ports {
		least.PortFaults = append(least.PortFaults, fault.String())
	}
	least.Steps = append(least.Steps, reports.Steps(small.Outcome.Events, small.Outcome.Result, why.Name)...)
	least.Replay = fmt.Sprintf("%s run %s%s", program(), quote(file), p.flags.replay())
	least.Verdict = fmt.Sprintf("%s (%s); %s; replay: %s", small.Outcome.Result.Verdict, why.Name, how, least.Replay)
	if ctx.Err() != nil && !small.Done {
		least.Code = judge.ExitUnknown
	}
	fmt.Fprintf(to.text(c.JSON), "%s\n%s\n", least.Scenario, strings.Join(least.Steps, "\n"))
	return to.endWith(least, c.JSON, written)
}

// command is the one that shrinks the same run.
func (c *shrinkCommand) command() string {
	text := fmt.Sprintf("%s shrink %s --runs %d", program(), quote(c.Dir), c.Runs)
	if c.Out != "" {
		text += " --out " + quote(c.Out)
	}
	return text
}

// shrink makes the run's case smaller as long as the same is violated.
func (c *shrinkCommand) shrink(
	ctx context.Context, to *streams, p past, violated string,
) (shrink.Result, bool) {
	line := statusline.New(to.err)
	defer line.Clear()
	runs := 0
	of := shrink.Case{Scenario: p.config.Scenario}
	of.Ports, of.Scenario.PortFaults = slices.Concat(of.Scenario.PortFaults, p.config.PortFaults), nil
	return shrink.Shrink(ctx, of,
		shrink.Config{
			Violated: violated, Defect: p.config.Defect != "", RunsMax: c.Runs,
			Restarts: p.config.Defect != "" || of.Scenario.Name == swarm.Name,
			Run: func(ctx context.Context, of shrink.Case, defect bool) (*judge.Outcome, error) {
				if runs++; line.Terminal {
					line.Show(fmt.Sprintf("%d of at most %d runs", runs, c.Runs))
				}
				return runCase(ctx, p.config, of, defect)
			},
			Progress: func(runs int, smaller string) {
				fmt.Fprintf(line, "run %d fails with %s\n", runs, smaller)
			},
		})
}

// runCase runs a case, with the defect or without it.
func runCase(
	ctx context.Context, cfg harness.Config, of shrink.Case, defect bool,
) (*judge.Outcome, error) {
	cfg.Scenario, cfg.PortFaults = of.Scenario, of.Ports
	if !defect {
		cfg.Defect = ""
	}
	return runOnce(ctx, cfg)
}
