package wall

import (
	"context"

	"github.com/twmb/franz-go/pkg/kgo"
)

// What the tests of the worlds below see of a System.

// Redis returns the address of a server of Redis, as the pipeline reaches it or as the harness does.
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

func (s *System) Input() string { return s.input }

// Servers are the addresses of all servers.
func (s *System) Servers() []string { return append(append([]string(nil), s.redis...), s.kafka...) }

// Busy is on how many servers a fault is that suffers no other.
func (s *System) Busy() int { return len(s.busy) }

func (s *System) RedisMemory(ctx context.Context) (used, max int64, err error) {
	return s.redisMemory(ctx)
}
