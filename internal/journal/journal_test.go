package journal

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"sluice/internal/load"
	"sluice/reports"
	"sluice/scenarios"
)

// TestRanges are written short, and read back.
func TestRanges(t *testing.T) {
	for _, c := range []struct {
		spans []uint64
		want  string
	}{
		{nil, ""}, {[]uint64{5}, "0"}, {[]uint64{5, 6, 7}, "0-2"}, {[]uint64{6, 9, 10, 12}, "1,4-5,7"},
	} {
		got := ranges(5, c.spans)
		back := parseRanges(got)
		for i := range back {
			back[i] += 5
		}
		if got != c.want || !slices.Equal(back, c.spans) {
			t.Errorf("%v is %q, want %q; read back %v", c.spans, got, c.want, back)
		}
	}
}

// filled is the journal of a load of single spans, all of which come out but those that a function
// names.
func filled(n uint64, lost func(seq uint64) bool) *Journal {
	work := scenarios.Default().Workload
	work.SpansPerTrace = scenarios.Fixed(1)
	j := New(load.NewRecipe(work, 4, 1))
	start := time.Unix(1000, 0)
	j.Begin(start)
	for seq := range n {
		m := &load.Message{Seq: seq, Root: seq}
		j.Sent(start.Add(time.Duration(seq)*time.Millisecond), m)
		j.Placed(m, int64(seq))
		if !lost(seq) {
			j.Out(start.Add(time.Second), 0, int64(seq), seq, []uint64{seq})
		}
	}
	return j
}

// TestJournalIsBounded: of a long run a part of the traces is shown, but those that are lost or named
// are among them.
func TestJournalIsBounded(t *testing.T) {
	const n = spansKept + 1000
	j := filled(n, func(seq uint64) bool { return seq == 4711 })
	told := j.Tell([]uint64{8889}, false).Spans
	if told.Total != spansKept || told.Beyond != n-spansKept {
		t.Errorf("%d traces are kept, %d spans are not", told.Total, told.Beyond)
	}
	if got := len(told.Traces); got < spansShown/2 || got > spansShown+2 {
		t.Errorf("%d traces are shown", got)
	}
	for _, seq := range []uint64{4711, 8889} {
		if !slices.ContainsFunc(told.Traces, func(s reports.StoryTrace) bool { return s.Root == seq }) {
			t.Errorf("the trace of span %d is not shown", seq)
		}
	}
	if want := []string{j.recipe.ID(8889).String(), j.recipe.ID(4711).String()}; !slices.Equal(told.Look, want) {
		t.Errorf("to be looked at is %q, want %q", told.Look, want)
	}
}

// TestJournalFollows a span of a run of any length, with its trace.
func TestJournalFollows(t *testing.T) {
	work := scenarios.Default().Workload
	work.SpansPerTrace = scenarios.Fixed(2)
	j := New(load.NewRecipe(work, 4, 1))
	const root = 10*spansKept + 10
	j.Follow(root + 1)
	for _, seq := range []uint64{0, root + 1, root, root + 2, root + 1} {
		j.Sent(time.Time{}.Add(time.Second), &load.Message{Seq: seq, Root: seq &^ 1})
	}
	told := j.Tell(nil, true).Spans
	last := told.Traces[len(told.Traces)-1]
	if len(told.Traces) != 2 || last.Root != root || fmt.Sprint(last.Sent) != "[1000 0]" || told.Beyond != 1 ||
		len(last.Entries) != 1 || last.Entries[0].Step != reports.SpanSentAgain || last.Entries[0].Spans != "1" {
		t.Errorf("it tells of %+v", told)
	}
	if told.Look[0] != j.recipe.ID(root+1).String() {
		t.Errorf("to be looked at is %q", told.Look)
	}
}

// TestNamedSpans are those that verdicts name.
func TestNamedSpans(t *testing.T) {
	got := Named(reports.Result{Invariants: []reports.Judgement{
		{Detail: "1 span lost: span 18 (00ff) of trace 1; span 20 (01)"}, {Detail: "12 spans sent"}}})
	if !slices.Equal(got, []uint64{18, 20}) {
		t.Errorf("named are %d", got)
	}
}
