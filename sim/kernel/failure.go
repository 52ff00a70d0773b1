package kernel

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// FailureKind is why a kernel cannot go on.
type FailureKind uint8

const (
	// Deadlock means that main waits, and nothing can happen any more.
	Deadlock FailureKind = iota
	// EventsMax means that the limit on events was reached.
	EventsMax
	// Panic means that a task, or a timer's function, has panicked.
	Panic
)

// Failure is why a kernel cannot go on, and who waits for what then. The kernel panics with it in
// the goroutine that drives it: see [Catch].
type Failure struct {
	Kind   FailureKind
	At     time.Duration // since the start
	Events uint64
	// Task, Cause and Stack are those of a panic.
	Task  string
	Cause any
	Stack []byte
	// Waiting are all tasks that are not over, in the order in which they began to wait.
	Waiting []Waiting
}

// Waiting is a task that waits.
type Waiting struct {
	Task string // "process/task"
	For  string // in words
	// Since is when it began to, after the start.
	Since  time.Duration
	Frozen bool
}

// Error says what happened, and who waits for what, a line each.
func (f *Failure) Error() string {
	var b strings.Builder
	switch f.Kind {
	case Deadlock:
		b.WriteString("deadlock: nothing can happen any more")
	case EventsMax:
		fmt.Fprintf(&b, "the limit of %d events was reached", f.Events-1)
	case Panic:
		fmt.Fprintf(&b, "task %s panicked: %v", f.Task, f.Cause)
	}
	fmt.Fprintf(&b, ", %v after the start", f.At)
	for _, w := range f.Waiting {
		b.WriteString("\n\t")
		b.WriteString(w.String())
	}
	if len(f.Stack) > 0 {
		fmt.Fprintf(&b, "\n%s", f.Stack)
	}
	return b.String()
}

// Unwrap returns what a task panicked with, if that is an error.
func (f *Failure) Unwrap() error {
	err, _ := f.Cause.(error)
	return err
}

// String returns the task, and what it waits for, in words.
func (w Waiting) String() string {
	frozen := ""
	if w.Frozen {
		frozen = " (frozen)"
	}
	return fmt.Sprintf("%s%s %s since %v", w.Task, frozen, w.For, w.Since)
}

// Catch is deferred around what drives a kernel: a failure of the kernel becomes the error.
//
//	defer kernel.Catch(&err)
func Catch(err *error) {
	switch cause := recover().(type) {
	case nil:
	case *Failure:
		*err = cause
	default:
		panic(cause)
	}
}

// fail ends the run.
func (k *Kernel) fail(f *Failure) {
	k.describe(f)
	k.failure = f
	panic(f)
}

func (k *Kernel) describe(f *Failure) {
	f.At, f.Events, f.Waiting = time.Duration(k.now), k.events, k.waiting()
}

// waiting returns who waits for what.
func (k *Kernel) waiting() []Waiting {
	var tasks []*Task
	for _, t := range k.slots {
		if t != nil && t.parked {
			tasks = append(tasks, t)
		}
	}
	slices.SortFunc(tasks, func(a, b *Task) int {
		return cmp.Or(cmp.Compare(a.since, b.since), cmp.Compare(a.slot, b.slot))
	})
	all := make([]Waiting, len(tasks))
	for i, t := range tasks {
		all[i] = Waiting{
			Task: t.String(), For: t.waitsFor(), Since: time.Duration(t.since), Frozen: t.frozen,
		}
	}
	return all
}

// waitsFor says in words what the task waits for.
func (t *Task) waitsFor() string {
	until := time.Duration(t.until).String()
	if t.until == math.MaxInt64 {
		until = "the end of time"
	}
	switch on := t.on.(type) {
	case *Task:
		return "waits for task " + on.String()
	case *Process:
		if on.frozen {
			return "is frozen"
		}
		return "waits for the death of process " + on.name
	case *Cond:
		return "waits for " + on.name
	case *Share:
		return "is served by " + on.name + " until " + until
	}
	if t.yield == nil {
		return "is about to begin"
	}
	return "sleeps until " + until
}
