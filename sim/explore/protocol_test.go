package explore

import (
	"slices"
	"strings"
	"testing"
)

// TestOneFenceIsNotEnough: a worker that fenced itself, to no effect, and woke beside its successor, would
// take the epoch of that for its own, were it not the second after its own.
func TestOneFenceIsNotEnough(t *testing.T) {
	for fences, want := range map[uint32]string{1: "two owners: ", 2: ""} {
		w := small("protocol", 1, 1, 1, 3).world().(*protocol)
		w.fences = fences
		f := newSearch(w, 0)
		f.run(t.Context(), nil)
		if !strings.HasPrefix(f.wrong, want) || f.exhausted != (want == "") {
			t.Errorf("after %d fences: %q", fences, f.wrong)
		}
	}
}

// TestOneThatIsToLetGoMayLoseItsPartition before it has.
func TestOneThatIsToLetGoMayLoseItsPartition(t *testing.T) {
	w := small("rebalance", 1, 1, 1, 2).world().(*protocol)
	s := w.first()[0]
	for _, step := range []string{"reader 0: read a0", "reader 0: partition revoked", "reader 0: partition lost"} {
		var after []uint32
		var open []string
		w.expand(s, func(m move, next []uint32, _ string) {
			open = append(open, w.describe(s, m))
			if open[len(open)-1] == step {
				after = slices.Clone(next)
			}
		})
		if s = after; s == nil {
			t.Fatalf("no %q among %q", step, open)
		}
	}
}
