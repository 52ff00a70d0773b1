package explore

import (
	"errors"
	"fmt"
	"slices"

	"sluice/buffer"
	"sluice/flusher"
	"sluice/internal/options"
)

// supervision is a supervisor over workers of which only what a supervisor can see is there: they
// start, beat, hang, wake, and end.
type supervision struct {
	sys      *system
	machines *machines
	stores   *stores
	children *table // of []process
	cover    map[Cell]int
	next     []uint32
	done     int32
	refused  int32
}

// process is a child, in the order of starts.
type process struct {
	Child  child
	Shards []buffer.Shard
	Epochs []buffer.Epoch // of the shards
	Phase  phase
	Killed bool // it is to end, sooner or later
	Asked  bool // to end
}

type phase uint8

const (
	starting phase = iota
	up
	hung
	gone
	refused // it never began
	stuck   // it hangs while it starts
)

var phaseNames = [...]string{"starting", "up", "hung", "gone", "refused", "stuck in its start"}

// over tells whether there is no such process any more.
func (p process) over() bool { return p.Phase == gone || p.Phase == refused }

// A state of a supervision.
const (
	supFaults = iota
	supNode
	supStore
	supChildren
	supWidth
)

// What happens to children, beside actCrash.
const (
	actUp act = iota + 32
	actDie
	actWake
	actHang
)

func newSupervision(sys *system, symmetry bool) *supervision {
	workers, shards := sys.size.Workers, sys.size.shards()
	rs := renamings(workers, func(r renaming) bool {
		return r.identity() || symmetry && shards%workers == 0
	})
	m := newMachines(rs)
	w := &supervision{
		sys: sys, machines: m, stores: newStores(rs, m.ops, m.answers), children: newTable(rs),
		cover: make(map[Cell]int), next: make([]uint32, supWidth),
	}
	w.children.number([]process(nil))
	w.done = m.answers.number(answer{})
	w.refused = m.answers.number(answer{Err: errRefused})
	return w
}

func (w *supervision) first() [][]uint32 {
	s := make([]uint32, supWidth)
	s[supFaults] = uint32(w.sys.size.Faults)
	s[supNode] = uint32(w.machines.start(supervising{w.sys}))
	return [][]uint32{s}
}

func (w *supervision) key(s []uint32) (key uint64, orbit int) {
	keys := make([]uint64, len(w.machines.renamings))
	for i := range keys {
		h := mix(uint64(s[supFaults]), w.machines.nodes[s[supNode]].hash(i))
		h = mix(h, w.stores.all[s[supStore]].hashes[i])
		for _, p := range w.list(s) { // a sum: children of different workers have no order
			h += mix(25, w.machines.renamings[i].digest(p))
		}
		keys[i] = h
	}
	slices.Sort(keys)
	return keys[0], len(slices.Compact(keys))
}

func (w *supervision) list(s []uint32) []process {
	return w.children.values[s[supChildren]].([]process)
}

func (w *supervision) covered() map[Cell]int { return w.cover }

func (w *supervision) executed() int { return w.machines.executed + w.stores.executed }

// view is what the worker's keeper sees now: of the last child, since it asks no more about those before.
func (w *supervision) view(s []uint32, worker buffer.Shard) view {
	for _, p := range slices.Backward(w.list(s)) {
		if p.Child.Worker == worker && p.Phase != refused {
			one := vital{p.Child, p.Phase != starting && p.Phase != stuck, p.Phase == hung, p.Phase == gone, 0}
			if p.Phase == stuck {
				one.Late = lateLooks
			}
			return view{one}
		}
	}
	return view{}
}

func (w *supervision) expand(
	s []uint32, visit func(m move, next []uint32, wrong string),
) (quiet bool) {
	n := &w.machines.nodes[s[supNode]]
	quiet = true
	may := func(m move) {
		copy(w.next, s)
		wrong := w.do(s, m)
		visit(m, w.next, wrong)
		quiet = quiet && (m.act.fault() || m.act == actWake && !n.noticed) // what hangs may never wake
	}
	for i, number := range n.calls {
		call := int8(i)
		switch op := w.machines.ops.values[number].(type) {
		case nap:
			if n.stirred[i] || !w.seen(s, op.Worker) {
				may(move{call: call})
			}
		case spawn:
			may(move{call: call})
			if s[supFaults] > 0 {
				may(move{call: call, act: actRefuse})
			}
		default:
			may(move{call: call})
		}
	}
	for i, p := range w.list(s) {
		m := move{choice: int16(i)}
		for _, a := range p.acts(s[supFaults] > 0) {
			m.act = a
			may(m)
		}
	}
	return quiet
}

