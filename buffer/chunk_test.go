package buffer

import (
	"reflect"
	"testing"

	"github.com/leanovate/gopter"
	"github.com/leanovate/gopter/gen"
	"github.com/leanovate/gopter/prop"

	"sluice/internal/proptest"
)

func TestChunks(t *testing.T) {
	cases := []struct {
		name  string
		sizes []int
		limit Bytes
		want  [][2]int
	}{
		{"nothing", nil, 10, nil},
		{"off", []int{100, 200}, NoSegmentLimit, [][2]int{{0, 2}}},
		{"within", []int{1, 2, 3}, 7, [][2]int{{0, 3}}},
		{"exactly", []int{1, 2, 3}, 6, [][2]int{{0, 3}}},
		{"one over", []int{1, 2, 3}, 5, [][2]int{{0, 2}, {2, 3}}},
		{"greedy", []int{150, 150, 150, 150, 150}, 500, [][2]int{{0, 3}, {3, 5}}},
		{"one too big", []int{31}, 10, [][2]int{{0, 1}}},
		{"too big first", []int{31, 1, 1}, 10, [][2]int{{0, 1}, {1, 3}}},
		{"too big between", []int{1, 31, 1}, 10, [][2]int{{0, 1}, {1, 2}, {2, 3}}},
		{"too big last", []int{1, 1, 31}, 10, [][2]int{{0, 2}, {2, 3}}},
		{"empty spans fit where nothing else does", []int{10, 0, 1, 0}, 10, [][2]int{{0, 2}, {2, 4}}},
		{"order before packing", []int{6, 5, 4, 5}, 10, [][2]int{{0, 1}, {1, 3}, {3, 4}}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := Chunks(c.sizes, c.limit); !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

// faultOfChunks says what is wrong with a cut, or nothing.
func faultOfChunks(chunks [][2]int, sizes []int, limit Bytes) string {
	next, before := 0, Bytes(0)
	for i, c := range chunks {
		if c[0] != next || c[1] <= c[0] || c[1] > len(sizes) {
			return "an index is left out, twice there, or out of order"
		}
		sum := Bytes(0)
		for _, size := range sizes[c[0]:c[1]] {
			sum += Bytes(size)
		}
		if limit != NoSegmentLimit && sum > limit && c[1]-c[0] > 1 {
			return "a chunk of several spans is over the limit"
		}
		if i > 0 && (limit == NoSegmentLimit || before+Bytes(sizes[c[0]]) <= limit) {
			return "a chunk ends though the next span would have fitted"
		}
		next, before = c[1], sum
	}
	if next != len(sizes) {
		return "the last spans are missing"
	}
	return ""
}

func TestPropertyChunking(t *testing.T) {
	proptest.Check(t, "chunks", chunking(Chunks), proptest.Cases(1000))
}

// chunking is the property of a function that cuts.
func chunking(cut func([]int, Bytes) [][2]int) gopter.Prop {
	return prop.ForAll(func(sizes []int, limit int64) string {
		return faultOfChunks(cut(sizes, Bytes(limit)), sizes, Bytes(limit))
	}, gen.SliceOf(gen.IntRange(0, 50)), gen.Int64Range(0, 200))
}

// caught takes a failure that is wanted.
type caught struct {
	*testing.T
	failed bool
}

func (c *caught) Errorf(string, ...any) { c.failed = true }
func (c *caught) Failed() bool          { return c.failed }

// Each defect breaks one sentence of the contract, and the property must see it.
func TestPropertyChunkingCatchesDefects(t *testing.T) {
	defects := map[string]func([]int, Bytes) [][2]int{
		"loses the last chunk": func(sizes []int, limit Bytes) [][2]int {
			chunks := Chunks(sizes, limit)
			return chunks[:max(0, len(chunks)-1)]
		},
		"one chunk too large": func(sizes []int, limit Bytes) [][2]int {
			return Chunks(sizes, limit+limit/2)
		},
		"cuts too early": func(sizes []int, limit Bytes) [][2]int {
			return Chunks(sizes, max(1, limit-5))
		},
		"out of order": func(sizes []int, limit Bytes) [][2]int {
			chunks := Chunks(sizes, limit)
			if len(chunks) > 1 {
				chunks[0], chunks[1] = chunks[1], chunks[0]
			}
			return chunks
		},
	}
	for name, defect := range defects {
		t.Run(name, func(t *testing.T) {
			c := &caught{T: t}
			proptest.Check(c, name, chunking(defect), proptest.Cases(1000), proptest.FailuresIn(t.TempDir()))
			if !c.failed {
				t.Error("the property holds with the defect")
			}
		})
	}
}
