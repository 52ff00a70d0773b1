// Package journal keeps where the spans of a run were and what its workers did, for a timeline.
package journal

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
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

// Out notes an output record with its spans, which are of one trace.
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
	key := by
	if j.last[key] == stage {
		return
	}
	j.last[key] = stage
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

// Tell returns what is kept for a timeline: of spans, those of which something is to be explained come
// first. Named are the numbers of spans that the verdict names; exact is true if the world could see
// the steps of the store.
func (j *Journal) Tell(named []uint64, exact bool) reports.Watched {
	if j == nil {
		return reports.Watched{}
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	id, trace := j.recipe.Keys()
	w := reports.Watched{Stages: j.stages, StagesMissed: j.missed, Start: j.start, Spans: &reports.StorySpans{
		IDKey: fmt.Sprintf("%016x", id), TraceKey: fmt.Sprintf("%016x", trace), Exact: exact, Beyond: j.beyond,
	}}
	roots := slices.Sorted(maps.Keys(j.traces))
	w.Spans.Total = len(roots)
	if j.followed != nil {
		named = append([]uint64{*j.followed}, named...)
	}
	var wanted []uint64 // roots
	for _, seq := range append(slices.Clone(named), j.odd(roots)...) {
		root, kept := j.rootOf(seq, roots)
		if id := j.recipe.ID(seq).String(); kept && !slices.Contains(w.Spans.Look, id) {
			wanted = append(wanted, root)
			w.Spans.Look = append(w.Spans.Look, id)
		}
	}
	for _, root := range choose(roots, wanted, len(j.spans)) {
		w.Spans.Traces = append(w.Spans.Traces, j.story(root))
	}
	return w
}

// Spans that a page has at most, about, and how many of each kind it offers to look at.
const (
	spansShown = 40_000
	lookMax    = 30
)

// choose returns the traces that are shown, in order: all, or every so many and those that are wanted.
func choose(roots, wanted []uint64, spans int) []uint64 {
	every := max(1, (spans+spansShown-1)/spansShown)
	if every == 1 {
		return roots
	}
	chosen := slices.Clone(wanted)
	for i := 0; i < len(roots); i += every {
		chosen = append(chosen, roots[i])
	}
	slices.Sort(chosen)
	return slices.Compact(chosen)
}

// odd returns the first spans that never came out, and then the first that came out more than once.
// The lock must be held.
func (j *Journal) odd(roots []uint64) []uint64 {
	var never, again []uint64
	for _, root := range roots {
		times := make([]int, j.recipe.Size(root))
		for _, e := range j.traces[root].entries {
			if e.Step == reports.SpanOut || e.Step == reports.SpanLetter {
				for _, i := range parseRanges(e.Spans) {
					times[i]++
				}
			}
		}
		for i, n := range times {
			switch {
			case j.span(root+uint64(i)).at == 0:
			case n == 0 && len(never) < lookMax:
				never = append(never, root+uint64(i))
			case n > 1 && len(again) < lookMax:
				again = append(again, root+uint64(i))
			}
		}
	}
	return append(never, again...)
}

// parseRanges is the inverse of ranges.
func parseRanges(text string) (list []uint64) {
	for part := range strings.SplitSeq(text, ",") {
		low, high, is := strings.Cut(part, "-")
		from, err := strconv.ParseUint(low, 10, 64)
		if err != nil {
			continue // nothing is named
		}
		to := from
		if is {
			to, _ = strconv.ParseUint(high, 10, 64) // ranges has written it
		}
		for i := from; i <= to; i++ {
			list = append(list, i)
		}
	}
	return list
}

// rootOf returns the root of a span's trace, of those that are kept; false if it is of none.
func (j *Journal) rootOf(seq uint64, roots []uint64) (uint64, bool) {
	at, is := slices.BinarySearch(roots, seq)
	if !is {
		at--
	}
	if at < 0 || seq >= roots[at]+uint64(j.recipe.Size(roots[at])) {
		return 0, false
	}
	return roots[at], true
}

// story is what is kept of a trace.
func (j *Journal) story(root uint64) reports.StoryTrace {
	log := j.traces[root]
	t := reports.StoryTrace{Root: root, Partition: log.partition, Entries: log.entries}
	t.Sent, t.Offsets = []int{}, []int64{}
	var at int
	var offset int64
	for i := range uint64(j.recipe.Size(root)) {
		s := j.span(root + i)
		// Each number is what is added to the last that is known: so they are short.
		if s.at == 0 {
			t.Sent = append(t.Sent, reports.NotSent)
		} else {
			t.Sent = append(t.Sent, int(s.at)-1-at)
			at = int(s.at) - 1
		}
		if s.offset == 0 {
			t.Offsets = append(t.Offsets, reports.NotSent)
		} else {
			t.Offsets = append(t.Offsets, s.offset-1-offset)
			offset = s.offset - 1
		}
	}
	for _, g := range log.generations {
		name := g.ID.String()
		if g.Segment != j.recipe.ID(root) {
			name += " of segment " + g.Segment.String()
		}
		t.Generations = append(t.Generations, name)
	}
	slices.SortStableFunc(t.Entries, func(a, b reports.SpanEntry) int { return cmp.Compare(a.At, b.At) })
	return t
}

// aSpan is how verdicts name a span.
var aSpan = regexp.MustCompile(`\bspan (\d+)\b`)

// Named returns the numbers of the spans that the verdict names.
func Named(r reports.Result) (list []uint64) {
	for _, j := range slices.Concat(r.Invariants, r.Expectations) {
		for _, found := range aSpan.FindAllStringSubmatch(j.Detail, -1) {
			if seq, err := strconv.ParseUint(found[1], 10, 64); err == nil {
				list = append(list, seq)
			}
		}
	}
	return list
}
