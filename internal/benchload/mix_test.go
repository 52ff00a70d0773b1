package benchload

import (
	"math"
	"reflect"
	"slices"
	"testing"

	"sluice/buffer"
)

func TestW2HasItsShares(t *testing.T) {
	const segments = 8000
	sizes := W2(1, segments).Sizes()
	if len(sizes) != segments {
		t.Fatalf("%d segments, want %d", len(sizes), segments)
	}
	for _, class := range []struct {
		min, max, want int
		mean           float64
	}{
		{1, 1, 4000, 1}, {2, 10, 2400, 6}, {11, 100, 1360, 55.5}, {101, 1000, 232, 550.5},
		{10_000, 10_000, 8, 10_000},
	} {
		n, sum := 0, 0
		for _, size := range sizes {
			if class.min <= size && size <= class.max {
				n, sum = n+1, sum+size
			}
		}
		if n != class.want {
			t.Errorf("%d segments of %d to %d spans, want %d", n, class.min, class.max, class.want)
		}
		// The mean of a uniform distribution, within four standard errors.
		deviation := float64(class.max-class.min) / math.Sqrt(12*float64(n))
		if mean := float64(sum) / float64(n); math.Abs(mean-class.mean) > 4*deviation {
			t.Errorf("segments of %d to %d spans have %.1f on average, want %.1f",
				class.min, class.max, mean, class.mean)
		}
	}
}

func TestSizesOfSpansHaveALongTail(t *testing.T) {
	const n = 200_000
	random := W2(1, 1).random()
	sizes := make([]int, n)
	for i := range sizes {
		sizes[i] = spanBytes(random)
	}
	slices.Sort(sizes)
	if sizes[0] < 300 || sizes[n-1] > 100_000 {
		t.Errorf("sizes from %d to %d, want 300 to 100,000", sizes[0], sizes[n-1])
	}
	for _, c := range []struct {
		quantile float64
		want     int
	}{{0.5, 424}, {0.99, 3000}, {0.999, 9487}} {
		got := sizes[int(c.quantile*n)]
		if math.Abs(float64(got-c.want)) > 0.15*float64(c.want) {
			t.Errorf("quantile %v is %d bytes, want about %d", c.quantile, got, c.want)
		}
	}
}

func TestSpansOfAMixAreWhole(t *testing.T) {
	m := W2(1, 1000)
	m.Window = 5000
	type segment struct {
		ids         []buffer.SpanID
		partition   int32
		first, last int
	}
	segments := make(map[buffer.TraceID]*segment)
	offsets := make(map[int32]int64)
	n := 0
	for span := range m.Spans() {
		p := span.Position
		if p.Offset != offsets[p.Partition] {
			t.Fatalf("offset %d of partition %d, want %d", p.Offset, p.Partition, offsets[p.Partition])
		}
		offsets[p.Partition]++
		s := segments[span.Trace]
		if root := s == nil; root != span.Root || root != (span.Parent == span.ID) {
			t.Fatalf("span %d: first of its segment is %v, root %v, below %v", n, root, span.Root, span.Parent)
		}
		if s == nil {
			s = &segment{partition: p.Partition, first: n}
			segments[span.Trace] = s
		} else if !slices.Contains(s.ids, span.Parent) {
			t.Fatalf("the parent of span %d did not come before it", n)
		}
		if s.partition != p.Partition {
			t.Fatalf("span %d is in partition %d, others of its segment in %d", n, p.Partition, s.partition)
		}
		if n%100 == 0 {
			checkPayload(t, &span)
		}
		s.ids, s.last = append(s.ids, span.ID), n
		n++
	}
	if len(offsets) != m.Shards {
		t.Errorf("%d partitions, want %d", len(offsets), m.Shards)
	}
	var got []int
	for _, s := range segments {
		got = append(got, len(s.ids))
		// Places in the stream are about the times that were drawn: where the giant is, which is a quarter
		// of all, they are closer together. Segments would not be interleaved
		// if each took no more places than it has spans.
		window := max(m.Window, 2*len(s.ids))
		over := s.last - s.first
		if over > 2*window || len(s.ids) > 100 && over < len(s.ids)*3/2 {
			t.Errorf("a segment of %d spans arrives within %d spans, want %d", len(s.ids), over, window)
		}
	}
	want := m.Sizes()
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Error("the sizes of the segments are not those that were drawn")
	}
}

func TestBatchesOfAMixKeepTheOrder(t *testing.T) {
	m := W2(1, 1000)
	m.Window = 10_000
	const each = 100
	next := make(map[int32]int64)
	n, short := 0, make(map[int32]bool)
	for batch := range m.Batches(each) {
		p := batch[0].Position.Partition
		if short[p] || len(batch) > each {
			t.Fatalf("a batch of %d spans of partition %d", len(batch), p)
		}
		short[p] = len(batch) < each
		for i := range batch {
			if batch[i].Position != (buffer.Position{Partition: p, Offset: next[p]}) {
				t.Fatalf("span %v, want %d@%d", batch[i].Position, p, next[p])
			}
			next[p]++
		}
		n += len(batch)
	}
	want := 0
	for _, size := range m.Sizes() {
		want += size
	}
	if n != want {
		t.Errorf("%d spans in batches, want %d", n, want)
	}
}

func TestSeedsOfAMixRepeat(t *testing.T) {
	spans := func(seed uint64) []buffer.Span { return slices.Collect(W2(seed, 100).Spans()) }
	if !reflect.DeepEqual(spans(1), spans(1)) {
		t.Error("equal seeds give different spans")
	}
	if reflect.DeepEqual(spans(1), spans(2)) {
		t.Error("different seeds give equal spans")
	}
}
