package buffer

import "slices"

const (
	// AttachSpansMax is how many spans of one trace one Attach brings at most, see Rounds. A store's
	// step on a trace keeps all others waiting.
	AttachSpansMax = 100
	// AttachBytesMax is the same in bytes. A larger span comes alone.
	AttachBytesMax Bytes = 1 << 20
)

// subtreesMax is how many subtrees a piece has at most if it may have so many spans: to find the segment of
// each takes a store as long as to store two spans, or more.
func subtreesMax(spansMax int) int { return (spansMax + 1) / 2 }

// Rounds parts the traces of a batch so that each round has at most that many spans and bytes of
// every trace, and half as many subtrees. Each round is a delivery of its own, with an id of its own, and is attached when the
// one before is: the same as if the batch had been several, but that its spans are filed below what
// the whole batch knew. All traces are in the first round; a trace that is small enough is nowhere
// else. The spans of a trace stay in the order of their positions.
func Rounds(traces []TraceBatch, spansMax int, bytesMax Bytes) [][]TraceBatch {
	rounds := [][]TraceBatch{traces}
	for i := range traces {
		if !traces[i].over(spansMax, bytesMax) {
			continue
		}
		if len(rounds) == 1 {
			rounds[0] = slices.Clone(traces) // it is the caller's
		}
		for n, piece := range traces[i].pieces(spansMax, bytesMax) {
			if n == 0 {
				rounds[0][i] = piece
				continue
			}
			if n == len(rounds) {
				rounds = append(rounds, nil)
			}
			rounds[n] = append(rounds[n], piece)
		}
	}
	return rounds
}

// RoundsMax is how many rounds there can be of so many spans with so many bytes: a piece of a trace
// that has fewer spans than it may have subtrees ends because its bytes and those of the next span are over
// bytesMax.
func RoundsMax(spans int, bytes Bytes, spansMax int, bytesMax Bytes) int {
	return 1 + spans/subtreesMax(spansMax) + int(2*bytes/bytesMax)
}

// over tells whether there are more spans, subtrees or bytes.
func (t *TraceBatch) over(spansMax int, bytesMax Bytes) bool {
	spans, bytes := 0, Bytes(0)
	for _, subtree := range t.Subtrees {
		spans += len(subtree.Spans)
		for i := range subtree.Spans {
			bytes += Bytes(subtree.Spans[i].Size)
		}
	}
	return spans > spansMax || len(t.Subtrees) > subtreesMax(spansMax) || bytes > bytesMax
}

// filed is a span with the index of its subtree.
type filed struct {
	subtree int
	*Span
}

// pieces cuts a trace. Each piece has the subtrees of its spans.
func (t *TraceBatch) pieces(spansMax int, bytesMax Bytes) (pieces []TraceBatch) {
	var all []filed
	for n := range t.Subtrees {
		for i := range t.Subtrees[n].Spans {
			all = append(all, filed{n, &t.Subtrees[n].Spans[i]})
		}
	}
	slices.SortStableFunc(all, func(a, b filed) int { return a.Position.Compare(b.Position) })
	from, bytes, subtrees := 0, Bytes(0), make(map[int]struct{})
	for i, f := range all {
		subtrees[f.subtree] = struct{}{}
		if i > from && (i-from == spansMax || len(subtrees) > subtreesMax(spansMax) ||
			bytes+Bytes(f.Size) > bytesMax) {
			pieces = append(pieces, t.piece(all[from:i]))
			from, bytes, subtrees = i, 0, map[int]struct{}{f.subtree: {}}
		}
		bytes += Bytes(f.Size)
	}
	return append(pieces, t.piece(all[from:]))
}

// piece files these spans as they are filed in the whole.
func (t *TraceBatch) piece(some []filed) TraceBatch {
	piece := TraceBatch{TraceKey: t.TraceKey}
	places := make(map[int]int)
	for _, f := range some {
		at, ok := places[f.subtree]
		if !ok {
			at = len(piece.Subtrees)
			places[f.subtree] = at
			piece.Subtrees = append(piece.Subtrees, Subtree{Parent: t.Subtrees[f.subtree].Parent})
		}
		piece.Subtrees[at].Spans = append(piece.Subtrees[at].Spans, *f.Span)
	}
	return piece
}
