package memstore

import (
	"cmp"
	"slices"

	"sluice/buffer"
)

// trace is the state of one trace.
type trace struct {
	key buffer.TraceKey
	// held has an entry for every span that is stored, so it also tells which spans are known.
	held     table[redirect]
	segments table[*segment]
	// calls counts the attaches; spans of one call arrived together.
	calls int
	// number says as which of all traces it came, from 1; 0 once nothing of it is held any more.
	number uint64
	// wayMax is that of the store.
	wayMax int
	// room is for the segments of most traces: beside the rest they need not be fetched from elsewhere.
	room struct {
		ids      [segmentsRoom]buffer.SpanID
		segments [segmentsRoom]*segment
	}
}

const segmentsRoom = 4

// redirect is where a stored span leads.
type redirect struct {
	// target is the segment that the span's parent resolved to when it was stored; the span's own
	// id if it heads a segment. Never a cycle: a target is always the end of a chain.
	target buffer.SpanID
	// generation holds the span.
	generation *generation
	// cutOff is true if the span went to another segment than its target because of its size.
	cutOff bool
}

// segment exists as long as it has a generation.
type segment struct {
	hasRoot  bool
	live     *generation // nil if there is none
	inFlight []*generation
	// room is for most in flight, and one its first generation: side by side, and looked at together.
	room [1]*generation
	one  generation
}

// generation returns a new one that has nothing.
func (s *segment) generation() *generation {
	g := &s.one
	if g.name != (buffer.Generation{}) { // it was used
		g = &generation{}
	}
	g.arrivals = g.room[:0]
	return g
}

// flying returns the generation in flight with an id, nil if there is none.
func (s *segment) flying(id buffer.DeliveryID) *generation {
	for _, g := range s.inFlight {
		if g.name.ID == id {
			return g
		}
	}
	return nil
}

// generation is live while owner is nil, frozen afterwards.
type generation struct {
	name     buffer.Generation
	owner    *buffer.Owner
	first    buffer.Instant
	bytes    int64
	count    int // of spans
	arrivals []arrival
	room     [1]arrival // for the arrivals of most
}

// arrival is what came with one call into one segment. Its spans are the caller's own, and never change.
type arrival struct {
	call  int
	spans []buffer.Span
}

// inOrder returns the spans as they arrived, those of one call by position; and adds the same to calls,
// unless that is nil, as one arrival for each call. Of segments that were merged there are several, and
// not in order. Nobody changes what is returned.
func (g *generation) inOrder(calls *[]arrival) (spans []buffer.Span) {
	if len(g.arrivals) == 1 && areInOrder(g.arrivals[0].spans) {
		if calls != nil {
			*calls = append(*calls, g.arrivals[0])
		}
		return g.arrivals[0].spans
	}
	var few [8]arrival // most have no more: theirs need no heap
	arrivals := append(few[:0], g.arrivals...)
	byCall := func(a, b arrival) int { return cmp.Compare(a.call, b.call) }
	if !slices.IsSortedFunc(arrivals, byCall) {
		slices.SortStableFunc(arrivals, byCall)
	}
	spans = make([]buffer.Span, 0, g.count)
	for len(arrivals) > 0 {
		n := 1
		for n < len(arrivals) && arrivals[n].call == arrivals[0].call {
			n++
		}
		call, from := arrivals[0].call, len(spans)
		spans = merged(spans, arrivals[:n])
		if calls != nil {
			*calls = append(*calls, arrival{call, spans[from:]})
		}
		arrivals = arrivals[n:]
	}
	return spans
}

// merged appends the spans of arrivals of one call by position, and uses them up. Most are in order each,
// and there are few: then the next is the first of one of them.
func merged(spans []buffer.Span, parts []arrival) []buffer.Span {
	if len(parts) == 1 {
		from := len(spans)
		spans = append(spans, parts[0].spans...)
		if !areInOrder(spans[from:]) {
			slices.SortStableFunc(spans[from:], byPosition)
		}
		return spans
	}
	from, inOrder := len(spans), len(parts) <= partsMax
	for i := 0; i < len(parts) && inOrder; i++ {
		inOrder = areInOrder(parts[i].spans)
	}
	if !inOrder {
		for i := range parts {
			spans = append(spans, parts[i].spans...)
		}
		slices.SortStableFunc(spans[from:], byPosition)
		return spans
	}
	for len(parts) > 1 {
		next := 0
		for i := 1; i < len(parts); i++ {
			if parts[i].spans[0].Position.Compare(parts[next].spans[0].Position) < 0 {
				next = i
			}
		}
		part := &parts[next]
		spans = append(spans, part.spans[0])
		if part.spans = part.spans[1:]; len(part.spans) == 0 {
			parts = slices.Delete(parts, next, next+1)
		}
	}
	return append(spans, parts[0].spans...)
}

// partsMax is how many arrivals of one call are merged: beyond, sorting is faster.
const partsMax = 8

// areInOrder tells whether spans stand by position.
func areInOrder(spans []buffer.Span) bool {
	for i := 1; i < len(spans); i++ {
		if spans[i].Position.Compare(spans[i-1].Position) < 0 {
			return false
		}
	}
	return true
}

