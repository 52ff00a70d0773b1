// Package journal keeps where the spans of a run were and what its workers did, for a timeline.
package journal

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"sluice/buffer"
	"sluice/internal/load"
	"sluice/reports"
)

// Journal keeps where spans were, and what workers did, for the timeline of a run: what is sent and
// what comes out in every world, and each step of the store where the world can see it. Its size is
// bounded. It is safe for concurrent use, and a nil Journal keeps nothing.
type Journal struct {
	recipe *load.Recipe
	// followed is a span of a trace that is kept wherever it stands; followedRoot is that trace's root.
	followed     *uint64
	followedRoot uint64

	mu     sync.Mutex
	start  time.Time            // of the load
	spans  []sentSpan           // by number, of those that are kept
	extra  map[uint64]sentSpan  // of the trace that is followed, if it is not among them
	traces map[uint64]*traceLog // by root
	beyond int64                // spans that are not kept
	stages []reports.StageChange
	last   map[Who]string // stage
	missed int            // stages that are not kept
}

// Who does something: a worker of a consumer, or a consumer itself (reports.NoWorker).
type Who struct{ Consumer, Worker int }

// sentSpan is when a span was sent, in milliseconds since the start of the load, and at which offset
// it stands; both plus one: 0 means that it is not known.
type sentSpan struct {
	at     int32
	offset int64
}

// traceLog is what happened to the spans of a trace.
type traceLog struct {
	partition   int32
	generations []buffer.Generation
	queued      []bool // by generation: that it is queued was noted
	entries     []reports.SpanEntry
}

// What a journal keeps at most.
const (
	spansKept  = 100_000
	stagesKept = 10_000
)

// New returns an empty journal of a load.
func New(recipe *load.Recipe) *Journal {
	return &Journal{recipe: recipe, traces: map[uint64]*traceLog{}, last: map[Who]string{},
		extra: map[uint64]sentSpan{}}
}

// Follow keeps the trace of a span, however many spans there are before it.
func (j *Journal) Follow(seq uint64) {
	j.followed, j.followedRoot = &seq, j.recipe.RootOf(seq)
}

