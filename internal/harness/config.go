package harness

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"sluice/internal/defects"
	"sluice/internal/portfault"
	"sluice/reports"
	"sluice/scenarios"
)

// Config is one run.
type Config struct {
	Scenario scenarios.Scenario
	World    World
	// Defect names a failure that is put into the pipeline, to see it caught. Default none.
	Defect string
	// PortFaults happen at the ports of each consumer and its workers, from the start to the end of
	// the run, as do those of the scenario.
	PortFaults portfault.List
	// Switch has chance drawn anew in the course of the run. Nil: the scenario's seed decides all.
	Switch *Switch
	// Journal keeps where spans were and what workers did, for the timeline of the run's page. Follow
	// is the number of a span that is kept whatever the length of the run. Default: nothing is kept.
	Journal bool
	Follow  *uint64
	// Log receives the consumers' logs. Nil: nothing is logged.
	Log *slog.Logger
	// Progress hears of the run ten times a second, and of what happens at once. Nil: nobody does.
	Progress func(Progress)
}

// Progress is where a run stands.
type Progress struct {
	// Phase is start, load, drain or stop.
	Phase string
	// Sample is the latest; Seconds of it are those since the load began.
	Sample reports.Sample
	// States are those of the first consumer's workers, by worker.
	States []reports.State
	// Faults are those whose effect lasts, in the order of their begin.
	Faults []string
	// Event is set if something happened just now.
	Event *reports.Event
}

// Validate returns every fault of the config, joined, or nil. What the world cannot do of the
// scenario is yamlfile.Problems.
func (c Config) Validate() error {
	if c.World == nil {
		return errors.New("no world to run in")
	}
	if err := errors.Join(c.Scenario.Validate(), c.World.Validate()); err != nil {
		return err
	}
	if _, err := defects.Find(c.Defect); err != nil {
		return err
	}
	for _, f := range c.PortFaults {
		if err := c.Scenario.CheckPortFault(f); err != nil {
			return err
		}
	}
	return c.Scenario.CheckFaults(c.World.Can)
}

// ports are all faults at ports: those of the scenario, and those that come on top of it. What is named by
// both happens once.
func (c Config) ports() portfault.List {
	list := slices.Clone(c.Scenario.PortFaults)
	for _, f := range c.PortFaults {
		if !slices.Contains(list, f) {
			list = append(list, f)
		}
	}
	return list
}

func (c Config) log() *slog.Logger {
	if c.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return c.Log
}

// EnvironmentError means that the run could not be made, or not to its end, because something
// around it failed: a server, a file. It says nothing about the system under test.
type EnvironmentError struct{ Cause error }

// Error returns the cause.
func (e *EnvironmentError) Error() string { return e.Cause.Error() }

// Unwrap returns the cause.
func (e *EnvironmentError) Unwrap() error { return e.Cause }

func environment(what string, err error) error {
	return &EnvironmentError{fmt.Errorf("%s: %w", what, err)}
}
