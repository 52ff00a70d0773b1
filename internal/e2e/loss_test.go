package e2e

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"sluice/buffer"
	"sluice/buffer/redisstore"
	"sluice/internal/ledger"
	"sluice/internal/servers"
	"sluice/internal/servers/servertest"
)

// lossy is a load during which Redis loses data: most of it comes after that.
const lossy = `
name: e2e
seed: 7
duration: 10s
topology: {partitions: 8}
workload:
  rate: constant 2000/s
  traces_at_once: 100
  spans_per_trace: uniform 5..35
  disorder: 0.2
`

// A Redis that has lost data is recognised and said once, with what may be lost; no worker is blamed
// for it; what came after comes out, as does what was not lost; and no key stays.
func TestRedisThatLostData(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		redis  func(t *testing.T) redisNodes
		lose   func(t *testing.T, redis redisNodes)
		node   int // that alone loses data; everyNode: all do
		losses int
		words  string
	}{
		{"FLUSHALL", oneRedis, func(t *testing.T, redis redisNodes) { redis.do(t, "FLUSHALL") },
			everyNode, 1, "it was wiped"},
		{"restarted without data", oneRedis, func(t *testing.T, redis redisNodes) {
			if err := errors.Join(redis[0].Halt(false), redis[0].Start()); err != nil {
				t.Fatal(err)
			}
		}, everyNode, 1, "it was wiped"},
		{"a replica that was behind took over", oneRedis, promoteBehind, everyNode, 1, "as a replica"},
		{"FLUSHALL in a cluster", cluster, func(t *testing.T, redis redisNodes) { redis.do(t, "FLUSHALL") },
			everyNode, 3, "it was wiped"},
		{"one node of a cluster", cluster, func(t *testing.T, redis redisNodes) { redis[1:2].do(t, "FLUSHALL") },
			1, 1, "it was wiped"},
	} {
		t.Run(test.name, func(t *testing.T) {
			redis := test.redis(t)
			tr := newTraffic(t, servertest.KafkaAddr(t), lossy)
			p := start(t, append(slices.Concat(options, tr.args()), "--redis", redis.addrs(),
				"--restart-budget", "0")...)
			tr.send()
			sentAtLeast(tr, 8_000)
			test.lose(t, redis)
			tr.excuse(redis, test.node)
			until(t, 10*time.Second, "the loss is recognised", func() error {
				return is(p, "sluice_redis_data_losses_total", test.losses)
			})
			settledOrExcused(tr)
			until(t, time.Minute, "redis holds only epochs, clocks and beats", redis.empty)
			if err := is(p, "sluice_redis_data_losses_total", test.losses); err != nil {
				t.Error(err)
			}
			most := checkSaid(t, p, test.losses, test.words)
			until(t, 10*time.Second, "the program is ready", p.ready)
			p.drain(30 * time.Second)
			tr.unread()
			checkLost(t, tr, most)
		})
	}
}

// A Redis that was restarted with all its data: nothing is lost, but whoever has it write or replicate later
// than it answers must know what might be.
func TestRedisThatMayHaveLostData(t *testing.T) {
	redis := oneRedis(t)
	tr := newTraffic(t, servertest.KafkaAddr(t), lossy)
	p := start(t, append(slices.Concat(options, tr.args()), "--redis", redis.addrs())...)
	tr.send()
	sentAtLeast(tr, 8_000)
	if err := errors.Join(redis[0].Halt(true), redis[0].Start()); err != nil {
		t.Fatal(err)
	}
	until(t, 10*time.Second, "the restart is recognised", func() error {
		return is(p, "sluice_redis_restarts_total", 1)
	})
	tr.settled(time.Minute)
	if err := is(p, "sluice_redis_data_losses_total", 0); err != nil {
		t.Error(err)
	}
	if !p.logged("was restarted, or another server has taken its place: lost is what it had not yet written") {
		t.Error("that it may have lost data is not said")
	}
	finish(t, tr, p, redis)
}

// The primary of a part of a cluster dies for good, and its replica, which has kept up, takes over: nothing
// comes to a stop, no worker is blamed, and neither is a start of the program afterwards.
func TestAReplicaTakesOver(t *testing.T) {
	t.Parallel()
	redis := cluster(t)
	replica := servertest.Replica(t, servers.RedisClusterServers(redis), 0)
	tr := newTraffic(t, servertest.KafkaAddr(t), lossy)
	args := append(slices.Concat(options, tr.args()), "--redis", redis.addrs(), "--restart-budget", "0",
		"--max-memory", "0.9")
	p := start(t, args...)
	tr.send()
	sentAtLeast(tr, 8_000)
	if err := redis[0].Kill(); err != nil {
		t.Fatal(err)
	}
	tr.ledger.Excuse("lost") // what the replica had not heard of
	settledOrExcused(tr)
	redis[0] = replica
	until(t, time.Minute, "redis holds only epochs, clocks and beats", redis.empty)
	until(t, 10*time.Second, "the program is ready", p.ready)
	p.drain(30 * time.Second)
	next := start(t, args...)
	until(t, 10*time.Second, "the program is ready after another start", next.ready)
	next.drain(30 * time.Second)
	tr.unread()
	b := tr.ledger.Balance(0)
	t.Logf("sent %d, flushed %d, dropped %v", b.Sent, b.Flushed, b.Dropped)
	if b.Lost > 0 || b.Flushed < b.Sent*9/10 {
		t.Errorf("%d spans of %d came out, %d are lost", b.Flushed, b.Sent, b.Lost)
	}
}

