package wall

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/redis/rueidis"
	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/internal/harness"
	"sluice/internal/judge"
	"sluice/internal/kafkaio"
	"sluice/internal/netfault"
	clock "sluice/internal/wallclock"
	"sluice/reports"
	"sluice/scenarios"
)

// Servers are the Redis and the Kafka of a run.
type Servers struct {
	// Redis and Kafka are their addresses, "host:port" each. Several of Redis are the nodes of one
	// cluster.
	Redis, Kafka []string
	Access       Access
	Backend      Backend
	// ByNetwork tells which faults of a server the backend does with the network to it. Nil: none.
	ByNetwork func(scenarios.Fault) bool
	// Made hears of each topic that was made, of so many partitions, before anybody uses it. Nil: nobody does.
	Made func(topic string, partitions int) error
	// Takers are settings of the topics that take what comes out, that of dead letters too, beside what the
	// scenario wants of them.
	Takers map[string]int64
	// HidesMemory is true for a Redis that does not tell what memory it uses.
	HidesMemory bool
	// AskRedis is true for a Redis of which the backend does not tell what it computes: its nodes are
	// asked. Else the addresses are those of all its nodes.
	AskRedis bool
	// InMemory is true for a Kafka that keeps all it is sent in this process's memory: what everybody
	// has read is deleted.
	InMemory bool
	// Stay is true for servers that outlive the run: what it leaves there is removed.
	Stay bool
}

// Backend is what a world has behind its addresses.
type Backend interface {
	// Break does a fault that the network alone cannot. The result ends it; nil: nothing is to end.
	Break(s *System, f scenarios.Fault) (end func() error, err error)
	// Seconds returns the processor time that Redis and Kafka have used; 0 where nobody can tell.
	Seconds() (redis, kafka float64)
	// Close stops what was started.
	Close() error
}

// endpoints are the servers of a run, and what it has there.
type endpoints struct {
	names
	redis, kafka []string
	access       Access
	// connection is the harness's own to Kafka, without routes.
	connection kafkaio.Config

	// redisRoutes and kafkaRoutes are the pipeline's ways to the servers: network faults stand on
	// them. Empty: there are none.
	redisRoutes, kafkaRoutes map[string]string
	// ownRoutes are the harness's own to Kafka, for faults that hit everybody. Empty: there are none.
	ownRoutes map[string]string
}

// harnessConfig is how the harness comes to Kafka.
func (e *endpoints) harnessConfig() kafkaio.Config {
	c := e.connection
	c.Routes = e.ownRoutes
	return c
}

// harnessOpts are those of each Kafka client of the harness. A broker that is being stopped closes
// connections that it has just accepted, which the client takes for a missing login and for final.
func (e *endpoints) harnessOpts() []kgo.Opt {
	return append(e.harnessConfig().Dialing(), kgo.AlwaysRetryEOF())
}

// System is a run on the wall clock: consumers as child processes, a load over the network, and
// servers behind addresses. It is safe for concurrent use.
type System struct {
	clock.Clock
	clock.Tasks
	endpoints
	setup   harness.Setup
	servers Servers
	// network carries the pipeline, own the harness: see endpoints.
	network, own *netfault.Net

	fleet     *fleet
	sender    *sender
	collector *collector
	meters    meters
	pulse     *pulse         // on servers that stay
	working   sync.WaitGroup // what Close ends
	endWork   context.CancelFunc

	mu     sync.Mutex
	busy   map[string]bool // servers on which a fault is that suffers no other, by address
	made   bool            // there is something of the run on the servers
	closed bool
	client rueidis.Client // for their memory, once it was needed
}

var _ harness.System = (*System)(nil)

// errClosed means that the run is over.
var errClosed = errors.New("the run is over")

// Open makes the topics of a run and the clients around it. The servers are closed with the System,
// also with one that could not be opened.
func Open(ctx context.Context, setup harness.Setup, servers Servers) (*System, error) {
	s := &System{
		setup: setup, servers: servers,
		endpoints: endpoints{
			names: newNames(setup.Scenario.Name, time.Now()), redis: servers.Redis, kafka: servers.Kafka,
			access: servers.Access,
		},
		network: netfault.Open(), own: netfault.Open(), busy: map[string]bool{},
	}
	s.meters.begin(servers.Backend)
	topology, ledger := setup.Scenario.Topology, setup.Sink.Ledger
	ledger.InputTopic, ledger.Partitions = s.input, topology.Partitions
	ledger.LetterBytesMax = harness.BrokerRecordMax
	ledger.RecordBytesMax = cmp.Or(int(topology.OutputRecordMax), harness.BrokerRecordMax)
	work, end := context.WithCancel(context.WithoutCancel(ctx))
	s.endWork = end
	if err := s.open(ctx, work); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *System) open(ctx, work context.Context) (err error) {
	if s.connection, err = s.access.Kafka(s.kafka).Connection(nil); err != nil {
		return err
	}
	if err := s.openNetwork(); err != nil {
		return err
	}
	if s.servers.Stay {
		if s.pulse, err = startPulse(ctx, s.redis, s.access, s.alive); err != nil {
			return fmt.Errorf("redis %s: %w", strings.Join(s.redis, ","), err)
		}
		s.working.Go(func() { s.pulse.run(work) })
	}
	if err := s.createTopics(ctx); err != nil {
		return err
	}
	s.fleet = newFleet(config(s.setup, s.endpoints), s.setup)
	if s.sender, err = newSender(s); err != nil {
		return fmt.Errorf("open the load generator: %w", err)
	}
	if s.collector, err = newCollector(&s.endpoints, s.setup.Sink); err != nil {
		return fmt.Errorf("open the output: %w", err)
	}
	s.working.Go(func() { s.collector.run(work) })
	s.working.Go(func() { s.meters.redis.run(work, s) })
	if s.servers.InMemory {
		s.working.Go(func() { s.trim(work) })
	}
	return nil
}

