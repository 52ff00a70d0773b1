package ledger

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"sluice/buffer"
	"sluice/buffer/codec"
	"sluice/internal/load"
	"sluice/scenarios"
)

// benchScenario is the load that the figures are for: spans of 500 bytes in traces of 20, 200
// traces interleaved.
func benchScenario() scenarios.Scenario {
	s := scenarios.Default()
	s.Workload.Rate.From = 150_000
	s.Workload.TracesAtOnce = 200
	s.Duration = time.Hour
	return s
}

// flushedSegment returns the output record of a trace, as the real codec writes it.
func flushedSegment(tb testing.TB, r *load.Recipe, root uint64) Record {
	tb.Helper()
	c := codec.New(buffer.NoSegmentLimit)
	var spans []buffer.Span
	for i := range r.Size(root) {
		decoded, err := c.Decode(r.Append(nil, root, i))
		if err != nil {
			tb.Fatal(err)
		}
		spans = append(spans, decoded.Span)
	}
	generation := buffer.Generation{Segment: r.ID(root)}
	generation.Project, generation.Trace = r.Project(root), r.Trace(root)
	chunks, err := c.Encode(generation, spans)
	if err != nil || len(chunks) != 1 {
		tb.Fatalf("%d chunks, %v", len(chunks), err)
	}
	return Record{
		Key: []byte(r.Trace(root).String()), Value: chunks[0].Value,
		Headers: []Header{
			{Key: HeaderSegment, Value: []byte(r.ID(root).String())},
			{Key: HeaderTrace, Value: []byte(r.Trace(root).String())},
			{Key: HeaderProject, Value: fmt.Append(nil, int64(r.Project(root)))},
			{Key: HeaderGeneration, Value: fmt.Appendf(nil, "%d-2", r.Partition(root))},
			{Key: HeaderChunkIndex, Value: []byte("0")},
			{Key: HeaderChunkCount, Value: []byte("1")},
		},
	}
}

func report(b *testing.B, spans int) {
	perSpan := float64(b.Elapsed().Nanoseconds()) / float64(b.N) / float64(spans)
	b.ReportMetric(perSpan, "ns/span")
	b.ReportMetric(1e9/perSpan, "spans/s")
}

// BenchmarkLoad is what a span costs the harness before it is sent: made, and entered.
func BenchmarkLoad(b *testing.B) {
	g := load.NewGenerator(benchScenario())
	l := New(g.Recipe)
	var m load.Message
	b.ReportAllocs()
	for b.Loop() {
		g.Next(&m)
		l.Sent(m.Seq, m.Root, m.At)
	}
	report(b, 1)
}

// BenchmarkOutput is what a span costs when it comes out for the first time, in the record of its
// trace: digest of the record, comparison byte by byte, place, account.
func BenchmarkOutput(b *testing.B) { benchmarkOutput(b, false) }

// BenchmarkRoundTrip is both: each span is made, entered, and checked when it comes out.
func BenchmarkRoundTrip(b *testing.B) { benchmarkOutput(b, true) }

func benchmarkOutput(b *testing.B, timed bool) {
	s := benchScenario()
	s.Workload.TracesAtOnce = 1 // so that a trace is sent when its record comes out
	const traces = 500
	g := load.NewGenerator(s)
	var records []Record
	size := g.Size(0)
	for i := range traces {
		records = append(records, flushedSegment(b, g.Recipe, uint64(i*size)))
	}
	l, n := New(g.Recipe), 0
	var m load.Message
	send := func(spans int) {
		for range spans {
			g.Next(&m)
			l.Sent(m.Seq, m.Root, m.At)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		if n%traces == 0 {
			b.StopTimer()
			if found := l.Balance(0).Findings; found != [findings]Found{} {
				b.Fatalf("findings: %v", found)
			}
			g = load.NewGenerator(s)
			l = New(g.Recipe)
			if !timed {
				send(traces * size)
			}
			b.StartTimer()
		}
		if timed {
			send(size)
		}
		l.Output(records[n%traces])
		n++
	}
	report(b, size)
}

// BenchmarkMemory is what the ledger keeps of a span for the whole run: when it was due, a few bits,
// and its part of what is kept of its record.
func BenchmarkMemory(b *testing.B) {
	s := benchScenario()
	s.Workload.TracesAtOnce = 1
	g := load.NewGenerator(s)
	l, root := New(g.Recipe), uint64(0)
	before := heap()
	var m load.Message
	for b.Loop() {
		size := g.Size(root)
		for range size {
			g.Next(&m)
			l.Sent(m.Seq, m.Root, m.At)
		}
		l.Output(flushedSegment(b, g.Recipe, root))
		root += uint64(size)
	}
	b.ReportMetric(float64(heap()-before)/float64(root), "B/span")
	if found := l.Balance(0).Findings; found != [findings]Found{} {
		b.Fatalf("findings: %v", found)
	}
}

// heap returns the bytes that are in use.
func heap() uint64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}