// acts returns what can happen to a child.
func (p process) acts(faults bool) []act {
	var acts []act
	switch {
	case p.over():
		return nil
	case p.Killed:
		return []act{actDie}
	case p.Phase == starting:
		acts = append(acts, actUp)
		if faults {
			acts = append(acts, actHang)
		}
	case p.Phase == hung, p.Phase == stuck:
		acts = append(acts, actWake)
	case p.Asked:
		acts = append(acts, actDie)
	case faults:
		acts = append(acts, actHang)
	}
	if faults {
		acts = append(acts, actCrash)
	}
	return acts
}

// seen tells whether a keeper has seen its children as they are.
func (w *supervision) seen(s []uint32, worker buffer.Shard) bool {
	last := w.machines.nodes[s[supNode]].views
	for _, v := range w.view(s, worker) {
		if last[v.Child] != v {
			return false
		}
	}
	return true
}

// do makes next what a state is after a move, and returns what is wrong with it.
func (w *supervision) do(s []uint32, m move) (wrong string) {
	if m.act.fault() {
		w.next[supFaults]--
		stage := "start"
		if m.act != actRefuse {
			stage = phaseNames[w.list(s)[m.choice].Phase]
		}
		w.cover[Cell{"worker: " + m.act.String(), stage}]++
	}
	if m.act != actAnswer && m.act != actRefuse {
		w.change(func(list []process) []process {
			p := &list[m.choice]
			if m.act == actHang && p.Phase == starting {
				p.Phase = stuck
				return list
			}
			p.Phase = map[act]phase{
				actUp: up, actWake: up, actHang: hung, actDie: gone, actCrash: gone,
			}[m.act]
			return list
		})
		return w.judge()
	}
	return w.answer(s, m)
}

func (w *supervision) change(how func([]process) []process) {
	w.next[supChildren] = uint32(w.children.number(how(slices.Clone(w.list(w.next)))))
}

// answer lets a call of the supervisor return.
func (w *supervision) answer(s []uint32, m move) (wrong string) {
	number := w.machines.nodes[s[supNode]].calls[m.call]
	reply := w.done
	switch op := w.machines.ops.values[number].(type) {
	case step:
		e := w.stores.step(int32(s[supStore]), number, 0)
		w.next[supStore], reply = uint32(e.to), e.answer
	case nap:
		reply = w.machines.answers.number(answer{Value: w.view(s, op.Worker)})
	case spawn:
		started := process{Child: op.Child, Shards: op.Shards, Epochs: op.Epochs}
		if m.act == actRefuse {
			reply, started.Phase = w.refused, refused
		} else {
			wrong = w.fenced(started)
		}
		w.change(func(list []process) []process { return append(list, started) })
	}
	e := w.machines.step(int32(s[supNode]), int(m.call), reply)
	w.next[supNode] = uint32(e.to)
	for _, sent := range e.sent {
		w.change(func(list []process) []process {
			for i := range list {
				switch order := w.machines.sends.values[sent].(type) {
				case kill:
					list[i].Killed = list[i].Killed || list[i].Child == order.Child
				case finish:
					list[i].Asked = list[i].Asked || list[i].Child == order.Child
				}
			}
			return list
		})
	}
	if wrong != "" {
		return wrong
	}
	return w.judge()
}

// fenced says what is wrong with the epochs under which a child is started: each is its shard's last, and
// the one that follows its predecessor's is nobody's, since that may take it for its own (flusher.keeper).
func (w *supervision) fenced(started process) string {
	for i, shard := range started.Shards {
		epoch, before := started.Epochs[i], buffer.Epoch(0)
		if last := w.epoch(w.next, shard); epoch != last {
			return fmt.Sprintf("fencing: worker %d is started on shard %d under epoch %d, and the last is %d",
				started.Child.Worker, shard, epoch, last)
		}
		for _, p := range w.list(w.next) {
			if at := slices.Index(p.Shards, shard); at >= 0 && p.Phase != refused {
				before = max(before, p.Epochs[at])
			}
		}
		if epoch < before+2 {
			return fmt.Sprintf("fencing: worker %d is started on shard %d under epoch %d, after one under epoch %d, "+
				"which may take the next for its own", started.Child.Worker, shard, epoch, before)
		}
	}
	return ""
}

