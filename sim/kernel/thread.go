package kernel

import "iter"

// thread is a coroutine on which tasks run, one after another: starting one costs more than many a task,
// and its stack grows once only.
type thread struct {
	next    func() (struct{}, bool)
	stop    func()
	yield   func(struct{}) bool // once it has begun
	task    *Task
	stopped bool
}

// thread returns one that has no task.
func (k *Kernel) thread() *thread {
	if last := len(k.threads) - 1; last >= 0 {
		h := k.threads[last]
		k.threads = k.threads[:last]
		return h
	}
	h := &thread{}
	h.next, h.stop = iter.Pull(func(yield func(struct{}) bool) {
		h.yield = yield
		for {
			t := h.task
			t.yield = yield
			t.run()
			if h.stopped {
				return
			}
			k.leave(h)
			if !yield(struct{}{}) {
				return
			}
		}
	})
	return h
}

// leave takes the task from a thread, which waits for another one.
func (k *Kernel) leave(h *thread) {
	h.task = nil
	k.threads = append(k.threads, h)
}

// unwind stops a task where it is parked: its deferred calls run now.
func (h *thread) unwind() {
	h.stopped = true
	h.stop()
}
