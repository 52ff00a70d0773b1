package bench

import (
	"context"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/internal/process"
)

// passThrough copies a topic to another with one client that does nothing else, and returns how
// long that took and what it cost this process and the broker. It is what Kafka and its client alone
// allow on this machine at this moment.
func (r *rig) passThrough(tb testing.TB, in *input) (f figures) {
	tb.Helper()
	output := r.topic(tb, "pass-through", in.scenario.Topology.Partitions, nil)
	ctx, cancel := context.WithTimeout(tb.Context(), 5*time.Minute)
	defer cancel()
	client := r.client(tb, kgo.ConsumeTopics(in.topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchMaxBytes(32<<20),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.MaxBufferedRecords(100_000))
	defer client.Close()
	used := func() (own, kafka time.Duration) {
		kafka, err := cpuOf(r.kafka.Pid())
		if err != nil {
			tb.Fatal(err)
		}
		return process.Own().CPU, kafka
	}
	own, kafka := used()
	begin := time.Now()
	for n := 0; n < len(in.sent); {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			tb.Fatalf("pass-through: %v", err)
		}
		fetches.EachRecord(func(record *kgo.Record) {
			n++
			copied := &kgo.Record{Topic: output, Partition: record.Partition, Key: record.Key,
				Value: record.Value}
			client.Produce(ctx, copied, func(_ *kgo.Record, err error) {
				if err != nil {
					tb.Errorf("pass-through: %v", err)
				}
			})
		})
	}
	if err := client.Flush(ctx); err != nil {
		tb.Fatalf("pass-through: %v", err)
	}
	f.elapsed = time.Since(begin)
	f.program, f.kafka = used()
	f.program, f.kafka = f.program-own, f.kafka-kafka
	return f
}
