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
	// WorldReal has Redis, or Redis Cluster, and Kafka.
	WorldReal World = "real"
)

// Servers says who starts WorldReal's servers.
type Servers string

// The servers of WorldReal.
const (
	// ServersGiven were started by somebody else, and are named by their addresses.
	ServersGiven Servers = ""
	// ServersRedis are a Redis and a Kafka that the harness starts for the run.
	ServersRedis Servers = "redis"
	// ServersCluster are a Redis Cluster of three nodes and a Kafka that the harness starts.
	ServersCluster Servers = "cluster"
)

// Config is one run.
type Config struct {
	Scenario scenarios.Scenario
	World    World
	// Servers says who starts WorldReal's servers. The zero value: somebody else did.
	Servers Servers
	// Redis and Kafka are the addresses of ServersGiven, "host:port" each. Several of Redis are the
	// nodes of one cluster.
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
		if c.Servers != ServersGiven {
			err = errors.Join(err, fmt.Errorf("world %s has servers of its own: --servers is for world %s",
				WorldFakes, WorldReal))
		}
	case WorldReal:
		err = errors.Join(err, c.validateServers())
	default:
		err = errors.Join(err, fmt.Errorf("world %q is not one of %s", c.World,
			strings.Join([]string{string(WorldFakes), string(WorldReal)}, ", ")))
	}
	return err
}

func (c Config) validateServers() error {
	var faults []error
	fault := func(bad bool, text string) {
		if bad {
			faults = append(faults, errors.New(text))
		}
	}
	switch c.Servers {
	case ServersGiven:
		fault(len(c.Redis) == 0, "world real needs a Redis: give --redis or SLUICE_REDIS, or let it be "+
			"started by --servers start")
		fault(len(c.Kafka) == 0, "world real needs a Kafka: give --kafka or SLUICE_KAFKA, or let it be "+
			"started by --servers start")
	case ServersRedis, ServersCluster:
		fault(len(c.Redis) > 0 || len(c.Kafka) > 0, "servers are started, so no addresses of others "+
			"can be used: leave out --redis and --kafka, or --servers")
	default:
		faults = append(faults, fmt.Errorf("servers %q are not one of %s, %s", c.Servers, ServersRedis,
			ServersCluster))
	}
	return errors.Join(faults...)
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
