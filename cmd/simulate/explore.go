package main

import (
	"context"
	"fmt"
	"time"

	"sluice/internal/judge"
	"sluice/internal/statusline"
	"sluice/sim/explore"
)

// exploreCommand is "simulate explore".
type exploreCommand struct {
	Preset         string        `arg:"" help:"What takes part: protocol, commit, rebalance or supervisor."`
	Workers        int           `help:"Workers, each with a shard of its own." default:"2"`
	Shards         int           `help:"For the preset supervisor: shards, dealt to workers in turn; 0: as many as workers." default:"0"`
	Traces         int           `help:"Traces, dealt to shards in turn." default:"2"`
	Spans          int           `help:"Spans, dealt to traces in turn." default:"4"`
	Faults         int           `help:"How many faults there are at the most." default:"2"`
	Lease          int           `help:"How many segments a worker takes at a time." default:"1"`
	Scattered      bool          `help:"Deal the spans of each trace to shards in turn, so that workers contend for traces."`
	Defect         string        `help:"Plant a defect, which the search must find; see list defects." placeholder:"NAME"`
	NoSymmetry     bool          `help:"Keep states apart that differ in names only."`
	NoIndependence bool          `help:"Take every order of steps, also of those that commute."`
	MaxStates      int           `help:"End after so many distinct states; 0: never." default:"0"`
	Timeout        time.Duration `help:"End after this long; 0: never." default:"0"`
	AgainstSeeds   int           `help:"Also say which share of the states so many random runs reach; implies --no-independence." placeholder:"N"`
}

// Run searches, and prints what was found, also when it is interrupted.
func (c *exploreCommand) Run(ctx context.Context, to *streams) error {
	if c.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.Timeout)
		defer cancel()
	}
	line := statusline.New(to.err)
	cfg := explore.Config{
		Preset: c.Preset, Defect: c.Defect, StatesMax: c.MaxStates, Seeds: c.AgainstSeeds,
		Symmetry: !c.NoSymmetry, Independence: !c.NoIndependence && c.AgainstSeeds == 0,
		Size: explore.Size{
			Workers: c.Workers, Shards: c.Shards, Traces: c.Traces, Spans: c.Spans, Faults: c.Faults, Lease: c.Lease,
			Scattered: c.Scattered,
		},
		Progress: func(distinct, depth int) {
			if line.Terminal {
				line.Show(fmt.Sprintf("%d states, %d steps deep", distinct, depth))
			}
		},
	}
	if err := cfg.Validate(); err != nil {
		return usageError{err}
	}
	began := time.Now()
	result, err := explore.Run(ctx, cfg)
	line.Clear()
	if err != nil {
		return err
	}
	if err := result.WriteText(to.out, time.Since(began)); err != nil {
		return err
	}
	switch {
	case result.Wrong != "":
		return exitError(judge.ExitSafety)
	case !result.Exhausted:
		return exitError(judge.ExitUnknown)
	}
	return nil
}
