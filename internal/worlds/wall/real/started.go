package real

import (
	"context"
	"errors"
	"sync"
	"time"

	"sluice/internal/servers"
	"sluice/internal/worlds/wall"
	"sluice/scenarios"
)

// errStopped means that a fault comes after the end of the servers.
var errStopped = errors.New("the servers are stopped for good")

// started are servers that the harness started, for a run or for several.
type started struct {
	redis []*redisNode
	kafka *kafkaNode

	absent    sync.Mutex
	hasAbsent bool
}

// redisNode is one of Redis' servers, kafkaNode the broker.
type (
	redisNode = node[*servers.RedisServer]
	kafkaNode = node[*servers.KafkaServer]
)

// node guards a server's process, of which only one at a time may do something.
type node[S serverProcess] struct {
	server S
	usage  wall.Usage

	mu     sync.Mutex
	closed bool
}

// serverProcess is what both kinds of server have.
type serverProcess interface {
	Start() error
	Kill() error
	Freeze() error
	Thaw() error
	Pid() int
}

func newNode[S serverProcess](server S) *node[S] {
	n := &node[S]{server: server}
	n.usage.Began(server.Pid())
	return n
}

// locked does something with the server, unless it was stopped for good.
func (n *node[S]) locked(do func() error) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return errStopped
	}
	return do()
}

func (n *node[S]) freeze() error { return n.locked(n.server.Freeze) }

func (n *node[S]) thaw() error { return n.locked(n.server.Thaw) }

// end ends the process in some way.
func (n *node[S]) end(how func() error) error {
	return n.locked(func() error {
		n.usage.Seconds()
		err := how()
		if err == nil {
			n.usage.Ended()
		}
		return err
	})
}

// start starts the process again.
func (n *node[S]) start() error {
	return n.locked(func() error {
		if err := n.server.Start(); err != nil {
			return err
		}
		n.usage.Began(n.server.Pid())
		return nil
	})
}

// restart ends the process and starts it again, and returns how long each took.
func (n *node[S]) restart(how func() error) (stopped, started time.Duration, err error) {
	began := time.Now()
	if err = n.end(how); err == nil {
		stopped, began = time.Since(began), time.Now()
		err = n.start()
	}
	return stopped, time.Since(began), err
}

// close ends the process for good.
func (n *node[S]) close() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.closed = true
	return n.server.Kill()
}

// quickUpTo is up to which rate, in spans per second, Kafka is better off with a quick start than with
// full speed later.
const quickUpTo = 10_000

// javaOptions are those of the broker of a scenario.
func javaOptions(s scenarios.Scenario) []string {
	if s.Workload.Rate.Peak() <= quickUpTo {
		return []string{servers.QuickJava}
	}
	return nil
}

// Share starts the servers of a World that starts some, once for all runs in the result, which come to
// servers that are warm and leave them running; its addresses are theirs. The stop ends them. A World
// of given servers is shared as it is.
func (w World) Share() (shared World, stop func() error, err error) {
	if w.Servers == Given {
		return w, func() error { return nil }, nil
	}
	s, err := w.launch()
	if err != nil {
		return w, nil, errors.Join(err, s.Close())
	}
	w.shared = s
	for _, n := range s.redis {
		w.Redis = append(w.Redis, n.server.Addr)
	}
	w.Kafka = []string{s.kafka.server.Addr}
	return w, s.Close, nil
}

// Restarts tells whether RestartRedis and RestartKafka can be used: of one Redis and a broker that were
// started, and are shared.
func (w World) Restarts() bool { return w.shared != nil && len(w.shared.redis) == 1 }

// RestartRedis has Redis end, with its data saved first or forgotten, and starts it again. It returns how
// long it took to end, and until it answered.
func (w World) RestartRedis(keepData bool) (stopped, started time.Duration, err error) {
	n := w.shared.redis[0]
	return n.restart(func() error { return n.server.Halt(keepData) })
}

// RestartKafka is the same with the broker, which keeps its data.
func (w World) RestartKafka() (stopped, started time.Duration, err error) {
	return w.shared.kafka.restart(w.shared.kafka.server.Stop)
}

// borrowed are servers of several runs.
type borrowed struct{ *started }

// Close implements wall.Backend: the next run finds them as it ends.
func (borrowed) Close() error { return nil }

// launch starts servers, with options for the broker's Java. What was started before an error is in the
// result, to be closed.
func (w World) launch(options ...string) (*started, error) {
	s := &started{}
	var nodes []*servers.RedisServer
	var err error
	if masters := w.Servers.nodes(); masters > 1 {
		nodes, err = servers.StartRedisCluster(masters)
	} else {
		var one *servers.RedisServer
		one, err = servers.StartRedis()
		nodes = append(nodes, one)
	}
	if err != nil {
		return s, err
	}
	for _, server := range nodes {
		s.redis = append(s.redis, newNode(server))
	}
	server, err := servers.StartKafka(options...)
	if err != nil {
		return s, err
	}
	s.kafka = newNode(server)
	return s, nil
}

// start returns the servers of a run. What was started before an error is in the result, to be closed.
func (w World) start(ctx context.Context, scenario scenarios.Scenario) (wall.Servers, error) {
	var to wall.Servers
	s := w.shared
	if s != nil {
		to.Backend, to.Stay = borrowed{s}, true
	} else {
		var err error
		s, err = w.launch(javaOptions(scenario)...)
		to.Backend = s
		if err != nil {
			return to, err
		}
	}
	for _, n := range s.redis {
		to.Redis = append(to.Redis, n.server.Addr)
	}
	to.Kafka = []string{s.kafka.server.Addr}
	if failsProduce(scenario) {
		to.Takers = map[string]int64{"min.insync.replicas": 2} // see replicate
		return to, s.addAbsentBroker(ctx)
	}
	return to, nil
}

// addAbsentBroker registers it for the first run that needs it.
func (s *started) addAbsentBroker(ctx context.Context) error {
	s.absent.Lock()
	defer s.absent.Unlock()
	if s.hasAbsent {
		return nil
	}
	err := s.kafka.server.AddAbsentBroker(ctx)
	s.hasAbsent = err == nil
	return err
}

// Seconds implements wall.Backend.
func (s *started) Seconds() (redis, kafka float64) {
	for _, n := range s.redis {
		redis += n.usage.Seconds()
	}
	return redis, s.kafka.usage.Seconds()
}

// Close implements wall.Backend: it ends all processes at once: nobody needs their data any more.
func (s *started) Close() error {
	var errs []error
	for _, n := range s.redis {
		errs = append(errs, n.close())
	}
	if s.kafka != nil {
		errs = append(errs, s.kafka.close())
	}
	return errors.Join(errs...)
}
