package explore

import (
	"context"
	"fmt"
	"maps"
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

	// Of a process whose tasks share what they know.
	sharing  func() any // what that is
	watching func(worker buffer.Shard) bool
	lesson   lesson // of the last answer
	version  int    // grows when what is shared changes
	views    map[child]vital
	history  map[string][]any // of each task: what it asked for, and what it was answered
}

// holding is a generation that a worker has leased, and how far it is with it.
type holding struct {
	Generation buffer.Generation
	Claim      buffer.Claim
	Claimed    bool
	Loaded     buffer.Loaded
	Handed     int // records
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
		views: make(map[child]vital), history: make(map[string][]any),
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

// machines executes processes, once for each history: what a process does next is a function of what
// it was started with and of the answers it got. So a number stands for its stack.
type machines struct {
	renamings []renaming
	nodes     []node
	edges     map[edgeKey]edge
	roots     map[uint64]int32
	memories  map[uint64]int32
	ops       *table
	answers   *table
	sends     *table

	live     *life // the last that was executed, and where it stands
	at       int32
	executed int // answers given to real code
	merged   []merge
}

// merge is an answer after which a process remembered the same as it did in a state that was known.
type merge struct{ from, call, answer, to int32 }

// node is a state of a process.
type node struct {
	program program
	parent  int32
	call    int32
	answer  int32
	calls   []int32 // numbers of ops
	ended   bool
	err     error
	idle    bool                // it has nothing in work
	lost    bool                // of a reader: it knows that its partition is another's
	epoch   buffer.Epoch        // of a worker: under which it last leased
	lesson  lesson              // of the answer that led here
	stirred []bool              // by call: what the process knows has changed since
	views   map[child]vital     // of a supervisor: its children as it last saw them
	polled  [2]int64            // of a reader: the offsets between which spans are in its memory alone
	holds   []buffer.Generation // of a worker: what it has leased,
	loaded  []buffer.Generation // and what of that it may produce
	hashes  []uint64            // by renaming
}

type edgeKey struct {
	from         int32
	call, answer int32
}

type edge struct {
	to   int32
	sent []int32 // numbers of what was handed over
}

func newMachines(rs []renaming) *machines {
	return &machines{
		renamings: rs, edges: make(map[edgeKey]edge), roots: make(map[uint64]int32),
		memories: make(map[uint64]int32), ops: newTable(rs), answers: newTable(rs), sends: newTable(rs),
		nodes: make([]node, 1), // 0 is none
		at:    -1,
	}
}

// start returns the state of a process that was just started.
func (m *machines) start(p program) int32 {
	key := m.renamings[0].digest(p)
	if n, ok := m.roots[key]; ok {
		return n
	}
	m.drop()
	m.live = newLife(p)
	if len(m.live.sent) > 0 {
		panic(fmt.Sprintf("%T hands something over before it asks for anything", p))
	}
	hashes := make([]uint64, len(m.renamings))
	for i, r := range m.renamings {
		hashes[i] = r.digest(p)
	}
	n := m.add(node{program: p, parent: -1, hashes: hashes})
	m.roots[key] = n
	return n
}

// step returns what becomes of a process when one of its calls is answered.
func (m *machines) step(from int32, call int, reply int32) edge {
	key := edgeKey{from, int32(call), reply}
	if e, ok := m.edges[key]; ok {
		return e
	}
	l := m.revive(from)
	m.executed++
	got := m.answers.values[reply].(answer)
	l.resume(call, got, nil)
	var e edge
	for _, s := range l.sent {
		e.sent = append(e.sent, m.sends.number(s))
	}
	hashes := make([]uint64, len(m.renamings))
	for i := range m.renamings {
		h := mix(m.nodes[from].hashes[i], uint64(call))
		hashes[i] = mix(h, m.answers.hashes[reply][i])
	}
	n := node{
		program: m.nodes[from].program, parent: from, call: int32(call), answer: reply, hashes: hashes,
	}
	e.to = m.add(n)
	m.edges[key] = e
	return e
}

// add returns the state in which the live process is: a new one, or, if it is quiet, the one in which
// it remembers the same.
func (m *machines) add(n node) int32 {
	l := m.live
	n.ended, n.err = l.ended, l.err
	n.lesson = l.lesson
	n.lost = l.notes.flags[lostFlag]
	n.idle, n.epoch = l.idle(), buffer.Epoch(l.notes.numbers[epochNumber])
	n.views = maps.Clone(l.views)
	if !n.idle {
		n.polled = [2]int64{l.notes.numbers[firstNumber], l.notes.numbers[positionNumber]}
	}
	for _, h := range l.held {
		n.holds = append(n.holds, h.Generation)
		if h.Loaded.Owned {
			n.loaded = append(n.loaded, h.Generation)
		}
	}
	for _, c := range l.calls {
		n.calls = append(n.calls, m.ops.number(c.op))
		n.stirred = append(n.stirred, c.version < l.version)
	}
	at := int32(len(m.nodes))
	memory, enough := any(ended{fmt.Sprintf("%T", n.program), l.err != nil}), l.ended
	if !enough {
		memory, enough = n.program.memory(l)
	}
	if enough {
		for i, r := range m.renamings {
			n.hashes[i] = r.digest(memory)
		}
		if known, ok := m.memories[n.hashes[0]]; ok {
			m.drop()
			if n.parent >= 0 {
				m.merged = append(m.merged, merge{n.parent, n.call, n.answer, known})
			}
			return known
		}
		m.memories[n.hashes[0]] = at
	}
	m.nodes = append(m.nodes, n)
	m.at = at
	return at
}

// idle tells whether the process has nothing in work.
func (l *life) idle() bool {
	if len(l.calls) != 1 || l.tasks > 0 {
		return false
	}
	switch op := l.calls[0].op.(type) {
	case sleep:
		return op.Idle && l.notes.flags[sureFlag]
	case poll:
		return l.notes.flags[lostFlag] || op.From == l.notes.numbers[committedNumber]
	}
	return false
}

// ended is all that is to be known of a process that has ended.
type ended struct {
	program string
	failed  bool
}

// revive returns a process in that state: it goes through its history again, if need be.
func (m *machines) revive(at int32) *life {
	if m.at == at && m.live != nil {
		return m.live
	}
	m.drop()
	var history []int32
	n := at
	for ; m.nodes[n].parent >= 0; n = m.nodes[n].parent {
		history = append(history, n)
	}
	m.live = newLife(m.nodes[n].program)
	for _, n := range slices.Backward(history) {
		m.executed++
		n := &m.nodes[n]
		m.live.resume(int(n.call), m.answers.values[n.answer].(answer), &n.lesson)
	}
	return m.live
}

// drop ends the live process.
func (m *machines) drop() {
	if m.live != nil {
		m.live.close()
	}
	m.live, m.at = nil, -1
}

// table gives numbers to values: equal ones have the same.
type table struct {
	renamings []renaming
	byHash    map[uint64]int32
	values    []any
	hashes    [][]uint64
}

func newTable(rs []renaming) *table {
	return &table{renamings: rs, byHash: make(map[uint64]int32)}
}

func (t *table) number(v any) int32 {
	h := t.renamings[0].digest(v)
	if n, ok := t.byHash[h]; ok {
		return n
	}
	n := int32(len(t.values))
	hashes := make([]uint64, len(t.renamings))
	hashes[0] = h
	for i, r := range t.renamings[1:] {
		hashes[i+1] = r.digest(v)
	}
	t.byHash[h], t.values, t.hashes = n, append(t.values, v), append(t.hashes, hashes)
	return n
}
