// Package real is the world of a real Redis, or Redis Cluster, and a real Kafka: given ones, or such
// as are started for the run.
package real

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"sluice/internal/harness"
	"sluice/internal/judge"
	"sluice/internal/servers"
	"sluice/internal/worlds/wall"
	"sluice/scenarios"
)

// Origin says where the servers come from.
type Origin string

// The origins of servers.
const (
	// Given are there already, at the addresses of the World.
	Given Origin = ""
	// Start starts one Redis and one Kafka for the run, and stops them at its end.
	Start Origin = "start"
	// StartCluster is the same with a Redis Cluster of three nodes; "start-cluster:6" has six.
	StartCluster Origin = "start-cluster"
)

// clusterMax is how many nodes of a cluster one machine is asked to run at most.
const clusterMax = 64

// Validate returns an error if it is not one of them.
func (o Origin) Validate() error {
	if o == Given || o.nodes() > 0 {
		return nil
	}
	return fmt.Errorf("servers %q is not one of %s, %s, %s:%d to %s:%d", o, Start, StartCluster,
		StartCluster, servers.ClusterMastersMin, StartCluster, clusterMax)
}

// nodes is how many nodes of Redis are started; 0: none, or it is no origin.
func (o Origin) nodes() int {
	switch o {
	case Start:
		return 1
	case StartCluster:
		return servers.ClusterMastersMin
	}
	text, ok := strings.CutPrefix(string(o), string(StartCluster)+":")
	n, err := strconv.Atoi(text)
	if !ok || err != nil || n < servers.ClusterMastersMin || n > clusterMax || text != strconv.Itoa(n) {
		return 0
	}
	return n
}

// World is the world.
type World struct {
	Servers Origin
	// Redis and Kafka are the addresses of given servers, or of those that are shared, "host:port" each. Several of Redis are the
	// nodes of one cluster.
	Redis, Kafka []string
	// Access is what given servers want.
	Access wall.Access

	shared *started // by Share; nil: every run starts its own
}

var _ harness.World = World{}

// Name implements harness.World.
func (World) Name() string { return "real" }

// Validate implements harness.World.
func (w World) Validate() error {
	switch err := w.Servers.Validate(); {
	case err != nil:
		return err
	case w.Servers != Given && w.shared == nil && len(w.Redis)+len(w.Kafka) > 0:
		return errors.New("servers are started, so no addresses of others can be used: leave out " +
			"--redis and --kafka, or --servers")
	case w.Servers == Given && len(w.Redis) == 0:
		return errors.New("world real needs a Redis: give --redis or SLUICE_REDIS, or have servers " +
			"started by --servers start")
	case w.Servers == Given && len(w.Kafka) == 0:
		return errors.New("world real needs a Kafka: give --kafka or SLUICE_KAFKA, or have servers " +
			"started by --servers start")
	}
	return nil
}

// Can implements harness.World.
func (w World) Can(f scenarios.Fault) error {
	if err := wall.CheckMoment(f); err != nil {
		return err
	}
	if !wall.OnServers(f) {
		return nil
	}
	brokers := max(1, len(w.Kafka)) // one is started
	if err := cmp.Or(wall.CheckNode(f, w.nodes()), wall.CheckBroker(f, brokers)); err != nil {
		return err
	}
	if f.Verb == scenarios.VerbDepose {
		return errors.New("a single broker has nobody to elect in place of a leader: use --world virtual or " +
			"--world fakes")
	}
	if w.Servers == Given && !wall.IsNetwork(f.Verb) {
		return errors.New("world real does that only to servers of its own: use --servers start")
	}
	return nil
}

// nodes is how many nodes the Redis has, as far as the World tells.
func (w World) nodes() int {
	if w.Servers == Given {
		return len(w.Redis)
	}
	return w.Servers.nodes()
}

// Grants implements harness.World.
func (World) Grants(s scenarios.Scenario) (judge.Slacks, map[judge.Measure]string) {
	return wall.Grants(s)
}

// Open implements harness.World.
func (w World) Open(ctx context.Context, setup harness.Setup) (harness.System, error) {
	if w.Servers == Given {
		found, err := w.findNodes(ctx)
		if err != nil {
			return nil, err
		}
		to := wall.Servers{Redis: w.Redis, Kafka: w.Kafka, Access: w.Access, Stay: true,
			Backend: lookFor(found.brokers), AskRedis: true}
		if slices.ContainsFunc(setup.Scenario.Faults, func(f scenarios.Fault) bool {
			return wall.IsNetwork(f.Verb)
		}) { // on the ways to all that clients will dial
			to.Redis, to.Kafka = union(w.Redis, found.redis), union(w.Kafka, found.brokers)
		}
		return wall.Open(ctx, setup, to)
	}
	to, err := w.start(ctx, setup.Scenario)
	if err != nil {
		return nil, errors.Join(err, to.Backend.Close())
	}
	return wall.Open(ctx, setup, to)
}

// failsProduce tells whether the scenario has the broker answer produce requests with errors.
func failsProduce(s scenarios.Scenario) bool {
	return slices.ContainsFunc(s.Faults, func(f scenarios.Fault) bool {
		return f.Verb == scenarios.VerbFail
	})
}
