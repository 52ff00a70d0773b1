package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"sluice/internal/harness"
	"sluice/internal/judge"
	"sluice/internal/shrink"
	"sluice/internal/statusline"
	"sluice/reports"
	"sluice/sim/kernel"
)

// shrinkCommand is "simulate shrink".
type shrinkCommand struct {
	Dir   string `arg:"" help:"Directory of a run in virtual time that did not pass."`
	Out   string `help:"The scenario file to write." placeholder:"DIR/shrunk.yaml"`
	Force bool   `help:"Replace a file that is named by --out and is there."`
	Runs  int    `help:"How many runs to make at most." default:"2000"`
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
	if !found && ctx.Err() != nil {
		return interrupted(to.out)
	}
	if !found {
		fmt.Fprintf(to.out, "verdict: not the same; %s is not violated when the run is made again\n",
			why.Name)
		return exitError(judge.ExitNotDeterministic)
	}
	if err := os.WriteFile(file, []byte(small.Scenario.Brief()), 0o644); err != nil {
		return err
	}
	fmt.Fprintf(to.out, "%s\n%s\n", small.Scenario.Brief(), strings.Join(reports.Steps(
		small.Outcome.Events, small.Outcome.Result, why.Name), "\n"))
	how := fmt.Sprintf("%d runs, and nothing more can go", small.Runs)
	if !small.Done {
		how = fmt.Sprintf("%d runs, and then it was ended", small.Runs)
	}
	p.flags.Ports = []string{small.Ports.String()}
	if len(small.Ports) == 0 {
		p.flags.Ports = nil
	}
	_, err = fmt.Fprintf(to.out, "verdict: %s (%s); %s; replay: %s run %s%s\n",
		small.Outcome.Result.Verdict, why.Name, how, program(), file, p.flags.replay())
	if ctx.Err() != nil && !small.Done {
		err = exitError(judge.ExitUnknown)
	}
	return err
}

// shrink makes the run's case smaller as long as the same is violated.
func (c *shrinkCommand) shrink(
	ctx context.Context, to *streams, p past, violated string,
) (shrink.Result, bool) {
	line := statusline.New(to.err)
	defer line.Clear()
	runs := 0
	return shrink.Shrink(ctx, shrink.Case{Scenario: p.config.Scenario, Ports: p.config.PortFaults},
		shrink.Config{
			Violated: violated, Defect: p.config.Defect != "", RunsMax: c.Runs,
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

// runCase runs a case; a failure of the kernel is its error.
func runCase(
	ctx context.Context, cfg harness.Config, of shrink.Case, defect bool,
) (outcome *judge.Outcome, err error) {
	defer kernel.Catch(&err)
	cfg.Scenario, cfg.PortFaults = of.Scenario, of.Ports
	if !defect {
		cfg.Defect = ""
	}
	return harness.Run(ctx, cfg)
}
