package load

// queue is a first-in first-out queue of spans held back.
type queue struct {
	items []held
	head  int
}

func (q *queue) push(span held) { q.items = append(q.items, span) }

// peek returns the first, which is valid until the next call, or nil if there is none.
func (q *queue) peek() *held {
	if q.head == len(q.items) {
		return nil
	}
	return &q.items[q.head]
}

// pop fills in the first and takes it out, or returns false if there is none.
func (q *queue) pop(span *held) (ok bool) {
	if q.head == len(q.items) {
		return false
	}
	*span = q.items[q.head]
	q.head++
	if q.head == len(q.items) {
		q.items, q.head = q.items[:0], 0
	} else if q.head > 1024 && q.head > len(q.items)/2 {
		q.items = append(q.items[:0], q.items[q.head:]...)
		q.head = 0
	}
	return true
}
