package explore

import (
	"fmt"
	"slices"
	"strings"

	"sluice/buffer"
)

// protocol is the whole data path of a small system: for each partition a reader, a shard, its worker,
// and those that were taken for dead and live on; the store, and what came out.
type protocol struct {
	sys      *system
	kinds    kinds
	machines *machines
	stores   *stores
	boxes    *table // of [](flying)
	outputs  *outputs
	marks    map[buffer.SpanID]uint32 // a bit for each span
	parts    []int                    // the component of each partition
	shared   []bool                   // by component: several partitions
	over     []bool                   // by component, scratch: it is finished
	logMarks [][]uint32               // by partition and offset: those of all spans before it

	independence        bool
	width               int // of a state
	stride              int // of a partition
	base                int // of partition 0
	zombies             int // how many workers of a shard can live on,
	strayReaders        int // and how many readers of a partition: their nodes are behind the workers'
	workersEnd          int
	procs               []proc
	next                []uint32
	cover               map[Cell]int
	done, lost, refused int32 // numbers of answers
}

// A state is a list of numbers: the faults that are left, flags, the store and the output of each
// component, and for each partition what follows.
const (
	atFaults = iota
	atFlags
	atComponents
)

const (
	ofReader = iota // a node of machines
	ofCommitted
	ofTenure
	ofKeeper // how many fences the next worker of the shard waits for
	ofWorkers
	// For each worker, the present one first: its node, 0 if there is none, and what it has on the way.
	perWorker = 2
)

// readAgain is the flag that is set once something may have been delivered twice.
const readAgain = 1

// flying is a record on its way to Kafka.
type flying struct {
	Handed  handed
	Refused bool
}

// is tells whether a record is the one that is waited for.
func (o wait) is(f flying) bool {
	return f.Handed.Record.Generation == o.Generation && f.Handed.Try == o.Try
}

// act is what happens to a process.
type act uint8

const (
	actAnswer act = iota // a call is answered
	actLost              // it has its effect, and its answer is lost
	actRefuse            // it has none
	actSend              // Kafka gets a record
	actRefuseRecord
	actCrash
	actFreeze // it is taken for dead, is replaced, and goes on at any time
	actRevoke // its partition is to go to another reader, once it lets go of it
	actExpire // its partition is another reader's already; it hears of that at any time
	actHear   // it does
)

var actNames = map[act]string{
	actLost: "lost answer", actRefuse: "refused", actRefuseRecord: "record refused", actCrash: "crash",
	actFreeze: "freeze and wake", actRevoke: "partition revoked", actExpire: "partition lost",
	actUp: "up", actDie: "ends", actWake: "wakes", actHang: "hangs",
}

// String returns the act's name.
func (a act) String() string { return actNames[a] }

// fault tells whether the act is one of those whose number is bounded.
func (a act) fault() bool {
	switch a {
	case actAnswer, actSend, actHear, actUp, actDie, actWake:
		return false
	}
	return true
}

// kinds are the acts that are faults and may happen, to readers and to workers.
type kinds struct{ readers, workers []act }

// protocolKinds and commitKinds are those of the presets.
var (
	protocolKinds = kinds{
		readers: []act{actCrash, actLost}, workers: []act{actCrash, actFreeze, actLost},
	}
	commitKinds    = kinds{readers: []act{actCrash, actLost, actRefuse}}
	rebalanceKinds = kinds{readers: []act{actRevoke, actExpire}, workers: []act{actLost}}
)

// move is one thing that can happen.
type move struct {
	proc   int8 // index in procs
	act    act
	call   int8
	choice int8 // how much a poll or a lease gets
}

// proc is a process of a state.
type proc struct {
	partition int
	kind      procKind
	slot      int // of workers
	at        int // where its node stands in the state
	moves     []move
	progress  bool // one of them is no fault
	local     bool // none of them is seen by another process before it moves itself
}

type procKind uint8

const (
	procReader procKind = iota
	procKeeper
	procWorker
)

var processNames = [...]string{"reader", "keeper", "worker"}

