package bench

import (
	"context"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// passThrough copies a topic to another with one client that does nothing else, and returns how
// long that took and what it cost this process. It is what Kafka and its client alone allow on
// this machine at this moment.
func (r *rig) passThrough(tb testing.TB, in *input) (elapsed, cpu time.Duration) {
	tb.Helper()
	output := r.topic(tb, "pass-through", nil)
	ctx, cancel := context.WithTimeout(tb.Context(), 5*time.Minute)
	defer cancel()
	client := r.client(tb, kgo.ConsumeTopics(in.topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchMaxBytes(32<<20),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.MaxBufferedRecords(100_000))
	defer client.Close()
	before, begin := ownCPU(tb), time.Now()
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
	return time.Since(begin), ownCPU(tb) - before
}

// ownCPU is what this process has used of all cores so far.
func ownCPU(tb testing.TB) time.Duration {
	tb.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
