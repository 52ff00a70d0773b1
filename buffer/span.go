package buffer

// TraceKey names a trace of a project: the scope in which ids mean anything.
type TraceKey struct {
	Project ProjectID
	Trace   TraceID
}

// Span is what the buffer knows of a span: its place in the trace and its bytes. How the bytes
// are written is the codec's business alone.
type Span struct {
	TraceKey
	ID SpanID
	// Parent is the effective parent (EffectiveParent): the span or segment below which this
	// span is filed. A root's is its own id.
	Parent SpanID
	// Size is what the span counts against MaxSegmentBytes: the bytes of its payload, not
	// compressed. It is kept apart from Payload so that spans can be simulated without bytes.
	Size int
	// Payload is the message's own bytes. It may be nil where only Size matters.
	Payload []byte
	// Marks are what the codec noted about Payload. A Store may drop them.
	Marks Marks
	// Root is true for a span without a parent or flagged as a segment.
	Root bool
	// Position is where the span was read.
	Position Position
}

// Marks tell a codec of a payload that it has read before where it is to write: it need not look
// again. Nobody else knows what they mean; who changes the payload clears them. The zero value says
// nothing.
type Marks [3]uint32

// Links are the fields of a span from which its place in the trace follows. A nil pointer means
// that the field is absent or null; an id that was an empty string is Empty.
type Links struct {
	ID SpanID
	// HasParent is false if parent_span_id is absent or null. It is true for an empty string,
	// which names no parent but does not make the span a root either.
	HasParent bool
	// Parent is nil if parent_span_id names nothing: absent, null or empty.
	Parent *SpanID
	// Segment is nil if the segment attribute is absent or empty.
	Segment *SpanID
	// IsSegment is the span's is_segment flag; absent and null count as false.
	IsSegment bool
}

// Root tells whether the links are a root's: no parent, or flagged as a segment.
func (l Links) Root() bool { return !l.HasParent || l.IsSegment }

// EffectiveParent returns the id below which the span is filed: its own for a root; else the
// segment's; else the parent's; else its own.
func (l Links) EffectiveParent() SpanID {
	switch {
	case l.Root():
		return l.ID
	case l.Segment != nil:
		return *l.Segment
	case l.Parent != nil:
		return *l.Parent
	}
	return l.ID
}

// IsSegment tells whether the span is to be flagged is_segment in a segment of that id: it heads
// the segment, or it is a true root that a size cut-off moved into a segment of another name.
func (s *Span) IsSegment(segment SpanID) bool { return s.ID == segment || s.Root }

// Subtree is the part of a batch that is filed below one parent: the spans of one segment as far
// as the batch alone can tell.
type Subtree struct {
	// Parent is the topmost known effective parent of the spans.
	Parent SpanID
	// Spans in the order in which they arrived. Never empty.
	Spans []Span
}

// TraceBatch is the part of a batch that belongs to one trace.
type TraceBatch struct {
	TraceKey
	Subtrees []Subtree
}

// Generation names one generation of one segment: the unit that is queued, leased, claimed,
// flushed and acknowledged. Its ID never repeats within the segment.
type Generation struct {
	TraceKey
	Segment SpanID
	ID      DeliveryID
}

// Delivery is one delivery of a batch.
type Delivery struct {
	ID DeliveryID
	// Clock is the batch's clock: the smallest of its spans'.
	Clock Instant
}