func newProtocol(sys *system, k kinds, symmetry, independence bool) *protocol {
	rs := renamings(sys.size.Workers, func(r renaming) bool {
		return r.identity() || symmetry && sys.fits(r)
	})
	m := newMachines(rs)
	w := &protocol{
		sys: sys, kinds: k, machines: m, stores: newStores(rs, m.ops, m.answers), boxes: newTable(rs),
		outputs: newOutputs(rs), marks: make(map[buffer.SpanID]uint32), parts: sys.components(),
		independence: independence, zombies: 0, cover: make(map[Cell]int),
	}
	for _, a := range k.workers {
		if a == actFreeze {
			w.zombies = sys.size.Faults
		}
	}
	w.boxes.number([]flying(nil))
	w.done = m.answers.number(answer{})
	w.refused = m.answers.number(answer{Err: errRefused})
	w.lost = m.answers.number(answer{Err: errLost})
	components := 0
	for _, c := range w.parts {
		components = max(components, c+1)
	}
	w.shared, w.over = make([]bool, components), make([]bool, components)
	for p, c := range w.parts {
		for q := range p {
			w.shared[c] = w.shared[c] || w.parts[q] == c
		}
	}
	for _, log := range sys.logs {
		marks := []uint32{0}
		for _, id := range log {
			if w.marks[id] == 0 {
				w.marks[id] = 1 << len(w.marks)
			}
			marks = append(marks, marks[len(marks)-1]|w.marks[id])
		}
		w.logMarks = append(w.logMarks, marks)
	}
	w.outputs.marks = w.marks
	w.base = atComponents + 2*components
	w.strayReaders = 0
	if has(k.readers, actExpire) {
		w.strayReaders, w.zombies = sys.size.Faults, sys.size.Faults
	}
	w.workersEnd = ofWorkers + perWorker*(1+w.zombies)
	w.stride = w.workersEnd + w.strayReaders
	w.width = w.base + w.stride*sys.size.Workers
	w.next = make([]uint32, w.width)
	return w
}

var (
	errLost    = fmt.Errorf("the answer is lost: %w", buffer.ErrUnavailable)
	errRefused = fmt.Errorf("refused: %w", buffer.ErrUnavailable)
)

// first returns the state in which every process was just started.
func (w *protocol) first() [][]uint32 {
	s := make([]uint32, w.width)
	s[atFaults] = uint32(w.sys.size.Faults)
	for p := range w.sys.size.Workers {
		of := s[w.base+p*w.stride:]
		of[ofReader] = uint32(w.machines.start(reading{w.sys, buffer.Shard(p), 0, 0}))
		of[ofKeeper] = 2
	}
	return [][]uint32{s}
}

// key returns a number that stands for the state, the same for all that differ by a renaming, and how
// many of these there are.
func (w *protocol) key(s []uint32) (key uint64, orbit int) {
	var keys [24]uint64
	rs := w.machines.renamings
	for c := range w.shared {
		w.over[c] = w.finished(c, s)
	}
	for i, r := range rs {
		h := mix(uint64(s[atFaults]), uint64(s[atFlags]))
		for c := range w.shared {
			if at := atComponents + 2*c; !w.over[c] {
				h += mix(w.stores.all[s[at]].hashes[i], w.outputs.all[s[at+1]].hashes[i])
			}
		}
		for p, c := range w.parts {
			if w.over[c] {
				h += mix(24, uint64(r[p]))
				continue
			}
			of := s[w.base+p*w.stride:][:w.stride]
			one := mix(21, uint64(r[p]))
			one = mix(one, w.machines.nodes[of[ofReader]].hash(i))
			one = mix(one, uint64(of[ofCommitted])<<16|uint64(of[ofTenure])<<8|uint64(of[ofKeeper]))
			for at := ofWorkers; at < w.workersEnd; at += perWorker {
				one = mix(one, w.machines.nodes[of[at]].hash(i))
				one = mix(one, w.boxes.hashes[of[at+1]][i])
			}
			for _, n := range of[w.workersEnd:] {
				one = mix(one, w.machines.nodes[n].hash(i))
			}
			h += one
		}
		keys[i] = h
		if i == 0 || h < key {
			key = h
		}
	}
	for i := range rs {
		new := true
		for j := range i {
			new = new && keys[i] != keys[j]
		}
		if new {
			orbit++
		}
	}
	return key, orbit
}

func (n *node) hash(i int) uint64 {
	if n.hashes == nil {
		return 20
	}
	return n.hashes[i]
}

