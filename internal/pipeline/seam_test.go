package pipeline_test

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/prometheus/procfs"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sluice/buffer"
	"sluice/consumer/ingest"
	"sluice/flusher"
	"sluice/internal/pipeline"
	"sluice/internal/pipeline/pipelinetest"
	"sluice/internal/process/worker"
	"sluice/internal/servers/servertest"
)

// The tests of this file are about the wiring: what the configuration says arrives where it is
// used.

// fakes returns a world of fakes that a test can spoil.
func fakes(t *testing.T) (*pipelinetest.World, *miniredis.Miniredis, *kfake.Cluster) {
	t.Helper()
	redis := miniredis.RunT(t)
	kafka, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(kafka.Close)
	return pipelinetest.On(t, []string{redis.Addr()}, kafka.ListenAddrs()), redis, kafka
}

func TestKillSwitchReachesTheInput(t *testing.T) {
	t.Parallel()
	w := pipelinetest.Fakes(t)
	c := w.Config()
	partition := int32(2)
	rules, err := buffer.NewKillSwitch([]buffer.Rule{{Partition: &partition}})
	if err != nil {
		t.Fatal(err)
	}
	c.KillSwitch = func() *buffer.KillSwitch { return rules }
	p := start(t, c)
	if err := w.Send(t.Context(), 600, 2000); err != nil {
		t.Fatal(err)
	}
	w.Await(t, func() bool {
		for _, c := range p.Counters().Partitions {
			if c.Partition == partition && c.Messages > 0 {
				return true
			}
		}
		return false
	})
	p.end(t)
	for _, c := range p.Counters().Partitions {
		if want := c.Partition == partition; (c.Dropped == c.Messages) != want {
			t.Errorf("partition %d: %d of %d dropped", c.Partition, c.Dropped, c.Messages)
		}
	}
	if n := p.Counters().Rules["partition=2"]; n == 0 {
		t.Errorf("counted %v by rule", p.Counters().Rules)
	}
}

// What a batch brings of a trace is not cut by the store; the workers write it in chunks.
func TestMaxSegmentBytesReachesTheWorkers(t *testing.T) {
	t.Parallel()
	const limit = 2500
	w := pipelinetest.Fakes(t)
	c := w.Config()
	c.Options.MaxSegmentBytes = limit
	if err := w.Send(t.Context(), 400, 100_000); err != nil { // so that whole traces are in a batch
		t.Fatal(err)
	}
	p := start(t, c)
	w.AwaitSettled(t)
	p.end(t)
	client, err := kgo.NewClient(kgo.SeedBrokers(w.Kafka...), kgo.ConsumeTopics(c.OutputTopic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	chunks := 0
	for left := w.Balance().Records; left > 0; {
		fetches := client.PollFetches(t.Context())
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			left--
			if len(r.Value) > limit {
				t.Errorf("a record of %d bytes, want at most %d", len(r.Value), limit)
			}
			if slices.ContainsFunc(r.Headers, func(h kgo.RecordHeader) bool {
				return h.Key == "chunk_index" && string(h.Value) != "0"
			}) {
				chunks++
			}
		})
	}
	if chunks == 0 {
		t.Error("no segment came out in chunks, so this says nothing")
	}
}

