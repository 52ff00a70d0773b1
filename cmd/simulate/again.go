package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"

	"sluice/buffer"
	"sluice/internal/diff"
	"sluice/internal/harness"
	"sluice/internal/judge"
	"sluice/internal/load"
	"sluice/internal/rundir"
	"sluice/reports"
)

// runDirectory names the directory of a run, and what of its world is not in there.
type runDirectory struct {
	Dir     string   `arg:"" help:"Directory of a run."`
	Servers string   `help:"For a run of world real: how its servers are started, as in run." placeholder:"start"`
	Redis   []string `help:"For a run of world real: address of a running Redis, as in run." env:"SLUICE_REDIS"`
	Kafka   []string `help:"For a run of world real: address of a running Kafka, as in run." env:"SLUICE_KAFKA"`
	loginFlags
}

// past is a run that was made, as its directory tells.
type past struct {
	result reports.Result
	events []reports.Event
	flags  worldFlags
	config harness.Config
}

// open reads the directory.
func (d runDirectory) open(to *streams) (p past, err error) {
	if p.result, err = readResult(d.Dir); err != nil {
		return p, err
	}
	if p.events, err = readEvents(d.Dir); err != nil {
		return p, err
	}
	s, places, err := readScenario(d.Dir)
	if err != nil {
		return p, err
	}
	p.flags = worldFlags{World: p.result.World, Servers: d.Servers, Redis: d.Redis, Kafka: d.Kafka,
		loginFlags: d.loginFlags,
		Defect:     p.result.Defect, Ports: p.result.PortFaults}
	if p.flags.Costs, err = costsOf(d.Dir, p.result.Replay); err != nil {
		return p, err
	}
	p.config, err = p.flags.config(scenario{Scenario: s, places: places}, to.err)
	return p, err
}

// openViolated reads the directory of a run in virtual time in which something was violated, and
// returns what. If nothing was, so much is told of what was to be done.
func openViolated(to *streams, dir, nothing string) (past, reports.Judgement, error) {
	p, err := runDirectory{Dir: dir}.open(to)
	if err != nil {
		return p, reports.Judgement{}, err
	}
	why, failed := judge.Violated(p.result)
	switch {
	case !isVirtual(p.result.World):
		err = usageError{fmt.Errorf("the run in %s is of world %s: elsewhere than in world %s no run "+
			"can be had again", dir, p.result.World, worldVirtual)}
	case !failed:
		err = usageError{fmt.Errorf("the run in %s is %s: %s", dir, p.result.Verdict, nothing)}
	}
	return p, why, err
}

// replayCommand is "simulate replay".
type replayCommand struct {
	runDirectory
	Span string `help:"Follow this span, by its id or its number, and add its way to the report. For a run in virtual time." placeholder:"ID"`
	JSON bool   `name:"json" help:"Print the result as JSON."`
}

// Run runs what the directory holds once more, and compares.
func (c *replayCommand) Run(ctx context.Context, to *streams) error {
	p, err := c.open(to)
	if err != nil {
		return err
	}
	if p.result.Cause != "" {
		return unfinished(c.Dir, p.result.Cause)
	}
	if err := c.follow(&p); err != nil {
		return err
	}
	again, err := runOnce(ctx, p.config)
	if again == nil {
		return err
	}
	var written error
	found := againAnswer{Was: p.result.Verdict, Is: again.Result.Verdict, Digest: p.result.Digest}
	switch {
	case again.Interrupted:
		found.answer = interrupted()
	case !isVirtual(p.result.World) && found.Is == found.Was:
		found.Verdict = "the same, " + found.Is
	case !isVirtual(p.result.World):
		found.answer = answer{fmt.Sprintf("not the same; it was %s, and now it is %s", found.Was, found.Is),
			judge.ExitNotDeterministic}
	case again.Result.Digest == p.result.Digest:
		if c.Span != "" {
			written = p.rewrite(again, c.Dir)
		}
		if c.Span != "" && written == nil {
			fmt.Fprintf(to.text(c.JSON), "span %s: %s#span=%[1]s\n", c.Span, filepath.Join(c.Dir, rundir.FileReport))
		}
		found.Verdict = fmt.Sprintf("the same, %s; digest %s", found.Is, found.Digest)
	default:
		first := diff.FirstOf(p.events, again.Events, nil, nil)
		found.First = &first
		found.answer = answer{"not the same; " + first.Brief(), judge.ExitNotDeterministic}
	}
	found.answer = found.again(p.command(c.Dir))
	return to.endWith(found, c.JSON, written)
}

// command is the one that makes the run of a directory again, and compares.
func (p past) command(dir string) string {
	return program() + " replay " + quote(dir) + p.flags.sameServers()
}

// difference names the first event of a run that another does not have.
func difference(first, second []reports.Event) string {
	return diff.FirstOf(first, second, nil, nil).Brief()
}

// follow has the run keep the span that is asked for, if one is.
func (c *replayCommand) follow(p *past) error {
	if c.Span == "" {
		return nil
	}
	if !isVirtual(p.result.World) {
		return usageError{fmt.Errorf("--span is for a run of world %s: in world %s no run can be had again",
			worldVirtual, p.result.World)}
	}
	seq, err := strconv.ParseUint(c.Span, 10, 64)
	if err != nil || len(c.Span) == 2*len(buffer.SpanID{}) {
		id, err := buffer.ParseSpanID(c.Span)
		if err != nil {
			return usageError{fmt.Errorf("--span %s is neither the id of a span, of 16 hexadecimal digits, nor "+
				"the number of one", c.Span)}
		}
		s := p.config.Scenario
		seq = load.NewRecipe(s.Workload, s.Topology.Partitions, s.Seed).Seq(id)
	}
	if sent := uint64(p.result.Ledger.Messages); seq > 2*sent+uint64(p.config.Scenario.Workload.SpansPerTrace.High) {
		return usageError{fmt.Errorf("--span %s is none of this run, in which %d messages were sent", c.Span,
			sent)}
	}
	p.config.Journal, p.config.Follow = true, &seq
	return nil
}

// rewrite writes the report of a run that was made again.
func (p past) rewrite(again *judge.Outcome, dir string) error {
	again.Result.Replay, again.Result.Run.WallSeconds = p.result.Replay, p.result.Run.WallSeconds
	again.Result.Costs = p.result.Costs
	return rundir.WriteReport(again, dir)
}