// finished tells whether a component has done all that there was to do, and correctly: everything is
// read and out, and nothing left that a fault could do harm to.
func (w *protocol) finished(c int, s []uint32) bool {
	if !w.stores.all[s[atComponents+2*c]].empty {
		return false
	}
	for p, of := range w.parts {
		if of != c {
			continue
		}
		part := s[w.base+p*w.stride:][:w.stride]
		idle := w.machines.nodes[part[ofWorkers]].idle && part[ofWorkers+1] == 0
		if !idle || anyOf(part[ofWorkers+perWorker:w.workersEnd]) || !w.read(p, s) {
			return false
		}
	}
	return true
}

// open finds what can happen in a state.
func (w *protocol) open(s []uint32) {
	w.procs = w.procs[:0]
	faults := s[atFaults] > 0
	for p := range w.parts {
		at := w.base + p*w.stride
		of := s[at:][:w.stride]
		if w.finished(w.parts[p], s) {
			continue
		}
		w.openReader(p, at, s, of, faults)
		for i, n := range of[w.workersEnd:] {
			if n != 0 {
				w.openStray(p, at+w.workersEnd+i, n)
			}
		}
		if of[ofKeeper] > 0 {
			k := w.add(proc{partition: p, kind: procKeeper, at: at + ofKeeper})
			w.may(k, move{act: actAnswer})
			k.local = !anyOf(of[ofWorkers:w.workersEnd]) && !w.movable(s, of)
		}
		for slot := 0; ofWorkers+perWorker*slot < w.workersEnd; slot++ {
			if of[ofWorkers+perWorker*slot] != 0 {
				w.openWorker(p, at, slot, s, of, faults)
			}
		}
	}
}

func anyOf(nodes []uint32) bool {
	for at := 0; at < len(nodes); at += perWorker {
		if nodes[at] != 0 {
			return true
		}
	}
	return false
}

func (w *protocol) add(p proc) *proc {
	var moves []move
	if len(w.procs) < cap(w.procs) {
		moves = w.procs[:len(w.procs)+1][len(w.procs)].moves[:0]
	}
	p.moves = moves
	w.procs = append(w.procs, p)
	return &w.procs[len(w.procs)-1]
}

func (w *protocol) may(p *proc, m move) {
	m.proc = int8(len(w.procs) - 1)
	p.moves = append(p.moves, m)
	p.progress = p.progress || !m.act.fault()
}

func (w *protocol) openReader(p, at int, s, of []uint32, faults bool) {
	r := w.add(proc{partition: p, kind: procReader, at: at + ofReader, local: !w.movable(s, of)})
	n := &w.machines.nodes[of[ofReader]]
	for i, number := range n.calls {
		call := int8(i)
		switch op := w.machines.ops.values[number].(type) {
		case poll:
			for k := 1; !n.lost && k <= len(w.sys.logs[p])-int(op.From); k++ {
				w.may(r, move{call: call, choice: int8(k)})
			}
		case attach, enqueue:
			r.local = false
			w.answers(r, op, call, w.kinds.readers, faults)
		default:
			w.answers(r, op, call, w.kinds.readers, faults)
		}
	}
	// One that has nothing in work would begin again where it is.
	if faults && !n.idle && has(w.kinds.readers, actCrash) {
		w.may(r, move{act: actCrash})
	}
	for i, number := range n.calls {
		if _, polls := w.machines.ops.values[number].(poll); polls && faults && !n.lost {
			for _, a := range []act{actRevoke, actExpire} {
				if has(w.kinds.readers, a) {
					w.may(r, move{call: int8(i), act: a})
				}
			}
		}
	}
}

// movable tells whether the partition may go to another reader, which replaces its worker, too.
func (w *protocol) movable(s, of []uint32) bool {
	return (has(w.kinds.readers, actRevoke) || has(w.kinds.readers, actExpire)) &&
		(s[atFaults] > 0 || w.machines.nodes[of[ofReader]].lost)
}

// openStray is for a reader whose partition is another's. It hears of that at any time; till then it
// goes on with what it has.
func (w *protocol) openStray(p, at int, node uint32) {
	r := w.add(proc{partition: p, kind: procReader, slot: 1, at: at})
	n := &w.machines.nodes[node]
	for i, number := range n.calls {
		if _, polls := w.machines.ops.values[number].(poll); !polls {
			w.may(r, move{call: int8(i)})
		} else if !n.lost {
			w.may(r, move{call: int8(i), act: actHear})
		}
	}
}