func (w *supervision) epoch(s []uint32, shard buffer.Shard) buffer.Epoch {
	return w.stores.all[s[supStore]].snapshot.Shards[shard].Epoch
}

// judge says what is wrong with a state, whatever is to come.
func (w *supervision) judge() string {
	list := w.list(w.next)
	live := 0
	for i, p := range list {
		if p.over() {
			continue
		}
		live++
		for _, other := range list[:i] {
			if !other.over() && slices.ContainsFunc(p.Shards, func(shard buffer.Shard) bool {
				return slices.Contains(other.Shards, shard)
			}) {
				return fmt.Sprintf("two owners: %s and %s live on a shard of both", other, p)
			}
		}
	}
	if live > w.sys.size.Workers {
		return fmt.Sprintf("process limit: %s live, at most %d may", options.FormatCount(live, "worker"), w.sys.size.Workers)
	}
	starts, worker := mostStarts(list)
	if starts > budget+1 {
		return fmt.Sprintf("restart budget: start %d of worker %d, with %s allowed", starts, worker,
			options.FormatCount(budget, "restart"))
	}
	n := &w.machines.nodes[w.next[supNode]]
	switch {
	case !n.ended:
		return ""
	case !errors.Is(n.err, flusher.ErrBudget):
		return fmt.Sprintf("the supervisor ends: %v", n.err)
	case starts <= budget:
		return fmt.Sprintf("restart budget: it is said to be used up after %s of worker %d, with %s allowed",
			options.FormatCount(starts, "start"), worker, options.FormatCount(budget, "restart"))
	case live > 0:
		return fmt.Sprintf("process limit: the supervisor has ended, and %s not", options.FormatCount(live, "worker"))
	}
	return ""
}

// mostStarts returns how often a worker was started, or was to be, of those that were most often.
func mostStarts(list []process) (most int, worker buffer.Shard) {
	starts := make(map[buffer.Shard]int)
	for _, p := range list {
		starts[p.Child.Worker]++
		if n := starts[p.Child.Worker]; n > most {
			most, worker = n, p.Child.Worker
		}
	}
	return most, worker
}

// String names a process in words.
func (p process) String() string {
	return fmt.Sprintf("worker %d (start %d, %s)", p.Child.Worker, p.Child.Start, phaseNames[p.Phase])
}

// rest: when nothing but faults is to come, or what hangs unnoticed wakes, each shard has a worker that is up, under
// its last epoch.
func (w *supervision) rest(s []uint32) string {
	if w.machines.nodes[s[supNode]].ended {
		return ""
	}
	for shard := range buffer.Shard(w.sys.size.shards()) {
		if !slices.ContainsFunc(w.list(s), func(p process) bool {
			at := slices.Index(p.Shards, shard)
			return p.Phase == up && at >= 0 && p.Epochs[at] == w.epoch(s, shard)
		}) {
			return fmt.Sprintf("coverage: shard %d has no worker under its last epoch, and nothing happens any more", shard)
		}
	}
	return ""
}

func (w *supervision) describe(s []uint32, m move) string {
	if m.act != actAnswer && m.act != actRefuse {
		return fmt.Sprintf("%s: %s", w.list(s)[m.choice], m.act)
	}
	text := "supervisor: "
	switch op := w.machines.ops.values[w.machines.nodes[s[supNode]].calls[m.call]].(type) {
	case nap:
		if op.Worker == nobody {
			text += "looks at its keepers"
		} else {
			text = fmt.Sprintf("keeper %d: looks", op.Worker)
		}
	case spawn:
		text = fmt.Sprintf("keeper %d: start %d of worker %d", op.Child.Worker, op.Child.Start,
			op.Child.Worker)
	default:
		text += say(op)
	}
	if m.act == actRefuse {
		text += ": refused"
	}
	was := w.list(s)
	for i, p := range w.list(w.next) {
		if i < len(was) && !was[i].Killed && p.Killed {
			text += fmt.Sprintf(", kills %s", p)
		}
	}
	return text
}