// Close implements harness.System. Faults that last are no hindrance.
func (s *System) Close() error {
	if s.fleet != nil {
		s.fleet.killAll()
	}
	s.endWork()
	s.working.Wait()
	var closing sync.WaitGroup // a broker that hangs keeps each of them
	if s.sender != nil {
		closing.Go(s.sender.close)
	}
	if s.collector != nil {
		closing.Go(s.collector.close)
	}
	s.mu.Lock()
	s.closed = true
	client := s.client
	s.client = nil
	s.mu.Unlock()
	if client != nil {
		client.Close()
	}
	var err error
	if s.pulse != nil {
		if s.made {
			kafka := s.harnessConfig()
			err = s.remove(s.pulse, &kafka)
		} else {
			err = s.pulse.end(context.Background())
		}
		s.pulse.client.Close()
	}
	closing.Wait()
	err = errors.Join(err, s.servers.Backend.Close())
	s.network.Close()
	s.own.Close()
	return err
}

// Consumers implements harness.System.
func (s *System) Consumers() []harness.Consumer { return s.fleet.running() }

// Do implements harness.System.
func (s *System) Do(ctx context.Context, act harness.Act, to harness.Process) error {
	switch {
	case to.Consumer == harness.WholeHost && act == harness.ActFreeze:
		return s.fleet.freezeAll()
	case to.Consumer == harness.WholeHost && act == harness.ActWake:
		return s.fleet.wakeAll()
	case to.Consumer == harness.WholeHost:
		return fmt.Errorf("nobody can %v a host", act)
	case to.Worker != reports.NoWorker:
		return s.fleet.signal(act, to)
	}
	switch act {
	case harness.ActStart:
		return s.fleet.start(ctx, to.Consumer)
	case harness.ActStop:
		return s.fleet.stop(ctx, to.Consumer)
	case harness.ActKill:
		return s.fleet.kill(to.Consumer)
	case harness.ActFreeze:
		return s.fleet.freeze(to.Consumer)
	case harness.ActWake:
		return s.fleet.wake(to.Consumer)
	}
	return fmt.Errorf("nobody can %v a consumer", act)
}

// Send implements harness.System.
func (s *System) Send(ctx context.Context, start time.Time) harness.Sent {
	err := s.sender.run(ctx, start)
	sent := harness.Sent{Err: err, Behind: time.Duration(s.sender.behind.Load()).Seconds()}
	sent.Limit, sent.Limited = s.sender.limit()
	return sent
}

// Finish implements harness.System.
func (s *System) Finish(ctx context.Context) error { return s.collector.finish(ctx) }

// Digest implements harness.System: a run on the wall clock cannot be had again.
func (s *System) Digest() string { return "" }

// Break implements harness.System.
func (s *System) Break(f scenarios.Fault) (undo func() error, err error) {
	switch {
	case f.Verb == scenarios.VerbJump:
		undo = s.jump(f)
	case f.Verb == scenarios.VerbDelete:
		err = s.deleteRecords(f)
	case IsNetwork(f.Verb):
		undo, err = s.BreakNetwork(f, false)
	default:
		undo, err = s.servers.Backend.Break(s, f)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.What(), err)
	}
	return undo, nil
}

// jump shifts the clock of the load.
func (s *System) jump(f scenarios.Fault) (undo func() error) {
	partition := int32(allPartitions)
	if f.Target.Kind == scenarios.TargetPartition {
		partition = int32(f.Target.N)
	}
	s.sender.jump(partition, f.By)
	return func() error {
		s.sender.jump(partition, -f.By)
		return nil
	}
}

// Claim reserves servers for a fault that suffers no other one beside it, all or none.
func (s *System) Claim(addresses []string) (release func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, address := range addresses {
		if s.busy[address] {
			return nil, fmt.Errorf("%s: %w", address, harness.ErrBusy)
		}
	}
	for _, address := range addresses {
		s.busy[address] = true
	}
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, address := range addresses {
			delete(s.busy, address)
		}
	}, nil
}

// Look implements harness.System.
func (s *System) Look() (judge.Look, reports.Sample) { return s.look(time.Now()) }
