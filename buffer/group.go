package buffer

import (
	"cmp"
	"slices"
)

// Group sorts the spans of one batch by trace and, within a trace, files each span below the
// topmost effective parent that the batch knows. A group whose head turns up later in the batch
// moves below that head's parent. Traces are in the order of their first span, spans within a
// subtree in the order of the batch. A span id that the batch holds twice in a trace is kept once,
// the first time; duplicates counts the rest.
//
// A parent cycle ends at the span that closes it, which becomes the head; no span is lost.
func Group(spans []Span) (traces []TraceBatch, duplicates int) {
	index := make(map[TraceKey]int)
	var groupers []traceGrouper
	for i := range spans {
		key := spans[i].TraceKey
		at, ok := index[key]
		if !ok {
			at = len(groupers)
			index[key] = at
			groupers = append(groupers, traceGrouper{key: key})
		}
		groupers[at].indexes = append(groupers[at].indexes, int32(i))
	}
	traces = make([]TraceBatch, len(groupers))
	for i := range groupers {
		traces[i] = groupers[i].group(spans)
		duplicates += groupers[i].duplicates
	}
	return traces, duplicates
}

// traceGrouper groups the spans of one trace.
type traceGrouper struct {
	key        TraceKey
	indexes    []int32 // of the trace's spans in the batch, in order
	duplicates int
}

// filed is a span's place: the group it is in, by the id of its head or unseen parent.
type filed struct {
	parent SpanID
	index  int32
}

func (g *traceGrouper) group(spans []Span) TraceBatch {
	// parent holds, for each span seen, the id below which it was filed. Chains are followed to
	// their end; no cycle can form, since a span is only ever filed below the end of a chain.
	parent := make(map[SpanID]SpanID, len(g.indexes))
	top := func(id SpanID) SpanID {
		for {
			next, ok := parent[id]
			if !ok || next == id {
				return id
			}
			id = next
		}
	}
	kept := make([]int32, 0, len(g.indexes))
	for _, i := range g.indexes {
		span := &spans[i]
		if _, seen := parent[span.ID]; seen {
			g.duplicates++
			continue
		}
		parent[span.ID] = top(span.Parent)
		kept = append(kept, i)
	}
	places := make([]filed, len(kept))
	first := make(map[SpanID]int32) // head -> index of the group's first span
	for n, i := range kept {
		head := top(spans[i].ID)
		if _, ok := first[head]; !ok {
			first[head] = i
		}
		places[n] = filed{parent: head, index: i}
	}
	slices.SortStableFunc(places, func(a, b filed) int {
		return cmp.Compare(first[a.parent], first[b.parent])
	})
	batch := TraceBatch{TraceKey: g.key, Subtrees: make([]Subtree, 0, len(first))}
	all := make([]Span, len(places))
	for n, place := range places {
		all[n] = spans[place.index]
		last := len(batch.Subtrees) - 1
		if last < 0 || batch.Subtrees[last].Parent != place.parent {
			batch.Subtrees = append(batch.Subtrees, Subtree{Parent: place.parent})
			last++
		}
		subtree := &batch.Subtrees[last]
		start := n - len(subtree.Spans)
		subtree.Spans = all[start : n+1 : n+1]
	}
	return batch
}