// answers lets a call be answered, or fail.
func (w *protocol) answers(p *proc, op any, call int8, kinds []act, faults bool) {
	w.may(p, move{call: call})
	if _, pause := op.(sleep); pause || !faults {
		return
	}
	for _, a := range []act{actLost, actRefuse} {
		if has(kinds, a) {
			w.may(p, move{call: call, act: a})
		}
	}
}

func has(kinds []act, a act) bool { return slices.Contains(kinds, a) }

func (w *protocol) openWorker(p, at, slot int, s, of []uint32, faults bool) {
	at += ofWorkers + perWorker*slot
	v := w.add(proc{partition: p, kind: procWorker, slot: slot, at: at})
	n, box := &w.machines.nodes[s[at]], w.box(s[at+1])
	faults = faults && slot == 0
	op := w.machines.ops.values[n.calls[0]]
	v.local = !w.movable(s, of) && w.local(p, slot, s, of, op)
	switch op := op.(type) {
	case sleep:
		// To look at a queue in which nothing is changes nothing, for a worker that knows what it holds.
		if !n.idle || w.epoch(p, s) != n.epoch || len(w.store(p, s).queued(buffer.Shard(p))) > 0 {
			w.may(v, move{})
		}
	case wait:
		at := slices.IndexFunc(box, op.is)
		if at < 0 {
			w.may(v, move{})
			if faults && has(w.kinds.workers, actLost) {
				w.may(v, move{act: actLost})
			}
		} else if box[at].Refused {
			w.may(v, move{})
		}
	case lease:
		w.openLease(v, s, n, op, faults)
	default:
		w.answers(v, op, 0, w.kinds.workers, faults)
	}
	if len(box) > 0 && !box[0].Refused {
		w.may(v, move{act: actSend})
		if faults && has(w.kinds.workers, actRefuseRecord) {
			w.may(v, move{act: actRefuseRecord})
		}
	}
	for _, a := range []act{actCrash, actFreeze} {
		if faults && has(w.kinds.workers, a) {
			w.may(v, move{act: a})
		}
	}
}

// openLease lets any segment be due that the queue names, or several. That none is due leads a worker
// with nothing in work back to where it was.
func (w *protocol) openLease(v *proc, s []uint32, n *node, op lease, faults bool) {
	queued := len(w.store(v.partition, s).queued(op.Owner.Shard))
	takes := make([]int8, 0, 8)
	if len(n.holds) > 0 || queued == 0 {
		takes = append(takes, takeNothing)
	}
	if w.epoch(v.partition, s) == op.Owner.Epoch {
		for k := range queued {
			takes = append(takes, int8(k))
		}
		if op.Limit > 1 && queued > 1 {
			takes = append(takes, takeAll)
		}
	} else {
		takes = append(takes[:0], takeNothing) // it is refused
	}
	for _, take := range takes {
		w.may(v, move{choice: take})
		for _, a := range []act{actLost, actRefuse} {
			if faults && has(w.kinds.workers, a) && (a == actLost || take == takes[0]) {
				w.may(v, move{act: a, choice: take})
			}
		}
	}
}

// store returns the content of the partition's store.
func (w *protocol) store(p int, s []uint32) *stored {
	return &w.stores.all[s[atComponents+2*w.parts[p]]]
}

func (w *protocol) box(number uint32) []flying { return w.boxes.values[number].([]flying) }

func (w *protocol) epoch(p int, s []uint32) buffer.Epoch {
	return w.store(p, s).snapshot.Shards[buffer.Shard(p)].Epoch
}

