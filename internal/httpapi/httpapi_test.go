package httpapi

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/buffer"
	"sluice/buffer/redisstore"
	"sluice/consumer"
	"sluice/consumer/ingest"
	"sluice/flusher"
	"sluice/internal/kafkaio"
	"sluice/internal/pipeline"
	"sluice/internal/process"
)

// fixed is a pipeline that stands still.
type fixed struct {
	alive, ready []string
	// part is the error of all that asks servers, which answer in part then.
	part error
}

func (f fixed) Alive() []string { return f.alive }
func (f fixed) Ready() []string { return f.ready }

func (f fixed) Workers() []flusher.WorkerState {
	return []flusher.WorkerState{
		{Worker: 0, Shards: []buffer.Shard{0, 2}, State: flusher.StateHealthy, Starts: 1,
			Totals: flusher.Totals{Segments: 3, Spans: 60, Bytes: 30000, Records: 3,
				Retries: flusher.Retries{flusher.StageLease: 7}}},
		{Worker: 1, Shards: []buffer.Shard{1}, State: flusher.StateHung, Starts: 3, Restarts: 2,
			Status: flusher.Status{Troubles: []flusher.TroubleState{
				{Step: "produce", Since: time.Now().Add(time.Hour)}, {Step: "produce"}}}},
	}
}

func (f fixed) Counters() ingest.Counters {
	return ingest.Counters{
		Partitions: []ingest.PartitionCounters{{
			Partition: 1, Assigned: true, Paused: "worker 1 is down", Messages: 70, Spans: 66,
			Batches: 1, Clock: 1000, Wall: 3500, Deleted: 40,
		}, {Partition: 2, Assigned: true}, {Partition: 4, Batches: 1, Clock: 1000, Wall: 9000}},
		Rules:   map[string]uint64{"organization_id=1": 4},
		Commits: 5,
	}
}

func (f fixed) Freshness() []pipeline.Freshness {
	buckets := make([]uint64, len(pipeline.FreshnessBounds))
	buckets[len(buckets)-1] = 3
	return []pipeline.Freshness{{Worker: 0, Buckets: buckets, Count: 3, Sum: 6 * time.Second}}
}

func (f fixed) Usage() map[int]process.Usage {
	return map[int]process.Usage{0: {CPU: 1500 * time.Millisecond, RSS: 1 << 20}}
}

func (f fixed) Depths(context.Context) (map[buffer.Shard]pipeline.Depth, error) {
	depths := map[buffer.Shard]pipeline.Depth{1: {}, 2: {
		Depth: redisstore.Depth{Queued: 5, Due: 3, Leased: 1}, Overdue: 1500 * time.Millisecond,
	}}
	if f.part != nil {
		delete(depths, 1)
	}
	return depths, f.part
}

func (f fixed) Committed() map[int32]int64 { return map[int32]int64{1: 500} }

func (f fixed) Audited() consumer.AuditCounters {
	return consumer.AuditCounters{Losses: 2, Restarts: 3, Adopted: 17}
}

func (f fixed) Retries() map[string]uint64 { return map[string]uint64{"attach": 9} }

func (f fixed) Nodes(context.Context) ([]pipeline.NodeOutlook, error) {
	nodes := []pipeline.NodeOutlook{
		{NodeMemory: buffer.NodeMemory{Node: "r:1", Used: 50, Max: 100}, FullIn: 90 * time.Second, Fills: true},
		{NodeMemory: buffer.NodeMemory{Node: "r:2", Used: 50}},
	}
	if f.part != nil {
		nodes = nodes[1:]
	}
	return nodes, f.part
}

func (f fixed) Unread(context.Context) (map[int32]pipeline.Unread, error) {
	unread := map[int32]pipeline.Unread{
		1: {Unread: kafkaio.Unread{Start: 3, Next: 5, End: 12}, Age: 4 * time.Second, Aged: true,
			ExpiresIn: time.Hour, Expires: true},
		2: {Aged: true},
		3: {Unread: kafkaio.Unread{Start: 3, Next: 5, End: 12}},
	}
	if f.part != nil {
		delete(unread, 1)
	}
	return unread, f.part
}

func registry(t *testing.T, f fixed) *prometheus.Registry {
	t.Helper()
	r := prometheus.NewPedanticRegistry()
	r.MustRegister(NewCollector(f))
	return r
}

