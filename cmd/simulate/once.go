package main

import (
	"context"
	"errors"

	"sluice/internal/harness"
	"sluice/internal/judge"
	"sluice/reports"
	"sluice/sim/kernel"
)

// errInterrupted says that a run was ended from outside, whatever of it noticed that first.
var errInterrupted = errors.New("interrupted")

// runOnce makes a run. A virtual one that can get nowhere fails, so that nothing is lost of the runs before
// it. The outcome of one that was interrupted, if it has one, comes with the error.
func runOnce(ctx context.Context, cfg harness.Config) (*judge.Outcome, error) {
	outcome, err := caught(ctx, cfg)
	if ctx.Err() != nil && (outcome == nil || outcome.Interrupted) {
		err = errInterrupted
	}
	return outcome, err
}

// runUntil does as runOnce, and ends the run early when what looks at the samples of its phases says so.
func runUntil(
	ctx context.Context, cfg harness.Config, over func(phase string, s reports.Sample) bool,
) (*judge.Outcome, error) {
	running, end := context.WithCancel(ctx)
	defer end()
	cfg.Progress = func(p harness.Progress) {
		if p.Event == nil && over(p.Phase, p.Sample) {
			end()
		}
	}
	outcome, err := caught(running, cfg)
	if ctx.Err() != nil {
		err = errInterrupted
	}
	return outcome, err
}

// caught is a run; a failure of the kernel is its error.
func caught(ctx context.Context, cfg harness.Config) (outcome *judge.Outcome, err error) {
	defer kernel.Catch(&err)
	return harness.Run(ctx, cfg)
}

// violatesSafety tells whether a run violated safety, which counts even if the run was interrupted.
func violatesSafety(o *judge.Outcome) bool { return o != nil && o.Code == judge.ExitSafety }
