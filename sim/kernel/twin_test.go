package kernel_test

import (
	"cmp"
	"context"
	"fmt"
	"slices"
)

// An op is a step of a task of a random program.
type op struct {
	kind opKind
	d    int // how long a sleep is, or a wait at the most
	ctx  int // of the waits, or to cancel
	to   int // process or task
}

type opKind int

const (
	opSleep opKind = iota
	opSleepMore
	opWaitCond
	opWaitFor
	opSignal
	opWaitTask
	opGo
	opCancel
	opFreeze
	opWake
	opKill
	opKinds
)

const (
	programTasks = 5
	processes    = 3 // the last is the second one's child
	contexts     = 7
	timeout      = 4 // the context with a timeout
	timeoutAt    = 10
	programEnd   = 40
)

// parentOf is whom each context comes from; 0 never ends.
var parentOf = [contexts]int{0, 0, 0, 1, 2, 4, 3}

// program is what each task does.
type program [programTasks][]op

func newProgram(words []uint32) (p program) {
	for _, w := range words {
		digit := func(n uint32) int {
			d := w % n
			w /= n
			return int(d)
		}
		task := digit(programTasks)
		o := op{opKind(digit(uint32(opKinds))), digit(8), digit(contexts), digit(programTasks)}
		if o.kind >= opFreeze {
			o.to %= processes
		}
		p[task] = append(p[task], o)
	}
	return p
}

// twin runs a program as it is meant: no heap, no coroutine, no list of who waits for what. The
// next event is found by sorting all of them; who waits with a context is asked at the end of each
// instant.
type twin struct {
	now, number int
	events      []twinEvent
	tasks       []*twinTask
	ended       [contexts]error
	orphan      bool
	frozen      [processes]bool
	dead        [processes]bool
	held        [processes][]*twinTask
	log         []string
}

type twinEvent struct {
	at, number int
	task       *twinTask // nil: the timeout
}

type twinTask struct {
	index, process int
	ops            []op
	next           int // op
	done           bool
	wake           int                  // number of the event that may resume it
	pending        func() (bool, error) // tells whether it need wait no more, and the op's result
	twinWait
	given bool // by a signal
}

// twinWait is what a task waits for beside an event.
type twinWait struct {
	number int // of the waiting; 0: it does not wait
	ctx    int
	cond   bool
	task   *twinTask
}

// run runs the program, and returns its log.
func (w *twin) run(p program) []string {
	w.schedule(nil, timeoutAt)
	for i, ops := range p {
		w.begin(i%processes, ops)
	}
	for w.happen() {
	}
	for _, t := range w.tasks {
		w.log = append(w.log, fmt.Sprint(t.index, " done: ", t.done))
	}
	return w.log
}

// happen makes the next event happen.
func (w *twin) happen() bool {
	slices.SortFunc(w.events, func(a, b twinEvent) int {
		return cmp.Or(a.at-b.at, a.number-b.number)
	})
	if len(w.events) == 0 || w.events[0].at > w.now {
		if w.wakeEnded() {
			return true
		}
		if len(w.events) == 0 || w.events[0].at >= programEnd {
			return false
		}
	}
	e := w.events[0]
	w.events = w.events[1:]
	w.now = e.at
	t := e.task
	if t == nil {
		w.end(timeout, context.DeadlineExceeded)
		return true
	}
	if t.done || t.wake != e.number {
		return true
	}
	t.twinWait = twinWait{}
	if w.frozen[t.process] {
		w.held[t.process] = append(w.held[t.process], t)
	} else {
		w.resume(t)
	}
	return true
}

func (w *twin) next() int {
	w.number++
	return w.number
}

func (w *twin) schedule(t *twinTask, at int) {
	e := twinEvent{at, w.next(), t}
	w.events = append(w.events, e)
	if t != nil {
		t.wake = e.number
	}
}

func (w *twin) begin(process int, ops []op) {
	t := &twinTask{index: len(w.tasks), process: process, ops: ops}
	w.tasks = append(w.tasks, t)
	w.schedule(t, w.now)
}

// readyAll ends the waiting of those whom it concerns, in the order in which they began to.
func (w *twin) readyAll(concerns func(*twinTask) bool) (any bool) {
	var all []*twinTask
	for _, t := range w.tasks {
		if t.number > 0 && concerns(t) {
			all = append(all, t)
		}
	}
	slices.SortFunc(all, func(a, b *twinTask) int { return a.number - b.number })
	for _, t := range all {
		t.twinWait = twinWait{}
		w.schedule(t, w.now)
	}
	return len(all) > 0
}