// local tells whether what a worker asks for commutes with all that other processes can do before the
// worker moves, in a partition that stays where it is: then a successor comes only after a fault of
// the worker itself.
func (w *protocol) local(p, slot int, s, of []uint32, op any) bool {
	newest := slot == 0
	alone := newest && !anyOf(of[ofWorkers+perWorker:w.workersEnd])
	stale := func(o buffer.Owner) bool { return w.epoch(p, s) > o.Epoch }
	c := w.parts[p]
	switch op := op.(type) {
	case wait:
		return true
	case sleep:
		return w.read(p, s) // then nothing leaves the queue but by this worker
	case lease:
		return stale(op.Owner) || newest && w.read(p, s)
	case release:
		return stale(op.Owner) || newest && len(op.Release.Back) == 0
	case load:
		return newest // what it has claimed nobody changes
	case claim, ack:
		return alone && !w.shared[c] && w.read(p, s) // nothing is attached to the trace any more
	}
	return false
}

// read tells whether the partition was read to its end, for good.
func (w *protocol) read(p int, s []uint32) bool {
	of := s[w.base+p*w.stride:]
	for _, n := range of[w.workersEnd:w.stride] {
		if n != 0 {
			return false // it may attach something again
		}
	}
	return int(of[ofCommitted]) == len(w.sys.logs[p]) && w.machines.nodes[of[ofReader]].idle
}

// expand visits what can come of a state, and returns whether something is to come without a fault.
// What is wrong with a successor is said in words; the search goes no further there.
func (w *protocol) expand(s []uint32, visit func(m move, next []uint32, wrong string)) (quiet bool) {
	w.open(s)
	chosen := func(*proc) bool { return true }
	quiet = true
	first := -1
	for i := range w.procs {
		p := &w.procs[i]
		if !p.progress {
			continue
		}
		quiet = false
		if first < 0 || p.local && !w.procs[first].local {
			first = i
		}
	}
	if w.independence && !quiet {
		if only := &w.procs[first]; only.local {
			chosen = func(p *proc) bool { return p == only }
		} else {
			c := w.parts[only.partition]
			chosen = func(p *proc) bool { return w.parts[p.partition] == c }
		}
	}
	for i := range w.procs {
		p := &w.procs[i]
		if !chosen(p) {
			continue
		}
		for _, m := range p.moves {
			wrong := w.do(s, p, m)
			visit(m, w.next, wrong)
		}
	}
	return quiet
}

// do makes next of a state what it is after a move, and returns what is wrong with it.
func (w *protocol) do(s []uint32, p *proc, m move) (wrong string) {
	copy(w.next, s)
	at := w.base + p.partition*w.stride
	of := w.next[at:][:w.stride]
	if m.act.fault() {
		w.next[atFaults]--
		w.cover[Cell{processNames[p.kind] + ": " + m.act.String(), w.stage(s, p, m)}]++
	}
	switch {
	case p.kind == procKeeper:
		w.fence(p.partition, of)
	case m.act == actCrash && p.kind == procReader:
		w.readAgain(p.partition, of)
	case m.act == actExpire:
		copy(of[w.workersEnd+1:], of[w.workersEnd:])
		of[w.workersEnd] = of[ofReader]
		w.moveOn(p.partition, of)
	case m.act == actCrash:
		of[ofWorkers], of[ofWorkers+1], of[ofKeeper] = 0, 0, 2
	case m.act == actFreeze:
		w.replace(of)
	case m.act == actSend:
		wrong = w.send(p)
	case m.act == actRefuseRecord:
		box := slices.Clone(w.box(w.next[p.at+1]))
		box[0].Refused = true
		w.next[p.at+1] = uint32(w.boxes.number(box))
	default:
		wrong = w.answer(p, m)
	}
	if wrong == "" {
		w.forget()
		wrong = w.missing()
	}
	return wrong
}

// forget leaves of what is out only that it is, where nobody can produce it again.
func (w *protocol) forget() {
	for c := range w.shared {
		out := &w.next[atComponents+2*c+1]
		for _, n := range w.outputs.all[*out].records {
			if g := w.outputs.records.values[n].(record).Generation; !w.alive(c, g) {
				*out = uint32(w.outputs.without(int32(*out), n))
			}
		}
	}
}

// alive tells whether a generation is stored, or a worker has its spans or its record: else it is gone
// for good.
func (w *protocol) alive(c int, g buffer.Generation) bool {
	store := &w.stores.all[w.next[atComponents+2*c]]
	if _, stored := store.snapshot.Traces[g.TraceKey].Generations[g]; stored {
		return true
	}
	for p := range w.parts {
		of := w.next[w.base+p*w.stride:][:w.stride]
		for at := ofWorkers; at < w.workersEnd; at += perWorker {
			if slices.Contains(w.machines.nodes[of[at]].loaded, g) ||
				slices.ContainsFunc(w.box(of[at+1]), func(f flying) bool {
					return f.Handed.Record.Generation == g
				}) {
				return true
			}
		}
	}
	return false
}

