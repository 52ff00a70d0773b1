package kernel

import (
	"errors"
	"runtime/debug"
	"time"
)

// Task is a coroutine of a process. A timer is one that has no coroutine, only a function.
type Task struct {
	// What every event touches comes first, in 64 bytes: with thousands of tasks, what a processor
	// waits for is memory.

	// wake is the key of the event that resumes the task; 0: none does.
	wake  uint64
	next  func() (struct{}, bool)
	yield func(struct{}) bool
	slot  uint32
	// parked is true while the coroutine waits in yield, or has not begun: only then can it be
	// stopped.
	parked bool
	listed bool // it is in a list
	frozen bool // its process is
	dead   bool // its process is
	// What it waits for, since when and until when.
	on           any
	since, until int64

	order     uint64 // the number of its waiting, if it does so with a context
	signalled bool   // by a Cond
	done      bool
	queue     node // in the list of what it waits for
	sleeper   node // in the list of the watch on its context
	watch     *watch

	process *Process
	k       *Kernel
	name    string
	fn      func()
	thread  *thread
	index   int    // in process.tasks
	born    uint64 // its number
	waiters list   // for its end
}

// errKilled unwinds a task whose process is dead. No other value does.
var errKilled = errors.New("the process is dead")

func (k *Kernel) newTask(p *Process, name string) *Task {
	t := &Task{k: k, name: name, process: p, frozen: p.frozen, dead: p.dead}
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

// run is what the thread does for the task.
func (t *Task) run() {
	defer t.finish()
	t.fn()
}

// finish ends a task that has returned, was killed, or has panicked. Of a process that is dead
// nothing is heard any more, not even a panic.
func (t *Task) finish() {
	k := t.k
	k.panicked(t, recover())
	if !t.done {
		t.process.remove(t)
		k.end(t)
	}
	k.running = k.main // after a runtime.Goexit, nobody else says so
}

// panicked notes why a task panicked, if it did and that is the first failure.
func (k *Kernel) panicked(t *Task, cause any) {
	if cause != nil && !t.dead && k.failure == nil {
		k.failure = &Failure{Kind: Panic, Task: t.String(), Cause: cause, Stack: debug.Stack()}
		k.describe(k.failure)
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

// unwind stops a task where it is parked: its deferred calls run now. Of one that has not begun nothing
// runs.
func (k *Kernel) unwind(t *Task) {
	t.parked = false
	if t.yield == nil {
		k.leave(t.thread)
		return
	}
	was := k.running
	k.running = t
	t.thread.unwind()
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

// enter returns the running task. It ends one whose process is dead, and everything after a
// failure.
func (k *Kernel) enter() *Task {
	t := k.running
	if t.dead || k.failure != nil {
		k.refuse(t)
	}
	return t
}

// refuse ends a task that must not go on.
//
//go:noinline
func (k *Kernel) refuse(t *Task) {
	if t.dead {
		panic(errKilled)
	}
	panic(k.failure)
}

// park lets others run until the running task is resumed.
func (k *Kernel) park(t *Task, on any) {
	t.on, t.since, t.parked = on, k.now, true
	if !t.yield(struct{}{}) {
		panic(errKilled)
	}
}

// unwait takes the task out of the lists in which it waits.
func (k *Kernel) unwait(t *Task) {
	if !t.listed {
		return
	}
	t.listed = false
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
	var t *Task
	if last := len(k.idle) - 1; last >= 0 {
		t, k.idle = k.idle[last], k.idle[:last]
	} else {
		t = k.newTask(k.root, "timer")
	}
	t.fn = fn
	k.schedule(t, k.in(d))
	return Timer{k, t, t.wake}
}

// idleTimer keeps a timer that is over for the next one, with its slot. Who still holds it sees by its
// key that it is another's.
func (k *Kernel) idleTimer(t *Task) {
	t.wake, t.fn = 0, nil
	k.idle = append(k.idle, t)
}

// Stop makes the timer call nothing, if it has not yet.
func (t Timer) Stop() {
	if t.task.wake == t.key {
		t.k.idleTimer(t.task)
	}
}