func (w *twin) wakeEnded() bool {
	return w.readyAll(func(t *twinTask) bool { return w.ended[t.ctx] != nil })
}

// end ends a context, and those that come from it.
func (w *twin) end(ctx int, err error) {
	if ctx == 0 || w.ended[ctx] != nil {
		return
	}
	w.ended[ctx] = err
	for child, parent := range parentOf {
		if parent == ctx {
			w.end(child, err)
		}
	}
}

// die ends tasks.
func (w *twin) die(concerns func(*twinTask) bool) {
	for _, t := range w.tasks {
		if !t.done && concerns(t) {
			t.done = true
			t.twinWait = twinWait{}
		}
	}
	for _, dead := range w.tasks {
		if concerns(dead) {
			w.readyAll(func(t *twinTask) bool { return t.task == dead })
		}
	}
}

func (w *twin) kill(process int) {
	if w.dead[process] {
		return
	}
	var gone [processes]bool
	gone[process] = true
	if process == 1 && !w.dead[2] {
		gone[2] = !w.frozen[2]
		w.orphan = w.frozen[2]
	}
	for p, gone := range gone {
		if gone {
			w.dead[p], w.frozen[p], w.held[p] = true, false, nil
		}
	}
	w.die(func(t *twinTask) bool { return gone[t.process] })
}

func (w *twin) wakeUp(process int) {
	if !w.frozen[process] {
		return
	}
	w.frozen[process] = false
	if process == 2 && w.orphan {
		w.kill(process)
	}
	for _, t := range w.held[process] {
		w.schedule(t, w.now)
	}
	w.held[process] = nil
}

// resume goes on with the op in which the task waited, and with the next ones.
func (w *twin) resume(t *twinTask) {
	t.wake = 0
	for {
		if t.pending != nil {
			over, err := t.pending()
			if !over {
				return
			}
			w.log = append(w.log, fmt.Sprint(w.now, " ", t.index, ".", t.next, " ", err))
			t.next++
		}
		if t.next == len(t.ops) {
			w.die(func(other *twinTask) bool { return other == t })
			return
		}
		waits := w.begins(t, t.ops[t.next])
		if t.done || waits {
			return
		}
	}
}

// begins begins an op, and tells whether it waits.
func (w *twin) begins(t *twinTask, o op) (waits bool) {
	t.pending = func() (bool, error) { return true, nil }
	switch o.kind {
	case opSleep, opSleepMore, opWaitCond, opWaitFor:
		cond := o.kind == opWaitCond || o.kind == opWaitFor
		if err := w.ended[o.ctx]; err != nil || !cond && o.d == 0 {
			t.pending = func() (bool, error) { return true, err }
			return false
		}
		t.given = false
		t.pending = func() (bool, error) {
			if t.given {
				return true, nil
			}
			if o.kind == opWaitFor && w.ended[o.ctx] == nil {
				return true, context.DeadlineExceeded
			}
			return true, w.ended[o.ctx]
		}
		if o.kind != opWaitCond {
			w.schedule(t, w.now+o.d)
		}
		t.twinWait = twinWait{number: w.next(), ctx: o.ctx, cond: cond}
		return true
	case opWaitTask:
		target := w.tasks[o.to]
		t.pending = func() (bool, error) {
			if !target.done {
				t.twinWait = twinWait{number: w.next(), task: target}
			}
			return target.done, nil
		}
	case opSignal:
		first := 0
		w.readyAll(func(other *twinTask) bool {
			if other.cond && (first == 0 || other.number < first) {
				first = other.number
			}
			return false
		})
		w.readyAll(func(other *twinTask) bool {
			other.given = other.given || other.cond && other.number == first
			return other.cond && other.number == first
		})
	case opGo:
		w.begin(t.process, []op{{kind: opSleep, d: o.d, ctx: o.ctx}})
	case opCancel:
		w.end(o.ctx, context.Canceled)
	case opKill:
		w.kill(o.to)
	case opWake:
		w.wakeUp(o.to)
	case opFreeze:
		if w.frozen[o.to] || w.dead[o.to] {
			return false
		}
		w.frozen[o.to] = true
		if o.to == t.process {
			w.schedule(t, w.now)
			return true
		}
	}
	return false
}
