package ledger

import (
	"reflect"
	"testing"
	"time"
)

// TestDueIsKeptPerSpan keeps times of spans that are far apart in number.
func TestDueIsKeptPerSpan(t *testing.T) {
	s := newSystem()
	at := func(seq uint64) time.Duration { return time.Duration(seq) * 10 * time.Microsecond }
	numbers := []uint64{0, 7, dueChunk - 1, 5 * dueChunk}
	for _, seq := range numbers {
		s.ledger.Sent(seq, 0, at(seq))
	}
	s.ledger.Sent(7, 0, time.Hour) // the first time counts
	for _, seq := range numbers {
		if got := s.ledger.Due(seq); got != at(seq) {
			t.Errorf("span %d was due at %v, want %v", seq, got, at(seq))
		}
	}
	if got := s.ledger.Due(3 * dueChunk); got != 0 || s.ledger.due[1] != nil {
		t.Errorf("a span that was not sent was due at %v, and has its time kept", got)
	}
	s.ledger.Sent(1, 0, 1<<62)
	if got := s.ledger.Due(1); got < 11*time.Hour {
		t.Errorf("the end of all times is %v", got)
	}
}

// TestOutputTellsWhatCameOutForTheFirstTime: when that was due, whether it is a whole segment, and
// which spans the record holds.
func TestOutputTellsWhatCameOutForTheFirstTime(t *testing.T) {
	const ms = time.Millisecond
	type dues = []time.Duration
	s := newSystem()
	s.send(0)
	record := s.record(0, 0, 0, 1, 4)
	shard := s.ledger.recipe.Partition(0)
	for i, c := range []struct {
		record Record
		want   Out
	}{
		{record, Out{Due: dues{0, ms, 4 * ms}, Last: 4 * ms, Rooted: true, Shard: shard, Whole: true,
			Spans: []uint64{0, 1, 4}}},
		{record, Out{Shard: shard, Spans: []uint64{0, 1, 4}}},
		{s.record(0, 0, 1, 5, 6), Out{Due: dues{5 * ms, 6 * ms}, Last: 6 * ms, Shard: shard, Whole: true,
			Spans: []uint64{1, 5, 6}}},
		{s.chunk(0, 2, 7, 8), Out{Due: dues{7 * ms, 8 * ms}, Last: 8 * ms, Shard: shard, Spans: []uint64{7, 8}}},
		{reheader(s.record(0, 0, 9), HeaderTrace, ""), Out{}},
	} {
		if got := s.ledger.Output(c.record); !reflect.DeepEqual(got, c.want) {
			t.Errorf("record %d brought %+v, want %+v", i, got, c.want)
		}
	}
}

// TestWhatWasDestroyedHasNoPlaceInTheOrder lets a span be lost, and delivered again behind newer
// ones.
func TestWhatWasDestroyedHasNoPlaceInTheOrder(t *testing.T) {
	for _, wiped := range []bool{false, true} {
		s := newSystem()
		s.ledger.Sent(0, 0, 0)
		s.ledger.Sent(1, 0, time.Second)
		if wiped {
			s.ledger.Excuse("wiped")
		}
		s.ledger.Sent(2, 0, 2*time.Second)
		s.ledger.Output(s.record(0, 0, 2, 1, 0))
		want := map[Finding]int64{Disordered: 2}
		if wiped {
			want = nil
		}
		expectFindings(t, s.ledger.Balance(0), want)
	}
}
