package explore

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"sluice/buffer"
	"sluice/buffer/memstore"
	"sluice/reports"
)

// Step is one of those that lead to a violation.
type Step struct {
	// Text says what happened; of the first, which is the beginning, that.
	Text string
	// Open are the choices there were, and Taken the one that was made: an index, -1 for none.
	Open  []string
	Taken int
	// State is what everything is afterwards.
	State []Part
}

// Part is a part of a state in words: a process, a shard, a span.
type Part struct{ Group, Name, Value, Class string }

// The groups of parts.
const (
	groupProcesses = "processes"
	groupShards    = "shards"
	groupSpans     = "spans"
)

// way returns the steps that lead to the violation. The state of the last may be one that is wrong.
func (f *search) way() []Step {
	var moves []move
	if f.lastMove != nil {
		moves = append(moves, *f.lastMove)
	}
	n := f.last
	for ; f.from[n] >= 0; n = f.from[n] {
		moves = append(moves, f.by[n])
	}
	s := f.world.first()[n]
	steps := []Step{{Text: "the beginning", Taken: -1, State: f.world.inWords(s)}}
	for _, taken := range slices.Backward(moves) {
		step := Step{Taken: -1}
		var after []uint32
		f.world.expand(s, func(m move, next []uint32, _ string) {
			text := f.world.describe(s, m)
			if m == taken {
				step.Text, step.Taken = text, len(step.Open)
				after = slices.Clone(next)
			}
			step.Open = append(step.Open, text)
		})
		s = after
		step.State = f.world.inWords(s)
		steps = append(steps, step)
	}
	return steps
}

// Steps returns what happened on the way, in words.
func (r Result) Steps() []string {
	var words []string
	for i, step := range r.Way {
		if i > 0 { // before that is the beginning
			words = append(words, step.Text)
		}
	}
	return words
}

// Story returns the way to the violation for the timeline of a page; nil if nothing is wrong.
func (r Result) Story() *reports.Story {
	if r.Wrong == "" {
		return nil
	}
	end := float64(len(r.Way) - 1)
	story := &reports.Story{Unit: reports.UnitSteps, From: 0, To: end}
	before := map[string]string{}
	for i, step := range r.Way {
		at := float64(i)
		m := reports.StoryMoment{T: at, Kind: "step", Text: step.Text, Worker: reports.NoWorker,
			Open: step.Open, Taken: step.Taken}
		if m.Open == nil {
			m.Open = []string{}
		}
		now := map[string]string{}
		for _, part := range step.State {
			now[part.Name] = part.Value
			lane := laneOf(story, part)
			lane.Bars = append(lane.Bars, reports.StoryBar{From: max(0, at-0.5), To: min(end, at+0.5), Class: part.Class,
				Text: part.Value})
			if i > 0 && before[part.Name] != part.Value {
				m.Changed = append(m.Changed, reports.StoryChange{What: part.Name, Before: before[part.Name],
					After: part.Value})
			}
		}
		if i > 0 {
			for _, part := range r.Way[i-1].State {
				if _, still := now[part.Name]; !still {
					m.Changed = append(m.Changed, reports.StoryChange{What: part.Name, Before: part.Value})
				}
			}
		}
		before = now
		story.Moments = append(story.Moments, m)
	}
	last := &story.Moments[len(story.Moments)-1]
	last.Bad = true
	last.Text += "; violated: " + r.Wrong
	slices.SortStableFunc(story.Lanes, func(a, b reports.StoryLane) int {
		order := []string{groupProcesses, groupShards, groupSpans}
		return slices.Index(order, a.Group) - slices.Index(order, b.Group)
	})
	return story
}

// laneOf finds the lane of a part, or adds it.
func laneOf(s *reports.Story, of Part) *reports.StoryLane {
	at := slices.IndexFunc(s.Lanes, func(l reports.StoryLane) bool { return l.Name == of.Name })
	if at < 0 {
		at = len(s.Lanes)
		s.Lanes = append(s.Lanes, reports.StoryLane{Group: of.Group, Name: of.Name,
			Worker: reports.NoWorker, Shard: reports.NoShard})
	}
	return &s.Lanes[at]
}

