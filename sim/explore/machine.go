package explore

import (
	"fmt"
	"maps"
	"slices"

	"sluice/buffer"
)

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
	noticed bool                // that one of them hangs
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
	n.noticed = l.noticed != nil && l.noticed()
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
