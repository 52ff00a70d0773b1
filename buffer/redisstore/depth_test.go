package redisstore_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/buffer"
	"sluice/buffer/redisstore"
	"sluice/internal/servers"
	"sluice/internal/servers/servertest"
)

// The depth of a shard follows a segment through the steps; what a fence makes due keeps its deadline.
func TestDepths(t *testing.T) {
	for name, address := range map[string]string{
		"redis": servertest.RedisAddr(t), "cluster": servertest.NewRedisCluster(t)[0].Addr,
	} {
		t.Run(name, func(t *testing.T) {
			c := &cycle{t: t, store: open(t, config(address))}
			expect := func(now buffer.Instant, want redisstore.Depth) {
				t.Helper()
				depths, err := c.store.Depths(t.Context(), []buffer.Shard{0, 1},
					func(buffer.Shard, buffer.ShardClock) buffer.Instant { return now })
				want.Now = now
				if err != nil || depths[0] != want || depths[1] != (redisstore.Depth{Now: now}) {
					t.Errorf("depths are %+v, %v; want %+v of shard 0", depths, err, want)
				}
			}
			due := buffer.Seconds(2)
			expect(due, redisstore.Depth{})
			must(t, c.attach(1))
			must(t, c.enqueue())
			expect(due.Add(-1_000_000), redisstore.Depth{Queued: 1, Oldest: due})
			expect(due, redisstore.Depth{Queued: 1, Due: 1, Oldest: due})
			must(t, c.fence())
			must(t, c.lease())
			expect(due, redisstore.Depth{Leased: 1})
			must(t, c.fence())
			expect(0, redisstore.Depth{Queued: 1, Due: 1, Oldest: due})
			must(t, c.lease())
			for _, step := range c.steps()[4:] {
				must(t, step())
			}
			expect(due, redisstore.Depth{})
		})
	}
}

// TestDepthsGoByTheClock that Redis has of the shard, and by none of one that had no input.
func TestDepthsGoByTheClock(t *testing.T) {
	for name, address := range map[string]string{
		"redis": servertest.RedisAddr(t), "cluster": servertest.NewRedisCluster(t)[0].Addr,
	} {
		t.Run(name, func(t *testing.T) {
			store := open(t, config(address))
			must(t, store.Enqueue(t.Context(), 1, buffer.QueueUpdate{Clock: 7000, Wall: 9000, Seen: 8000}))
			var mu sync.Mutex // shards are asked side by side
			clocks := map[buffer.ShardClock]bool{}
			depths, err := store.Depths(t.Context(), []buffer.Shard{0, 1},
				func(_ buffer.Shard, clock buffer.ShardClock) buffer.Instant {
					mu.Lock()
					defer mu.Unlock()
					clocks[clock] = true
					return clock.Now
				})
			known := buffer.ShardClock{Now: 7000, Drift: -2 * time.Second, Inputs: 1, Seen: 8000}
			if err != nil || !clocks[known] || !clocks[buffer.ShardClock{}] || depths[1].Now != 7000 {
				t.Errorf("the clocks are %v, %+v, %v; want %v and none", clocks, depths, err, known)
			}
		})
	}
}

// givenUp tells whether a node of a cluster says that another has failed.
func givenUp(t *testing.T, node *servers.RedisServer, other string) bool {
	t.Helper()
	text, err := node.Do("CLUSTER", "NODES")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(text) {
		if fields := strings.Fields(line); len(fields) > 2 && strings.HasPrefix(fields[1], other+"@") {
			return slices.Contains(strings.Split(fields[2], ","), "fail")
		}
	}
	return false
}

// TestANodeThatIsAwayTakesOnlyItsOwn: what the other nodes use, and what waits on them, is told all the same,
// and so is the error.
func TestANodeThatIsAwayTakesOnlyItsOwn(t *testing.T) {
	t.Parallel()
	for how, away := range map[string]func(*servers.RedisServer) error{
		"is killed": (*servers.RedisServer).Kill, "hangs": (*servers.RedisServer).Freeze,
	} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			nodes := servertest.NewRedisCluster(t, "--cluster-require-full-coverage", "no")
			store := open(t, config(servertest.Addrs(nodes)...))
			var shards []buffer.Shard
			for shard := range buffer.Shard(32) { // of all nodes
				shards = append(shards, shard)
			}
			must(t, away(nodes[1]))
			for range 2 { // each may ask another node first
				ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
				depths, err := store.Depths(ctx, shards,
					func(buffer.Shard, buffer.ShardClock) buffer.Instant { return 0 })
				if len(depths) == 0 || len(depths) == len(shards) || err == nil {
					t.Errorf("depths of %d shards of %d, %v; want some, and the error", len(depths), len(shards), err)
				}
				cancel()
				ctx, cancel = context.WithTimeout(t.Context(), 4*time.Second)
				memory, err := store.Memory(ctx)
				// Once the others have given it up, some engines leave its slots out: then nobody is to be asked.
				if len(memory) != len(nodes)-1 || err == nil && !givenUp(t, nodes[0], nodes[1].Addr) {
					t.Errorf("memory %v, %v; want that of %d nodes, and the error", memory, err, len(nodes)-1)
				}
				cancel()
			}
		})
	}
}
