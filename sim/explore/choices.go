package explore

import (
	"slices"

	"sluice/buffer"
)

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
			// What is leased goes back into the queue, from which the reader may be about to drop it.
			leased := w.store(p, s).snapshot.Shards[buffer.Shard(p)].Leased
			k.local = !anyOf(of[ofWorkers:w.workersEnd]) && !w.movable(s, of) && (len(leased) == 0 || w.read(p, s))
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
			// What is left over while the reader is idle is to be seen, too, so it does not go on first.
			if !n.lost && int(op.From) < len(w.sys.logs[p]) && w.mayHold(p, s, of) {
				r.local = false
			}
			for k := 1; !n.lost && k <= len(w.sys.logs[p])-int(op.From); k++ {
				w.may(r, move{call: call, choice: int16(k)})
			}
		case step: // of the store, which its worker looks at, too
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
		if _, polls := w.machines.ops.values[number].(poll); polls && faults {
			if has(w.kinds.readers, actRevoke) && !n.lost {
				w.may(r, move{call: int8(i), act: actRevoke})
			}
			if has(w.kinds.readers, actExpire) { // also of one that is to let go, and has not yet
				w.may(r, move{call: int8(i), act: actExpire})
			}
		}
	}
}

// mayHold tells whether the store holds something, or may before the partition's reader moves.
func (w *protocol) mayHold(p int, s, of []uint32) bool {
	return !w.store(p, s).empty || w.shared[w.parts[p]] ||
		slices.ContainsFunc(of[w.workersEnd:], func(stray uint32) bool { return stray != 0 })
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
	if unsent(box) >= 0 {
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

// openLease lets any segments be due that the queue names, in any order, as if that were the one of their
// deadlines, and no more than the limit. That none is due leads a worker with nothing in work back to
// where it was.
func (w *protocol) openLease(v *proc, s []uint32, n *node, op lease, faults bool) {
	queued := len(w.store(v.partition, s).queued(op.Owner.Shard))
	takes := make([]int16, 0, 8)
	if len(n.holds) > 0 || queued == 0 {
		takes = append(takes, takeNothing)
	}
	if w.epoch(v.partition, s) == op.Owner.Epoch {
		for k := range orders(queued, op.Limit) {
			takes = append(takes, int16(k))
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
