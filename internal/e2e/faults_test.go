package e2e

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"sluice/internal/ledger"
	"sluice/internal/servers"
	"sluice/internal/servers/servertest"
)

// workload is 40,000 spans within 16 seconds.
const workload = `
name: e2e
seed: 7
duration: 16s
topology: {partitions: 8}
workload:
  rate: constant 2500/s
  traces_at_once: 100
  spans_per_trace: uniform 5..35
  disorder: 0.2
`

// rootTimeout is that of options, and the shortest time after which the tests' segments are complete.
const rootTimeout = 3 * time.Second

// options make segments complete within seconds, and a hang noticed within three.
var options = []string{"--flusher-processes", "4", "--timeout", "6s", "--root-timeout", rootTimeout.String(),
	"--max-batch-wait", "100ms", "--max-unhealthy", "3s", "--shutdown-timeout", "20s"}

// redisNodes is a Redis of the test's own: one server, or the masters of a cluster.
type redisNodes []*servers.RedisServer

func (n redisNodes) addrs() string {
	var addrs []string
	for _, node := range n {
		addrs = append(addrs, node.Addr)
	}
	return strings.Join(addrs, ",")
}

// empty tells whether there are only epochs, clocks, beats and the layout left.
func (n redisNodes) empty() error {
	for _, node := range n {
		keys, err := node.Do("KEYS", "*")
		if err != nil {
			return err
		}
		for _, key := range strings.Fields(keys) {
			if !strings.HasSuffix(key, ":owner") && !strings.HasPrefix(key, "sluice:{m:") && key != "sluice:layout" {
				return fmt.Errorf("redis %s still has %q", node.Addr, keys)
			}
		}
	}
	return nil
}

func (n redisNodes) do(t *testing.T, words ...string) {
	t.Helper()
	for _, node := range n {
		if answer, err := node.Do(words...); err != nil {
			t.Fatalf("%v on %s: %s %v", words, node.Addr, answer, err)
		}
	}
}

func oneRedis(t *testing.T) redisNodes { return redisNodes{servertest.Redis(t)} }

func cluster(t *testing.T) redisNodes { return redisNodes(servertest.NewRedisCluster(t)) }

// onEach runs a test on one Redis and on a cluster of three.
func onEach(t *testing.T, test func(t *testing.T, redis redisNodes)) {
	t.Run("redis", func(t *testing.T) { test(t, oneRedis(t)) })
	t.Run("cluster", func(t *testing.T) { test(t, cluster(t)) })
}

// One worker is frozen, one killed, then the program itself, and started again.
func TestFrozenKilledAndStartedAgain(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, redis redisNodes) {
		tr := newTraffic(t, servertest.KafkaAddr(t), workload)
		args := append(slices.Concat(options, tr.args()), "--redis", redis.addrs())
		first := start(t, args...)
		tr.send()

		sentAtLeast(tr, 8_000)
		workers := first.awaitWorkers(4)
		first.signal(workers[1], syscall.SIGSTOP)
		first.signal(workers[2], syscall.SIGKILL)
		until(t, 20*time.Second, "both workers have successors", func() error {
			now := first.workers()
			if slices.Contains(now, workers[1]) || slices.Contains(now, workers[2]) || len(now) != 4 {
				return fmt.Errorf("workers %v, before %v", now, workers)
			}
			return nil
		})

		sentAtLeast(tr, 25_000)
		workers = first.workers()
		first.signal(workers[0], syscall.SIGSTOP) // an orphan that is frozen
		first.signal(first.pid(), syscall.SIGKILL)
		<-first.done
		until(t, 10*time.Second, "the other workers have ended by themselves", func() error {
			return gone(workers[1:])
		})
		second := start(t, args...)
		second.signal(workers[0], syscall.SIGCONT)
		until(t, 10*time.Second, "the frozen orphan has ended once it woke up", func() error {
			return gone(workers[:1])
		})

		tr.settled(2 * time.Minute)
		finish(t, tr, second, redis)
	})
}

// finish waits until Redis is empty, ends the program, and checks the account.
func finish(
	t *testing.T, tr *traffic, p *program, redis redisNodes, allowed ...ledger.Finding,
) {
	t.Helper()
	until(t, 30*time.Second, "redis holds only epochs and clocks", redis.empty)
	workers := p.workers()
	p.drain(30 * time.Second)
	if err := errors.Join(gone(workers), gone([]int{p.pid()})); err != nil {
		t.Error(err)
	}
	tr.unread()
	tr.account(allowed...)
}

