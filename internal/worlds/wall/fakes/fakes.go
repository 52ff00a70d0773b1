// Package fakes is the world whose Redis and Kafka live inside of this process, listening on the
// loopback: miniredis and franz-go's kfake. It needs nothing installed.
package fakes

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/alicebob/miniredis/v2/server"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sluice/buffer/redisstore"
	"sluice/internal/harness"
	"sluice/internal/judge"
	"sluice/internal/servers"
	"sluice/internal/worlds/wall"
	"sluice/scenarios"
)

// World is the world. The zero value is ready for use.
type World struct{}

var _ harness.World = World{}

// Name implements harness.World.
func (World) Name() string { return "fakes" }

// Validate implements harness.World: there is nothing to set.
func (World) Validate() error { return nil }

// Can implements harness.World.
func (World) Can(f scenarios.Fault) error {
	if f.Verb == scenarios.VerbFailover {
		return errors.New("miniredis has no state to go back to: use --world virtual, or --world real " +
			"--servers start")
	}
	one := scenarios.Scenario{Faults: []scenarios.Fault{f}}
	return cmp.Or(wall.CheckMoment(f), wall.CheckNode(f, 1), wall.CheckBroker(f, one.Brokers()))
}

// Grants implements harness.World.
func (World) Grants(s scenarios.Scenario) (judge.Slacks, map[judge.Measure]string) {
	return wall.Grants(s)
}

// Open implements harness.World.
func (World) Open(ctx context.Context, setup harness.Setup) (harness.System, error) {
	f, err := open(setup.Scenario.Brokers())
	if err != nil {
		return nil, err
	}
	return wall.Open(ctx, setup, wall.Servers{
		Redis: []string{f.redis.Addr()}, Kafka: f.kafka.ListenAddrs(), Backend: f,
		ByNetwork: isDoneByNetwork, HidesMemory: true, InMemory: true,
		Made: f.spread,
	})
}

// spread gives the brokers the partitions in turn, as a real cluster does: kfake draws their leaders, and one
// of several may have none.
func (s *fakes) spread(topic string, partitions int) error {
	brokers := len(s.kafka.ListenAddrs())
	for p := range int32(partitions) {
		if err := s.kafka.MoveTopicPartition(topic, p, p%int32(brokers)); err != nil {
			return fmt.Errorf("spread topic %s over %d brokers: %w", topic, brokers, err)
		}
	}
	return nil
}

// isDoneByNetwork tells whether a fault of a fake server looks, to all that use it, the same as one
// of the network: nothing comes through for a while and then everything, or nobody is let in. (A
// Redis that is stopped is cut off first, and then really closed.)
func isDoneByNetwork(f scenarios.Fault) bool {
	switch f.Verb {
	case scenarios.VerbHang, scenarios.VerbPause, scenarios.VerbStop, scenarios.VerbCrash,
		scenarios.VerbWipe:
		return true
	}
	return false
}

// fakes are a Redis and a Kafka in this process.
type fakes struct {
	redis *miniredis.Miniredis
	kafka *kfake.Cluster
}

// logSegmentBytes is the size of the pieces in which kfake keeps a partition and forgets it: a piece
// of which anything is to be kept is kept whole.
const logSegmentBytes = "1048576"

func open(brokers int) (*fakes, error) {
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
	f.kafka, err = kfake.NewCluster(kfake.NumBrokers(brokers),
		kfake.BrokerConfigs(map[string]string{"log.segment.bytes": logSegmentBytes}))
	if err != nil {
		f.redis.Close()
		return nil, fmt.Errorf("start the fake Kafka: %w", err)
	}
	f.kafka.ControlKey(kmsg.Fetch.Int16(), f.widen)
	return f, nil
}

// widen lets a question for messages go on, without a bound of each partition. As brokers do, kfake gives
// none that is larger than its bound but to the first partition that has something; unlike theirs, its
// partitions do not take turns, so such a batch would wait for as long as others bring something.
func (f *fakes) widen(request kmsg.Request) (kmsg.Response, error, bool) {
	f.kafka.KeepControl()
	fetch := request.(*kmsg.FetchRequest)
	for i := range fetch.Topics {
		for j := range fetch.Topics[i].Partitions {
			fetch.Topics[i].Partitions[j].PartitionMaxBytes = fetch.MaxBytes
		}
	}
	return nil, nil, false
}

// Break implements wall.Backend.
func (s *fakes) Break(on *wall.System, f scenarios.Fault) (func() error, error) {
	stops := f.Verb == scenarios.VerbStop || f.Verb == scenarios.VerbWipe
	switch {
	case stops && f.Target.Kind == scenarios.TargetRedis:
		return s.stopRedis(on, f)
	case isDoneByNetwork(f):
		return on.BreakNetwork(f, f.Target.Kind != scenarios.TargetRedis)
	case f.Verb == scenarios.VerbFill:
		return s.fill(on)
	case f.Verb == scenarios.VerbFail:
		return s.fail(f.Target, kerr.NotEnoughReplicas, on.Failing(f.Target), kmsg.Produce), nil
	case f.Verb == scenarios.VerbDepose:
		return s.fail(f.Target, kerr.NotLeaderForPartition, allTopics, kmsg.Produce, kmsg.Fetch), nil
	}
	return nil, fmt.Errorf("world fakes knows no %s of a server", f.Verb)
}

// stopRedis stops it and, at its end, starts it again, with its data or without. The pipeline is cut
// off first: closed in the middle of a script, miniredis answers with the script's own collapse.
func (s *fakes) stopRedis(on *wall.System, f scenarios.Fault) (func() error, error) {
	release, err := on.Claim(on.Redis())
	if err != nil {
		return nil, err
	}
	admit, err := on.BreakNetwork(f, false)
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
func (s *fakes) fill(on *wall.System) (func() error, error) {
	release, err := on.Claim(on.Redis())
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

// allTopics is what kfake takes for all of them.
var allTopics = []string{""}

// fail answers requests for partitions of topics with an error after which the client is to try again: as
// a broker does that has lost too many replicas, or does not lead them any more.
func (s *fakes) fail(
	t scenarios.Target, as *kerr.Error, topics []string, requests ...kmsg.Key,
) (undo func() error) {
	var faults []kfake.Fault
	for _, topic := range topics {
		fault := kfake.Fault{Keys: requests, Topic: topic, Err: as, Count: -1}
		if t.Kind == scenarios.TargetPartition {
			fault.Partitions = []int32{int32(t.N)}
		}
		faults = append(faults, fault)
	}
	handle := s.kafka.Fault(faults...)
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

// Seconds implements wall.Backend: nobody can tell.
func (s *fakes) Seconds() (redis, kafka float64) { return 0, 0 }

// Close implements wall.Backend.
func (s *fakes) Close() error {
	s.kafka.Close()
	s.redis.Close()
	return nil
}
