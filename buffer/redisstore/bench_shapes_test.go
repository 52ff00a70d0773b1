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
//	worst-call-ms   that of the longest call, measured in a run of its own
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

// BenchmarkFence fences a shard of which 100,000 segments are leased, and reports
//
//	redis-us/entry   CPU time of Redis' main thread to give one back
//	worst-call-ms    that of the longest call
func BenchmarkFence(b *testing.B) {
	bench, clock := openBench(b), buffer.Seconds(1)
	const n = 100_000
	update := buffer.QueueUpdate{Clock: clock, Wall: clock}
	for i := range n {
		g := buffer.Generation{Segment: giantID(i)}
		update.Due = append(update.Due, buffer.Due{Generation: g, Deadline: clock})
	}
	check := func(err error) {
		if err != nil {
			b.Fatal(err)
		}
	}
	check(bench.timed.Enqueue(b.Context(), 0, update))
	lease := func(owner buffer.Owner) {
		leased, err := bench.timed.Lease(b.Context(), owner, clock, n)
		if check(err); len(leased.Due) != n {
			b.Fatalf("%d leased, want %d", len(leased.Due), n)
		}
	}
	lease(buffer.Owner{})
	var cpu float64
	*bench.longest = 0
	for b.Loop() {
		before := bench.gauge.cpu()
		fenced, err := bench.store.Fence(b.Context(), 0, buffer.AnyEpoch)
		check(err)
		cpu += bench.gauge.cpu() - before
		lease(fenced.Owner)
		fenced, err = bench.timed.Fence(b.Context(), 0, buffer.AnyEpoch)
		check(err)
		lease(fenced.Owner)
	}
	b.ReportMetric(cpu*1e6/float64(n*b.N), "redis-us/entry")
	b.ReportMetric(*bench.longest*1000, "worst-call-ms")
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

// shapeBench is a Redis of its own, whose CPU time is nobody else's.
type shapeBench struct {
	store, timed *redisstore.Store
	gauge        gauge
	longest      *float64 // in seconds
}

func openBench(b *testing.B) shapeBench {
	config := redisstore.DefaultConfig()
	config.Addresses = []string{servertest.Redis(b, "--save", "").Addr}
	config.MaxSegmentBytes = buffer.NoSegmentLimit
	bench := shapeBench{
		store: open(b, config), gauge: newGauge(b, config.Addresses[0]), longest: new(float64),
	}
	bench.timed = bench.store.Timed(bench.gauge.cpu, func(spent float64) {
		*bench.longest = max(*bench.longest, spent)
	})
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
	var write, flush float64
	spans := 0
	once := func(store *redisstore.Store) {
		fenced, err := store.Fence(b.Context(), 0, buffer.AnyEpoch)
		if err != nil {
			b.Fatal(err)
		}
		before := s.gauge.cpu()
		n, _ := writeAll(b, store, grouped)
		written := s.gauge.cpu()
		if flushed := flushAll(b, store, fenced.Owner); flushed != n {
			b.Fatalf("%d spans flushed, %d written", flushed, n)
		}
		write, flush = write+written-before, flush+s.gauge.cpu()-written
		spans += n
	}
	for b.Loop() {
		once(s.store)
	}
	b.ReportMetric(write/float64(spans)*1e6, "redis-write-us/span")
	b.ReportMetric(flush/float64(spans)*1e6, "redis-flush-us/span")
	b.ReportMetric(0, "ns/op")
	us := (write + flush) / float64(spans) * 1e6
	*s.longest = 0
	once(s.timed)
	b.ReportMetric(*s.longest*1000, "worst-call-ms")
	return us
}
