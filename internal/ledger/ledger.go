package ledger

import (
	"encoding/binary"
	"hash/crc32"
	"sync"
	"time"

	"sluice/buffer"
	"sluice/internal/load"
)

// Ledger is the account of a run. It is safe for concurrent use; its fields must be set before.
type Ledger struct {
	// InputTopic is what dead letters must name as their source. Empty: they must name one.
	InputTopic string
	// Partitions are those of the output topic and of the dead-letter topic. 0: nobody knows, and
	// where a record stands is not judged.
	Partitions int
	// RecordBytesMax is how large a record the output topic takes, LetterBytesMax how large a one the
	// dead-letter topic takes. 0: nobody knows, and whether a span is too large is not judged.
	RecordBytesMax, LetterBytesMax int
	// SegmentBytesMax is the size over which a segment is cut off. 0: nobody knows, and whether a
	// cut-off is needed is not judged.
	SegmentBytesMax int
	// RootSilence and Silence are for how long the part of a trace with its root, and one without, may
	// get no span before it is due. 0: nobody knows, and no split is explained by the load's own pauses.
	RootSilence, Silence time.Duration

	recipe *load.Recipe

	// in guards what was sent, and out the rest. Who enters what is sent holds in for an instant
	// only, so that it does not wait while a record is checked. Of both, out is taken first.
	in       sync.Mutex
	sent     bitset // spans, not messages
	due      dues   // when, by number of the span
	twice    bitset // of sent, what was sent more than once
	late     bitset // the first span of each trace of which something was late
	apart    bitset // that of each trace of which a part was seen to have fallen silent
	roots    bitset // the first span of each trace of which something was sent; it may be headless
	badSent  bitset // spans that a bad message followed
	messages int64

	out         sync.Mutex
	flushed     bitset
	resent      bitset             // of twice, what came out under a second flush_id
	dropped     map[string]*bitset // by reason
	settled     bitset             // flushed or dropped
	excused     map[string]*bitset // by reason; no span for two
	excusable   bitset             // all of excused
	open        int64              // of excusable, those that have not settled
	badLettered bitset
	badDeleted  bitset
	badOpen     int64                  // of badDeleted, those that have not come out
	standing    map[int32]*standing    // by partition; nil: places are not kept
	unsaid      int64                  // messages of which no reader can tell that they were deleted
	halfDeleted bitset                 // of which a message was deleted: of twice, one of two
	cutOffs     map[buffer.SpanID]bool // segments that were seen to be cut off
	records     map[flushID]seen
	offsets     map[placed]place
	chunks      map[chunked]int64 // their count, where there is more than one
	cutRoots    bitset            // the first span of each trace of which something was cut off
	incidents   map[incidentKey]*Incident
	uncounted   [findings]int64 // incidents that were not kept
	bytes       int64           // of the values of output records
	findings    [findings]Found
	scratch
}

// scratch is memory for one record at a time.
type scratch struct {
	writer             load.Writer // of what was sent
	sentBuffer         []byte
	restored           []byte // what came out, without the fields that the flusher set
	fields, attributes [2][]member
	spans              []member
	known              []identity
	plain              bool // the spans are plainly what was sent
}

type flushID [16]byte

// seen is what is kept of a record.
type seen struct {
	sum uint64 // of its value
	at  uint32 // when it was read, in milliseconds since the start of the load
	of  uint32 // sum of its generation
}