// inWords implements world.
func (w *protocol) inWords(s []uint32) []Part {
	var list []Part
	add := func(group, class, value, name string, args ...any) {
		list = append(list, Part{group, fmt.Sprintf(name, args...), value, class})
	}
	for p := range w.parts {
		of := s[w.base+p*w.stride:][:w.stride]
		text, class := w.doing(of[ofReader])
		text += fmt.Sprintf("; committed %d of %d", of[ofCommitted], len(w.sys.logs[p]))
		add(groupProcesses, class, text, "reader %d", p)
		for i, n := range of[w.workersEnd:] {
			if n != 0 {
				text, class := w.doing(n)
				add(groupProcesses, class, text, "reader %d (replaced %d)", p, i+1)
			}
		}
		for slot := 0; ofWorkers+perWorker*slot < w.workersEnd; slot++ {
			node, box := of[ofWorkers+perWorker*slot], w.box(of[ofWorkers+perWorker*slot+1])
			name := fmt.Sprintf("worker %d", p)
			if slot > 0 {
				name += fmt.Sprintf(" (replaced %d)", slot)
			}
			if node == 0 {
				if slot == 0 {
					text := "down"
					if of[ofKeeper] > 0 {
						text = "down; its keeper fences before it starts one"
					}
					add(groupProcesses, "down", text, "%s", name)
				}
				continue
			}
			text, class := w.doing(node)
			if n := &w.machines.nodes[node]; len(n.holds) > 0 {
				text += "; holds" + generationNames(n.holds)
			}
			for _, f := range box {
				text += "; on its way to kafka: " + recordName(f.Handed.Record)
				if f.Refused {
					text += ", refused"
				}
			}
			add(groupProcesses, class, text, "%s", name)
		}
		shard := w.store(p, s).snapshot.Shards[buffer.Shard(p)]
		text = fmt.Sprintf("epoch %d", shard.Epoch)
		if len(shard.Queued) > 0 {
			text += "; queued" + generationNames(sortedGenerations(shard.Queued))
		}
		if len(shard.Leased) > 0 {
			text += "; leased" + generationNames(sortedGenerations(shard.Leased))
		}
		add(groupShards, fmt.Sprintf("owner-%d", shard.Epoch%8), text, "shard %d", p)
	}
	for p, log := range w.sys.logs {
		for offset, id := range log {
			text, class := w.place(s, p, offset, id)
			add(groupSpans, class, text, "span %s", spanName(id))
		}
	}
	return append(list, faultsLeft(s[atFaults]))
}

func faultsLeft(n uint32) Part {
	return Part{groupProcesses, "faults left", fmt.Sprint(n), "owner-none"}
}

// doing says what a process waits for.
func (w *protocol) doing(node uint32) (text, class string) {
	n := &w.machines.nodes[node]
	if n.ended {
		return "ended", "down"
	}
	var words []string
	class = "stage-idle"
	for _, call := range n.calls {
		op := w.machines.ops.values[call]
		if stage := stageOf(op); stage != "idle" {
			words, class = append(words, say(op)), "stage-"+stage
		}
	}
	text = strings.Join(words, ", ")
	switch {
	case text == "":
		text = "idle"
	default:
		text = "about to " + text
	}
	if n.lost {
		text += "; knows that its partition is another's"
	}
	return text, class
}

