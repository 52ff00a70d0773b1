package kernel

// agenda is what will happen, in the order of instant and number.
type agenda struct {
	heap heap
	// soon are the keys of the events of this very instant that were scheduled in it. Their numbers
	// are greater than those of the events that the heap has for it, and ascend.
	soon []uint64
	done int // of soon
}

// add schedules an event; now is the instant.
func (a *agenda) add(e event, now int64) {
	if e.at == now {
		a.soon = append(a.soon, e.key)
		return
	}
	a.heap.push(e)
}

// take returns the key of the next event of this instant, and false if nothing is left in it.
func (a *agenda) take(now int64) (key uint64, any bool) {
	if e, any := a.heap.first(); any && e.at == now {
		a.heap.take()
		return e.key, true
	}
	if a.done == len(a.soon) {
		return 0, false
	}
	key = a.soon[a.done]
	if a.done++; a.done == len(a.soon) {
		a.soon, a.done = a.soon[:0], 0
	}
	return key, true
}

// next returns the next instant, once this one is over, and false if there is none.
func (a *agenda) next() (at int64, any bool) {
	e, any := a.heap.first()
	return e.at, any
}

// empty tells whether nothing happens up to an instant to come.
func (a *agenda) empty(until int64) bool { return len(a.soon) == 0 && a.heap.after(until) }