func get(t *testing.T, h http.Handler, path string) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
	return w.Code, w.Body.String()
}

func TestMetricsHaveTheirNamesAndLabels(t *testing.T) {
	code, text := get(t, Handler(fixed{}, registry(t, fixed{})), "/metrics")
	for _, want := range []string{
		`sluice_worker_state{state="healthy",worker="0"} 1`,
		`sluice_worker_state{state="healthy",worker="1"} 0`,
		`sluice_worker_state{state="hung",worker="1"} 1`,
		`sluice_worker_shard{shard="2",worker="0"} 1`,
		`sluice_worker_restarts_total{worker="1"} 2`,
		`sluice_worker_spans_total{worker="0"} 60`,
		`sluice_worker_cpu_seconds_total{worker="0"} 1.5`,
		`sluice_shard_input_paused{shard="1"} 1`,
		`sluice_shard_spans_total{shard="1"} 66`,
		`sluice_shard_input_lag_seconds{shard="1"} 2.5`,
		`sluice_kill_switch_dropped_total{rule="organization_id=1"} 4`,
		`sluice_freshness_seconds_bucket{worker="0",le="300"} 3`,
		`sluice_freshness_seconds_sum{worker="0"} 6`,
		`sluice_redis_memory_used_bytes{node="r:1"} 50`,
		`sluice_retries_total{step="attach"} 9`,
		`sluice_redis_data_losses_total 2`,
		`sluice_redis_restarts_total 3`,
		`sluice_redis_memory_full_in_seconds{node="r:1"} 90`,
		`sluice_shard_unread_messages{shard="1"} 7`,
		`sluice_shard_oldest_unread_seconds{shard="1"} 4`,
		`sluice_shard_oldest_unread_seconds{shard="2"} 0`,
		`sluice_shard_unread_expires_in_seconds{shard="1"} 3600`,
		`sluice_worker_trouble_seconds{step="produce",worker="1"} 0`,
		`sluice_adopted_segments_total 17`,
		`sluice_shard_queued_segments{shard="2"} 5`,
		`sluice_shard_due_segments{shard="2"} 3`,
		`sluice_shard_leased_segments{shard="2"} 1`,
		`sluice_shard_overdue_seconds{shard="2"} 1.5`,
		`sluice_shard_lost_messages_total{shard="1"} 40`,
		`sluice_shard_committed_offset{shard="1"} 500`,
		`sluice_shard_unread_messages{shard="3"} 7`,
		`sluice_worker_retries_total{step="lease",worker="0"} 7`,
	} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("no %s", want)
		}
	}
	for _, not := range []string{
		`sluice_shard_committed_offset{shard="2"}`, `sluice_shard_input_lag_seconds{shard="4"}`,
		`sluice_shard_oldest_unread_seconds{shard="3"}`,
	} {
		if strings.Contains(text, not) {
			t.Errorf("%s, of which nothing is known", not)
		}
	}
	if code != http.StatusOK {
		t.Errorf("status %d:\n%s", code, text)
	}
}

// TestAWorkerThatIsNotWantedHasNoBeat: an alert on its age would be one of a worker that nobody misses.
func TestAWorkerThatIsNotWantedHasNoBeat(t *testing.T) {
	for state, want := range map[flusher.State]int{flusher.StateStopped: 0, flusher.StateHung: 1, flusher.StateDead: 1} {
		out := make(chan prometheus.Metric, 1000)
		collectWorker(out, flusher.WorkerState{State: state, Beat: time.Now()}, time.Now())
		close(out)
		beats := 0
		for metric := range out {
			if metric.Desc() == workerBeat.desc {
				beats++
			}
		}
		if beats != want {
			t.Errorf("%v: %d beats, want %d", state, beats, want)
		}
	}
}

// TestAShardThatIsAnothersHasNoLag: what was so when it went would be an alert for ever.
func TestAShardThatIsAnothersHasNoLag(t *testing.T) {
	for _, assigned := range []bool{true, false} {
		out := make(chan prometheus.Metric, 1000)
		collectShard(out, ingest.PartitionCounters{Assigned: assigned, Batches: 1, Wall: 1000})
		close(out)
		said := false
		for metric := range out {
			said = said || metric.Desc() == shardBehind.desc
		}
		if said != assigned {
			t.Errorf("assigned %v: lag is said %v", assigned, said)
		}
	}
}