// generationSum tells generations apart, but for one in four billion.
func generationSum(id buffer.DeliveryID) uint32 {
	return uint32(id.Number) ^ uint32(id.Number>>32) ^ uint32(id.Partition)<<24
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checksum is two different CRCs, for which processors have instructions: 64 bits against accidents,
// since nobody forges a record here.
func checksum(value []byte) uint64 {
	return uint64(crc32.Checksum(value, castagnoli))<<32 | uint64(crc32.ChecksumIEEE(value))
}

// checksum is that of a record. What of one whose spans are plainly what was sent was compared already
// says which bytes it has: its segment, which spans, in which order, and what stands before them.
func (l *Ledger) checksum(r *Record, in *envelope) uint64 {
	if !l.plain {
		return checksum(r.Value)
	}
	const odd = 0x9e3779b97f4a7c15
	sum := binary.BigEndian.Uint64(in.segment[:]) + uint64(len(r.Value))
	for i := range l.known {
		sum = (sum ^ l.known[i].seq) * odd
		sum ^= sum >> 32
	}
	return sum
}

// New returns the empty ledger of a run whose spans follow a recipe.
func New(recipe *load.Recipe) *Ledger {
	return &Ledger{
		recipe: recipe, records: map[flushID]seen{}, cutOffs: map[buffer.SpanID]bool{},
		incidents: map[incidentKey]*Incident{},
		chunks:    map[chunked]int64{}, offsets: map[placed]place{},
		dropped: map[string]*bitset{}, excused: map[string]*bitset{},
	}
}

// Sent records that a message is about to be sent: a span of the trace with that root, due so long
// after the start of the load. It must be called before the system can see the span, in the order
// in which the spans of a trace are sent, and once more for a span that is sent once more.
func (l *Ledger) Sent(seq, root uint64, due time.Duration) {
	l.in.Lock()
	l.messages++
	again := !l.sent.set(seq)
	if again {
		l.twice.set(seq)
	} else {
		l.due.set(seq, due)
	}
	l.roots.set(root)
	l.in.Unlock()
	if again && l.standing != nil {
		l.out.Lock()
		l.in.Lock()
		l.sentAgain(seq)
		l.in.Unlock()
		l.out.Unlock()
	}
}

// SentBad records that the bad message that follows a span of the trace with that root is about to
// be sent.
func (l *Ledger) SentBad(seq, root uint64) {
	l.in.Lock()
	l.messages++
	l.badSent.set(seq)
	l.roots.set(root)
	l.in.Unlock()
}

// Out is what an output record brought.
type Out struct {
	// Due is when the spans were due that came out for the first time, Last when that of them was
	// which was delivered last, and Rooted tells whether the root of the trace is among them.
	Due    []time.Duration
	Last   time.Duration
	Rooted bool
	// Shard is the partition that they were sent to.
	Shard int32
	// Root is the number of the first span of the trace that Spans are of: all that the record holds
	// and that are known, whether they came out before or not.
	Root  uint64
	Spans []uint64
	// Whole is true if there are any, and the record holds a whole generation.
	Whole bool
}

// Output checks an output record and enters its spans. Each record must be entered once.
func (l *Ledger) Output(r Record) Out {
	l.out.Lock()
	defer l.out.Unlock()
	l.bytes += int64(len(r.Value))
	in, err := l.unpack(&r)
	if err != nil {
		l.found(Malformed, &r, "%v; the first span is %s", err, l.spanIn(r.Value))
		return Out{}
	}
	sum := l.checksum(&r, &in)
	first, repeated := l.records[in.flushID]
	switch {
	case repeated && first.sum != sum:
		l.found(Differing, &r, "flush_id %x came before with other content", in.flushID)
	case !repeated:
		first = seen{sum, uint32(max(r.At, 0).Milliseconds()), generationSum(in.generation)}
		l.records[in.flushID] = first
	}
	in.repeats, in.firstAt = repeated && first.sum == sum, time.Duration(first.at)*time.Millisecond
	in.again = first.of != generationSum(in.generation)
	if !l.plain {
		l.identify(l.spans)
	}
	if at, ok := l.rightPlace(&r); !ok {
		l.found(Strayed, &r, "the key of trace %v belongs on partition %d; the first span is %s",
			in.trace, at, l.firstSpan())
	}
	in.out.Spans = make([]uint64, 0, len(l.spans))
	for i := range l.spans {
		if l.known[i].err != nil {
			l.found(l.known[i].kind, &r, "%v", l.known[i].err)
			continue
		}
		in.out.Root, in.out.Spans = l.known[i].root, append(in.out.Spans, l.known[i].seq)
		l.span(&r, &in, l.spans[i].value, l.known[i])
	}
	in.out.Last, in.out.Shard = in.latest.due, l.recipe.Partition(in.latest.root)
	in.out.Whole = len(in.out.Due) > 0 && in.chunk.count == 1 && in.chunk.part == ""
	return in.out
}

// span checks one span of a record and enters it.
func (l *Ledger) span(r *Record, in *envelope, value []byte, is identity) {
	seq := is.seq
	switch {
	case l.flushed.set(seq):
		l.inOrder(r, in, is)
		l.settle(seq)
		if in.repeats {
			l.found(Altered, r, "span %d is new in a record that came before", seq)
		}
	case in.repeats && !(in.again && l.sentTwice(seq) && l.resent.set(seq)):
		l.happened(Repeated, r, in.firstAt, is, "span %d with flush_id %x, first read at %.1fs", seq,
			in.flushID, in.firstAt.Seconds())
	default:
		kind := Duplicated
		if in.repeats || l.sentTwice(seq) && l.resent.set(seq) {
			kind = Resent
		}
		l.happened(kind, r, is.due, is, "span %d came out before, now with flush_id %x", seq, in.flushID)
	}
	l.place(r, in, is)
	if l.plain {
		return
	}
	if err := l.compare(value, in, seq, is.root); err != nil {
		l.found(Altered, r, "span %d (%v): %v", seq, l.recipe.ID(seq), err)
	}
}

// inOrder checks that a span that comes out for the first time was not delivered before one that
// stands before it: all spans of a trace are of one partition. What Redis may have lost and Kafka
// delivered again has no place, nor has what was sent twice and deleted once.
func (l *Ledger) inOrder(r *Record, in *envelope, is identity) {
	if is.due < in.latest.due && !l.excusable.has(is.seq) && !l.excusable.has(in.latest.seq) &&
		!l.halfDeleted.has(is.seq) && !l.halfDeleted.has(in.latest.seq) {
		l.found(Disordered, r, "span %d (%v), due at %v, stands behind span %d, due at %v", is.seq,
			l.recipe.ID(is.seq), is.due, in.latest.seq, in.latest.due)
	}
	if is.due >= in.latest.due {
		in.latest = is
	}
	if in.out.Due == nil {
		in.out.Due = make([]time.Duration, 0, len(l.spans))
	}
	in.out.Due = append(in.out.Due, is.due)
	in.out.Rooted = in.out.Rooted || is.seq == is.root
}

// sentTwice tells whether a span was sent more than once.
func (l *Ledger) sentTwice(seq uint64) bool {
	l.in.Lock()
	defer l.in.Unlock()
	return l.twice.has(seq)
}

// place checks that a span is in its trace, and under its root or at least an ancestor. Whether the
// root itself was sent does not matter: a headless segment has its name, too.
func (l *Ledger) place(r *Record, in *envelope, is identity) {
	seq, root := is.seq, is.root
	if in.root != root || !in.ofRoot {
		in.root, in.ofRoot = root, true
		in.rootTrace, in.rootProject = l.recipe.Trace(root), l.recipe.Project(root)
		if p := l.recipe.Partition(root); in.generation.Partition != p {
			l.found(Malformed, r, "generation %v began on another partition than that of span %d, %d",
				in.generation, seq, p)
		}
	}
	if in.trace != in.rootTrace || in.project != in.rootProject {
		l.found(Misplaced, r, "span %d of trace %v, project %d, came out in %v, project %d",
			seq, in.rootTrace, in.rootProject, in.trace, in.project)
		return
	}
	head := l.recipe.Seq(in.segment)
	switch {
	case head == root:
	case head > root && head <= seq && l.recipe.Ancestor(root, int(head-root), int(seq-root)):
		l.happened(Split, r, is.due, is, "span %d under its ancestor %d, its root is %d", seq, head, root)
	case l.isCutOff(in, root):
		l.found(CutOff, r, "span %d in segment %v", seq, in.segment)
	default:
		l.found(Misplaced, r, "span %d under segment %v, its root is %d (%v)",
			seq, in.segment, root, l.recipe.ID(root))
	}
}

// isCutOff tells whether the record's segment is what a size cut-off calls newcomers to a segment of
// the trace. The first of them, after which it is called, need not be in its first record: they may
// have come with what had been waiting for them.
func (l *Ledger) isCutOff(in *envelope, root uint64) bool {
	if in.cutOff == cutOffUnknown {
		in.cutOff = cutOffNo
		if l.cutOffs[in.segment] ||
			(l.cutRoots.has(root) || !l.fits(root)) && l.cutsOff(in, root) {
			in.cutOff = cutOffYes
			l.cutOffs[in.segment] = true
			l.cutRoots.set(root)
		}
	}
	return in.cutOff == cutOffYes
}

// cutsOff tells whether the record's segment is called after a span of the trace, one of the record's
// most likely.
func (l *Ledger) cutsOff(in *envelope, root uint64) bool {
	for i := range l.known {
		if l.known[i].err == nil && l.known[i].root == root && l.namesCutOff(in, root, l.known[i].seq) {
			return true
		}
	}
	for i := range l.recipe.Size(root) {
		if l.namesCutOff(in, root, root+uint64(i)) {
			return true
		}
	}
	return false
}

// namesCutOff tells whether the record's segment is called after a span that was cut off from that of
// its root, or of a span in between: the one that its own is called after as long as what is above
// is missing.
func (l *Ledger) namesCutOff(in *envelope, root, first uint64) bool {
	key := buffer.TraceKey{Project: in.project, Trace: in.trace}
	for above := int(first - root); ; above = l.recipe.Parent(root, above) {
		target := l.recipe.ID(root + uint64(above))
		if buffer.CutOffSegment(key, target, l.recipe.ID(first)) == in.segment {
			return true
		}
		if above == 0 {
			return false
		}
	}
}

// fits tells whether a trace is no larger than a segment may be, so that nothing of it is to be cut
// off.
func (l *Ledger) fits(root uint64) bool {
	sum := 0
	var message []byte
	for i := 0; i < l.recipe.Size(root) && sum <= l.SegmentBytesMax; i++ {
		message = l.recipe.Append(message[:0], root, i)
		sum += len(message)
	}
	return sum <= l.SegmentBytesMax
}
