package redisstore_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"sluice/buffer"
	"sluice/buffer/redisstore"
	"sluice/internal/benchload"
	"sluice/internal/servers/servertest"
)

// BenchmarkShapes writes and flushes loads that differ only in how many spans a trace has and in
// which order they arrive, and reports of each, in CPU time of Redis' main thread,
//
//	redis-us/span   write and flush together
//	us-ratio        that beside traces of 20 spans, in the same run
//	worst-call-ms   the longest that one command kept Redis busy (SLOWLOG)
func BenchmarkShapes(b *testing.B) {
	bench := openBench(b)
	var usual float64
	for _, shape := range []struct {
		spans, open, batch int // of a trace; traces at a time; of a batch
	}{
		{20, 200, 4000}, {100, 40, 4000}, {300, 14, 4000}, {1000, 4, 4000}, {10_000, 1, 4000},
		{50_000, 1, 4000}, {20, 200, 1000}, {1000, 200, 1000}, {50_000, 1, 1000}, {1, 1, 4000},
	} {
		load := benchload.W1(1)
		load.Spans, load.SpanBytes, load.SpansPerBatch = 100_000, 100, shape.batch
		load.SpansPerTrace, load.Interleaved = shape.spans, shape.open
		name := fmt.Sprintf("%d-per-trace/%d-open/batches-of-%d", shape.spans, shape.open, shape.batch)
		b.Run(name, func(b *testing.B) {
			us := bench.run(b, load.Batches())
			if usual == 0 {
				usual = us
			}
			b.ReportMetric(us/usual, "us-ratio")
		})
	}
	for _, order := range []string{"parent-first", "child-first", "shuffled"} {
		for _, batch := range []int{50, 4000} {
			b.Run(fmt.Sprintf("chain/%s/batches-of-%d", order, batch), func(b *testing.B) {
				b.ReportMetric(bench.run(b, chain(20_000, order, batch))/usual, "us-ratio")
			})
		}
	}
}

// chain is one trace of n spans of 100 bytes, each the child of the one before.
func chain(n int, order string, batch int) (batches [][]buffer.Span) {
	links := rand.New(rand.NewPCG(1, 2)).Perm(n)
	for i := range links {
		switch order {
		case "parent-first":
			links[i] = i
		case "child-first":
			links[i] = n - 1 - i
		}
	}
	spans := make([]buffer.Span, n)
	for i, link := range links {
		spans[i] = giantTrace(1, func(int) buffer.SpanID { return giantID(max(0, link-1)) })[0]
		spans[i].ID, spans[i].Root = giantID(link), link == 0
		spans[i].Payload, spans[i].Size = make([]byte, 100), 100
		spans[i].Position.Offset = int64(i)
	}
	for len(spans) > 0 {
		size := min(batch, len(spans))
		batches, spans = append(batches, spans[:size]), spans[size:]
	}
	return batches
}

// shapeBench is a Redis of its own, whose slow commands are nobody else's.
type shapeBench struct {
	store *redisstore.Store
	gauge gauge
}

func openBench(b *testing.B) shapeBench {
	config := redisstore.DefaultConfig()
	config.Addresses = []string{servertest.Redis(b, "--slowlog-log-slower-than", "500",
		"--slowlog-max-len", "10000", "--save", "").Addr}
	config.MaxSegmentBytes = buffer.NoSegmentLimit
	bench := shapeBench{store: open(b, config), gauge: newGauge(b, config.Addresses[0])}
	b.Cleanup(bench.gauge.client.Close)
	return bench
}

// run writes and flushes everything once per loop, and returns the CPU time of Redis per span in us.
func (s *shapeBench) run(b *testing.B, batches [][]buffer.Span) float64 {
	var grouped [][]buffer.TraceBatch
	for _, spans := range batches {
		traces, _ := buffer.Group(spans)
		rounds := buffer.Rounds(traces, buffer.AttachSpansMax, buffer.AttachBytesMax)
		grouped = append(grouped, rounds...)
	}
	do := s.gauge.client.B()
	if err := s.gauge.client.Do(b.Context(), do.SlowlogReset().Build()).Error(); err != nil {
		b.Fatal(err)
	}
	var write, flush float64
	spans := 0
	for b.Loop() {
		fenced, err := s.store.Fence(b.Context(), 0, buffer.AnyEpoch)
		if err != nil {
			b.Fatal(err)
		}
		before := s.gauge.cpu()
		n, _ := writeAll(b, s.store, grouped)
		written := s.gauge.cpu()
		if flushed := flushAll(b, s.store, fenced.Owner); flushed != n {
			b.Fatalf("%d spans flushed, %d written", flushed, n)
		}
		write, flush = write+written-before, flush+s.gauge.cpu()-written
		spans += n
	}
	b.ReportMetric(write/float64(spans)*1e6, "redis-write-us/span")
	b.ReportMetric(flush/float64(spans)*1e6, "redis-flush-us/span")
	b.ReportMetric(s.worst(b), "worst-call-ms")
	b.ReportMetric(0, "ns/op")
	return (write + flush) / float64(spans) * 1e6
}

// worst is how long the slowest command took, in ms.
func (s *shapeBench) worst(b *testing.B) float64 {
	do := s.gauge.client.B()
	entries, err := s.gauge.client.Do(b.Context(), do.SlowlogGet().Count(-1).Build()).ToArray()
	if err != nil {
		b.Fatal(err)
	}
	var worst int64
	for _, entry := range entries {
		fields, err := entry.ToArray()
		if err != nil {
			b.Fatal(err)
		}
		us, err := fields[2].AsInt64()
		if err != nil {
			b.Fatal(err)
		}
		worst = max(worst, us)
	}
	return float64(worst) / 1000
}
