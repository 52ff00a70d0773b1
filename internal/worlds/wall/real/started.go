package real

import (
	"context"
	"errors"
	"sync"

	"sluice/internal/servers"
	"sluice/internal/worlds/wall"
	"sluice/scenarios"
)

// errStopped means that a fault comes after the end of the servers.
var errStopped = errors.New("the servers are stopped for good")

// clusterNodes is how many nodes a cluster has that the harness starts.
const clusterNodes = 3

// started are servers that the harness started for this run.
type started struct {
	redis []*redisNode
	kafka *kafkaNode
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

// start starts the servers. What was started before an error is in the result, to be closed.
func (w World) start(
	ctx context.Context, scenario scenarios.Scenario,
) (*started, wall.Servers, error) {
	s := &started{}
	to := wall.Servers{Backend: s}
	var nodes []*servers.RedisServer
	var err error
	if w.Servers == StartCluster {
		nodes, err = servers.StartRedisCluster()
	} else {
		var one *servers.RedisServer
		one, err = servers.StartRedis()
		nodes = append(nodes, one)
	}
	if err != nil {
		return s, to, err
	}
	for _, server := range nodes {
		s.redis = append(s.redis, newNode(server))
		to.Redis = append(to.Redis, server.Addr)
	}
	server, err := servers.StartKafka(javaOptions(scenario)...)
	if err != nil {
		return s, to, err
	}
	s.kafka = newNode(server)
	to.Kafka = []string{server.Addr}
	if failsProduce(scenario) {
		to.Output = map[string]int64{"min.insync.replicas": 2} // see replicate
		err = server.AddAbsentBroker(ctx)
	}
	return s, to, err
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
