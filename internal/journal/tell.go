package journal

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"sluice/reports"
)

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
