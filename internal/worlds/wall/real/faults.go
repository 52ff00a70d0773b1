package real

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"sluice/buffer/redisstore"
	"sluice/internal/harness"
	"sluice/internal/servers"
	"sluice/internal/worlds/wall"
	"sluice/scenarios"
)

// Break implements wall.Backend. While a server suffers one of these faults it suffers no other: what
// is down cannot be filled, nor what is frozen told to save.
func (s *started) Break(on *wall.System, f scenarios.Fault) (func() error, error) {
	release, err := on.Claim(on.Targets(f.Target))
	if err != nil {
		return nil, err
	}
	var end func() error
	if f.Target.Kind == scenarios.TargetRedis {
		nodes := s.redis
		if f.Target.N != scenarios.AllNodes {
			nodes = nodes[f.Target.N : f.Target.N+1]
		}
		if f.Verb == scenarios.VerbFailover {
			end, err = failOver(on, nodes, f)
		} else {
			end, err = eachNode(nodes, f)
		}
	} else {
		end, err = breakKafka(s.kafka, on, f)
	}
	if err != nil {
		release()
		return nil, err
	}
	return func() error {
		err := end()
		if err == nil {
			release()
		}
		return err
	}, nil
}

// failOver sets nodes back to what they hold now, as a replica that gets nothing any more and takes over
// after a while at their address: each saves its data now, is killed then, and starts with them.
func failOver(on *wall.System, nodes []*redisNode, f scenarios.Fault) (func() error, error) {
	ctx, cancel := context.WithTimeout(context.Background(), wall.DialMax)
	defer cancel()
	lose, err := on.SetBack(ctx, f.Target)
	if err != nil {
		return nil, errors.Join(harness.ErrBusy, err) // a server is away just now
	}
	for _, n := range nodes {
		if _, err := n.server.Do("SAVE"); err != nil {
			return nil, fmt.Errorf("save redis %s: %w", n.server.Addr, err)
		}
	}
	time.Sleep(f.By)
	var ends []func() error
	for _, n := range nodes {
		if err := n.end(n.server.Kill); err != nil {
			return nil, errors.Join(err, all(&ends)())
		}
		ends = append(ends, n.start)
	}
	lose()
	return all(&ends), nil
}

// all does what is left of a list, each until it works.
func all(list *[]func() error) func() error {
	return func() error {
		var errs, left = []error(nil), []func() error(nil)
		for _, one := range *list {
			if err := one(); err != nil {
				errs, left = append(errs, err), append(left, one)
			}
		}
		*list = left // for the next time
		return errors.Join(errs...)
	}
}

// eachNode does a fault to some nodes of Redis, to all or none.
func eachNode(nodes []*redisNode, f scenarios.Fault) (func() error, error) {
	var ends []func() error
	end := all(&ends)
	for _, n := range nodes {
		one, err := breakRedis(n, f)
		if err != nil {
			return nil, errors.Join(err, end())
		}
		ends = append(ends, one)
	}
	return end, nil
}

func breakRedis(n *redisNode, f scenarios.Fault) (func() error, error) {
	switch f.Verb {
	case scenarios.VerbHang:
		return n.thaw, n.freeze()
	case scenarios.VerbStop, scenarios.VerbWipe:
		keepData := f.Verb == scenarios.VerbStop
		return n.start, n.end(func() error { return n.server.Halt(keepData) })
	case scenarios.VerbPause:
		return pauseRedis(n, f.For)
	case scenarios.VerbFill:
		return fillRedis(n)
	}
	return nil, fmt.Errorf("the harness knows no %s of Redis", f.Verb)
}

// pauseRedis has Redis answer nobody. It does not answer to an end of the pause either, so that can
// only be waited for.
func pauseRedis(n *redisNode, length time.Duration) (func() error, error) {
	over := time.Now().Add(length)
	ms := strconv.FormatInt(max(1, length.Milliseconds()), 10)
	_, err := n.server.Do("CLIENT", "PAUSE", ms, "ALL")
	return func() error {
		time.Sleep(time.Until(over))
		_, err := n.server.Do("PING")
		return err
	}, err
}

// fillRedis sets the memory limit to what is used.
func fillRedis(n *redisNode) (func() error, error) {
	info, err := n.server.Do("INFO", "memory")
	if err != nil {
		return nil, err
	}
	used, limit, err := redisstore.ReadMemory(info)
	if err != nil {
		return nil, fmt.Errorf("redis %s: %w", n.server.Addr, err)
	}
	set := func(bytes int64) error {
		_, err := n.server.Do("CONFIG", "SET", "maxmemory", strconv.FormatInt(bytes, 10))
		return err
	}
	return func() error { return set(limit) }, set(used)
}

func breakKafka(n *kafkaNode, on *wall.System, f scenarios.Fault) (func() error, error) {
	switch f.Verb {
	case scenarios.VerbHang:
		return n.thaw, n.freeze()
	case scenarios.VerbStop:
		return n.start, n.end(n.server.Stop)
	case scenarios.VerbCrash:
		return n.start, n.end(n.server.Kill)
	case scenarios.VerbFail:
		partitions := on.Partitions()
		if f.Target.Kind == scenarios.TargetPartition {
			partitions = []int32{int32(f.Target.N)}
		}
		topics := on.Failing(f.Target)
		return func() error { return replicate(on, topics, partitions, false) },
			replicate(on, topics, partitions, true)
	}
	return nil, fmt.Errorf("the harness knows no %s of Kafka", f.Verb)
}

// replicate puts a second replica of partitions of topics on the broker that is never there, or takes
// it away. With it there are fewer replicas in sync than the topic wants, and the broker takes no
// record.
func replicate(on *wall.System, topics []string, partitions []int32, absent bool) error {
	changes := kadm.AlterPartitionAssignmentsReq{}
	for _, topic := range topics {
		for _, p := range partitions {
			if absent {
				changes.Assign(topic, p, []int32{servers.FirstBroker, servers.AbsentBroker})
			} else {
				changes.CancelAssign(topic, p)
			}
		}
	}
	return on.Administer(context.Background(), func(ctx context.Context, admin *kadm.Client) error {
		answers, err := admin.AlterPartitionAssignments(ctx, changes)
		if err = errors.Join(err, answers.Error()); err != nil {
			return fmt.Errorf("change the replicas of topics %v: %w", topics, err)
		}
		return nil
	})
}