// What the output topic refuses is known to the workers: no batch that is larger is ever sent.
func TestTopicLimitReachesTheWorkers(t *testing.T) {
	t.Parallel()
	const limit = "3000"
	w, _, kafka := fakes(t)
	c := w.Config()
	client, err := kgo.NewClient(kgo.SeedBrokers(w.Kafka...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	answers, err := kadm.NewClient(client).AlterTopicConfigs(t.Context(),
		[]kadm.AlterConfig{{Op: kadm.SetConfig, Name: "max.message.bytes", Value: kadm.StringPtr(limit)}},
		c.OutputTopic)
	if err == nil {
		_, err = answers.On(c.OutputTopic, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Send(t.Context(), 400, 100_000); err != nil { // so that whole traces are in a batch
		t.Fatal(err)
	}
	var sent, tooLarge atomic.Int64
	kafka.ControlKey(kmsg.Produce.Int16(), func(req kmsg.Request) (kmsg.Response, error, bool) {
		kafka.KeepControl()
		for _, topic := range req.(*kmsg.ProduceRequest).Topics {
			for _, p := range topic.Partitions {
				if sent.Add(1); len(p.Records) > 3000 {
					tooLarge.Add(1)
				}
			}
		}
		return nil, nil, false
	})
	p := start(t, c)
	w.AwaitSettled(t)
	p.end(t)
	if sent.Load() == 0 || tooLarge.Load() > 0 {
		t.Errorf("%d of %d batches were larger than %s bytes, which the topic refuses", tooLarge.Load(),
			sent.Load(), limit)
	}
	if w.Balance().Records <= 20 {
		t.Errorf("%d records: no segment came out in parts, so this says nothing", w.Balance().Records)
	}
}

func TestLimitsReachTheWorkers(t *testing.T) {
	t.Parallel()
	w := pipelinetest.Fakes(t)
	c := w.Config()
	c.Mode = pipeline.ModeProcess
	c.Limits = worker.Limits{Threads: 2, GCPercent: 150, MemoryMax: 123 << 20}
	p := start(t, c)
	w.Await(t, func() bool { return flushedShards(p) == w.Partitions })
	for number, pid := range p.Pids() {
		process, err := procfs.NewProc(pid)
		if err != nil {
			t.Fatal(err)
		}
		environment, err := process.Environ()
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"GOMAXPROCS=2", "GOGC=150", "GOMEMLIMIT=128974848"} {
			if !slices.Contains(environment, want) {
				t.Errorf("worker %d lacks %s", number, want)
			}
		}
	}
	p.end(t)
}

// hook hears of the connections of a client.
type hook struct{ heard func() }

func (h hook) OnBrokerConnect(kgo.BrokerMetadata, time.Duration, net.Conn, error) { h.heard() }

func TestHooksReachTheClients(t *testing.T) {
	t.Parallel()
	w := pipelinetest.Fakes(t)
	c := w.Config()
	var mu sync.Mutex
	heard := make(map[string]bool)
	c.Hooks = func(client string) []kgo.Hook {
		return []kgo.Hook{hook{func() {
			mu.Lock()
			defer mu.Unlock()
			heard[client] = true
		}}}
	}
	p := start(t, c)
	w.SendRaw(t, 0, []byte("no span"))
	w.Await(t, func() bool {
		return slices.ContainsFunc(p.Counters().Partitions, func(c ingest.PartitionCounters) bool {
			return c.DeadLetters == 1
		})
	})
	p.end(t)
	if !heard["source"] || !heard["dead-letters"] {
		t.Errorf("hooks of %v heard of a connection, want both clients'", heard)
	}
}

// A worker that cannot connect for now is alive: to start it again would not help, and would cost
// its budget. But it is not up, and Ready says why: its input pauses.
func TestAWorkerThatConnectsIsAlive(t *testing.T) {
	t.Parallel()
	w, _, kafka := fakes(t)
	c := w.Config()
	c.Flusher.MaxUnhealthy, c.Flusher.BackpressureAfter = 3*time.Second, 2*time.Second
	// Producers alone ask this, of their topics.
	away := kafka.Fault(kfake.Fault{
		Keys: []kmsg.Key{kmsg.DescribeConfigs}, Resource: c.OutputTopic,
		Err: kerr.KafkaStorageError, Count: -1,
	})
	p := start(t, c)
	w.Await(t, func() bool {
		beats := 0
		for _, w := range p.Workers() {
			if w.Restarts > 0 {
				t.Fatalf("worker %d was started again: %q", w.Worker, w.Causes)
			}
			if w.Status.Beats > 5 {
				beats++
			}
		}
		return beats == 2 && paused(p) == w.Partitions
	})
	ready := strings.Join(p.Ready(), "; ")
	for _, want := range []string{"worker 0 (shards [0 2 4]): connection to kafka fails since ",
		"worker 1 (shards [1 3 5]): connection to kafka fails since ", "KAFKA_STORAGE_ERROR",
		"input of partition 3 pauses: worker 1 is not up after 2s"} {
		if !strings.Contains(ready, want) {
			t.Errorf("ready says %s, which lacks %q", ready, want)
		}
	}
	away.Remove()
	w.Await(t, func() bool { return len(p.Ready()) == 0 })
	if err := w.Send(t.Context(), 200, 2000); err != nil {
		t.Fatal(err)
	}
	w.AwaitSettled(t)
	p.end(t)
}

// A worker is gone, and Redis is not there to fence its successor in: its input pauses, and Ready
// says so until all is well.
func TestReadySaysThatTheInputPauses(t *testing.T) {
	t.Parallel()
	w, redis, _ := fakes(t)
	c := w.Config()
	c.Mode = pipeline.ModeProcess
	p := start(t, c)
	w.Await(t, func() bool { return flushedShards(p) == w.Partitions && len(p.Ready()) == 0 })
	pid := p.Pids()[0]
	redis.SetError("LOADING Redis is loading the dataset in memory")
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	w.Await(t, func() bool { return paused(p) == w.Partitions/2 })
	for i := range w.Partitions / 2 {
		want := fmt.Sprintf("input of partition %d pauses: worker 0 is down", 2*i)
		if !slices.Contains(p.Ready(), want) {
			t.Errorf("ready says %q, which lacks %q", p.Ready(), want)
		}
	}
	redis.SetError("")
	w.Await(t, func() bool { return len(p.Ready()) == 0 })
	p.end(t)
}

// A Redis that the start found fit is set to throw spans away while the program runs: Ready says so until it is
// set right again.
func TestReadySaysThatRedisEvicts(t *testing.T) {
	t.Parallel()
	redis := servertest.Redis(t, "--maxmemory", "1gb")
	kafka, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(kafka.Close)
	w := pipelinetest.On(t, []string{redis.Addr}, kafka.ListenAddrs())
	p := start(t, w.Config())
	w.Await(t, func() bool { return flushedShards(p) == w.Partitions && len(p.Ready()) == 0 })
	set := func(policy string) {
		t.Helper()
		if _, err := redis.Do("CONFIG", "SET", "maxmemory-policy", policy); err != nil {
			t.Fatal(err)
		}
	}
	set("allkeys-lru")
	w.Await(t, func() bool { return len(p.Ready()) > 0 })
	if why := p.Ready(); len(why) != 1 || !strings.Contains(why[0], redis.Addr+" has maxmemory-policy allkeys-lru") {
		t.Errorf("ready says %q, want that Redis has such a policy", why)
	}
	set("noeviction")
	w.Await(t, func() bool { return len(p.Ready()) == 0 })
	p.end(t)
}

func paused(p *running) (n int) {
	for _, c := range p.Counters().Partitions {
		if c.Paused != "" {
			n++
		}
	}
	return n
}

// A worker has failed once more than its budget allows, and another takes its time to end: Alive says so already
// then, and Ready does not promise that it is started again.
func TestAliveSaysThatThePipelineIsEnding(t *testing.T) {
	t.Parallel()
	w, _, _ := fakes(t)
	c := w.Config()
	c.Mode, c.Flusher.RestartBudget, c.Flusher.ShutdownTimeout = pipeline.ModeProcess, 0, flusher.NoTimeout
	p := start(t, c)
	w.Await(t, func() bool { return flushedShards(p) == w.Partitions && len(p.Ready()) == 0 })
	pids := p.Pids()
	if err := errors.Join(syscall.Kill(pids[1], syscall.SIGSTOP), syscall.Kill(pids[0], syscall.SIGKILL)); err != nil {
		t.Fatal(err)
	}
	w.Await(t, func() bool { return p.Alive() != nil })
	if why := p.Alive(); len(why) != 1 || !strings.Contains(why[0], flusher.ErrBudget.Error()) {
		t.Errorf("alive says %q, want that the budget is exhausted", why)
	}
	if why := fmt.Sprint(p.Ready()); !strings.Contains(why, "worker 0 ") || !strings.Contains(why, "is dead") {
		t.Errorf("ready says %s, want that worker 0 is dead", why)
	}
	if err := syscall.Kill(pids[1], syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if err := <-p.ended; !errors.Is(err, flusher.ErrBudget) {
		t.Errorf("run: %v, want the budget's", err)
	}
}
