package storetest

import (
	"time"

	"sluice/buffer"
)

func (h *hand) clock() {
	wants := func(want buffer.ShardClock) {
		h.t.Helper()
		if got := h.fence(0).Clock; got != want {
			h.t.Errorf("clock %+v, want %+v", got, want)
		}
	}
	lease := func(now buffer.Instant) {
		h.t.Helper()
		h.lease(h.fence(0).Owner, now, 9)
	}
	tick := func(wall buffer.Instant) {
		h.t.Helper()
		h.must(h.store.Enqueue(h.t.Context(), 0, buffer.QueueUpdate{Tick: true, Wall: wall}))
	}
	batch := func(clock, wall, seen buffer.Instant) {
		h.t.Helper()
		h.must(h.store.Enqueue(h.t.Context(), 0, buffer.QueueUpdate{Clock: clock, Wall: wall, Seen: seen}))
	}
	lease(70)
	wants(buffer.ShardClock{}) // without input it has none
	tick(5000)
	tick(4000)
	wants(buffer.ShardClock{Seen: 5000})
	batch(3000, 5000, 0)
	wants(buffer.ShardClock{Now: 3000, Drift: -2 * time.Second, Inputs: 1, Seen: 5000})
	lease(3500)
	lease(3200)
	wants(buffer.ShardClock{Now: 3500, Drift: -2 * time.Second, Inputs: 1, Seen: 5000})
	batch(2500, 4500, 4400) // of before the tick
	wants(buffer.ShardClock{Now: 2500, Drift: -2 * time.Second, Inputs: 2, Seen: 5000})
	batch(2600, 6100, 6050) // a sign of the input, as a tick is
	wants(buffer.ShardClock{Now: 2600, Drift: -3500 * time.Millisecond, Inputs: 3, Seen: 6050})
	seen := func(want buffer.Instant) {
		h.t.Helper()
		wants(buffer.ShardClock{Now: 2600, Drift: -3500 * time.Millisecond, Inputs: 3, Seen: want})
	}
	ahead := buffer.Instant(buffer.SeenAheadMax.Milliseconds())
	tick(99_000)
	tick(99_000 - ahead) // of another reader, or late
	seen(99_000)
	tick(99_000 - ahead - 1) // the reader's clock was set back
	seen(99_000 - ahead - 1)
	tick(99_000 - ahead)
	seen(99_000 - ahead)
}

// clockWithoutTicks: an input that does not tick is not taken for one that has stopped to; one that does
// may begin with a batch.
func (h *hand) clockWithoutTicks() {
	want := buffer.ShardClock{Now: 2500, Drift: -3500 * time.Millisecond}
	for _, seen := range []buffer.Instant{0, -1, 5500} {
		h.must(h.store.Enqueue(h.t.Context(), 0, buffer.QueueUpdate{Clock: 2500, Wall: 6000, Seen: seen}))
		want.Inputs, want.Seen = want.Inputs+1, max(0, seen)
		if got := h.fence(0).Clock; got != want {
			h.t.Errorf("clock %+v, want %+v", got, want)
		}
	}
}
