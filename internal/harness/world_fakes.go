package harness

import (
	"fmt"

	"github.com/alicebob/miniredis/v2"
	"github.com/alicebob/miniredis/v2/server"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sluice/buffer/redisstore"
	"sluice/internal/netfault"
	"sluice/scenarios"
)

// fakes are a Redis and a Kafka in this process.
type fakes struct {
	redis *miniredis.Miniredis
	kafka *kfake.Cluster
}

func openFakes(s *endpoints) (*fakes, error) {
	f := &fakes{redis: miniredis.NewMiniRedis()}
	err := f.redis.StartAddr("127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("start the fake Redis: %w", err)
	}
	if f.kafka, err = kfake.NewCluster(kfake.NumBrokers(1)); err != nil {
		f.redis.Close()
		return nil, fmt.Errorf("start the fake Kafka: %w", err)
	}
	s.redis, s.kafka = []string{f.redis.Addr()}, f.kafka.ListenAddrs()
	return f, nil
}

// inject implements backend. A fake that is stopped lives on behind a way that nobody gets through:
// closed in the middle of a script, miniredis answers with the script's own collapse.
func (s *fakes) inject(w *world, f scenarios.Fault) (func() error, error) {
	switch {
	case isDoneByNetwork(f):
		over := []*netfault.Net{w.network}
		if f.Target.Kind == scenarios.TargetKafka {
			over = append(over, w.own)
		}
		end, err := w.breakNetwork(f, over...)
		if err == nil && f.Verb == scenarios.VerbWipe {
			s.redis.FlushAll()
		}
		return end, err
	case f.Verb == scenarios.VerbFill:
		return s.fill(w)
	case f.Verb == scenarios.VerbFail:
		return s.failProduce(w, f.Target), nil
	}
	return nil, fmt.Errorf("world fakes knows no %s of a server", f.Verb)
}

// fill refuses what needs room, in the words of a Redis at its limit.
func (s *fakes) fill(w *world) (func() error, error) {
	release, err := w.claim(w.redis)
	if err != nil {
		return nil, err
	}
	s.redis.Server().SetPreHook(func(p *server.Peer, command string, args ...string) bool {
		if !redisstore.NeedsRoom(command, args...) {
			return false
		}
		p.WriteError("OOM command not allowed when used memory > 'maxmemory'.")
		return true
	})
	return func() error {
		s.redis.Server().SetPreHook(nil)
		release()
		return nil
	}, nil
}

// failProduce answers produce requests to the output topic as a broker does that has lost too many
// replicas: the client is to try again.
func (s *fakes) failProduce(w *world, t scenarios.Target) func() error {
	fault := kfake.Fault{
		Keys: []kmsg.Key{kmsg.Produce}, Topic: w.output, Err: kerr.NotEnoughReplicas, Count: -1,
	}
	if t.Kind == scenarios.TargetPartition {
		fault.Partitions = []int32{int32(t.N)}
	}
	handle := s.kafka.Fault(fault)
	return func() error {
		handle.Remove()
		return nil
	}
}

func (s *fakes) seconds() (redis, kafka float64) { return 0, 0 }

// close implements backend.
func (s *fakes) close(*world) error {
	s.kafka.Close()
	s.redis.Close()
	return nil
}