func sentAtLeast(tr *traffic, n int64) {
	tr.t.Helper()
	until(tr.t, time.Minute, fmt.Sprintf("%d spans are sent", n), func() error {
		if sent, _ := tr.ledger.Counts(); sent < n {
			return fmt.Errorf("%d", sent)
		}
		return nil
	})
}

// outage is how long a server is away or full.
const outage = 20 * time.Second

// Redis is full for a while: input pauses, resumes, and nothing is lost. Time goes on meanwhile, or
// nothing would become due and make room; so segments whose spans wait to be read are flushed in
// parts. Before, the metrics say when it will be full, and meanwhile, when Kafka deletes what is unread:
// by its default, after a week.
func TestRedisFull(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, redis redisNodes) {
		tr := newTraffic(t, servertest.KafkaAddr(t), workload)
		p := start(t, append(slices.Concat(options, tr.args()), "--redis", redis.addrs())...)
		redis.do(t, "CONFIG", "SET", "maxmemory", strconv.Itoa(64<<20))
		tr.send()
		until(t, outage, "the metrics say when Redis is full", func() error {
			return lies(p, "sluice_redis_memory_full_in_seconds", time.Second, time.Hour)
		})
		sentAtLeast(tr, 8_000)
		redis.do(t, "CONFIG", "SET", "maxmemory", strconv.Itoa(1<<20))
		until(t, outage, "the program says that Redis is full", func() error {
			if !p.logged("full") {
				return errors.New("it does not")
			}
			return nil
		})
		hold(outage)
		const week = 7 * 24 * time.Hour
		if err := lies(p, "sluice_shard_unread_expires_in_seconds", week-time.Hour, week-outage/2); err != nil {
			t.Error(err)
		}
		if err := errors.Join(
			reach(p, "sluice_shard_unread_messages", 1000),
			lies(p, "sluice_shard_oldest_unread_seconds", outage/2, 2*outage),
			reach(p, "sluice_retries_total", 2, `step="attach"`),
		); err != nil {
			t.Error(err)
		}
		stored := sum(p.samples("sluice_shard_spans_total"))
		hold(time.Second)
		if again := sum(p.samples("sluice_shard_spans_total")); again != stored || stored == 0 {
			t.Errorf("input went on from %v to %v spans while Redis was full", stored, again)
		}
		redis.do(t, "CONFIG", "SET", "maxmemory", "0")
		tr.settled(2 * time.Minute)
		until(t, 10*time.Second, "nothing is unread", func() error {
			if n := sum(p.samples("sluice_shard_unread_messages")); n > 0 {
				return fmt.Errorf("%v messages are", n)
			}
			return nil
		})
		finish(t, tr, p, redis, ledger.Split)
	})
}

// Kafka is stopped for a while, or frozen: /readyz says so, the log says it a few times, and nothing is lost.
func TestKafkaStopped(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]struct {
		begin, end func(*servers.KafkaServer) error
	}{
		"stopped": {(*servers.KafkaServer).Stop, (*servers.KafkaServer).Start},
		"frozen":  {(*servers.KafkaServer).Freeze, (*servers.KafkaServer).Thaw},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			kafka := servertest.NewKafka(t)
			redis := oneRedis(t)
			tr := newTraffic(t, kafka.Addr, workload)
			p := start(t, append(slices.Concat(options, tr.args()), "--redis", redis.addrs())...)
			tr.send()
			sentAtLeast(tr, 8_000)
			begin := time.Now()
			if err := fault.begin(kafka); err != nil {
				t.Fatal(err)
			}
			p.says("fetch fails since")
			if err := reach(p, "sluice_retries_total", 1, `step="fetch"`); err != nil {
				t.Error(err)
			}
			hold(outage)
			if err := fault.end(kafka); err != nil {
				t.Fatal(err)
			}
			tr.settled(3 * time.Minute)
			until(t, time.Minute, "the program is ready", p.ready)
			finish(t, tr, p, redis)
			if _, sum := tr.stood(); sum < time.Second { // else there is more to warn of
				p.warnedOnce(begin)
			}
		})
	}
}
