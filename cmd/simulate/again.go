package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"

	"sluice/internal/harness"
	"sluice/internal/judge"
	"sluice/reports"
	"sluice/scenarios"
	"sluice/sim"
	"sluice/sim/kernel"
)

// runDirectory names the directory of a run, and what of its world is not in there.
type runDirectory struct {
	Dir     string   `arg:"" help:"Directory of a run."`
	Servers string   `help:"For a run of world real: how its servers are started, as in run." placeholder:"start"`
	Redis   []string `help:"For a run of world real: address of a running Redis, as in run." env:"SLUICE_REDIS"`
	Kafka   []string `help:"For a run of world real: address of a running Kafka, as in run." env:"SLUICE_KAFKA"`
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
	text, err := os.ReadFile(filepath.Join(d.Dir, harness.FileResult))
	if err != nil {
		return p, usageError{fmt.Errorf("%w: %w", harness.ErrNotARun, err)}
	}
	if err := json.Unmarshal(text, &p.result); err != nil {
		return p, usageError{fmt.Errorf("%s in %s: %w", harness.FileResult, d.Dir, err)}
	}
	file, err := os.Open(filepath.Join(d.Dir, harness.FileEvents))
	if err != nil {
		return p, usageError{err}
	}
	defer file.Close()
	if p.events, err = reports.ReadEvents(file); err != nil {
		return p, usageError{fmt.Errorf("%s in %s: %w", harness.FileEvents, d.Dir, err)}
	}
	s, places, err := scenarios.LoadWith(filepath.Join(d.Dir, harness.FileScenario), os.ReadFile)
	if err != nil {
		return p, usageError{err}
	}
	p.flags = worldFlags{World: p.result.World, Servers: d.Servers, Redis: d.Redis, Kafka: d.Kafka,
		Defect: p.result.Defect, Ports: p.result.PortFaults}
	p.config, err = p.flags.config(scenario{Scenario: s, places: places}, to.err)
	return p, err
}

// replayCommand is "simulate replay".
type replayCommand struct{ runDirectory }

// Run runs what the directory holds once more, and compares.
func (c *replayCommand) Run(ctx context.Context, to *streams) (err error) {
	defer kernel.Catch(&err)
	p, err := c.open(to)
	if err != nil {
		return err
	}
	again, err := harness.Run(ctx, p.config)
	if err != nil {
		return err
	}
	verdict := again.Result.Verdict
	switch {
	case again.Interrupted:
		fmt.Fprintln(to.out, "verdict: unknown; the run was interrupted")
		return exitError(judge.ExitUnknown)
	case p.result.World != (sim.World{}).Name() && verdict == p.result.Verdict:
		_, err = fmt.Fprintf(to.out, "verdict: the same, %s\n", verdict)
		return err
	case p.result.World != (sim.World{}).Name():
		_, err = fmt.Fprintf(to.out, "verdict: not the same; it was %s, and now it is %s\n",
			p.result.Verdict, verdict)
	case again.Result.Digest == p.result.Digest:
		_, err = fmt.Fprintf(to.out, "verdict: the same, %s; digest %s\n", verdict, p.result.Digest)
		return err
	default:
		_, err = fmt.Fprintf(to.out, "verdict: not the same; %s\n", difference(p.events, again.Events))
	}
	return cmp.Or(err, error(exitError(judge.ExitNotDeterministic)))
}

// difference names the first event of a run that another does not have.
func difference(first, second []reports.Event) string {
	for i, e := range first {
		if i >= len(second) || !reflect.DeepEqual(e, second[i]) {
			return fmt.Sprintf("the first difference is event %d, at %.3f s: %s %s", i, e.T, e.Kind, e.Text)
		}
	}
	return "what is recorded is the same, and yet the digests differ"
}