func byPosition(a, b buffer.Span) int { return a.Position.Compare(b.Position) }

func newTrace(key buffer.TraceKey, wayMax int) *trace {
	t := &trace{key: key, wayMax: wayMax}
	t.segments.ids, t.segments.values = t.room.ids[:0], t.room.segments[:0]
	return t
}

// resolve follows redirects from id to the segment where they end.
func (t *trace) resolve(id buffer.SpanID) buffer.SpanID {
	for {
		r := t.held.of(id)
		if r == nil || r.target == id {
			return id
		}
		id = r.target
	}
}

// shorten makes no way from id longer than it may be.
func (t *trace) shorten(id buffer.SpanID) {
	for begin, end, long := t.stretch(id); long; begin, end, long = t.stretch(id) {
		for begin != end {
			r := t.held.of(begin)
			begin, r.target = r.target, end
		}
	}
}

// stretch returns where on the way from id a stretch of too many spans begins and ends, none of which
// was cut off; long is false if there is none.
func (t *trace) stretch(id buffer.SpanID) (begin, end buffer.SpanID, long bool) {
	begin = id
	for n := 0; n <= t.wayMax; {
		r := t.held.of(id)
		if r == nil || r.target == id {
			return begin, id, false
		}
		id = r.target
		if n++; r.cutOff {
			begin, n = id, 0
		}
	}
	return begin, id, true
}

// compress lets every span on the way from id to its end lead there at once, unless one of them
// was cut off: a Store without pointers finds the generation of the spans behind it by that
// detour.
func (t *trace) compress(id, end buffer.SpanID) {
	var way []buffer.SpanID
	for id != end {
		r := t.held.of(id)
		if r.cutOff {
			return
		}
		way = append(way, id)
		id = r.target
	}
	for _, id := range way {
		t.held.of(id).target = end
	}
}

// segmentAt returns the segment with an id, nil if there is none.
func (t *trace) segmentAt(id buffer.SpanID) *segment {
	if s := t.segments.of(id); s != nil {
		return *s
	}
	return nil
}

// segment returns the segment with an id, which it adds if there is none.
func (t *trace) segment(id buffer.SpanID) *segment {
	s := t.segmentAt(id)
	if s == nil {
		s = &segment{}
		s.inFlight = s.room[:0]
		t.segments.add(id, s)
	}
	return s
}

func (t *trace) forgetIfEmpty(id buffer.SpanID) {
	if s := t.segmentAt(id); s != nil && s.live == nil && len(s.inFlight) == 0 {
		t.segments.drop(id)
	}
}

// attach adds the generations of its answer to live, which are to be the answer's.
func (t *trace) attach(
	delivery buffer.Delivery, subtrees []buffer.Subtree, limit buffer.Bytes, live []buffer.LiveGeneration,
) (buffer.Attached, []buffer.LiveGeneration) {
	t.calls++
	if len(t.held.ids) > t.wayMax { // no way is longer than there are redirects
		for _, subtree := range subtrees {
			t.shorten(subtree.Parent)
			for i := range subtree.Spans {
				t.shorten(subtree.Spans[i].ID)
			}
		}
	}
	answer := buffer.Attached{Done: true}
	from := len(live)
	var touched []*generation
	for _, subtree := range subtrees {
		var fresh []buffer.Span
		fresh, touched = t.fresh(subtree.Spans, touched)
		answer.Duplicates += len(subtree.Spans) - len(fresh)
		if len(fresh) > 0 {
			answer.Stored += len(fresh)
			g := t.add(delivery, subtree.Parent, fresh, limit, &answer.Merged)
			touched = with(touched, g)
		}
	}
	for _, g := range touched {
		s := t.segmentAt(g.name.Segment)
		if s != nil && s.live == g {
			live = append(live,
				buffer.LiveGeneration{Generation: g.name, HasRoot: s.hasRoot, First: g.first})
		}
	}
	slices.SortFunc(live[from:], func(a, b buffer.LiveGeneration) int {
		return a.Generation.Compare(b.Generation)
	})
	slices.SortFunc(answer.Merged, buffer.Generation.Compare)
	return answer, live
}

// with adds a generation to a list that does not have it.
func with(list []*generation, g *generation) []*generation {
	if slices.Contains(list, g) {
		return list
	}
	return append(list, g)
}

// fresh returns the spans that are not known, each once, and touched with the generations of the
// others. The fresh ones are the last in t.held from now on; where they lead is up to add.
func (t *trace) fresh(
	spans []buffer.Span, touched []*generation,
) ([]buffer.Span, []*generation) {
	known := 0
	for i := range spans {
		id := spans[i].ID
		r := t.held.of(id)
		switch {
		case r == nil:
			t.held.add(id, redirect{target: id})
			if known > 0 {
				spans[i-known] = spans[i]
			}
			continue
		case known == 0:
			spans = slices.Clone(spans) // they are the caller's
		}
		known++
		if r.generation != nil {
			touched = with(touched, r.generation)
		}
	}
	return spans[:len(spans)-known], touched
}

