package explore

import (
	"fmt"
	"slices"

	"sluice/buffer"
)

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
		w.leaves(p.partition, of)
		w.readOn(p.partition, of)
	case m.act == actExpire:
		w.leaves(p.partition, of)
		copy(of[w.workersEnd+1:], of[w.workersEnd:])
		of[w.workersEnd] = of[ofReader]
		w.moveOn(p.partition, of)
	case m.act == actCrash:
		of[ofWorkers], of[ofWorkers+1], of[ofKeeper] = 0, 0, w.fences
	case m.act == actFreeze:
		w.replace(of)
	case m.act == actSend:
		wrong = w.send(p)
	case m.act == actRefuseRecord:
		box := slices.Clone(w.box(w.next[p.at+1]))
		box[unsent(box)].Refused = true
		w.next[p.at+1] = uint32(w.boxes.number(box))
	default:
		wrong = w.answer(p, m)
	}
	if wrong == "" {
		w.forget()
		if wrong = w.missing(); wrong == "" {
			wrong = w.twice()
		}
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
	of[ofWorkers], of[ofWorkers+1], of[ofKeeper] = 0, 0, w.fences
}

// readOn begins to read a partition where it was committed.
func (w *protocol) readOn(p int, of []uint32) {
	of[ofTenure]++
	of[ofReader] = uint32(w.machines.start(reading{w.sys, buffer.Shard(p), int(of[ofTenure]), int64(of[ofCommitted])}))
}

// leaves notes that what a reader of the partition has polled and not committed is delivered again.
func (w *protocol) leaves(p int, of []uint32) {
	if w.machines.nodes[of[ofReader]].polled[1] > int64(of[ofCommitted]) {
		w.deliversAgain(p)
	}
}

// deliversAgain notes that spans of what shares a trace with the partition may reach the store twice.
func (w *protocol) deliversAgain(p int) { w.next[atFlags] |= 1 << w.parts[p] }

// deliveredAgain tells whether they may have.
func (w *protocol) deliveredAgain(p int, s []uint32) bool { return s[atFlags]>>w.parts[p]&1 == 1 }

// moveOn gives a partition to another member of the group, which flushes it, too.
func (w *protocol) moveOn(p int, of []uint32) {
	w.readOn(p, of)
	w.replace(of)
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

// send lets Kafka have the next record that a worker has on the way.
func (w *protocol) send(p *proc) (wrong string) {
	box := slices.Clone(w.box(w.next[p.at+1]))
	at := unsent(box)
	out := &w.next[atComponents+2*w.parts[p.partition]+1]
	e := w.outputs.add(int32(*out), box[at].Handed.Record)
	*out = uint32(e.to)
	w.next[p.at+1] = uint32(w.boxes.number(slices.Delete(box, at, at+1)))
	switch {
	case e.wrong != "":
		wrong = e.wrong
	case e.repeat == repeatRecord && int(w.next[atFaults]) == w.sys.size.Faults:
		wrong = "a record comes out twice, and there was no fault"
	case e.repeat == repeatSpan && !w.deliveredAgain(p.partition, w.next):
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
			w.deliversAgain(p.partition)
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
