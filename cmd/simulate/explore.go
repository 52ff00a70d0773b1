package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"sluice/internal/judge"
	"sluice/internal/statusline"
	"sluice/reports"
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
	HTML           string        `name:"html" help:"Write the way to a violation to this file, as a page to step along." placeholder:"FILE"`
	AgainstSeeds   int           `help:"Also say which share of the states so many random runs reach; implies --no-independence." placeholder:"N"`
	JSON           bool          `name:"json" help:"Print the result as JSON."`
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
	if c.HTML != "" {
		if err := checkFile("--html", c.HTML); err != nil {
			return err
		}
	}
	var took time.Duration
	began := time.Now()
	cfg.Searched = func() { took = time.Since(began) }
	result, err := explore.Run(ctx, cfg)
	line.Clear()
	if err != nil {
		return err
	}
	written := c.writePage(to, result)
	found := answerOf(result, took)
	found.answer = found.again(c.command())
	_ = result.WriteText(to.text(c.JSON), took) // what hinders it hinders the verdict behind it
	return to.endWith(found, c.JSON, written)
}

// answerOf is what a search has found, which took so long.
func answerOf(r explore.Result, took time.Duration) exploredAnswer {
	found := exploredAnswer{
		answer: answer{Verdict: r.Verdict()}, Preset: r.Config.Preset, Defect: r.Config.Defect,
		Size: r.Config.Size, Generated: r.Generated, Distinct: r.Distinct, Depth: r.Depth,
		Executed: r.Executed, Exhausted: r.Exhausted, Seconds: took.Seconds(), Seeds: r.Config.Seeds,
		Walked: r.Walked, Reached: r.Reached, Covered: r.Coverages(), Violated: r.Wrong, Smallest: r.Smallest, Shortest: r.Shortest,
		Missed: r.Missed, PassedOver: r.PassedOver,
		Steps: append([]string{}, r.Steps()...),
	}
	switch {
	case r.Wrong != "":
		found.Code = judge.ExitSafety
	case !r.Finished():
		found.Code = judge.ExitUnknown
	}
	return found
}

// checkFile returns an error if the file of a flag could not be written once all is found.
func checkFile(flag, path string) error {
	switch info, err := os.Stat(path); {
	case err == nil && info.IsDir():
		return usageError{fmt.Errorf("%s %s is a directory: name a file", flag, path)}
	case err != nil && !errors.Is(err, os.ErrNotExist):
		return usageError{fmt.Errorf("%s: %w", flag, err)}
	}
	if _, err := os.Stat(filepath.Dir(path)); err != nil {
		return usageError{fmt.Errorf("%s: %w", flag, err)}
	}
	return nil
}

// writePage writes the way to what is wrong as a page, if that is asked for.
func (c *exploreCommand) writePage(to *streams, r explore.Result) error {
	if c.HTML == "" {
		return nil
	}
	story := r.Story()
	if story == nil {
		fmt.Fprintf(to.err, "simulate: nothing is wrong, so %s is not written\n", c.HTML)
		return nil
	}
	title := "explore " + c.Preset
	if c.Defect != "" {
		title += ", defect " + c.Defect
	}
	var page bytes.Buffer
	if err := (reports.SearchPage{Title: title, Wrong: r.Wrong, System: r.System(), Shortest: r.Shortest,
		Command: c.command(), Story: story}).Write(&page); err != nil {
		return err
	}
	return writeWhole(c.HTML, page.String())
}

// command is the one that makes the same search again.
func (c *exploreCommand) command() string {
	text := fmt.Sprintf("%s explore %s --workers %d --shards %d --traces %d --spans %d --faults %d --lease %d",
		program(), c.Preset, c.Workers, c.Shards, c.Traces, c.Spans, c.Faults, c.Lease)
	if c.Scattered {
		text += " --scattered"
	}
	if c.Defect != "" {
		text += " --defect " + c.Defect
	}
	if c.NoSymmetry {
		text += " --no-symmetry"
	}
	if c.NoIndependence {
		text += " --no-independence"
	}
	if c.MaxStates > 0 {
		text += " --max-states " + strconv.Itoa(c.MaxStates)
	}
	if c.Timeout > 0 {
		text += " --timeout " + c.Timeout.String()
	}
	if c.AgainstSeeds > 0 {
		text += " --against-seeds " + strconv.Itoa(c.AgainstSeeds)
	}
	return text
}