// replace lets a worker live on beside its successor.
func (w *protocol) replace(of []uint32) {
	if of[ofWorkers] != 0 {
		copy(of[ofWorkers+perWorker:w.workersEnd], of[ofWorkers:w.workersEnd-perWorker])
	}
	of[ofWorkers], of[ofWorkers+1], of[ofKeeper] = 0, 0, 2
}

// readAgain begins to read a partition where it was committed.
func (w *protocol) readAgain(p int, of []uint32) {
	of[ofTenure]++
	w.next[atFlags] |= readAgain
	of[ofReader] = uint32(w.machines.start(reading{w.sys, buffer.Shard(p), int(of[ofTenure]), int64(of[ofCommitted])}))
}

// moveOn gives a partition to another member of the group, which flushes it, too.
func (w *protocol) moveOn(p int, of []uint32) {
	w.readAgain(p, of)
	w.replace(of)
}

// stage returns what a process does in a state.
func (w *protocol) stage(s []uint32, p *proc, m move) string {
	calls := w.machines.nodes[s[p.at]].calls
	// A reader polls at all times; what it is at is the rest.
	call := int(m.call)
	if m.act == actCrash {
		call = len(calls) - 1
		for i, op := range calls {
			if stageOf(w.machines.ops.values[op]) != "idle" {
				call = i
			}
		}
	}
	stage := stageOf(w.machines.ops.values[calls[call]])
	if p.kind == procReader && stage == "idle" {
		return "poll"
	}
	return stage
}

func (w *protocol) fence(p int, of []uint32) {
	store := &w.next[atComponents+2*w.parts[p]]
	e := w.stores.step(int32(*store), w.machines.ops.number(fence{buffer.Shard(p), buffer.AnyEpoch}), 0)
	*store = uint32(e.to)
	if of[ofKeeper]--; of[ofKeeper] == 0 {
		fenced := w.machines.answers.values[e.answer].(answer).Value.(buffer.Fenced)
		of[ofWorkers] = uint32(w.machines.start(flushing{w.sys, buffer.Shard(p), fenced.Owner.Epoch}))
	}
}

// send lets Kafka have the first record that a worker has on the way.
func (w *protocol) send(p *proc) (wrong string) {
	box := w.box(w.next[p.at+1])
	out := &w.next[atComponents+2*w.parts[p.partition]+1]
	e := w.outputs.add(int32(*out), box[0].Handed.Record)
	*out = uint32(e.to)
	w.next[p.at+1] = uint32(w.boxes.number(slices.Clone(box[1:])))
	switch {
	case e.wrong != "":
		wrong = e.wrong
	case e.repeat == repeatRecord && int(w.next[atFaults]) == w.sys.size.Faults:
		wrong = "a record comes out twice, and there was no fault"
	case e.repeat == repeatSpan && w.next[atFlags]&readAgain == 0:
		wrong = "a span comes out in two segments, and was not delivered again"
	}
	return wrong
}

