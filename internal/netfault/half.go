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

// heldMax is how many bytes may be held back.
func (e effect) heldMax() int {
	if e.rate > 0 {
		return heldThrottled
	}
	return heldMax
}

// piece is how many bytes a throttled connection gets at a time.
func (e effect) piece() int {
	return max(1, int(e.rate/int64(time.Second/pieceEvery)))
}

// half is one direction of all connections to a server, with the effects that last.
type half struct {
	mu      sync.Mutex
	effects []*effect
	sum     effect
	changed chan struct{} // closed when sum is another one
	pipes   map[*pipe]struct{}
}

func newHalf() *half {
	return &half{changed: make(chan struct{}), pipes: map[*pipe]struct{}{}}
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
	past := time.Unix(1, 0)
	for p := range h.pipes {
		_ = p.from.SetReadDeadline(past) // it fails on a closed connection, which waits for nothing
		_ = p.to.SetWriteDeadline(past)
	}
}

// plan returns the sum of the effects, what a pipe is to send next under them and when, if
// anything, and what is closed when they change. A read ends when that is due.
func (h *half) plan(p *pipe) (now effect, piece []byte, due time.Time, changed <-chan struct{}) {
	h.mu.Lock() // so that the deadlines set here do not overwrite those that total sets
	defer h.mu.Unlock()
	piece, due = p.next(h.sum)
	_ = p.from.SetReadDeadline(due)
	_ = p.to.SetWriteDeadline(time.Time{})
	return h.sum, piece, due, h.changed
}

func (h *half) enter(p *pipe) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.pipes[p] = struct{}{}
}

func (h *half) leave(p *pipe) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.pipes, p)
}
