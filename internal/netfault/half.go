package netfault

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// effect is what one fault does to the bytes of a direction.
type effect struct {
	delay         time.Duration
	rate          int64 // bytes per second; 0: any
	swallow, hold bool
}

// half is one direction of all connections to a server, with the effects that last.
type half struct {
	mu      sync.Mutex
	effects []*effect
	sum     atomic.Pointer[sum]
}

// sum is what all effects are together.
type sum struct {
	effect
	changed chan struct{} // closed when it is another one
}

func newHalf() *half {
	h := &half{}
	h.sum.Store(&sum{changed: make(chan struct{})})
	return h
}

func (h *half) add(e *effect) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.effects = append(h.effects, e)
	h.total()
}

func (h *half) remove(e *effect) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.effects = slices.DeleteFunc(h.effects, func(other *effect) bool { return other == e })
	h.total()
}

// total sums the effects up and tells the pipes.
func (h *half) total() {
	total := &sum{changed: make(chan struct{})}
	for _, e := range h.effects {
		total.delay += e.delay
		if e.rate > 0 && (total.rate == 0 || e.rate < total.rate) {
			total.rate = e.rate
		}
		total.swallow = total.swallow || e.swallow
		total.hold = total.hold || e.hold
	}
	close(h.sum.Swap(total).changed)
}

// now returns the sum of the effects.
func (h *half) now() *sum { return h.sum.Load() }
