package wall

import (
	"context"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"
)

// What the tests from outside see of a System.

// RedisAddr returns the address of a server of Redis, as the pipeline reaches it or as the harness
// does.
func (s *System) RedisAddr(node int, pipeline bool) string {
	address := s.redis[node]
	if way, ok := s.redisRoutes[address]; ok && pipeline {
		return way
	}
	return address
}

// KafkaOpts are those of a client as the pipeline has it, or as the harness has it.
func (s *System) KafkaOpts(pipeline bool) []kgo.Opt {
	e := s.endpoints
	if pipeline {
		e.ownRoutes = e.kafkaRoutes
	}
	return e.harnessOpts()
}

// KafkaAddrs are the addresses of the brokers, in the order of their numbers.
func (s *System) KafkaAddrs() []string { return s.kafka }

// Input, Output and Letters are the names of the topics.
func (s *System) Input() string   { return s.input }
func (s *System) Output() string  { return s.output }
func (s *System) Letters() string { return s.letters }

// Servers are the addresses of all servers.
func (s *System) Servers() []string { return slices.Concat(s.redis, s.kafka) }

// Busy is on how many servers a fault is that suffers no other.
func (s *System) Busy() int { return len(s.busy) }

// RedisMemory is what the fullest node of Redis uses and may use, in bytes.
func (s *System) RedisMemory(ctx context.Context) (used, max int64, err error) {
	m, err := s.redisMemory(ctx)
	return m.used, m.max, err
}
