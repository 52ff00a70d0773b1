package netfault

import (
	"slices"
	"sync"
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
	sum     effect
	changed chan struct{} // closed when sum is another one

	gone chan struct{} // closed when the connections of now are closed
	live int           // valves at work
	idle sync.Cond     // live has become 0
}

func newHalf() *half {
	h := &half{changed: make(chan struct{}), gone: make(chan struct{})}
	h.idle.L = &h.mu
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

// total sums the effects up and tells the valves.
func (h *half) total() {
	h.sum = effect{}
	for _, e := range h.effects {
		h.sum.delay += e.delay
		if e.rate > 0 && (h.sum.rate == 0 || e.rate < h.sum.rate) {
			h.sum.rate = e.rate
		}
		h.sum.swallow = h.sum.swallow || e.swallow
		h.sum.hold = h.sum.hold || e.hold
	}
	close(h.changed)
	h.changed = make(chan struct{})
}

// now returns the sum of the effects, and what is closed when it changes.
func (h *half) now() (effect, <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.sum, h.changed
}

// enter counts a valve in, and returns what is closed when its connection is.
func (h *half) enter() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.live++
	return h.gone
}

func (h *half) leave() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.live--; h.live == 0 {
		h.idle.Broadcast()
	}
}

// drop tells the valves that their connections are closed.
func (h *half) drop() {
	h.mu.Lock()
	defer h.mu.Unlock()
	close(h.gone)
	h.gone = make(chan struct{})
}

// end is drop for the last time: a valve that comes later ends at once. It returns when none is at
// work.
func (h *half) end() {
	h.mu.Lock()
	defer h.mu.Unlock()
	close(h.gone)
	for h.live > 0 {
		h.idle.Wait()
	}
}
