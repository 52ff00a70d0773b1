package kernel

import (
	"errors"
	"runtime/debug"
	"time"
)

// Task is a coroutine of a process. A timer is one that has no coroutine, only a function.
type Task struct {
	// What every event touches comes first, in few cache lines.

	// wake is the key of the event that resumes the task; 0: none does.
	wake    uint64
	process *Process
	slot    uint32
	// parked is true while the coroutine waits in yield, or has not begun: only then can it be
	// stopped.
	parked    bool
	done      bool
	signalled bool // by a Cond
	next      func() (struct{}, bool)
	yield     func(struct{}) bool
	// What it waits for, since when and until when, and the number of its waiting.
	on           any
	since, until int64
	order        uint64
	queue        node // in the list of what it waits for
	sleeper      node // in the list of the watch on its context
	watch        *watch

	k       *Kernel
	name    string
	fn      func()
	stop    func()
	index   int  // in process.tasks
	waiters list // for its end
}

// errKilled unwinds a task whose process is dead. No other value does.
var errKilled = errors.New("the process is dead")

func (k *Kernel) newTask(p *Process, name string) *Task {
	t := &Task{k: k, name: name, process: p}
	t.queue.task, t.sleeper.task = t, t
	if last := len(k.free) - 1; last >= 0 {
		t.slot, k.free = k.free[last], k.free[:last]
		k.slots[t.slot] = t
		return t
	}
	if len(k.slots) > slotMask {
		panic("kernel: more than 16 million tasks at a time")
	}
	t.slot = uint32(len(k.slots))
	k.slots = append(k.slots, t)
	return t
}

// drop forgets a task or timer that will not be resumed again.
func (k *Kernel) drop(t *Task) {
	t.wake = 0
	k.slots[t.slot] = nil
	k.free = append(k.free, t.slot)
}

// run is the coroutine.
func (t *Task) run(yield func(struct{}) bool) {
	t.parked = false
	t.yield = yield
	defer t.finish()
	t.fn()
}

// finish ends a task that has returned, was killed, or has panicked. Of a process that is dead
// nothing is heard any more, not even a panic.
func (t *Task) finish() {
	k := t.k
	if cause := recover(); cause != nil && !t.process.dead && k.failure == nil {
		k.failure = &Failure{Kind: Panic, Task: t.String(), Cause: cause, Stack: debug.Stack()}
		k.describe(k.failure)
	}
	if !t.done {
		t.process.remove(t)
		k.end(t)
	}
}

// end makes it known that a task is over.
func (k *Kernel) end(t *Task) {
	t.done = true
	k.unwait(t)
	k.unwatch(t)
	k.drop(t)
	k.wakeAll(&t.waiters)
}

// unwind stops a coroutine where it is parked: its deferred calls run now.
func (k *Kernel) unwind(t *Task) {
	was := k.running
	k.running = t
	t.stop()
	k.running = was
}

// Wait returns when the task is over.
func (t *Task) Wait() {
	for w := t.k.enter(); !t.done; {
		t.waiters.add(&w.queue)
		t.k.park(w, t)
	}
}

// Done tells whether the task is over.
func (t *Task) Done() bool { return t.done }

// String returns the task's name, as "process/task".
func (t *Task) String() string { return t.process.name + "/" + t.name }

// enter returns the running task. It ends one whose process is dead, and everything after a failure.
func (k *Kernel) enter() *Task {
	t := k.running
	if t.process.dead {
		panic(errKilled)
	}
	if k.failure != nil {
		panic(k.failure)
	}
	return t
}

// park lets others run until the running task is resumed.
func (k *Kernel) park(t *Task, on any) {
	t.on, t.since, t.order = on, k.now, k.next()
	switch t {
	case k.main:
		k.drive()
		return
	case k.timers:
		panic("kernel: a timer's function waits")
	}
	t.parked = true
	going := t.yield(struct{}{})
	t.parked = false
	if !going {
		panic(errKilled)
	}
}

// unwait takes the task out of the lists in which it waits.
func (k *Kernel) unwait(t *Task) {
	if t.queue.in != nil {
		t.queue.remove()
	}
	if t.sleeper.in != nil {
		t.sleeper.remove()
		k.rest(t.watch)
	}
}

// wakeAll readies all tasks of a list, in order.
func (k *Kernel) wakeAll(l *list) {
	for l.first != nil {
		k.ready(l.first.task)
	}
}

// Timer calls a function once.
type Timer struct {
	k    *Kernel
	task *Task
	key  uint64
}

// After calls fn after d, at once in this instant if d is not positive. It is called by no task: it
// must not wait, and is called whatever becomes of the processes.
func (k *Kernel) After(d time.Duration, fn func()) Timer {
	t := k.newTask(k.root, "timer")
	t.fn = fn
	k.schedule(t, k.in(d))
	return Timer{k, t, t.wake}
}

// Stop makes the timer call nothing, if it has not yet.
func (t Timer) Stop() {
	if t.task.wake == t.key {
		t.k.drop(t.task)
	}
}
