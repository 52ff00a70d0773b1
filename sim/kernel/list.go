package kernel

// list holds the tasks that wait for something, in the order in which they began to.
type list struct{ first, last *node }

// node is a task's place in a list. It is part of the task, so waiting allocates nothing.
type node struct {
	task       *Task
	in         *list // nil: in none
	prev, next *node
}

func (l *list) add(n *node) {
	n.in, n.prev, n.next = l, l.last, nil
	if l.last == nil {
		l.first = n
	} else {
		l.last.next = n
	}
	l.last = n
}

// remove takes the node out of the list that it is in.
func (n *node) remove() {
	l := n.in
	if n.prev == nil {
		l.first = n.next
	} else {
		n.prev.next = n.next
	}
	if n.next == nil {
		l.last = n.prev
	} else {
		n.next.prev = n.prev
	}
	n.in, n.prev, n.next = nil, nil, nil
}
