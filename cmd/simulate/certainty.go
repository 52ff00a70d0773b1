package main

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"strings"
	"time"

	"sluice/internal/certainty"
	"sluice/internal/harness"
	"sluice/internal/judge"
	"sluice/internal/shrink"
	"sluice/internal/statusline"
	"sluice/reports"
)

// certaintyCommand is "simulate certainty".
type certaintyCommand struct {
	Dir     string `arg:"" help:"Directory of a run in virtual time that did not pass."`
	Runs    int    `help:"How many continuations to make from each moment; a quarter of that where those agree." default:"100"`
	Moments int    `help:"From how many moments at most." default:"14"`
	JSON    bool   `name:"json" help:"Print the result as JSON."`
}

// Run finds when the run's failure became certain, and adds that to its report.
func (c *certaintyCommand) Run(ctx context.Context, to *streams) error {
	p, why, err := openViolated(to, c.Dir, "nothing in it became certain")
	if err != nil {
		return err
	}
	find := certainty.Config{Seed: p.result.Seed, Runs: c.Runs, Moments: c.Moments,
		Parallel: runtime.GOMAXPROCS(0), To: time.Hour}
	if err := find.Validate(); err != nil {
		return usageError{err}
	}
	p.config.Journal = true
	again, err := runOnce(ctx, p.config)
	if again == nil {
		return err
	}
	found := certainAnswer{Certainty: reports.Certainty{Violated: why.Name, Points: []reports.CertaintyPoint{}}}
	switch {
	case again.Interrupted:
		found.answer = interrupted().again(c.command())
		return to.end(found, c.JSON)
	case again.Result.Digest != p.result.Digest:
		found.answer = answer{"not the same; " + difference(p.events, again.Events),
			judge.ExitNotDeterministic}.again(p.command(c.Dir))
		return to.end(found, c.JSON)
	}
	find.To = lastMoment(again.Events)
	curve, failed := c.find(ctx, to, find, p.config, why.Name)
	switch {
	case len(curve.Points) > 0:
		return c.tell(to, p, again, curve, failed)
	case failed != nil:
		return failed
	}
	found.answer = answer{"unknown; it was ended before a moment was done", judge.ExitUnknown}.again(c.command())
	return to.end(found, c.JSON)
}

// command is the one that finds the same.
func (c *certaintyCommand) command() string {
	return fmt.Sprintf("%s certainty %s --runs %d --moments %d", program(), quote(c.Dir), c.Runs, c.Moments)
}

// tell adds a curve to the run's report, and prints it. What ended the search before its time takes no moment
// along that was done.
func (c *certaintyCommand) tell(
	to *streams, p past, again *judge.Outcome, curve reports.Certainty, failed error,
) error {
	again.Watched.Certainty = &curve
	written := p.rewrite(again, c.Dir)
	_ = curve.WriteText(to.text(c.JSON)) // what hinders it hinders the verdict behind it
	found := certainAnswer{Certainty: curve, Says: curve.Says(again.Events)}
	found.Verdict = fmt.Sprintf("%s (%s); %s", p.result.Verdict, curve.Violated, found.Says)
	if failed != nil {
		fmt.Fprintln(to.err, "simulate:", failed)
		first, _, _ := strings.Cut(failed.Error(), "\n")
		found.Verdict += "; then it was ended: " + first
	}
	if !curve.Done {
		found.Code = judge.ExitUnknown
	}
	found.answer = found.again(c.command())
	return to.endWith(found, c.JSON, written)
}

// lastMoment is when the run was asked to stop, since the start of the load.
func lastMoment(events []reports.Event) time.Duration {
	last := 0.0
	for _, e := range events {
		if e.Kind == reports.EventPhase && e.Text != reports.PhaseStart {
			last = max(last, e.T)
		}
	}
	return time.Duration(last * float64(time.Second)).Round(time.Millisecond)
}

// find makes the continuations.
func (c *certaintyCommand) find(
	ctx context.Context, to *streams, find certainty.Config, cfg harness.Config, violated string,
) (reports.Certainty, error) {
	line := statusline.New(to.err)
	defer line.Clear()
	cfg.Log, cfg.Progress, cfg.Journal = nil, nil, false
	find.Run = func(ctx context.Context, at time.Duration, seed uint64) (bool, error) {
		outcome, err := continued(ctx, cfg, harness.Switch{At: at, Seed: seed})
		if err != nil {
			return false, fmt.Errorf("the run from %v on with seed %d: %w", at, seed, err)
		}
		return shrink.Violates(outcome, violated), nil
	}
	find.Progress = func(runs int, p *reports.CertaintyPoint) {
		if p != nil {
			fmt.Fprintf(io.Writer(line), "from %.3f s on %d of %d runs fail\n", p.T, p.Fails, p.Runs)
		} else if line.Terminal {
			line.Show(fmt.Sprintf("%d runs", runs))
		}
	}
	curve, err := certainty.Find(ctx, find)
	curve.Violated = violated
	return curve, err
}

// continued is a run in which chance is drawn anew.
func continued(ctx context.Context, cfg harness.Config, at harness.Switch) (*judge.Outcome, error) {
	cfg.Switch = &at
	return runOnce(ctx, cfg)
}
