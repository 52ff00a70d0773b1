package load

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/leanovate/gopter"
	"github.com/leanovate/gopter/gen"
	"github.com/leanovate/gopter/prop"

	"sluice/scenarios"
)

func TestPropertyIDIsABijection(t *testing.T) {
	properties := gopter.NewProperties(nil)
	work := scenarios.Default().Workload
	properties.Property("Seq inverts ID under every seed", prop.ForAll(
		func(seed, seq uint64) bool {
			r := NewRecipe(work, 1, seed)
			return r.Seq(r.ID(seq)) == seq
		}, gen.UInt64(), gen.UInt64()))
	properties.Property("unmix inverts mix", prop.ForAll(
		func(x uint64) bool { return unmix(mix(x)) == x }, gen.UInt64()))
	properties.TestingRun(t)
}

func TestAnUnknownIDGivesNoSmallNumber(t *testing.T) {
	work := scenarios.Default().Workload
	r, other := NewRecipe(work, 1, 1), NewRecipe(work, 1, 2)
	for seq := range uint64(100_000) {
		if got := r.Seq(other.ID(seq)); got < 1<<32 {
			t.Fatalf("span %d of another run passes for span %d", seq, got)
		}
	}
}

func TestMessagesAreValidSpansOfTheirSize(t *testing.T) {
	work := scenarios.Default().Workload
	work.SpanBytes = scenarios.Spread{Kind: scenarios.SpreadUniform, Low: 450, High: 900}
	r := NewRecipe(work, 4, 7)
	const root, size = 1000, 500
	for index := range size {
		message := r.Append(nil, root, index)
		var span struct {
			Organization int64   `json:"organization_id"`
			Project      int64   `json:"project_id"`
			Trace        string  `json:"trace_id"`
			ID           string  `json:"span_id"`
			Parent       *string `json:"parent_span_id"`
			IsSegment    *bool   `json:"is_segment"`
			Start        float64 `json:"start_timestamp"`
			End          float64 `json:"end_timestamp"`
			Received     float64 `json:"received"`
			Retention    int     `json:"retention_days"`
			Status       string  `json:"status"`
		}
		if err := json.Unmarshal(message, &span); err != nil {
			t.Fatalf("%v in %s", err, message)
		}
		if span.Trace != r.Trace(root).String() || span.ID != r.ID(root+uint64(index)).String() {
			t.Errorf("ids are wrong in %s", message)
		}
		if span.Project != int64(r.Project(root)) || span.Organization == 0 || span.Start == 0 ||
			span.End < span.Start || span.Received < span.End || span.Retention == 0 || span.Status == "" {
			t.Errorf("a field is wrong in %s", message)
		}
		if (index == 0) != (span.Parent == nil) {
			t.Errorf("parent is wrong in %s", message)
		}
		if span.IsSegment != nil && *span.IsSegment != (index == 0) {
			t.Errorf("is_segment is wrong in %s", message)
		}
		if len(message) < 450 || len(message) > 900 {
			t.Errorf("message has %d bytes: %s", len(message), message)
		}
	}
}

func TestParentsComeEarlierAndNotTooDeep(t *testing.T) {
	work := scenarios.Default().Workload
	for _, work.Depth = range []int{1, 2, 5} {
		r := NewRecipe(work, 1, 3)
		deepest := 0
		for index := 1; index < 2000; index++ {
			parent := r.Parent(50, index)
			if parent < 0 || parent >= index {
				t.Fatalf("parent of %d is %d", index, parent)
			}
			if !r.Ancestor(50, parent, index) || !r.Ancestor(50, 0, index) || r.Ancestor(50, index, parent) {
				t.Fatalf("Ancestor is wrong for %d and %d", parent, index)
			}
			if want := plainParent(r, 50, index); parent != want {
				t.Fatalf("parent of %d is %d, want %d", index, parent, want)
			}
			deepest = max(deepest, level(r, 50, index))
		}
		if deepest != work.Depth {
			t.Errorf("depth is %d, want %d", deepest, work.Depth)
		}
	}
}

// level returns how many parents a span has above it.
func level(r *Recipe, root uint64, index int) int {
	level := 0
	for ; index > 0; index = r.Parent(root, index) {
		level++
	}
	return level
}

// plainParent is Parent in so many words: the one drawn, or the parent of that if it is on the
// lowest level.
func plainParent(r *Recipe, root uint64, index int) int {
	parent := r.drawn(root, index)
	for level(r, root, parent) >= r.work.Depth {
		parent = r.Parent(root, parent)
	}
	return parent
}

func TestKeySkew(t *testing.T) {
	work := scenarios.Default().Workload
	count := func() []int {
		r := NewRecipe(work, 4, 3)
		n := make([]int, 4)
		for root := range uint64(100_000) {
			n[r.Partition(root)]++
		}
		return n
	}
	near := func(got int, share float64) bool {
		return float64(got) > share*98_000 && float64(got) < share*102_000
	}
	for p, n := range count() {
		if !near(n, 0.25) {
			t.Errorf("without skew partition %d gets %d of 100000", p, n)
		}
	}
	work.KeySkew = 1 // shares 12, 6, 4, 3 of 25
	for p, n := range count() {
		if share := []float64{12, 6, 4, 3}[p] / 25; !near(n, share) {
			t.Errorf("with skew 1 partition %d gets %d of 100000, want a share of %v", p, n, share)
		}
		if share := PartitionShares(4, 1)[p]; !near(n, share) {
			t.Errorf("partition %d gets %d of 100000, and its share is %v", p, n, share)
		}
	}
}

func BenchmarkGenerator(b *testing.B) {
	s := scenarios.Default()
	s.Workload.Rate.From = 1e6
	s.Workload.TracesAtOnce = 200
	s.Duration = time.Hour
	g := NewGenerator(s)
	var m Message
	b.SetBytes(int64(s.Workload.SpanBytes.Low))
	for b.Loop() {
		g.Next(&m)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "spans/s")
}

// TestRoots: a trace's id leads back to its root, and so does each of its spans.
func TestRoots(t *testing.T) {
	work := scenarios.Default().Workload
	work.SpansPerTrace = scenarios.Spread{Kind: scenarios.SpreadUniform, Low: 1, High: 9}
	r := NewRecipe(work, 4, 3)
	root := uint64(0)
	for range 200 {
		if got := r.Root(r.Trace(root)); got != root {
			t.Fatalf("trace %v leads to %d, want %d", r.Trace(root), got, root)
		}
		for seq := root; seq < root+uint64(r.Size(root)); seq++ {
			if got := r.RootOf(seq); got != root {
				t.Fatalf("span %d leads to %d, want %d", seq, got, root)
			}
		}
		root += uint64(r.Size(root))
	}
}