func TestMetricsPassTheLinter(t *testing.T) {
	families, err := registry(t, fixed{}).Gather()
	if err != nil {
		t.Fatal(err)
	}
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	if err != nil || len(problems) > 0 {
		t.Errorf("%v: %v", err, problems)
	}
}

func TestAServerThatIsAwayTakesOnlyItsOwnMetrics(t *testing.T) {
	f := fixed{part: errors.New("away")}
	_, text := get(t, Handler(f, registry(t, f)), "/metrics")
	for metric, want := range map[string]bool{
		`redis_memory_used_bytes{node="r:1"}`: false, `redis_memory_used_bytes{node="r:2"}`: true,
		`shard_due_segments{shard="1"}`: false, `shard_due_segments{shard="2"}`: true,
		`shard_unread_messages{shard="1"}`: false, `shard_unread_messages{shard="2"}`: true,
		`worker_spans_total{worker="0"}`: true,
	} {
		if strings.Contains(text, metric) != want {
			t.Errorf("%s is there: %v, want %v", metric, !want, want)
		}
	}
}

func TestHealthSaysWhatIsWrong(t *testing.T) {
	well := fixed{}
	busy := fixed{ready: []string{"worker 1 (shards [1]) is hung", "input of partition 1 pauses"}}
	over := fixed{alive: []string{"the pipeline has ended"}}
	cases := []struct {
		name, path string
		health     fixed
		code       int
		body       string
	}{
		{"all is well", "/healthz", well, 200, "ok\n"},
		{"all is well", "/readyz", well, 200, "ok\n"},
		{"a passing trouble is not a reason to restart", "/healthz", busy, 200, "ok\n"},
		{"each cause on a line", "/readyz", busy, 503,
			"worker 1 (shards [1]) is hung\ninput of partition 1 pauses\n"},
		{"the end", "/healthz", over, 503, "the pipeline has ended\n"},
		{"the end", "/readyz", over, 503, "the pipeline has ended\n"},
	}
	for _, c := range cases {
		t.Run(c.name+c.path, func(t *testing.T) {
			code, body := get(t, Handler(c.health, registry(t, c.health)), c.path)
			if code != c.code || body != c.body {
				t.Errorf("%d %q, want %d %q", code, body, c.code, c.body)
			}
		})
	}
}

func TestListenServesAndEnds(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	listener, err := Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := Serve(listener, fixed{}, registry(t, fixed{}), log)
	for _, path := range []string{"/", "/debug/pprof/", "/debug/pprof/heap"} {
		answer, err := http.Get("http://" + s.Addr() + path)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, answer.Body)
		_ = answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			t.Errorf("%s: %s", path, answer.Status)
		}
	}
	if _, err := Listen(s.Addr()); err == nil ||
		!strings.Contains(err.Error(), s.Addr()) {
		t.Errorf("%v does not name the address in use", err)
	}
	s.Close()
	if _, err := http.Get("http://" + s.Addr() + "/healthz"); err == nil {
		t.Error("it still answers after Close")
	}
}

// kafkaio makes a second client of the same hooks for a record that is refused in a batch.
func TestKafkaHooksSurviveASecondClient(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "t"))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	r := prometheus.NewRegistry()
	hooks := KafkaHooks(r)
	source, letters := hooks("source"), hooks("dead-letters")
	for _, h := range [][]kgo.Hook{source, source, letters} {
		client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.WithHooks(h...))
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		if err := client.Ping(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	// One takes the place of another.
	first, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.WithHooks(hooks("renewed")...))
	if err != nil {
		t.Fatal(err)
	}
	first.Close()
	next, err := kgo.NewClient(first.Opts()...)
	if err != nil {
		t.Fatal(err)
	}
	defer next.Close()
	if err := next.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, text := get(t, Handler(fixed{}, r), "/metrics")
	for _, client := range []string{"source", "dead-letters", "renewed"} {
		if !strings.Contains(text, `sluice_kafka_connects_total{client="`+client+`"`) {
			t.Errorf("no connections of %s in\n%s", client, text)
		}
	}
}
