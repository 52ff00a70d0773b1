package load

// queue is a first-in first-out queue of spans held back.
type queue struct {
	items []held
	head  int
}

func (q *queue) push(span held) { q.items = append(q.items, span) }

func (q *queue) peek() (held, bool) {
	if q.head == len(q.items) {
		return held{}, false
	}
	return q.items[q.head], true
}

func (q *queue) pop() (held, bool) {
	span, ok := q.peek()
	if !ok {
		return span, false
	}
	q.head++
	if q.head == len(q.items) {
		q.items, q.head = q.items[:0], 0
	} else if q.head > 1024 && q.head > len(q.items)/2 {
		q.items = append(q.items[:0], q.items[q.head:]...)
		q.head = 0
	}
	return span, true
}