// answer lets a call of a process return.
func (w *protocol) answer(p *proc, m move) (wrong string) {
	number := w.machines.nodes[w.next[p.at]].calls[m.call]
	reply := w.done
	switch op := w.machines.ops.values[number].(type) {
	case step:
		if m.act == actRefuse {
			break
		}
		store := &w.next[atComponents+2*w.parts[p.partition]]
		e := w.stores.step(int32(*store), number, int(m.choice))
		*store, reply = uint32(e.to), e.answer
	case poll:
		if m.act != actAnswer {
			reply = w.machines.answers.number(answer{Value: fetched{
				Revoked: m.act == actRevoke, Lost: m.act == actHear,
			}})
			break
		}
		spans := w.sys.logs[p.partition][op.From:][:m.choice]
		reply = w.machines.answers.number(answer{Value: fetched{Spans: spans}})
	case commit:
		if p.slot > 0 { // the partition is another member's
			m.act = actRefuse
		} else if m.act != actRefuse {
			of := &w.next[w.base+p.partition*w.stride+ofCommitted]
			*of = max(*of, uint32(op.Offset))
		}
	case wait:
		box := w.box(w.next[p.at+1])
		if i := slices.IndexFunc(box, op.is); i >= 0 {
			reply = w.refused
			w.next[p.at+1] = uint32(w.boxes.number(slices.Delete(slices.Clone(box), i, i+1)))
		}
	}
	switch m.act {
	case actLost:
		reply = w.lost
		if p.kind == procReader {
			w.next[atFlags] |= readAgain
		}
	case actRefuse:
		reply = w.refused
	}
	e := w.machines.step(int32(w.next[p.at]), int(m.call), reply)
	w.next[p.at] = uint32(e.to)
	if p.kind == procReader {
		w.left(p, e)
		return ""
	}
	if len(e.sent) > 0 {
		box := slices.Clone(w.box(w.next[p.at+1]))
		for _, sent := range e.sent {
			box = append(box, flying{Handed: w.machines.sends.values[sent].(handed)})
		}
		w.next[p.at+1] = uint32(w.boxes.number(box))
	}
	if n := &w.machines.nodes[e.to]; n.ended {
		return w.end(p, n)
	}
	return ""
}

// left gives on the partition of a reader that has let go of it, and forgets one that has lost it and
// has nothing in work.
func (w *protocol) left(p *proc, e edge) {
	of := w.next[w.base+p.partition*w.stride:][:w.stride]
	n := &w.machines.nodes[e.to]
	switch {
	case p.slot > 0 && n.lost && n.idle:
		i := p.at - w.base - p.partition*w.stride
		copy(of[i:], of[i+1:])
		of[w.stride-1] = 0
	case p.slot == 0 && len(e.sent) > 0:
		w.moveOn(p.partition, of)
	}
}

// end removes a process that has ended. Only a worker with a successor may.
func (w *protocol) end(p *proc, n *node) (wrong string) {
	switch {
	case n.err != nil:
		return fmt.Sprintf("%s ends: %v", w.name(p), n.err)
	case p.slot == 0:
		return w.name(p) + " ends, and nobody asked it to"
	}
	end := w.base + p.partition*w.stride + w.workersEnd
	copy(w.next[p.at:end], w.next[p.at+perWorker:end])
	w.next[end-perWorker], w.next[end-1] = 0, 0
	return ""
}

func (w *protocol) name(p *proc) string {
	switch {
	case p.kind == procReader && p.slot > 0:
		return fmt.Sprintf("reader %d (replaced)", p.partition)
	case p.kind == procReader:
		return fmt.Sprintf("reader %d", p.partition)
	case p.kind == procKeeper:
		return fmt.Sprintf("keeper %d", p.partition)
	case p.slot > 0:
		return fmt.Sprintf("worker %d (replaced)", p.partition)
	}
	return fmt.Sprintf("worker %d", p.partition)
}

// missing says which span is in no place any more, or in one where nobody looks.
func (w *protocol) missing() string {
	var there uint32 // or on its way
	for c := range w.shared {
		at := atComponents + 2*c
		there |= w.outputs.all[w.next[at+1]].spans
		for id := range w.stores.all[w.next[at]].held { //order-free: a sum of bits
			there |= w.marks[id]
		}
	}
	var committed uint32
	for p := range w.parts {
		of := w.next[w.base+p*w.stride:][:w.stride]
		committed |= w.logMarks[p][of[ofCommitted]]
		there |= w.polled(p, of[ofReader])
		for _, n := range of[w.workersEnd:] {
			there |= w.polled(p, n)
		}
		for at := ofWorkers; at < w.workersEnd; at += perWorker {
			for _, f := range w.box(of[at+1]) {
				for _, id := range f.Handed.Record.Spans {
					there |= w.marks[id]
				}
			}
		}
	}
	if lost := committed &^ there; lost != 0 {
		return "lost: " + w.spansOf(lost) + " is committed, and neither stored nor out"
	}
	for c := range w.shared {
		for _, g := range w.stores.all[w.next[atComponents+2*c]].unnamed {
			if w.stranded(g, committed) {
				return "left over: " + generationName(g.name) + " is stored, and named by no queue, " +
					"worker or message"
			}
		}
	}
	return ""
}

