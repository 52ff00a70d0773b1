package harness

import (
	"errors"
	"fmt"
	"log/slog"

	"sluice/internal/defects"
	"sluice/reports"
	"sluice/scenarios"
)

// World is where a scenario runs.
type World string

// The worlds on the wall clock.
const (
	// WorldFakes has a Redis and a Kafka inside of this process, listening on the loopback.
	WorldFakes World = "fakes"
	// WorldReal has Redis, or Redis Cluster, and Kafka.
	WorldReal World = "real"
)

// Servers says where the servers of WorldReal come from.
type Servers string

// The origins of servers.
const (
	// ServersGiven are there already, at the addresses of the config.
	ServersGiven Servers = ""
	// ServersStart are started by the run, one Redis and one Kafka, and stopped at its end.
	ServersStart Servers = "start"
	// ServersStartCluster is the same with a Redis Cluster of three nodes.
	ServersStartCluster Servers = "start-cluster"
)

// Config is one run.
type Config struct {
	Scenario scenarios.Scenario
	World    World
	// Redis and Kafka are the addresses of ServersGiven, "host:port" each. Several of Redis are the
	// nodes of one cluster.
	Redis, Kafka []string
	// Servers says whether WorldReal's servers are given or started. Default given.
	Servers Servers
	// Defect names a failure that is put into the pipeline, to see it caught. Default none.
	Defect string
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
	if err := errors.Join(c.Scenario.Validate(), c.ValidateWorld()); err != nil {
		return err
	}
	if c.Defect != "" {
		if _, err := defects.Find(c.Defect); err != nil {
			return err
		}
	}
	if c.Servers != ServersGiven && len(c.Redis)+len(c.Kafka) > 0 {
		return errors.New("servers are started, so no addresses of others can be used: leave out " +
			"--redis and --kafka, or --servers")
	}
	if c.World == WorldReal && c.Servers == ServersGiven {
		const hint = ", or have servers started by --servers start"
		if len(c.Redis) == 0 {
			return errors.New("world real needs a Redis: give --redis or SLUICE_REDIS" + hint)
		}
		if len(c.Kafka) == 0 {
			return errors.New("world real needs a Kafka: give --kafka or SLUICE_KAFKA" + hint)
		}
	}
	return c.Scenario.CheckFaults(c.Can)
}

// Can returns why the world cannot do a fault, in words that say what could, or nil. It starts
// nothing.
func (c Config) Can(f scenarios.Fault) error { return canDo(c, f) }

// ValidateWorld checks World and Servers alone.
func (c Config) ValidateWorld() error {
	switch {
	case c.World != WorldFakes && c.World != WorldReal:
		return fmt.Errorf("world %q is not one of %s, %s", c.World, WorldFakes, WorldReal)
	case c.Servers != ServersGiven && c.Servers != ServersStart && c.Servers != ServersStartCluster:
		return fmt.Errorf("servers %q is not one of %s, %s", c.Servers, ServersStart,
			ServersStartCluster)
	case c.Servers != ServersGiven && c.World != WorldReal:
		return fmt.Errorf("--servers %s is for --world real: world %s has its servers inside of "+
			"the program", c.Servers, c.World)
	}
	return nil
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
