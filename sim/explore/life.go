package explore

import (
	"context"
	"slices"
	"time"

	"sluice/buffer"
	"sluice/flusher"
	"sluice/sim/kernel"
)

// epoch is where the clocks of all processes begin.
var epoch = kernel.DefaultConfig().Start

// program is the code of a process. It runs on the ports of its life, whose calls wait until the
// search answers them.
type program interface {
	// main is the process's first task; when it returns, the process has ended.
	main(l *life)
	// memory returns a value that stands for all that the process remembers, and false while there is
	// more to it than that: then its history since it was less stands for it.
	memory(l *life) (any, bool)
	// eager tells whether a call is to be answered at once, and how: a step that nothing else can see.
	eager(l *life, c *call) (answer, bool)
}

// answer is what a call returns.
type answer struct {
	Value any
	Err   error
}

// call is a call of a port that waits for its answer.
type call struct {
	op       any    // what is asked for: one of the types in ops.go
	task     string // whose call it is
	version  int    // what the task knows of the process
	cond     *kernel.Cond
	answer   answer
	answered bool
}

// life is one execution of a program, driven by answers.
type life struct {
	program program
	k       *kernel.Kernel
	process *kernel.Process
	clock   time.Time
	calls   []*call // that wait, in the order in which they were made
	sent    []any   // what was handed over without waiting since the last answer
	tasks   int     // that run
	ends    int     // of tasks
	ended   bool
	err     error
	notes   notes
	held    []holding // by a worker, in the order in which it was leased
	failed  bool      // an answer was an error, since the process was idle
	stop    func()    // asks the process to end; nil: cannot
	planted []any     // the ports that a defect is around, which may remember something, too

	// Of a process whose tasks share what they know.
	sharing  func() any // what that is
	watching func(worker buffer.Shard) bool
	noticed  func() bool // that a child hangs: it is to be ended
	lesson   lesson      // of the last answer
	version  int         // grows when what is shared changes
	views    map[child]vital
	late     map[buffer.Shard]int // looks of a keeper for which time passed
	history  map[string][]any     // of each task: what it asked for, and what it was answered
}

// holding is a generation that a worker has leased, and how far it is with it.
type holding struct {
	Generation buffer.Generation
	Claim      buffer.Claim
	Claimed    bool
	Loaded     buffer.Loaded
	Handed     int // records
	// Next is true for what was leased last: it follows what is on its way already.
	Next bool
}

// notes is what ports remember of what they saw, for program.memory.
type notes struct {
	numbers [8]int64
	flags   [4]bool
}

var (
	_ flusher.Clock = (*life)(nil)
	_ flusher.Tasks = (*life)(nil)
)

func newLife(p program) *life {
	k, err := kernel.New(kernel.DefaultConfig())
	if err != nil {
		panic(err) // the default is valid
	}
	l := &life{
		program: p, k: k, process: k.Process("process"), clock: epoch,
		views: make(map[child]vital), late: make(map[buffer.Shard]int), history: make(map[string][]any),
	}
	l.process.Go("main", func() {
		p.main(l)
		l.ended = true
	})
	l.settle()
	return l
}

// settle lets the process run until each of its tasks waits for an answer.
func (l *life) settle() {
	for {
		if err := l.k.Sleep(context.Background(), time.Nanosecond); err != nil {
			panic(err) // it sleeps on a context without an end
		}
		if l.ended {
			l.calls = nil
			return
		}
		i := slices.IndexFunc(l.calls, func(c *call) bool {
			a, ok := l.program.eager(l, c)
			if ok {
				c.answer, c.answered = a, true
			}
			return ok
		})
		if i < 0 {
			return
		}
		l.wake(i)
	}
}

// resume answers a call. Time passes only where something failed, and enough of it for whatever waits
// to try again. What the answer changes among tasks that share something is found out, unless it is
// known.
func (l *life) resume(i int, a answer, known *lesson) {
	l.sent = nil
	c := l.calls[i]
	c.answer, c.answered = a, true
	if a.Err != nil {
		l.clock = l.clock.Add(time.Second)
		l.failed = true
	}
	if l.sharing == nil {
		l.wake(i)
		l.settle()
		return
	}
	var before uint64
	ends, calls := l.ends, len(l.calls)
	if known == nil {
		before = renaming{0}.digest(l.sharing())
	}
	l.wake(i)
	l.settle()
	if known == nil {
		changed := l.ended || before != renaming{0}.digest(l.sharing()) || ends != l.ends ||
			calls != len(l.calls) || len(l.sent) > 0
		known = &lesson{changed, l.learns(c, changed)}
	}
	l.lesson = *known
	if l.lesson.changed {
		l.version++
	}
	if next := l.callOf(c.task); next != nil && len(l.sent) == 0 {
		next.version = l.version // it has just seen it
	}
	switch l.lesson.remember {
	case rememberMore:
		l.history[c.task] = append(l.history[c.task], c.op, a)
	case rememberNothing:
		l.history[c.task] = nil
	}
}

// lesson is what an answer has changed in a process whose tasks share what they know.
type lesson struct {
	changed  bool
	remember remember
}

// remember is what becomes of the history of the task that was answered.
type remember uint8

const (
	rememberMore remember = iota
	// rememberSame is for a look that found nothing.
	rememberSame
	// rememberNothing is for one that has begun to watch: it knows no more than what is shared.
	rememberNothing
)

func (l *life) learns(c *call, changed bool) remember {
	next := l.callOf(c.task)
	if next == nil {
		return rememberMore
	}
	_, napped := c.op.(nap)
	if pause, naps := next.op.(nap); naps {
		switch {
		case l.watching(pause.Worker):
			return rememberNothing
		case napped && !changed:
			return rememberSame
		}
	}
	return rememberMore
}

// callOf returns the call of a task that waits, or nil.
func (l *life) callOf(task string) *call {
	for _, c := range l.calls {
		if c.task == task {
			return c
		}
	}
	return nil
}

func (l *life) wake(i int) {
	c := l.calls[i]
	l.calls = slices.Delete(l.calls, i, i+1)
	c.cond.Signal()
}

// ask waits for the answer to a call, or until the context has ended.
func (l *life) ask(ctx context.Context, op any) (any, error) {
	c := &call{op: op, cond: l.k.NewCond("answer"), task: l.k.Running(), version: l.version}
	l.calls = append(l.calls, c)
	for !c.answered {
		if err := c.cond.Wait(ctx); err != nil {
			l.calls = slices.DeleteFunc(l.calls, func(o *call) bool { return o == c })
			return nil, err
		}
	}
	return c.answer.Value, c.answer.Err
}

// Now returns the time of the process, which passes where something failed only.
func (l *life) Now() time.Time { return l.clock }

// Sleep waits until the search lets it go on.
func (l *life) Sleep(ctx context.Context, d time.Duration) error {
	if d == idlePause && l.notes.flags[sureFlag] {
		l.failed, l.held = false, nil
		l.notes.flags[moreFlag] = false
	}
	_, err := l.ask(ctx, sleep{d == idlePause})
	return err
}

// WithTimeout returns a context that ends with its parent: the search decides what takes too long.
func (l *life) WithTimeout(
	ctx context.Context, _ time.Duration,
) (context.Context, context.CancelFunc) {
	return context.WithCancel(ctx)
}

// Go starts a task of the process.
func (l *life) Go(name string, fn func()) flusher.Task {
	l.tasks++
	return l.process.Go(name, func() {
		fn()
		l.tasks--
		l.ends++
	})
}

// close unwinds whatever waits.
func (l *life) close() { l.k.Close() }