// add stores spans that fresh has just returned below the parent, and returns the generation that
// holds them.
func (t *trace) add(
	delivery buffer.Delivery, parent buffer.SpanID, spans []buffer.Span, limit buffer.Bytes,
	merged *[]buffer.Generation,
) *generation {
	target := t.resolve(parent)
	t.compress(parent, target)

	var newcomers int64
	var children []*generation // live generations of the segments that newcomers head
	for i := range spans {
		newcomers += int64(spans[i].Size)
		child := t.segmentAt(spans[i].ID)
		if spans[i].ID != target && child != nil && child.live != nil {
			newcomers += child.live.bytes
			children = append(children, child.live)
		}
	}
	var size int64
	if s := t.segmentAt(target); s != nil && s.live != nil {
		size = s.live.bytes
	}
	destination, cutOff := target, false
	if limit != buffer.NoSegmentLimit && size+newcomers > int64(limit) {
		destination, cutOff = buffer.CutOffSegment(t.key, target, spans[0].ID), true
	}

	s := t.segment(destination)
	if s.live == nil {
		s.live = s.generation()
		s.live.name = buffer.Generation{TraceKey: t.key, Segment: destination, ID: delivery.ID}
		s.live.first = delivery.Clock
	}
	for _, child := range children {
		s.hasRoot = s.hasRoot || t.segmentAt(child.name.Segment).hasRoot
		t.merge(child, s.live)
		*merged = append(*merged, child.name)
	}
	s.live.arrivals = append(s.live.arrivals, arrival{t.calls, spans[:len(spans):len(spans)]})
	s.live.count += len(spans)
	to := t.held.values[len(t.held.values)-len(spans):]
	for i := range spans {
		span := &spans[i]
		s.live.bytes += int64(span.Size)
		s.hasRoot = s.hasRoot || span.Root
		to[i] = redirect{target: target, generation: s.live, cutOff: cutOff}
	}
	return s.live
}

// merge moves everything of one live generation into another. They differ: a span that resolves to
// itself is its own target, and no segment pulls itself in.
func (t *trace) merge(from, into *generation) {
	for _, a := range from.arrivals {
		for i := range a.spans {
			t.held.of(a.spans[i].ID).generation = into
		}
	}
	into.arrivals = append(into.arrivals, from.arrivals...)
	into.count += from.count
	into.bytes += from.bytes
	into.first = min(into.first, from.first)
	t.segmentAt(from.name.Segment).live = nil
	t.forgetIfEmpty(from.name.Segment)
}

// claim gives a generation to an owner, who is never changed from then on.
func (t *trace) claim(owner *buffer.Owner, name buffer.Generation) buffer.Claim {
	s := t.segmentAt(name.Segment)
	if s == nil {
		return buffer.Claim{State: buffer.ClaimGone}
	}
	g := s.flying(name.ID)
	if g == nil && s.live != nil && s.live.name.ID == name.ID {
		g = s.live
		s.live, s.inFlight = nil, append(s.inFlight, g)
		g.owner = owner
	}
	switch {
	case g == nil:
		return buffer.Claim{State: buffer.ClaimGone}
	case g.owner.Shard != owner.Shard:
		return buffer.Claim{State: buffer.ClaimBusy}
	case g.owner.Epoch > owner.Epoch:
		return buffer.Claim{State: buffer.ClaimStale}
	}
	g.owner = owner
	return buffer.Claim{State: buffer.ClaimOwned, Spans: g.count, Bytes: g.bytes}
}

// isOne tells whether the trace is a single generation.
func (t *trace) isOne() bool {
	if len(t.segments.values) != 1 {
		return false
	}
	s := t.segments.values[0]
	return s.live == nil && len(s.inFlight) == 1
}

// inFlight returns the generation if somebody has claimed it.
func (t *trace) inFlight(name buffer.Generation) *generation {
	if s := t.segmentAt(name.Segment); s != nil {
		return s.flying(name.ID)
	}
	return nil
}

func (t *trace) load(owner buffer.Owner, name buffer.Generation) buffer.Loaded {
	g := t.inFlight(name)
	if g == nil || *g.owner != owner {
		return buffer.Loaded{}
	}
	return buffer.Loaded{Owned: true, Spans: g.inOrder(nil)}
}

func (t *trace) ack(owner buffer.Owner, flushed buffer.Flushed) buffer.AckResult {
	g := t.inFlight(flushed.Generation)
	switch {
	case g == nil:
		return buffer.AckGone
	case *g.owner != owner:
		return buffer.AckStale
	}
	s := t.segmentAt(flushed.Segment)
	s.inFlight = slices.DeleteFunc(s.inFlight, func(other *generation) bool { return other == g })
	t.forgetIfEmpty(flushed.Segment)
	if len(t.segments.ids) == 0 {
		return buffer.AckDone // the store forgets the whole trace
	}
	for _, id := range slices.Backward(flushed.Spans) { // the last one stands last, mostly
		t.held.drop(id)
	}
	return buffer.AckDone
}