// Begin notes when the load starts: times are told from then on.
func (j *Journal) Begin(start time.Time) {
	if j == nil {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.start = start
}

func (j *Journal) ms(at time.Time) int { return int(at.Sub(j.start).Milliseconds()) }

// keeps tells whether a trace is kept.
func (j *Journal) keeps(root uint64) bool {
	return root < spansKept || j.followed != nil && root == j.followedRoot
}

// log returns that of a trace, nil if it is not kept. The lock must be held.
func (j *Journal) log(root uint64) *traceLog {
	if !j.keeps(root) {
		return nil
	}
	log := j.traces[root]
	if log == nil {
		log = &traceLog{partition: j.recipe.Partition(root)}
		j.traces[root] = log
	}
	return log
}

// span returns what is kept of a span. The lock must be held.
func (j *Journal) span(seq uint64) sentSpan {
	if seq < uint64(len(j.spans)) {
		return j.spans[seq]
	}
	return j.extra[seq]
}

func (j *Journal) set(seq uint64, to sentSpan) {
	if seq >= 2*spansKept { // far behind a trace that is kept from its root on
		j.extra[seq] = to
		return
	}
	if n := int(seq) + 1; n > len(j.spans) {
		j.spans = append(j.spans, make([]sentSpan, n-len(j.spans))...)
	}
	j.spans[seq] = to
}

// Sent notes that a span is sent.
func (j *Journal) Sent(at time.Time, m *load.Message) {
	if j == nil {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	log := j.log(m.Root)
	if log == nil {
		j.beyond++
		return
	}
	if s := j.span(m.Seq); s.at == 0 {
		s.at = int32(j.ms(at)) + 1
		j.set(m.Seq, s)
		return
	}
	const nobody = 0 // the load, which is beside the first consumer
	log.note(j.ms(at), reports.SpanSentAgain, nobody, reports.NoWorker, -1, span(m.Seq-m.Root))
}

// Placed notes at which offset a span stands.
func (j *Journal) Placed(m *load.Message, offset int64) {
	if j == nil || m.Repeat {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.keeps(m.Root) {
		s := j.span(m.Seq)
		s.offset = offset + 1
		j.set(m.Seq, s)
	}
}

// Out notes an output record with its spans, which are of one trace, and puts them in order.
func (j *Journal) Out(at time.Time, partition int32, offset int64, root uint64, spans []uint64) {
	if j == nil {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	log := j.log(root)
	if log == nil {
		return
	}
	slices.Sort(spans)
	log.note(j.ms(at), reports.SpanOut, 0, reports.NoWorker, -1, ranges(root, spans)).
		Place = fmt.Sprintf("%d@%d", partition, offset)
}

// Letter notes that a span is a dead letter.
func (j *Journal) Letter(at time.Time, partition int32, offset int64, root, seq uint64) {
	if j == nil {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if log := j.log(root); log != nil {
		log.note(j.ms(at), reports.SpanLetter, 0, reports.NoWorker, -1, span(seq-root)).
			Place = fmt.Sprintf("%d@%d", partition, offset)
	}
}

// Attached notes what a batch brought into the store.
func (j *Journal) Attached(
	at time.Time, by Who, traces []buffer.TraceBatch, answers []buffer.Attached,
) {
	if j == nil {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	for i, t := range traces {
		root := j.recipe.Root(t.Trace)
		log := j.log(root)
		if log == nil || i >= len(answers) || !answers[i].Done {
			continue
		}
		var spans []uint64
		for _, sub := range t.Subtrees {
			for _, s := range sub.Spans {
				spans = append(spans, j.recipe.Seq(s.ID))
			}
		}
		slices.Sort(spans)
		text := ranges(root, spans)
		for _, live := range answers[i].Live {
			log.note(j.ms(at), reports.SpanStored, by.Consumer, by.Worker, log.number(live.Generation), text)
		}
		for _, merged := range answers[i].Merged {
			log.note(j.ms(at), reports.SpanMerged, by.Consumer, by.Worker, log.number(merged), "")
		}
	}
}

// Queued notes that a shard names generations, the first time that one does.
func (j *Journal) Queued(at time.Time, by Who, update buffer.QueueUpdate) {
	if j == nil {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, due := range update.Due {
		if log := j.log(j.recipe.Root(due.Trace)); log != nil {
			if n := log.number(due.Generation); !log.queued[n] {
				log.queued[n] = true
				log.note(j.ms(at), reports.SpanQueued, by.Consumer, by.Worker, n, "")
			}
		}
	}
}

// Did notes a step that a worker took with a generation.
func (j *Journal) Did(at time.Time, by Who, step reports.SpanStep, g buffer.Generation) {
	j.did(at, by, step, g, nil)
}

// Loaded notes that a worker has the spans of a generation.
func (j *Journal) Loaded(at time.Time, by Who, g buffer.Generation, spans []buffer.Span) {
	j.did(at, by, reports.SpanLoaded, g, spans)
}

func (j *Journal) did(
	at time.Time, by Who, step reports.SpanStep, g buffer.Generation, spans []buffer.Span,
) {
	if j == nil {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	root := j.recipe.Root(g.Trace)
	log := j.log(root)
	if log == nil {
		return
	}
	text := ""
	if len(spans) > 0 {
		var numbers []uint64
		for _, s := range spans {
			numbers = append(numbers, j.recipe.Seq(s.ID))
		}
		slices.Sort(numbers)
		text = ranges(root, numbers)
	}
	log.note(j.ms(at), step, by.Consumer, by.Worker, log.number(g), text)
}

// Stage notes what a worker does from now on.
func (j *Journal) Stage(at time.Time, by Who, stage string) {
	if j == nil {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.last[by] == stage {
		return
	}
	j.last[by] = stage
	if len(j.stages) >= stagesKept {
		j.missed++
		return
	}
	j.stages = append(j.stages, reports.StageChange{At: at, Consumer: by.Consumer, Worker: by.Worker,
		Stage: stage})
}

// note adds an entry.
func (l *traceLog) note(
	ms int, step reports.SpanStep, consumer, worker, generation int, spans string,
) *reports.SpanEntry {
	l.entries = append(l.entries, reports.SpanEntry{At: ms, Step: step, Consumer: consumer, Worker: worker,
		Generation: generation, Spans: spans})
	return &l.entries[len(l.entries)-1]
}

// number of a generation in the log.
func (l *traceLog) number(g buffer.Generation) int {
	if n := slices.Index(l.generations, g); n >= 0 {
		return n
	}
	l.generations, l.queued = append(l.generations, g), append(l.queued, false)
	return len(l.generations) - 1
}

func span(index uint64) string { return strconv.FormatUint(index, 10) }

// ranges writes sorted spans by their places in the trace: "0-3,7".
func ranges(root uint64, spans []uint64) string {
	var text strings.Builder
	for i := 0; i < len(spans); {
		last := i
		for last+1 < len(spans) && spans[last+1] == spans[last]+1 {
			last++
		}
		if i > 0 {
			text.WriteByte(',')
		}
		text.WriteString(span(spans[i] - root))
		if last > i {
			text.WriteString("-" + span(spans[last]-root))
		}
		i = last + 1
	}
	return text.String()
}
