package load

import (
	"math"
	"strconv"
	"testing"

	"sluice/scenarios"
)

// TestWriter: what a writer of a trace writes, in any order, is what the recipe says of each span.
func TestWriter(t *testing.T) {
	work := scenarios.Default().Workload
	var w Writer
	for _, work.Depth = range []int{1, 2, 5} {
		r := NewRecipe(work, 4, 11)
		for _, root := range []uint64{0, 983, 999_999} { // with seconds that end in the span, or while it lasts
			w.Begin(r, root)
			if !w.Of(root) || w.Of(root+1) {
				t.Errorf("the writer takes itself for that of another trace")
			}
			if got, want := string(w.digits()), r.Trace(root).String(); got != want {
				t.Errorf("the key of trace %d is %s, want %s", root, got, want)
			}
			for _, index := range []int{7, 0, 1, 40, 39, placesMax - 1, placesMax, 2 * placesMax, 5} {
				if index > 0 && w.Parent(index) != plainParent(r, root, index) {
					t.Errorf("parent of %d is %d, want %d", index, w.Parent(index), plainParent(r, root, index))
				}
				text, marks := w.AppendMarked(nil, index)
				want, wanted := r.AppendMarked(nil, root, index)
				if string(text) != string(want) || marks != wanted {
					t.Errorf("span %d of trace %d is %s %+v, want %s %+v", index, root, text, marks, want, wanted)
				}
			}
		}
	}
}

// TestNumber: the short way of writing a number is the long one.
func TestNumber(t *testing.T) {
	check := func(n uint64) {
		t.Helper()
		if got := string(appendNumber([]byte("x"), n)); got != "x"+strconv.FormatUint(n, 10) {
			t.Errorf("%d is written %s", n, got)
		}
	}
	for n := range uint64(20_000) {
		check(n)
		check(n * 9_973)
	}
	for n := uint64(1); n < math.MaxUint64/10; n *= 10 {
		check(n - 1)
		check(n)
		check(n + 1)
	}
	check(math.MaxUint64)
}
