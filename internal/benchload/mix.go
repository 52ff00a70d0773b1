package benchload

import (
	"cmp"
	"iter"
	"math"
	"math/rand/v2"
	"slices"

	"sluice/buffer"
)

// Mix says how many segments there are and how they arrive. Each is a trace of its own, all of whose
// spans have the same partition.
type Mix struct {
	// Segments is their number. Their sizes have the shares of Classes, as exactly as a whole number
	// can have them.
	Segments int
	// Classes are the sizes of segments. Their shares add up to 1.
	Classes []Class
	// Shards is the number of partitions. Traces are spread over them at random.
	Shards int
	// Window is within how many spans of the whole stream those of one segment arrive, at random, the
	// root first. A segment of more spans than half of it takes twice as many as it has.
	Window int

	Seed uint64
	// Project of all spans.
	Project buffer.ProjectID
}

// Class is a range of sizes that a share of the segments has: Min to Max spans, each as likely.
type Class struct {
	Share    float64
	Min, Max int
}

// W2 returns the mix that users have, in so many segments: half are of 1 span, a few are giants, which
// have a quarter of all spans. There are 37.9 spans of about 600 bytes to a segment, so 8,000 are
// 300,000 spans or 180 MB. It takes 1,000 segments to have a giant.
func W2(seed uint64, segments int) Mix {
	return Mix{
		Segments: segments,
		Classes: []Class{
			{0.5, 1, 1}, {0.3, 2, 10}, {0.17, 11, 100}, {0.029, 101, 1000}, {0.001, 10_000, 10_000},
		},
		Shards: 64, Window: 100_000, Seed: seed, Project: 1,
	}
}

// Sizes returns how many spans each segment has, in the order in which they were drawn.
func (m Mix) Sizes() []int { return m.sizes(m.random()) }

func (m Mix) random() *rand.Rand { return rand.New(rand.NewChaCha8(keyOf(m.Seed))) }

func (m Mix) sizes(random *rand.Rand) []int {
	sizes := make([]int, 0, m.Segments)
	share := 0.0
	for _, c := range m.Classes {
		share += c.Share
		for last := int(math.Round(share * float64(m.Segments))); len(sizes) < last; {
			sizes = append(sizes, c.Min+random.IntN(c.Max-c.Min+1))
		}
	}
	return sizes
}

// spanBytesMin, spanBytesMax and spanBytesExponent are those of the sizes of spans: a Pareto
// distribution, P(size > x) = (min/x)^exponent, cut off at max. Its median is 424 bytes, 1 in 100 spans
// has more than 3,000, 1 in 1,000 more than 9,500.
const (
	spanBytesMin, spanBytesMax = 300, 100_000
	spanBytesExponent          = 2
)

// spanBytes draws the size of a span.
func spanBytes(random *rand.Rand) int {
	x := spanBytesMin / math.Pow(1-random.Float64(), 1/float64(spanBytesExponent))
	return int(min(x, spanBytesMax))
}

// arrival is when a span of a segment arrives.
type arrival struct {
	at      float64
	segment int32
}

// Spans yields the spans in the order in which they are sent. A span's position is its partition, and
// its offset there, from 0. The first span of a segment is its root, the others have a random earlier
// parent; their payloads are those of Workload.Batches, of sizes between 300 bytes and 3 kB with a long
// tail. Equal mixes give equal spans.
func (m Mix) Spans() iter.Seq[buffer.Span] {
	return func(yield func(buffer.Span) bool) {
		random := m.random()
		segments, arrivals := m.draw(random)
		offsets := make([]int64, m.Shards)
		for _, a := range arrivals {
			t := &segments[a.segment]
			w := Workload{SpanBytes: spanBytes(random), Project: m.Project, Partition: t.partition}
			if !yield(w.next(random, &t.trace, offsets[t.partition])) {
				return
			}
			offsets[t.partition]++
		}
	}
}

// mixed is a segment of a mix.
type mixed struct {
	trace
	partition int32
}

// draw returns the segments, and which of them each span of the stream belongs to.
func (m Mix) draw(random *rand.Rand) ([]mixed, []arrival) {
	sizes := m.sizes(random)
	segments, total := make([]mixed, len(sizes)), 0
	for _, size := range sizes {
		total += size
	}
	arrivals := make([]arrival, 0, total)
	for i, size := range sizes {
		fill(random, segments[i].id[:])
		segments[i].partition = int32(random.IntN(m.Shards))
		length := float64(min(max(m.Window, 2*size), total))
		begin := random.Float64() * (float64(total) - length)
		for range size {
			arrivals = append(arrivals, arrival{begin + random.Float64()*length, int32(i)})
		}
	}
	slices.SortStableFunc(arrivals, func(a, b arrival) int { return cmp.Compare(a.at, b.at) })
	return segments, arrivals
}

// Batches yields the spans of Spans as their partitions deliver them: a batch of one partition whenever
// that many of it have come, and what is left of each at the end.
func (m Mix) Batches(spansPerBatch int) iter.Seq[[]buffer.Span] {
	return func(yield func([]buffer.Span) bool) {
		waiting := make([][]buffer.Span, m.Shards)
		for span := range m.Spans() {
			batch := &waiting[span.Position.Partition]
			if *batch = append(*batch, span); len(*batch) < spansPerBatch {
				continue
			}
			if !yield(*batch) {
				return
			}
			*batch = nil
		}
		for _, batch := range waiting {
			if len(batch) > 0 && !yield(batch) {
				return
			}
		}
	}
}
