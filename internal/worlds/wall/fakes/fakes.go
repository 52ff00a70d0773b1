package harness

import (
	"fmt"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/alicebob/miniredis/v2/server"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sluice/buffer/redisstore"
	"sluice/internal/netfault"
	"sluice/internal/servers"
	"sluice/scenarios"
)

// fakes are a Redis and a Kafka in this process.
type fakes struct {
	redis *miniredis.Miniredis
	kafka *kfake.Cluster
}

func openFakes(s *endpoints) (*fakes, error) {
	f := &fakes{redis: miniredis.NewMiniRedis()}
	// Not any port: it must come back to it when it was stopped.
	err := retry(func() error {
		port, err := servers.FreePort()
		if err != nil {
			return err
		}
		return f.redis.StartAddr(fmt.Sprintf("127.0.0.1:%d", port))
	})
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

// inject implements backend.
func (s *fakes) inject(w *world, f scenarios.Fault) (func() error, error) {
	stops := f.Verb == scenarios.VerbStop || f.Verb == scenarios.VerbWipe
	switch {
	case stops && f.Target.Kind == scenarios.TargetRedis:
		return s.stopRedis(w, f)
	case isDoneByNetwork(f):
		over := []*netfault.Net{w.network}
		if f.Target.Kind == scenarios.TargetKafka {
			over = append(over, w.own)
		}
		return w.breakNetwork(f, over...)
	case f.Verb == scenarios.VerbFill:
		return s.fill(w)
	case f.Verb == scenarios.VerbFail:
		return s.failProduce(w, f.Target), nil
	}
	return nil, fmt.Errorf("world fakes knows no %s of a server", f.Verb)
}

// stopRedis stops it and, at its end, starts it again, with its data or without. The pipeline is cut
// off first: closed in the middle of a script, miniredis answers with the script's own collapse.
func (s *fakes) stopRedis(w *world, f scenarios.Fault) (func() error, error) {
	release, err := w.claim(w.redis)
	if err != nil {
		return nil, err
	}
	admit, err := w.breakNetwork(f, w.network)
	if err != nil {
		release()
		return nil, err
	}
	s.awaitQuiet()
	s.redis.Close()
	if f.Verb == scenarios.VerbWipe {
		s.redis.FlushAll()
	}
	return func() error {
		if err := retry(s.redis.Restart); err != nil {
			return fmt.Errorf("start the fake Redis again: %w", err)
		}
		release()
		return admit()
	}, nil
}

// quietMax bounds the wait for connections that were cut; one that goes past the proxies stays.
const quietMax = 200 * time.Millisecond

// awaitQuiet returns when what was sent before the cut is done.
func (s *fakes) awaitQuiet() {
	deadline := time.Now().Add(quietMax)
	for s.redis.Server().ClientsLen() > 0 && time.Now().Before(deadline) {
		time.Sleep(time.Millisecond)
	}
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

// retryMax bounds the wait for a port that somebody else may have taken for a moment.
const retryMax = 5 * time.Second

func retry(start func() error) error {
	for deadline := time.Now().Add(retryMax); ; time.Sleep(10 * time.Millisecond) {
		if err := start(); err == nil || time.Now().After(deadline) {
			return err
		}
	}
}

func (s *fakes) seconds() (redis, kafka float64) { return 0, 0 }

// close implements backend.
func (s *fakes) close(*world) error {
	s.kafka.Close()
	s.redis.Close()
	return nil
}
