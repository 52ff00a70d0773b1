package harness

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"sluice/reports"
	"sluice/scenarios"
)

// World is where a scenario runs.
type World string

// The worlds on the wall clock.
const (
	// WorldFakes has a Redis and a Kafka inside of this process, listening on the loopback.
	WorldFakes World = "fakes"
	// WorldReal has servers that somebody else started.
	WorldReal World = "real"
)

// Config is one run.
type Config struct {
	Scenario scenarios.Scenario
	World    World
	// Redis and Kafka are the addresses of WorldReal's servers, "host:port" each. Several of Redis
	// are the nodes of one cluster.
	Redis, Kafka []string
	// Log receives the pipeline's log. Nil: nothing is logged.
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
	// States are those of the workers, by worker.
	States []reports.State
	// Event is set if something happened just now.
	Event *reports.Event
}

// Validate returns every fault of the config, joined, or nil.
func (c Config) Validate() error {
	err := c.Scenario.Validate()
	switch c.World {
	case WorldFakes:
	case WorldReal:
		if len(c.Redis) == 0 {
			err = errors.Join(err, errors.New("world real needs a Redis: give --redis or SLUICE_REDIS"))
		}
		if len(c.Kafka) == 0 {
			err = errors.Join(err, errors.New("world real needs a Kafka: give --kafka or SLUICE_KAFKA"))
		}
	default:
		err = errors.Join(err, fmt.Errorf("world %q is not one of %s", c.World,
			strings.Join([]string{string(WorldFakes), string(WorldReal)}, ", ")))
	}
	return err
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
