package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/internal/load"
	"sluice/internal/servers"
	"sluice/scenarios"
)

const workers = 4

// rig is one Kafka and one Redis for all benchmarks of this binary, so that repeats find them warm.
type rig struct {
	kafka *servers.KafkaServer
	redis *servers.RedisServer
	// inputs are the topics that were filled, by scenario name.
	inputs map[string]*input
	topics int
}

var theRig = sync.OnceValues(func() (*rig, error) {
	kafka, err := servers.StartKafka(strings.Fields(os.Getenv("SLUICE_BENCH_JAVA"))...)
	if err != nil {
		return nil, err
	}
	redis, err := servers.StartRedis()
	if err != nil {
		return nil, errors.Join(err, kafka.Kill())
	}
	return &rig{kafka: kafka, redis: redis, inputs: map[string]*input{}}, nil
})

// open returns the rig, or leaves the benchmark or test out where a server is not installed; under CI=true
// that is a failure.
func open(tb testing.TB) *rig {
	tb.Helper()
	r, err := theRig()
	switch {
	case errors.Is(err, servers.ErrMissing) && os.Getenv("CI") != "true":
		tb.Skipf("real server left out: %v", err)
	case err != nil:
		tb.Fatalf("real server: %v", err)
	}
	return r
}

func (r *rig) client(tb testing.TB, opts ...kgo.Opt) *kgo.Client {
	tb.Helper()
	client, err := kgo.NewClient(append(opts, kgo.SeedBrokers(r.kafka.Addr))...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(client.Close)
	return client
}

// topic creates a topic of a name of its own. Its broker notes when a record arrived.
func (r *rig) topic(
	tb testing.TB, name string, partitions int, config map[string]*string,
) string {
	tb.Helper()
	r.topics++
	name = fmt.Sprintf("%s-%d", name, r.topics)
	client := r.client(tb)
	defer client.Close()
	admin := kadm.NewClient(client)
	_, err := admin.CreateTopic(tb.Context(), int32(partitions), 1, config, name)
	if err != nil {
		tb.Fatalf("create topic %s: %v", name, err)
	}
	for { // the controller knows it before the broker does
		topics, err := admin.ListTopics(tb.Context(), name)
		if err != nil {
			tb.Fatalf("create topic %s: %v", name, err)
		}
		if len(topics[name].Partitions) == partitions {
			return name
		}
	}
}

// arrival makes the broker stamp records when they arrive: the time of the last record of a topic
// is then when it was out, with nobody reading along.
func arrival() map[string]*string {
	const value = "LogAppendTime"
	return map[string]*string{"message.timestamp.type": kadm.StringPtr(value)}
}

// records returns how many records a topic holds.
func (r *rig) records(ctx context.Context, client *kgo.Client, topic string) (int64, error) {
	ends, err := kadm.NewClient(client).ListEndOffsets(ctx, topic)
	if err == nil {
		err = ends.Error()
	}
	var sum int64
	ends.Each(func(o kadm.ListedOffset) { sum += o.Offset })
	return sum, err
}

// input is a topic that was filled with the load of a scenario.
type input struct {
	scenario scenarios.Scenario
	recipe   *load.Recipe
	topic    string
	// sent holds the number and the root's number of every message.
	sent [][2]uint64
	// roots is how many traces there are.
	roots int
	// warm is true once it was passed through all that is measured.
	warm bool
	// end is the time of the last message.
	end time.Time
}

// streamRate is how many spans came in per second of the input's own time, which the time-outs go
// by: as if the topic had been filled at that rate.
const streamRate = 10_000

// epilogue is what follows in each partition once all the rest was read: a span of a trace that counts
// for nothing, so much later that everything before it is due. Without it the last segments would wait
// for their time-out, and the benchmark would measure that. It comes so often that its timestamp is
// believed without waiting for more, and the topic is so old that it is not in the future, which is
// never believed.
const (
	epilogue      = time.Minute
	epilogueTimes = 8
	topicAge      = time.Hour
)

var epilogueTrace = strings.Repeat("f", 30)

// fill returns the topic with the load of a scenario, which it fills at the first call.
func (r *rig) fill(tb testing.TB, scenario scenarios.Scenario) *input {
	tb.Helper()
	if in := r.inputs[scenario.Name]; in != nil {
		return in
	}
	in := &input{
		scenario: scenario,
		recipe:   load.NewRecipe(scenario.Workload, scenario.Topology.Partitions, scenario.Seed),
		topic:    r.topic(tb, scenario.Name+"-in", scenario.Topology.Partitions, nil),
	}
	client := r.client(tb, kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.MaxBufferedRecords(100_000))
	total := scenario.Pacer().Total()
	begin := time.Now().Add(-topicAge - time.Duration(total)*time.Second/streamRate)
	var at time.Duration
	var mu sync.Mutex
	var failed error
	produce := func(partition int32, key, value []byte, at time.Duration) {
		record := &kgo.Record{Topic: in.topic, Partition: partition, Key: key, Value: value,
			Timestamp: begin.Add(at)}
		client.Produce(tb.Context(), record, func(_ *kgo.Record, err error) {
			mu.Lock()
			defer mu.Unlock()
			failed = errors.Join(failed, err)
		})
	}
	generator := load.NewGenerator(scenario)
	for m := (load.Message{}); generator.Next(&m); {
		at = time.Duration(len(in.sent)) * time.Second / streamRate
		in.sent = append(in.sent, [2]uint64{m.Seq, m.Root})
		if m.Seq == m.Root {
			in.roots++
		}
		produce(m.Partition, m.Key, m.Value, at)
	}
	in.end = begin.Add(at)
	if err := client.Flush(tb.Context()); err != nil || failed != nil {
		tb.Fatalf("fill %s: %v", in.topic, errors.Join(err, failed))
	}
	r.inputs[scenario.Name] = in
	return in
}

// conclude sends the epilogue when the group has committed all that is there now, and returns when it
// has committed that, too.
func (r *rig) conclude(tb testing.TB, in *input, group string) {
	tb.Helper()
	client := r.client(tb, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0))
	defer client.Close()
	ctx, cancel := context.WithTimeout(tb.Context(), 5*time.Minute)
	defer cancel()
	r.untilCommitted(ctx, tb, client, in.topic, group)
	for n := range int32(in.scenario.Topology.Partitions) {
		for range epilogueTimes {
			client.Produce(ctx, &kgo.Record{Topic: in.topic, Partition: n, Value: epilogueSpan(n),
				Timestamp: in.end.Add(epilogue)}, nil)
		}
	}
	if err := client.Flush(ctx); err != nil {
		tb.Fatal(err)
	}
	r.untilCommitted(ctx, tb, client, in.topic, group)
}

// untilCommitted waits until a group has committed all that a topic holds now.
func (r *rig) untilCommitted(
	ctx context.Context, tb testing.TB, client *kgo.Client, topic, group string,
) {
	tb.Helper()
	total, err := r.records(ctx, client, topic)
	if err != nil {
		tb.Fatal(err)
	}
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	for committed := int64(0); committed < total; <-look.C {
		offsets, err := kadm.NewClient(client).FetchOffsets(ctx, group)
		if err != nil {
			tb.Fatalf("%d of %d messages are committed: %v", committed, total, err)
		}
		committed = 0
		offsets.Each(func(o kadm.OffsetResponse) { committed += max(0, o.At) })
	}
}

func epilogueSpan(n int32) []byte {
	return fmt.Appendf(nil, `{"organization_id":1,"project_id":1,"trace_id":"%s%02x",`+
		`"span_id":"%016x","parent_span_id":null,"start_timestamp":1.5,"end_timestamp":1.5,`+
		`"received":1.5,"retention_days":90,"status":"ok"}`, epilogueTrace, n, n+1)
}

func isEpilogue(r *kgo.Record) bool { return strings.HasPrefix(string(r.Key), epilogueTrace) }
