package load

import (
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
			if got, want := string(w.key()), r.Trace(root).String(); got != want {
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

// TestTimes: the short way of writing a message's times is the long one.
func TestTimes(t *testing.T) {
	for _, millis := range []uint64{0, 1, 982, 983, 999, 5_999, 6_000, 9_999, 999_999_995_983} {
		short, long := []byte(timesText), []byte(timesText)
		putTimes(short, millis)
		putTime(long[startAt:], millis)
		putTime(long[endAt:], millis+17)
		putTime(long[receivedAt:], millis+4000)
		if string(short) != string(long) {
			t.Errorf("times of %d are %s, want %s", millis, short, long)
		}
	}
}
