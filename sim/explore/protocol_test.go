package explore

import (
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
