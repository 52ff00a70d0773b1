package redisstore_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"sluice/buffer"
	"sluice/internal/servers/servertest"
	"sluice/reports"
)

// BenchmarkOpen keeps so many traces open in a Redis of its own while spans of 100 bytes come and
// segments are flushed: of each batch of 1,000 spans of one of eight shards half begin a trace, and half
// join one of those that are open, of which the oldest 500 are flushed then. It reports what
// BenchmarkShapes does, and
//
//	B/trace   used_memory beyond the payloads, for each that is open before the batches
//
// With SLUICE_BENCH_CHARTS it draws a chart of what a span costs into that directory.
func BenchmarkOpen(b *testing.B) {
	var runs []reports.SweepRun
	for _, open := range []int{10_000, 100_000, 1_000_000, 10_000_000} {
		b.Run(fmt.Sprintf("%d-traces", open), func(b *testing.B) {
			runs = append(runs, reports.SweepRun{
				Value:     strconv.Itoa(open),
				SpanCosts: reports.SpanCosts{RedisTime: newOpenTraces(b, open).run(b)},
			})
		})
	}
	dir := os.Getenv("SLUICE_BENCH_CHARTS")
	if dir == "" {
		return
	}
	sweep := reports.NewSweep("write and flush", "real", "open traces", runs)
	if chart, ok := sweep.CostChart(); !ok || chart.Save(dir, "open-traces") != nil {
		b.Errorf("no chart could be saved in %s", dir)
	}
}

const (
	openShards  = 8
	openBatch   = 1000
	openPayload = 100
	// openBatches are measured per loop.
	openBatches = 200
)

// openTraces are those that are open in each shard.
type openTraces struct {
	shapeBench
	open, batches int
	owners        [openShards]buffer.Owner
	// begun and flushed count the traces of each shard; calls the deliveries of all.
	begun, flushed [openShards]int
	calls          int64
	random         *rand.Rand
}

func newOpenTraces(b *testing.B, open int) *openTraces {
	o := &openTraces{shapeBench: openBench(b), open: open, random: rand.New(rand.NewPCG(1, uint64(open)))}
	for shard := range o.owners {
		fenced, err := o.store.Fence(b.Context(), buffer.Shard(shard), buffer.AnyEpoch)
		if err != nil {
			b.Fatal(err)
		}
		o.owners[shard] = fenced.Owner
	}
	return o
}

// run measures, and returns what each span took of Redis' time, in microseconds.
func (o *openTraces) run(b *testing.B) float64 {
	before := o.gauge.memory()
	for begun := 0; begun < o.open; begun += openBatch {
		o.write(b, openBatch)
	}
	memory := float64(o.gauge.memory()-before)/float64(o.open) - openPayload
	var write, flush, empty float64
	spans, n := 0, 0
	for b.Loop() {
		empty += o.gauge.emptyEval() / 2
		for range openBatches {
			shard, start := o.batches%openShards, o.gauge.cpu()
			o.write(b, openBatch/2)
			written := o.gauge.cpu()
			out, _ := flushSome(b, b.Context(), o.store, o.owners[shard])
			o.flushed[shard] += openBatch / 2
			write, flush = write+written-start, flush+o.gauge.cpu()-written
			spans, n = spans+openBatch, n+out
		}
		empty += o.gauge.emptyEval() / 2
	}
	if n < spans/2 {
		b.Fatalf("%d spans were flushed, of %d written", n, spans)
	}
	empty *= 1e6 / float64(b.N)
	b.ReportMetric(write*1e6/float64(spans), "redis-write-us/span")
	b.ReportMetric(flush*1e6/float64(n), "redis-flush-us/span")
	b.ReportMetric(write*1e6/float64(spans)/empty, "write-evals/span")
	b.ReportMetric(flush*1e6/float64(n)/empty, "flush-evals/span")
	b.ReportMetric(empty, "empty-eval-us")
	b.ReportMetric(memory, "B/trace")
	b.ReportMetric(0, "ns/op")
	return (write/float64(spans) + flush/float64(n)) * 1e6
}

// write stores the next batch of the shard whose turn it is: so many spans begin a trace, and the others
// join one that is open.
func (o *openTraces) write(b *testing.B, begin int) {
	shard := o.batches % openShards
	spans := make([]buffer.Span, openBatch)
	payload := make([]byte, openPayload)
	for i := range spans {
		trace, second := o.begun[shard], i >= begin
		if second {
			trace = o.flushed[shard] + o.random.IntN(o.begun[shard]-o.flushed[shard])
		} else {
			o.begun[shard]++
		}
		key := buffer.TraceKey{Project: 1}
		binary.BigEndian.PutUint64(key.Trace[:], uint64(shard)<<56|uint64(trace))
		binary.BigEndian.PutUint64(key.Trace[8:], uint64(trace)*0x9E3779B97F4A7C15)
		spans[i] = buffer.Span{TraceKey: key, ID: giantID(0), Parent: giantID(0), Root: !second,
			Size: openPayload, Payload: payload,
			Position: buffer.Position{Partition: int32(shard), Offset: int64(o.batches)*openBatch + int64(i)}}
		if second {
			spans[i].ID = giantID(int(spans[i].Position.Offset) + 1)
		}
	}
	batch := oneByOne([][]buffer.Span{spans})[0][0]
	batch.number = o.calls
	o.calls += int64(len(batch.parts))
	o.batches++
	if _, err := batch.write(b.Context(), o.store, buffer.Seconds(1000+int64(o.batches)/100)); err != nil {
		b.Fatal(err)
	}
}

// TestOpenTraces holds that what BenchmarkOpen does can be done, since only people run benchmarks.
func TestOpenTraces(t *testing.T) {
	servertest.RedisAddr(t)
	if r := testing.Benchmark(func(b *testing.B) { newOpenTraces(b, 20_000).run(b) }); r.Extra["B/trace"] <= 0 ||
		r.Extra["redis-write-us/span"] <= 0 || r.Extra["redis-flush-us/span"] <= 0 {
		t.Errorf("the benchmark gave %v", r)
	}
}
