package buffer

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
	// Subtrees come in the order of their first span, so no sorting is needed.
	batch := TraceBatch{TraceKey: g.key}
	number := make(map[SpanID]int32) // head -> index of the subtree
	places := make([]int32, len(kept))
	var sizes []int
	for n, i := range kept {
		head := top(spans[i].ID)
		at, known := number[head]
		if !known {
			at = int32(len(batch.Subtrees))
			number[head] = at
			batch.Subtrees = append(batch.Subtrees, Subtree{Parent: head})
			sizes = append(sizes, 0)
		}
		places[n] = at
		sizes[at]++
	}
	all := make([]Span, len(kept))
	for at, size := range sizes {
		batch.Subtrees[at].Spans, all = all[:0:size], all[size:]
	}
	for n, i := range kept {
		subtree := &batch.Subtrees[places[n]]
		subtree.Spans = append(subtree.Spans, spans[i])
	}
	return batch
}
