package explore

import (
	"fmt"
	"slices"
	"strings"
)

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
			there |= w.onTheWay(of[at+1])
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

// twice says which shard two workers lease from at the same time.
func (w *protocol) twice() string {
	for p := range w.parts {
		of := w.next[w.base+p*w.stride:][ofWorkers:w.workersEnd]
		if w.zombies == 0 || of[perWorker] == 0 {
			continue
		}
		last, owners := w.epoch(p, w.next), 0
		for at := 0; at < len(of); at += perWorker {
			if w.machines.nodes[of[at]].epoch == last {
				owners++
			}
		}
		if owners > 1 {
			return fmt.Sprintf("two owners: %d workers lease from shard %d under epoch %d", owners, p, last)
		}
	}
	return ""
}

// onTheWay returns the spans of the records in a box that Kafka may still get.
func (w *protocol) onTheWay(box uint32) (spans uint32) {
	for _, f := range w.box(box) {
		if f.Refused {
			continue
		}
		for _, id := range f.Handed.Record.Spans {
			spans |= w.marks[id]
		}
	}
	return spans
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
		return fmt.Sprintf("%s: kafka has %s", w.name(p), w.unsentName(s[p.at+1]))
	case actRefuseRecord:
		return fmt.Sprintf("%s: kafka refuses %s", w.name(p), w.unsentName(s[p.at+1]))
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
		if slices.ContainsFunc(w.box(s[p.at+1]), op.is) {
			text = w.name(p) + " hears that the record was refused"
		}
	case step:
		e := w.stores.step(int32(s[atComponents+2*w.parts[p.partition]]),
			w.machines.nodes[s[p.at]].calls[m.call], int(m.choice))
		if words := reply(w.machines.answers.values[e.answer].(answer)); words != "" {
			text += ": " + words
		}
	}
	return text
}

func (w *protocol) unsentName(box uint32) string {
	flying := w.box(box)
	return recordName(flying[unsent(flying)].Handed.Record)
}

func recordName(r record) string {
	text := generationName(r.Generation) + " with"
	for _, id := range r.Spans {
		text += " " + spanName(id)
	}
	return text
}
