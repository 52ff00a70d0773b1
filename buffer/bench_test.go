package buffer

import (
	"math/rand/v2"
	"testing"
)

// interleaved returns a batch of spans in traces of 5 spans each, as a batch of 1,000 of 200 traces
// at a time looks like.
func interleaved(n int) []Span {
	random := rand.New(rand.NewPCG(1, 2))
	const traces = 200
	last := make([][]SpanID, traces)
	spans := make([]Span, n)
	for i := range spans {
		trace := random.IntN(traces)
		s := &spans[i]
		s.Trace[0] = byte(trace)
		for j := range s.ID {
			s.ID[j] = byte(random.Uint32())
		}
		s.Parent, s.Root = s.ID, true
		if known := last[trace]; len(known) > 0 {
			s.Parent, s.Root = known[random.IntN(len(known))], false
		}
		s.Size, s.Position.Offset = 500, int64(i)
		last[trace] = append(last[trace], s.ID)
	}
	return spans
}

func BenchmarkGroup(b *testing.B) {
	spans := interleaved(1000)
	b.ReportAllocs()
	for b.Loop() {
		Group(spans)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(spans)), "ns/span")
}
