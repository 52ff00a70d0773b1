package pipeline_test

import (
	"fmt"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/prometheus/procfs"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sluice/buffer"
	"sluice/internal/pipeline"
	"sluice/internal/pipeline/pipelinetest"
	"sluice/internal/process/worker"
)

// The tests of this file are about the wiring: what the configuration says arrives where it is used.

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

// A worker that cannot connect for now is alive: to start it again would not help, and would cost
// its budget.
func TestAWorkerThatConnectsIsAlive(t *testing.T) {
	t.Parallel()
	w, _, kafka := fakes(t)
	c := w.Config()
	c.Flusher.MaxUnhealthy = time.Second
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
		return beats == 2
	})
	away.Remove()
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

func paused(p *running) (n int) {
	for _, c := range p.Counters().Partitions {
		if c.Paused != "" {
			n++
		}
	}
	return n
}
