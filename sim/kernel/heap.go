package kernel

import "math/bits"

// An event is a value of 16 bytes without a pointer: moving it in the heap costs no write barrier.
type event struct {
	at int64 // in nanoseconds since the start
	// key is the event's number, and in its lowest slotBits the slot of whom it resumes: so events
	// of one instant are in the order in which they were scheduled. A number is never used twice,
	// so that a key also tells whether the event is still wanted.
	key uint64
}

const (
	slotBits = 24
	slotMask = 1<<slotBits - 1
)

func (e event) before(f event) bool { return earlier(&e, &f) == 1 }

// earlier returns 1 if e is before f, and 0 if not. It has no branch, which a processor would guess
// wrong every other time.
func earlier(e, f *event) int {
	_, borrow := bits.Sub64(e.key, f.key, 0)
	_, borrow = bits.Sub64(uint64(e.at), uint64(f.at), borrow)
	return int(borrow)
}

// heap is a 4-ary heap: half as deep as a binary one, and the children of a node lie in one or two
// cache lines.
type heap struct {
	events []event
	// taken means that the first event is no longer in the heap. Its place is kept for the next
	// push, since most events schedule another one: that saves moving the last event to the top.
	taken bool
}

// first returns the first event, and false if there is none.
func (h *heap) first() (event, bool) {
	if h.taken {
		h.taken = false
		last := len(h.events) - 1
		moved := h.events[last]
		h.events = h.events[:last]
		if last > 0 {
			h.down(moved)
		}
	}
	if len(h.events) == 0 {
		return event{}, false
	}
	return h.events[0], true
}

// take removes the event that first has just returned.
func (h *heap) take() { h.taken = true }

// after tells whether every event is later than the instant.
func (h *heap) after(at int64) bool {
	if !h.taken {
		return len(h.events) == 0 || h.events[0].at > at
	}
	for _, e := range h.events[1:min(5, len(h.events))] {
		if e.at <= at {
			return false
		}
	}
	return true
}

func (h *heap) push(e event) {
	if h.taken {
		h.taken = false
		h.down(e)
		return
	}
	h.events = append(h.events, e)
	events, i := h.events, len(h.events)-1
	for i > 0 {
		parent := (i - 1) / 4
		if !e.before(events[parent]) {
			break
		}
		events[i] = events[parent]
		i = parent
	}
	events[i] = e
}

// down puts an event at the top, and moves it to where it belongs.
func (h *heap) down(e event) {
	events, i := h.events, 0
	for {
		child := 4*i + 1
		if child >= len(events) {
			break
		}
		children := events[child:min(child+4, len(events))]
		least := 0
		if len(children) == 4 {
			c := (*[4]event)(children)
			left, right := earlier(&c[1], &c[0]), 2+earlier(&c[3], &c[2])
			least = left + (right-left)*earlier(&c[right], &c[left])
		} else {
			for i := range children {
				least += (i - least) * earlier(&children[i], &children[least])
			}
		}
		if !children[least].before(e) {
			break
		}
		events[i] = children[least]
		i = child + least
	}
	events[i] = e
}
