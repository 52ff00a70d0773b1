package ledger

import (
	"crypto/sha256"
	"fmt"
	"sync"

	"sluice/buffer"
	"sluice/internal/load"
)

// Ledger is the account of a run. It is safe for concurrent use.
type Ledger struct {
	recipe *load.Recipe

	mu       sync.Mutex
	sent     bitset // spans, not messages
	roots    bitset // the first span of each trace of which something was sent
	flushed  bitset
	dropped  map[string]*bitset // by reason
	records  map[string]checksum
	messages int64
	bytes    int64 // of the values of output records
	findings [findings]Found

	sentBuffer         []byte
	fields, attributes [2][]member
	spans              []member
}

type checksum [16]byte

// Record is a message of the output topic or the dead-letter topic.
type Record struct {
	// Where names the record in words, such as "output 3@1207" for offset 1207 of partition 3.
	Where string
	// Key, Value and Headers are the message's own.
	Key, Value []byte
	Headers    []Header
}

// Header is a header of a message.
type Header struct {
	Key   string
	Value []byte
}

// The headers of the data contract. They are named here once more, so that a flusher that renames
// one is found out.
const (
	HeaderSegment    = "segment_id"
	HeaderProject    = "project_id"
	HeaderTrace      = "trace_id"
	HeaderGeneration = "generation"
	HeaderChunkIndex = "chunk_index"
	HeaderChunkCount = "chunk_count"
	HeaderChunkPart  = "chunk_part"
	HeaderSpan       = "span_id"
)

// Reasons for which a span is dropped on purpose.
const (
	// DeadLettered spans went to the dead-letter topic.
	DeadLettered = "dead_lettered"
)

// New returns the empty ledger of a run whose spans follow a recipe.
func New(recipe *load.Recipe) *Ledger {
	return &Ledger{recipe: recipe, records: map[string]checksum{}, dropped: map[string]*bitset{}}
}

// Sent records that a message is about to be sent: a span of the trace with that root. It must be
// called before the system can see the span.
func (l *Ledger) Sent(seq, root uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.messages++
	l.sent.set(seq)
	l.roots.set(root)
}

// Output checks an output record and enters its spans. Each record must be entered once.
func (l *Ledger) Output(r Record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.bytes += int64(len(r.Value))
	in, err := l.open(r)
	if err != nil {
		l.found(Malformed, r.Where, "%v", err)
		return
	}
	full := sha256.Sum256(r.Value)
	sum := checksum(full[:len(checksum{})])
	first, repeated := l.records[in.flushID]
	switch {
	case repeated && first != sum:
		l.found(Differing, r.Where, "flush_id %s came before with other content", in.flushID)
	case !repeated:
		l.records[in.flushID] = sum
	}
	for i := range l.spans {
		l.span(r.Where, &in, l.spans[i].value, repeated && first == sum)
	}
}

// span checks one span of a record and enters it.
func (l *Ledger) span(where string, in *envelope, value []byte, repeat bool) {
	seq, root, err := l.identify(value)
	if err != nil {
		l.found(Unknown, where, "%v", err)
		return
	}
	if l.flushed.set(seq) {
		if repeat {
			l.found(Altered, where, "span %d is new in a record that came before", seq)
		}
	} else if repeat {
		l.found(Repeated, where, "span %d with flush_id %s", seq, in.flushID)
	} else {
		l.found(Duplicated, where, "span %d came out before, now with flush_id %s", seq, in.flushID)
	}
	l.place(where, in, seq, root)
	if err := l.compare(value, in, seq, root); err != nil {
		l.found(Altered, where, "span %d (%v): %v", seq, l.recipe.ID(seq), err)
	}
}

// place checks that a span is in its trace, and under its root or at least an ancestor.
func (l *Ledger) place(where string, in *envelope, seq, root uint64) {
	trace, project := l.recipe.Trace(root), l.recipe.Project(root)
	if in.trace != trace || in.project != project {
		l.found(Misplaced, where, "span %d of trace %v, project %d, came out in %v, project %d",
			seq, trace, project, in.trace, in.project)
		return
	}
	head := l.recipe.Seq(in.segment)
	switch {
	case head == root:
	case head > root && head <= seq && l.recipe.Ancestor(root, int(head-root), int(seq-root)):
		l.found(Split, where, "span %d under its ancestor %d, its root is %d", seq, head, root)
	case l.isCutOff(in, root):
		l.found(CutOff, where, "span %d in segment %v", seq, in.segment)
	default:
		l.found(Misplaced, where, "span %d under segment %v, its root is %d (%v)",
			seq, in.segment, root, l.recipe.ID(root))
	}
}

// isCutOff tells whether the record's segment is what a size cut-off names newcomers to the trace's
// segment, the first of which must be in the segment's first record.
func (l *Ledger) isCutOff(in *envelope, root uint64) bool {
	if in.cutOff == cutOffUnknown {
		in.cutOff = cutOffNo
		key := buffer.TraceKey{Project: in.project, Trace: in.trace}
		target := l.recipe.ID(root)
		for _, span := range l.spans {
			seq, _, err := l.identify(span.value)
			if err == nil && buffer.CutOffSegment(key, target, l.recipe.ID(seq)) == in.segment {
				in.cutOff = cutOffYes
				break
			}
		}
	}
	return in.cutOff == cutOffYes
}

// DeadLetter enters a record of the dead-letter topic. Its span counts as dropped.
func (l *Ledger) DeadLetter(r Record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	seq, _, err := l.identify(r.Value)
	if err != nil {
		id, err2 := buffer.ParseSpanID(header(r.Headers, HeaderSpan))
		seq = l.recipe.Seq(id)
		if err2 != nil || !l.sent.has(seq) {
			l.found(Unknown, r.Where, "dead letter: %v", err)
			return
		}
	}
	if l.dropped[DeadLettered] == nil {
		l.dropped[DeadLettered] = &bitset{}
	}
	l.dropped[DeadLettered].set(seq)
}

// identify returns the number of a written span and of its root.
func (l *Ledger) identify(value []byte) (seq, root uint64, err error) {
	text, ok := stringField(value, "span_id")
	if !ok {
		return 0, 0, fmt.Errorf("%q has no span_id", clip(value))
	}
	id, err := buffer.ParseSpanID(text)
	if err != nil {
		return 0, 0, err
	}
	seq = l.recipe.Seq(id)
	if !l.sent.has(seq) {
		return 0, 0, fmt.Errorf("span %v was never sent", id)
	}
	root, _ = l.roots.upTo(seq)
	return seq, root, nil
}
