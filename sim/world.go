package sim

import (
	"context"
	"fmt"

	"sluice/flusher"
	"sluice/internal/harness"
	"sluice/internal/judge"
	"sluice/scenarios"
)

// World is the world. The zero value is ready for use.
type World struct {
	// Costs are what steps take; nil for the built-in ones.
	Costs *Costs
	// Requests, if not nil, says afterwards which requests a run had to Kafka.
	Requests *Requests
}

// Requests are numbers of requests to Kafka: with messages that were sent, with records that came out,
// to fetch the former, and to commit. Each with records was fetched by another one, which is not counted.
type Requests struct{ Sent, Produced, Fetched, Committed int }

// All are the requests that the broker computed something for.
func (r Requests) All() int { return r.Sent + 2*r.Produced + r.Fetched + r.Committed }

var _ harness.World = World{}

// Name implements harness.World.
func (World) Name() string { return "virtual" }

// costs are those of the world.
func (w World) costs() Costs {
	if w.Costs == nil {
		return DefaultCosts()
	}
	return *w.Costs
}

// Hosts are the machines of the world.
func (w World) Hosts() Hosts { return w.costs().Hosts }

// Validate implements harness.World.
func (w World) Validate() error { return w.costs().Validate() }

// Can implements harness.World.
func (w World) Can(f scenarios.Fault) error {
	one := scenarios.Scenario{Faults: []scenarios.Fault{f}}
	if nodes := w.Hosts().NodesOf(one); f.Target.Kind == scenarios.TargetRedis && f.Target.N >= nodes {
		return fmt.Errorf("there is no node %d: Redis has %d here if a fault names a node (hosts.redis_nodes "+
			"of the costs), numbered from 0", f.Target.N, nodes)
	}
	if f.Target.Kind == scenarios.TargetBroker &&
		f.Target.N >= one.Brokers() {
		return fmt.Errorf("there is no broker %d: Kafka has %d here if a fault names one, numbered from 0",
			f.Target.N, one.Brokers())
	}
	return nil
}

// Grants implements harness.World. What processes that have hosts of their own do takes turns that are as
// long as their settings say, and no more; on one that they share with all others, everything waits for
// its cores as on the wall clock.
func (w World) Grants(scenarios.Scenario) (judge.Slacks, map[judge.Measure]string) {
	unmeasured := map[judge.Measure]string{
		judge.WorkerMemory: "its workers are coroutines: there is no process to bound",
	}
	costs := w.costs()
	if costs.Hosts.Shared {
		return judge.Slacks{Behind: 5, Gate: 1, Handover: 0.5, Uncovered: 10, Silence: 0.2, Orphan: 0.1,
			Reading: reading}, unmeasured
	}
	unmeasured[judge.ProcessorTime] = "the harness is on no host of the run"
	return judge.Slacks{
		// Of the supervisor's turns one sees what happened, one acts on it, and one may wait for the store.
		Gate: 3 * flusher.DefaultConfig().CheckEvery.Seconds(),
		// The group waits for a member that left without being heard; then a consumer starts and joins, the group
		// gives partitions in two rounds, and workers start.
		Uncovered: costs.Kafka.Session.Seconds() + 1.6 + 4*costs.Program.Start.Seconds(),
		// A record is read when the broker takes it, and who sent it hears of that later.
		Reading: reading,
	}, unmeasured
}

// reading is the time from when a record is read until who sent it has heard of all that were sent with it,
// in seconds: of letters that are sent again it took 50 to 70 ms.
const reading = 0.1

// Open implements harness.World.
func (w World) Open(_ context.Context, setup harness.Setup) (harness.System, error) {
	system, err := open(setup, w.costs())
	if err == nil {
		system.requests = w.Requests
	}
	return system, err
}