// polled returns the spans that a reader has in its memory and is about to store.
func (w *protocol) polled(p int, node uint32) uint32 {
	at := w.machines.nodes[node].polled
	return w.logMarks[p][at[1]] &^ w.logMarks[p][at[0]]
}

// stranded tells whether nobody will find a generation that no shard names.
func (w *protocol) stranded(g unnamed, committed uint32) bool {
	for _, id := range g.spans {
		if w.marks[id]&committed == 0 {
			return false
		}
	}
	for p := range w.parts {
		of := w.next[w.base+p*w.stride:][:w.stride]
		for at := ofWorkers; at < w.workersEnd; at += perWorker {
			if slices.Contains(w.machines.nodes[of[at]].holds, g.name) {
				return false
			}
		}
		if !w.machines.nodes[of[ofReader]].idle {
			return false // it may be about to enqueue it
		}
		for _, n := range of[w.workersEnd:] {
			if n != 0 {
				return false
			}
		}
	}
	return true
}

func (w *protocol) spansOf(marks uint32) string {
	var names []string
	for _, log := range w.sys.logs {
		for _, id := range log {
			if w.marks[id]&marks != 0 {
				names = append(names, spanName(id))
			}
		}
	}
	return strings.Join(names, ", ")
}

// rest says what is wrong with a state in which nothing happens any more.
func (w *protocol) rest(s []uint32) string {
	for p := range w.parts {
		if !w.read(p, s) {
			return fmt.Sprintf("partition %d is not read to its end, and nothing happens any more", p)
		}
	}
	for c := range w.shared {
		if store := &w.stores.all[s[atComponents+2*c]]; !store.empty {
			left, _ := store.store.Leftovers(ctx) // the reference store is always there
			return fmt.Sprintf("left over: %v, and nothing happens any more", left)
		}
	}
	return ""
}

// describe returns a move in words, given the state before it and after it.
func (w *protocol) describe(s []uint32, m move) string {
	p := &w.procs[m.proc]
	if p.kind == procKeeper {
		text := fmt.Sprintf("%s: fence shard %d", w.name(p), p.partition)
		if w.next[w.base+p.partition*w.stride+ofKeeper] == 0 {
			text += ", start its worker"
		}
		return text
	}
	switch m.act {
	case actCrash:
		return fmt.Sprintf("%s crashes in stage %s", w.name(p), w.stage(s, p, m))
	case actFreeze:
		return fmt.Sprintf("%s freezes in stage %s, is replaced, and may wake at any time", w.name(p),
			w.stage(s, p, m))
	case actRevoke, actExpire:
		return fmt.Sprintf("%s: %s", w.name(p), m.act)
	case actHear:
		return w.name(p) + " hears that the partition is lost"
	case actSend:
		return fmt.Sprintf("%s: kafka has %s", w.name(p), recordName(w.box(s[p.at+1])[0].Handed.Record))
	case actRefuseRecord:
		return fmt.Sprintf("%s: kafka refuses a record", w.name(p))
	}
	op := w.machines.ops.values[w.machines.nodes[s[p.at]].calls[m.call]]
	text := fmt.Sprintf("%s: %s", w.name(p), say(op))
	switch m.act {
	case actLost:
		return text + ": done, the answer is lost"
	case actRefuse:
		return text + ": refused"
	}
	switch op := op.(type) {
	case poll:
		text = fmt.Sprintf("%s: read", w.name(p))
		for _, id := range w.sys.logs[p.partition][op.From:][:m.choice] {
			text += " " + spanName(id)
		}
	case sleep:
		text = w.name(p) + " wakes"
	case wait:
		text = w.name(p) + " hears that the record is out"
	case step:
		e := w.stores.step(int32(s[atComponents+2*w.parts[p.partition]]),
			w.machines.nodes[s[p.at]].calls[m.call], int(m.choice))
		if words := reply(w.machines.answers.values[e.answer].(answer)); words != "" {
			text += ": " + words
		}
	}
	return text
}

func recordName(r record) string {
	text := generationName(r.Generation) + " with"
	for _, id := range r.Spans {
		text += " " + spanName(id)
	}
	return text
}

func (w *protocol) covered() map[Cell]int { return w.cover }

func (w *protocol) executed() int { return w.machines.executed + w.stores.executed }
