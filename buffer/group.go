package buffer

// Group sorts the spans of one batch by trace and, within a trace, files each span below the
// topmost effective parent that the batch knows. A group whose head turns up later in the batch
// moves below that head's parent. Traces are in the order of their first span, spans within a
// subtree in the order of the batch. A span id that the batch holds twice in a trace is kept once,
// the first time; duplicates counts the rest.
//
// A parent cycle ends at the span that closes it, which becomes the head; no span is lost.
func Group(spans []Span) (traces []TraceBatch, duplicates int) {
	g := grouper{spans: spans}
	traces = g.all()
	return traces, g.duplicates
}

// all groups the batch.
func (g *grouper) all() (traces []TraceBatch) {
	spans := g.spans
	g.kept, g.ids, g.parent = make([]int32, 0, few), make([]SpanID, 0, few), make([]SpanID, 0, few)
	index := make(map[TraceKey]int32)
	trace := make([]int32, len(spans)) // by span
	var ends []int32                   // by trace: first its number of spans, then where those in order end
	var recent [recentSlots]recentTrace
	for i := range spans {
		key := &spans[i].TraceKey
		seen := &recent[key.Trace[len(key.Trace)-1]%recentSlots]
		if seen.key == nil || *seen.key != *key {
			at, ok := index[*key]
			if !ok {
				at = int32(len(ends))
				index[*key] = at
				ends = append(ends, 0)
			}
			*seen = recentTrace{key, at}
		}
		at := seen.at
		trace[i] = at
		ends[at]++
	}
	begin := int32(0)
	for at, size := range ends {
		ends[at], begin = begin, begin+size
	}
	order := make([]int32, len(spans)) // of the spans, by trace
	for i, at := range trace {
		order[ends[at]] = int32(i)
		ends[at]++
	}
	g.room, g.subtrees = make([]Span, len(spans)), make([]Subtree, 0, 2*len(ends))
	traces = make([]TraceBatch, len(ends))
	begin = 0
	for at, end := range ends {
		traces[at] = g.group(order[begin:end])
		begin = end
	}
	return traces
}

// recentTrace is a trace of a batch that needs not be looked up again, and where it is in the order.
type recentTrace struct {
	key *TraceKey
	at  int32
}

// recentSlots is how many of them are kept, by the last byte of the trace's id, which is mostly random.
// A power of two.
const recentSlots = 32

// grouper groups the spans of one trace after another.
type grouper struct {
	spans      []Span    // the batch
	room       []Span    // for what is grouped
	subtrees   []Subtree // of all traces so far
	duplicates int

	// Of a trace: the spans that are kept, their ids, and the ids below which they are filed.
	kept        []int32
	ids, parent []SpanID
	number      map[SpanID]int32  // in kept; nil while few are
	heads       map[SpanID]int32  // index of the subtree by its head; nil while spans are few
	slots       [tableSlots]uint8 // by slot: one more than which in kept; 0: free
	places      []int32           // of kept: index of the subtree
	hops        int               // made so far in following chains
	sizes       []int             // of subtrees
}

// few is up to how many spans of a trace need no map: they are found by the last byte of their ids,
// which are mostly random, in a table that is thrice as large.
const (
	few        = 40
	tableSlots = 128
)

// find returns which of the kept spans has an id.
func (g *grouper) find(id SpanID) (n int32, ok bool) {
	if g.number != nil {
		n, ok = g.number[id]
		return n, ok
	}
	for at := slot(id); g.slots[at] > 0; at = (at + 1) % tableSlots {
		if n := g.slots[at] - 1; g.ids[n] == id {
			return int32(n), true
		}
	}
	return 0, false
}

// keep adds a span that find does not find.
func (g *grouper) keep(i int32, id, parent SpanID) {
	n := len(g.kept)
	g.kept, g.ids, g.parent = append(g.kept, i), append(g.ids, id), append(g.parent, parent)
	if g.number != nil {
		g.number[id] = int32(n)
		return
	}
	at := slot(id)
	for g.slots[at] > 0 {
		at = (at + 1) % tableSlots
	}
	g.slots[at] = uint8(n + 1)
}

// slot is where in the table an id would stand.
func slot(id SpanID) int { return int(id[len(id)-1]) % tableSlots }

// top follows the chain of parents to its end. No cycle can form, since a span is only ever filed
// below the end of a chain. Whatever was passed on the way leads to that end from then on: a chain
// that arrives child first would else be walked from its beginning for every span.
func (g *grouper) top(id SpanID) SpanID {
	first, hops := id, 0
	for {
		n, ok := g.find(id)
		if !ok || g.parent[n] == id {
			break
		}
		id = g.parent[n]
		hops++
	}
	g.hops += hops
	for way := first; hops > 1; hops-- {
		n, _ := g.find(way)
		way, g.parent[n] = g.parent[n], id
	}
	return id
}

func (g *grouper) group(members []int32) TraceBatch {
	g.kept, g.ids, g.parent = g.kept[:0], g.ids[:0], g.parent[:0]
	g.number, g.heads = nil, nil
	if len(members) <= few {
		clear(g.slots[:])
	} else {
		g.number, g.heads = make(map[SpanID]int32, len(members)), make(map[SpanID]int32)
	}
	for _, i := range members {
		span := &g.spans[i]
		if _, seen := g.find(span.ID); seen {
			g.duplicates++
			continue
		}
		g.keep(i, span.ID, g.top(span.Parent))
	}
	// Subtrees come in the order of their first span, so no sorting is needed.
	batch := TraceBatch{TraceKey: g.spans[members[0]].TraceKey}
	begin := len(g.subtrees)
	batch.Subtrees = g.subtrees[begin:]
	g.places, g.sizes = g.places[:0], g.sizes[:0]
	for n := range g.kept {
		head := g.ids[n]
		if g.parent[n] != head {
			head = g.top(g.parent[n])
		}
		at := g.subtree(&batch, head)
		g.places = append(g.places, at)
		g.sizes[at]++
	}
	g.subtrees = append(g.subtrees, batch.Subtrees...)
	batch.Subtrees = g.subtrees[begin:len(g.subtrees):len(g.subtrees)]
	for at, size := range g.sizes {
		batch.Subtrees[at].Spans, g.room = g.room[:0:size], g.room[size:]
	}
	for n, i := range g.kept {
		subtree := &batch.Subtrees[g.places[n]]
		subtree.Spans = append(subtree.Spans, g.spans[i])
	}
	return batch
}

// subtree returns the index of the subtree with that head, which it adds if there is none.
func (g *grouper) subtree(batch *TraceBatch, head SpanID) int32 {
	added := int32(len(batch.Subtrees))
	if g.heads != nil {
		if at, known := g.heads[head]; known {
			return at
		}
		g.heads[head] = added
	} else {
		for at := range batch.Subtrees {
			if batch.Subtrees[at].Parent == head {
				return int32(at)
			}
		}
	}
	batch.Subtrees, g.sizes = append(batch.Subtrees, Subtree{Parent: head}), append(g.sizes, 0)
	return added
}