// place says where a span is: the furthest that it has come, and what else holds it.
func (w *protocol) place(s []uint32, p, offset int, id buffer.SpanID) (text, class string) {
	component := w.parts[p]
	var places []string
	add := func(c, format string, args ...any) {
		class = c
		places = append(places, fmt.Sprintf(format, args...))
	}
	of := s[w.base+p*w.stride:][:w.stride]
	if offset >= int(of[ofCommitted]) {
		add("place-input", "in the input, not committed")
	}
	store := &w.stores.all[s[atComponents+2*component]]
	for _, trace := range store.snapshot.Traces { //order-free: a span is of one trace
		for _, name := range slices.SortedFunc(maps.Keys(trace.Generations), buffer.Generation.Compare) {
			g := trace.Generations[name]
			if !slices.ContainsFunc(g.Calls, func(a memstore.Arrived) bool { return a.Span == id }) {
				continue
			}
			how := "live"
			if g.Owner != nil {
				how = fmt.Sprintf("in flight under shard %d, epoch %d", g.Owner.Shard, g.Owner.Epoch)
			}
			if !store.named(name) {
				how += ", named by no queue"
			}
			add("place-store", "stored in %s, %s", generationName(name), how)
		}
	}
	for q := range w.parts {
		of := s[w.base+q*w.stride:][:w.stride]
		for at := ofWorkers; at < w.workersEnd; at += perWorker {
			for _, f := range w.box(of[at+1]) {
				if !f.Refused && slices.Contains(f.Handed.Record.Spans, id) {
					add("place-way", "on its way to kafka")
				}
			}
		}
	}
	if w.outputs.all[s[atComponents+2*component+1]].spans&w.marks[id] != 0 {
		add("place-out", "out")
	}
	if len(places) == 0 {
		return "nowhere", "place-lost"
	}
	return strings.Join(places, "; "), class
}

// inWords implements world.
func (w *supervision) inWords(s []uint32) []Part {
	var list []Part
	n := &w.machines.nodes[s[supNode]]
	doing := map[string][]string{}
	for _, call := range n.calls {
		switch op := w.machines.ops.values[call].(type) {
		case nap:
			if op.Worker == nobody {
				doing["supervisor"] = append(doing["supervisor"], "between two looks")
			} else {
				name := fmt.Sprintf("keeper %d", op.Worker)
				doing[name] = append(doing[name], "between two looks")
			}
		case spawn:
			name := fmt.Sprintf("keeper %d", op.Child.Worker)
			doing[name] = append(doing[name], fmt.Sprintf("about to start worker %d", op.Child.Worker))
		default:
			doing["supervisor"] = append(doing["supervisor"], "about to "+say(op))
		}
	}
	if n.ended {
		doing["supervisor"] = []string{fmt.Sprintf("ended: %v", n.err)}
	}
	for _, name := range slices.Sorted(maps.Keys(doing)) {
		list = append(list, Part{groupProcesses, name, strings.Join(doing[name], ", "), "stage-idle"})
	}
	owners := map[buffer.Shard][]string{}
	for _, p := range w.list(s) {
		text := phaseNames[p.Phase]
		if p.Killed {
			text += ", killed"
		}
		if p.Asked {
			text += ", asked to end"
		}
		name := fmt.Sprintf("worker %d, start %d", p.Child.Worker, p.Child.Start)
		class := phaseNames[p.Phase]
		if p.Phase == stuck {
			class = phaseNames[hung]
		}
		list = append(list, Part{groupProcesses, name, text, "phase-" + class})
		for _, shard := range p.Shards {
			if !p.over() {
				owners[shard] = append(owners[shard], name)
			}
		}
	}
	snapshot := w.stores.all[s[supStore]].snapshot
	for shard := range buffer.Shard(w.sys.size.shards()) {
		class, owner := "owner-none", "nobody"
		if list := owners[shard]; len(list) > 0 {
			class, owner = fmt.Sprintf("owner-%d", shard%8), strings.Join(list, " and ")
		}
		if len(owners[shard]) > 1 {
			class = "place-lost"
		}
		list = append(list, Part{groupShards, fmt.Sprintf("shard %d", shard),
			fmt.Sprintf("%s; epoch %d", owner, snapshot.Shards[shard].Epoch), class})
	}
	return append(list, faultsLeft(s[supFaults]))
}
