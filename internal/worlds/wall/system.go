package harness

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"

	"github.com/redis/rueidis"
	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/internal/netfault"
	"sluice/scenarios"
)

// endpoints are the world's Redis and Kafka, with names that no other run uses.
type endpoints struct {
	redis, kafka           []string
	namespace              string
	input, output, letters string
	group                  string

	// redisRoutes and kafkaRoutes are the pipeline's ways to the servers: network faults stand on
	// them. Empty: there are none.
	redisRoutes, kafkaRoutes map[string]string
	// ownRoutes are the harness's own to Kafka, for faults that hit everybody. Empty: there are none.
	ownRoutes map[string]string
}

// harnessOpts are those of each Kafka client of the harness.
func (s *endpoints) harnessOpts() []kgo.Opt {
	opts := []kgo.Opt{kgo.SeedBrokers(s.kafka...),
		// A broker that is being stopped closes connections that it has just accepted, which the client
		// takes for a missing login and for final.
		kgo.AlwaysRetryEOF()}
	if len(s.ownRoutes) == 0 {
		return opts
	}
	dialer := &net.Dialer{Timeout: dialMax}
	return append(opts, kgo.Dialer(
		func(ctx context.Context, network, address string) (net.Conn, error) {
			if way, ok := s.ownRoutes[address]; ok {
				address = way
			}
			return dialer.DialContext(ctx, network, address)
		}))
}

// world is where a run takes place: the servers, the network to them, and what is broken of both.
// It is safe for concurrent use.
type world struct {
	endpoints
	cfg     Config
	backend backend
	// network carries the pipeline, own the harness: see endpoints.
	network, own *netfault.Net
	// made is true once there is something of the run on the servers.
	made bool

	mu     sync.Mutex
	busy   map[string]bool // servers on which a fault is that suffers no other, by address
	faults []*lasting
	closed bool
	client rueidis.Client // for redisMemory, once it was needed
}

// backend is what a kind of world has behind its addresses.
type backend interface {
	// inject does a fault that the network alone cannot. The result ends it; nil: nothing is to end.
	inject(w *world, f scenarios.Fault) (end func() error, err error)
	// seconds returns the processor time that Redis and Kafka have used.
	seconds() (redis, kafka float64)
	// close stops what was started, or removes what the run left on servers that stay.
	close(w *world) error
}

// errBusy means that a fault cannot happen right now, since its target is down or suffers another
// one: it is tried again.
var errBusy = errors.New("its target is down just now, or suffers another fault")

// errClosed means that a fault comes after the end of the world.
var errClosed = errors.New("the world is closed")

// openWorld starts or finds the servers, and makes the topics. Faults must be ones that the world
// can do.
func openWorld(ctx context.Context, c Config) (*world, error) {
	var unique [4]byte
	if _, err := rand.Read(unique[:]); err != nil {
		return nil, err
	}
	name := fmt.Sprintf("sluice-sim-%s-%s", c.Scenario.Name, hex.EncodeToString(unique[:]))
	w := &world{
		cfg: c,
		endpoints: endpoints{
			redis: c.Redis, kafka: c.Kafka, namespace: name + ":", group: name,
			input: name + "-spans", output: name + "-segments", letters: name + "-dlq",
		},
		network: netfault.Open(), own: netfault.Open(),
		busy: map[string]bool{},
	}
	err := w.openBackend(ctx)
	if err == nil {
		err = w.openNetwork(ctx)
	}
	if err == nil {
		err = w.createTopics(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, w.close())
	}
	return w, nil
}

// openBackend starts or finds the servers. Without any the world has no backend to close.
func (w *world) openBackend(ctx context.Context) error {
	switch {
	case w.cfg.World == WorldFakes:
		fakes, err := openFakes(&w.endpoints)
		if err != nil {
			return err
		}
		w.backend = fakes
	case w.cfg.Servers != ServersGiven:
		started, err := startServers(ctx, w.cfg, &w.endpoints)
		if err != nil {
			return err
		}
		w.backend = started
	default:
		w.backend = given{}
	}
	return nil
}

// openNetwork puts proxies where the scenario has faults for them; a way that nothing happens on is
// better off without one.
func (w *world) openNetwork(ctx context.Context) (err error) {
	var redis, kafka, everybody bool
	for _, f := range w.cfg.Scenario.Faults {
		onNetwork := isNetwork(f.Verb) || w.cfg.World == WorldFakes && isDoneByNetwork(f)
		redis = redis || onNetwork && f.Target.Kind == scenarios.TargetRedis
		kafka = kafka || onNetwork && f.Target.Kind == scenarios.TargetKafka
		everybody = everybody || onNetwork && !isNetwork(f.Verb) &&
			f.Target.Kind == scenarios.TargetKafka
	}
	if given := w.cfg.World == WorldReal && w.cfg.Servers == ServersGiven; given {
		if err := w.findNodes(ctx, redis, kafka); err != nil {
			return err
		}
	}
	if redis {
		w.redisRoutes, err = openRoutes(w.network, w.redis)
	}
	if kafka && err == nil {
		w.kafkaRoutes, err = openRoutes(w.network, w.kafka)
	}
	if everybody && err == nil {
		w.ownRoutes, err = openRoutes(w.own, w.kafka)
	}
	return err
}

func openRoutes(n *netfault.Net, upstreams []string) (map[string]string, error) {
	routes := map[string]string{}
	for _, upstream := range upstreams {
		way, err := n.Add(upstream)
		if err != nil {
			return nil, err
		}
		routes[upstream] = way
	}
	return routes, nil
}

// targets are the addresses that a fault hits.
func (w *world) targets(t scenarios.Target) []string {
	switch {
	case t.Kind != scenarios.TargetRedis:
		return w.kafka
	case t.N == scenarios.AllNodes:
		return w.redis
	case t.N < len(w.redis):
		return w.redis[t.N : t.N+1]
	}
	return nil
}

// close stops what was started, and removes what the run left on servers that stay. Faults that
// last are no hindrance.
func (w *world) close() error {
	w.mu.Lock()
	w.closed = true
	client := w.client
	w.client = nil
	w.mu.Unlock()
	if client != nil {
		client.Close()
	}
	var err error
	if w.backend != nil {
		err = w.backend.close(w)
	}
	w.network.Close()
	w.own.Close()
	return err
}

// claim reserves servers for a fault that suffers no other one beside it, all or none.
func (w *world) claim(addresses []string) (release func(), err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, address := range addresses {
		if w.busy[address] {
			return nil, fmt.Errorf("%s: %w", address, errBusy)
		}
	}
	for _, address := range addresses {
		w.busy[address] = true
	}
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, address := range addresses {
			delete(w.busy, address)
		}
	}, nil
}

// lasting is a fault that was injected and has an end.
type lasting struct {
	mu   sync.Mutex
	end  func() error
	over bool
}

// undo ends the fault. If that fails, it can be tried again.
func (l *lasting) undo() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		return nil
	}
	err := l.end()
	l.over = err == nil
	return err
}

// keep remembers the end of a fault, for heal.
func (w *world) keep(end func() error) (undo func() error) {
	if end == nil {
		return nil
	}
	l := &lasting{end: end}
	w.mu.Lock()
	w.faults = append(w.faults, l)
	w.mu.Unlock()
	return func() error {
		err := l.undo()
		if err == nil {
			w.mu.Lock()
			w.faults = slices.DeleteFunc(w.faults, func(other *lasting) bool { return other == l })
			w.mu.Unlock()
		}
		return err
	}
}
