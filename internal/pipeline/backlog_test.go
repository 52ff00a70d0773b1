package pipeline_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sluice/flusher"
	"sluice/internal/pipeline/pipelinetest"
)

// The first input that the workers see of their shards is an hour old. Its traces of 20 spans come
// out in one record each: what the wall clock takes for due is not flushed.
func TestBacklogIsNotFlushedInFragments(t *testing.T) {
	t.Parallel()
	for name, world := range map[string]func(testing.TB) *pipelinetest.World{
		"fakes": pipelinetest.Fakes, "real": pipelinetest.Real,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := world(t)
			p := start(t, w.Config())
			w.Await(t, func() bool { return flushedShards(p) == w.Partitions })
			w.Behind = time.Hour
			if err := w.Send(t.Context(), 4000, 2000); err != nil {
				t.Fatal(err)
			}
			w.AwaitSettled(t)
			p.end(t)
			w.CheckNothingLost(t, pipelinetest.NoRepeats)
			if b := w.Balance(); b.Records*20 != b.Sent {
				t.Errorf("%d spans in traces of 20 came out in %d records", b.Sent, b.Records)
			}
		})
	}
}

// TestNothingIsFlushedWhoseSpansCannotBeRead: the broker answers fetches, those of one partition with an
// error. What of a trace waits there comes out together with what was read of it before, after longer than
// the time-out; a trace of another partition does not wait.
func TestNothingIsFlushedWhoseSpansCannotBeRead(t *testing.T) {
	t.Parallel()
	w, _, kafka := fakes(t)
	c := w.Config()
	c.Options.Timeout, c.Options.RootTimeout = 4*time.Second, 4*time.Second
	p := start(t, c)
	w.Await(t, func() bool { return flushedShards(p) == w.Partitions && len(p.Ready()) == 0 })
	send := func(partition int32, trace, span int, parent string) {
		w.SendRaw(t, partition, fmt.Appendf(nil, `{"organization_id":1,"project_id":1,"trace_id":"%032x",`+
			`"span_id":"%016x","parent_span_id":%s,"start_timestamp":1,"end_timestamp":2,"received":2,`+
			`"retention_days":1,"status":"ok"}`, trace, span, parent))
	}
	const split, other = 77, 78
	parent := fmt.Sprintf(`"%016x"`, 1)
	send(1, split, 2, parent)
	w.Await(t, func() bool {
		for _, c := range p.Counters().Partitions {
			if c.Partition == 1 && c.Messages > 0 {
				return true
			}
		}
		return false
	})
	fault := kafka.Fault(kfake.Fault{
		Keys: []kmsg.Key{kmsg.Fetch}, Topic: c.InputTopic, Partitions: []int32{1},
		Err: kerr.OffsetNotAvailable, Count: -1,
	})
	w.Await(t, func() bool { return strings.Contains(fmt.Sprint(p.Ready()), kerr.OffsetNotAvailable.Message) })
	send(1, split, 1, "null")
	send(0, other, 2, parent)
	for i, want := range []struct{ trace, spans int }{{other, 1}, {split, 2}} {
		got := output(t, c.Kafka.Brokers, c.OutputTopic, i+1)[i]
		if spans := strings.Count(got, `"span_id"`); spans != want.spans ||
			!strings.Contains(got, fmt.Sprintf("%032x", want.trace)) {
			t.Fatalf("record %d has %d spans, want %d of trace %x: %s", i, spans, want.spans, want.trace, got)
		}
		fault.Remove()
	}
	p.end(t)
}

// output returns the first n records of a topic, in the order in which they were written.
func output(t *testing.T, brokers []string, topic string, n int) []string {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	var records []*kgo.Record
	for len(records) < n {
		fetches := client.PollFetches(t.Context())
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		records = append(records, fetches.Records()...)
	}
	slices.SortFunc(records, func(a, b *kgo.Record) int { return a.Timestamp.Compare(b.Timestamp) })
	var values []string
	for _, r := range records {
		values = append(values, string(r.Value))
	}
	return values
}

// flushedShards counts the shards that have a healthy worker.
func flushedShards(p *running) (n int) {
	for _, w := range p.Workers() {
		if w.State == flusher.StateHealthy {
			n += len(w.Shards)
		}
	}
	return n
}
