package explore

import (
	"fmt"

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
	width               int    // of a state
	stride              int    // of a partition
	base                int    // of partition 0
	fences              uint32 // of a keeper before it starts a worker
	zombies             int    // how many workers of a shard can live on,
	strayReaders        int    // and how many readers of a partition: their nodes are behind the workers'
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
	atFlags  // by component: something may have been delivered twice
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

func newProtocol(sys *system, k kinds, symmetry, independence bool) *protocol {
	rs := renamings(sys.size.Workers, func(r renaming) bool {
		return r.identity() || symmetry && sys.fits(r)
	})
	m := newMachines(rs)
	w := &protocol{
		sys: sys, kinds: k, machines: m, stores: newStores(rs, m.ops, m.answers), boxes: newTable(rs),
		outputs: newOutputs(rs), marks: make(map[buffer.SpanID]uint32), parts: sys.components(),
		independence: independence, fences: 2, zombies: 0, cover: make(map[Cell]int),
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
		of[ofKeeper] = w.fences
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
		h := mix(uint64(s[atFaults]), 0)
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
			one := mix(mix(21, uint64(r[p])), uint64(s[atFlags]>>c&1))
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

func (w *protocol) covered() map[Cell]int { return w.cover }

func (w *protocol) executed() int { return w.machines.executed + w.stores.executed }