// Segments of which a queue has lost the names are found by the sweep, said, counted, and flushed.
func TestWhatNoQueueNames(t *testing.T) {
	t.Parallel()
	redis := oneRedis(t)
	tr := newTraffic(t, servertest.KafkaAddr(t), small)
	p := start(t, append(append(append(tr.args(), "--redis", redis.addrs()), options...),
		"--timeout", "40s", "--root-timeout", "40s")...)
	tr.send()
	<-tr.sent
	until(t, 30*time.Second, "all is read", func() error {
		if unread := p.samples("sluice_shard_unread_messages"); len(unread) < partitions || sum(unread) > 0 {
			return fmt.Errorf("%v are unread", unread)
		}
		return nil
	})
	const queue = "sluice:{s::3}:queue"
	named, err := redis[0].Do("ZCARD", queue)
	if err != nil || named == "0" {
		t.Fatalf("the queue of shard 3 names %q, %v", named, err)
	}
	redis.do(t, "DEL", queue)
	until(t, 20*time.Second, "what it named is found", func() error {
		if n := sum(p.samples("sluice_adopted_segments_total")); fmt.Sprint(n) != named {
			return fmt.Errorf("%v of %s segments are", n, named)
		}
		return nil
	})
	if !p.logged("WARN", "segments were found that no queue named", `"shard":3`) {
		t.Error("it is not said")
	}
	tr.settled(time.Minute)
	finish(t, tr, p, redis)
}

const everyNode = -1

// excuse excuses what a node of a cluster, or all, may have held alone.
func (tr *traffic) excuse(redis redisNodes, node int) {
	tr.t.Helper()
	if node == everyNode {
		tr.ledger.Excuse("lost")
		return
	}
	c := redisstore.DefaultConfig()
	c.Addresses = strings.Split(redis.addrs(), ",")
	store, err := redisstore.Open(tr.t.Context(), c)
	if err != nil {
		tr.t.Fatal(err)
	}
	home, err := store.Homes(tr.t.Context())
	store.Close()
	if err != nil {
		tr.t.Fatal(err)
	}
	tr.ledger.ExcuseSome("lost", func(trace buffer.TraceKey) bool { return home(trace) == redis[node].Addr })
}

// promoteBehind sets Redis back to the state that a replica had two seconds before.
func promoteBehind(t *testing.T, redis redisNodes) {
	t.Helper()
	primary, replica := redis[0], servertest.Redis(t)
	follow(t, replica, primary)
	hold(2 * time.Second)
	follow(t, primary, replica)
}

// follow makes a server a copy of another, and a primary again.
func follow(t *testing.T, s, of *servers.RedisServer) {
	t.Helper()
	host, port, _ := strings.Cut(of.Addr, ":")
	redisNodes{of}.do(t, "CONFIG", "SET", "repl-diskless-sync-delay", "0") // 5 s are half of the load
	redisNodes{s}.do(t, "REPLICAOF", host, port)
	until(t, 20*time.Second, "the replica has the data", func() error {
		info, err := s.Do("INFO", "replication")
		if err == nil && !strings.Contains(info, "master_link_status:up") {
			err = errors.New(info)
		}
		return err
	})
	redisNodes{s}.do(t, "REPLICAOF", "NO", "ONE")
}

// settledOrExcused waits until every span has come out but those that went with Redis' data.
func settledOrExcused(tr *traffic) {
	tr.t.Helper()
	<-tr.sent
	until(tr.t, time.Minute, "what Redis did not lose has come out", func() error {
		if n := tr.ledger.Pending(); n > 0 {
			return fmt.Errorf("%d spans have not", n)
		}
		return nil
	})
}

var lostMax = regexp.MustCompile(`spans_lost_max":(\d+)`)

// checkSaid: each loss is one ERROR that names how many spans it may have cost, and no worker was
// blamed. It returns that number.
func checkSaid(t *testing.T, p *program, losses int, words string) (most int64) {
	t.Helper()
	said := 0
	for line := range strings.Lines(p.log.String()) {
		switch {
		case strings.Contains(line, "redis has lost data, and spans"):
			said++
			n := lostMax.FindStringSubmatch(line)
			if !strings.Contains(line, "ERROR") || !strings.Contains(line, words) || n == nil || n[1] == "0" {
				t.Errorf("said %q, want an error with %q and the number of spans", line, words)
				continue
			}
			most, _ = strconv.ParseInt(n[1], 10, 64)
		case strings.Contains(line, "another owner"), strings.Contains(line, "exhausted"):
			t.Errorf("a worker is blamed: %s", line)
		}
	}
	if said != losses {
		t.Errorf("said %d times, want %d", said, losses)
	}
	return most
}

// checkLost: no span is missing but those that went with the data, no more than was said, and what came out
// is as it was sent.
func checkLost(t *testing.T, tr *traffic, most int64) {
	t.Helper()
	b := tr.ledger.Balance(0)
	t.Logf("sent %d, flushed %d, dropped %v", b.Sent, b.Flushed, b.Dropped)
	if lost := int64(b.Dropped["lost"]); lost > most {
		t.Errorf("up to %d spans are said to be lost, %d are", most, lost)
	}
	if b.Lost > 0 || b.Dropped["lost"] == 0 || b.Flushed < b.Sent/2 {
		t.Errorf("%d spans are lost that redis did not lose, %v dropped: %v", b.Lost, b.Dropped, b.Losses)
	}
	for _, kind := range []ledger.Finding{ledger.Malformed, ledger.Unknown, ledger.Altered} {
		if found := b.Of(kind); found.Count > 0 {
			t.Errorf("%v: %v", kind, found)
		}
	}
}
