package sim

import (
	"time"

	"sluice/sim/kernel"
)

// wire is what a host has to the network: each direction carries what goes there piece by piece, in the
// order in which it was sent.
type wire struct {
	k    *kernel.Kernel
	rate int64 // bytes per second
	free [2]time.Duration
	busy [2]time.Duration
}

// newWire returns the wire of a host of its own; nil if there is none, or none that is ever full.
func newWire(k *kernel.Kernel, n Network, h Hosts) *wire {
	if h.Shared || n.Bandwidth == 0 {
		return nil
	}
	return &wire{k: k, rate: n.Bandwidth}
}

// pass returns how long some bytes take from now on in a direction, after those before them.
func (w *wire) pass(direction, bytes int) time.Duration {
	if w == nil {
		return 0
	}
	now := w.k.Elapsed()
	took := time.Duration(float64(bytes) / float64(w.rate) * float64(time.Second))
	w.busy[direction] += took
	w.free[direction] = max(w.free[direction], now) + took
	return w.free[direction] - now
}

// used is for how long the busier direction had something to carry.
func (w *wire) used() time.Duration {
	if w == nil {
		return 0
	}
	return max(w.busy[requests], w.busy[answers])
}
