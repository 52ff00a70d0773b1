package harness

import (
	"context"
	"errors"
	"sync"

	"sluice/internal/servers"
	"sluice/scenarios"
)

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
	usage  usage

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
	n.usage.began(server.Pid())
	return n
}

// locked does something with the server, unless it was stopped for good.
func (n *node[S]) locked(do func() error) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return errClosed
	}
	return do()
}

func (n *node[S]) freeze() error { return n.locked(n.server.Freeze) }

func (n *node[S]) thaw() error { return n.locked(n.server.Thaw) }

// end ends the process in some way.
func (n *node[S]) end(how func() error) error {
	return n.locked(func() error {
		n.usage.seconds()
		err := how()
		if err == nil {
			n.usage.ended()
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
		n.usage.began(n.server.Pid())
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

func startServers(ctx context.Context, c Config, e *endpoints) (*started, error) {
	s := &started{}
	var nodes []*servers.RedisServer
	var err error
	if c.Servers == ServersStartCluster {
		nodes, err = servers.StartRedisCluster()
	} else {
		var one *servers.RedisServer
		one, err = servers.StartRedis()
		nodes = append(nodes, one)
	}
	if err != nil {
		return nil, err
	}
	for _, server := range nodes {
		s.redis = append(s.redis, newNode(server))
		e.redis = append(e.redis, server.Addr)
	}
	server, err := servers.StartKafka(javaOptions(c.Scenario)...)
	if err != nil {
		return nil, errors.Join(err, s.close(nil))
	}
	s.kafka = newNode(server)
	e.kafka = []string{server.Addr}
	if c.failsProduce() {
		if err := server.AddAbsentBroker(ctx); err != nil {
			return nil, errors.Join(err, s.close(nil))
		}
	}
	return s, nil
}

// seconds implements backend.
func (s *started) seconds() (redis, kafka float64) {
	for _, n := range s.redis {
		redis += n.usage.seconds()
	}
	return redis, s.kafka.usage.seconds()
}

// close ends all processes at once: nobody needs their data any more.
func (s *started) close(*world) error {
	var errs []error
	for _, n := range s.redis {
		errs = append(errs, n.close())
	}
	if s.kafka != nil {
		errs = append(errs, s.kafka.close())
	}
	return errors.Join(errs...)
}
