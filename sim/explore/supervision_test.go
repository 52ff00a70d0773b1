package explore

import (
	"strings"
	"testing"

	"sluice/buffer"
	"sluice/internal/defects"
)

// TestFenced: a child is to have the last epoch of each of its shards, and its predecessor not the one
// before.
func TestFenced(t *testing.T) {
	w := newSupervision(newSystem(small("supervisor", 1, 1, 1, 1).Size, defects.Defect{}), true)
	s := w.first()[0]
	for range 4 {
		e := w.stores.step(int32(s[supStore]), w.machines.ops.number(fence{0, buffer.AnyEpoch}), 0)
		s[supStore] = uint32(e.to)
	}
	started := func(n int, e buffer.Epoch, as phase) process {
		return process{Child: child{0, n}, Shards: []buffer.Shard{0}, Epochs: []buffer.Epoch{e}, Phase: as}
	}
	for _, c := range []struct {
		before process
		epoch  buffer.Epoch
		want   string
	}{
		{started(1, 2, gone), 4, ""},
		{started(1, 3, refused), 4, ""},
		{started(1, 3, gone), 4, "under epoch 4, after one under epoch 3"},
		{started(1, 1, gone), 3, "under epoch 3, and the last is 4"},
	} {
		s[supChildren] = uint32(w.children.number([]process{c.before}))
		copy(w.next, s)
		got := w.fenced(started(2, c.epoch, starting))
		if (c.want == "") != (got == "") || !strings.Contains(got, c.want) {
			t.Errorf("after %s: %q, want %q", c.before, got, c.want)
		}
	}
	s[supChildren] = uint32(w.children.number([]process{started(1, 2, up)}))
	if wrong := w.rest(s); !strings.HasPrefix(wrong, "coverage: shard 0 has no worker under its last epoch") {
		t.Errorf("at rest under an epoch before the last: %q", wrong)
	}
}
