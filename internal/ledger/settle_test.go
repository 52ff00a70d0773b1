package ledger

import (
	"maps"
	"testing"

	"sluice/buffer"
	"sluice/internal/load"
	"sluice/scenarios"
)

// TestExcuse destroys what is buffered twice while three traces are sent: only what was under way
// then has an excuse.
func TestExcuse(t *testing.T) {
	const wiped, lostTail = "redis wiped", "failover lost the tail"
	s := newSystem()
	out := 0
	output := func(r Record) { out += len(s.ledger.Output(r).Due) }
	expect := func(when string, pending, excusable int64) {
		t.Helper()
		if p, e := s.ledger.Pending(), s.ledger.Excusable(); p != pending || e != excusable {
			t.Errorf("%s: %d pending, %d excusable, want %d, %d", when, p, e, pending, excusable)
		}
	}
	s.send(0)
	output(s.record(0, 0, places(0, 5)...))
	s.ledger.SentBad(3, 0)
	expect("before", 16, 0)
	s.ledger.Excuse(wiped)
	expect("after the first fault", 1, 15)
	s.send(20)
	expect("with another trace", 21, 15)
	output(s.record(0, 0, places(5, 8)...)) // the fault had not reached these
	s.ledger.DeadLetter(s.letter(0, 8))
	output(s.record(20, 0, places(0, 15)...))
	expect("with some of both out", 6, 11)
	s.ledger.Excuse(lostTail)
	s.ledger.Excuse(wiped) // excuses nothing new
	expect("after the second fault", 1, 16)
	s.send(40)
	output(s.record(40, 0, places(0, 18)...))
	output(s.record(20, 0, 15))
	expect("at the end", 3, 15)

	b := s.ledger.Balance(1)
	want := map[string]int64{wiped: 11, lostTail: 4, DeadLettered: 1}
	if b.Sent != 60 || b.Flushed != 42 || !maps.Equal(b.Dropped, want) || b.Buffered != 1 ||
		b.Lost != 1 || b.BadLost != 1 || len(b.Losses) != 3 {
		t.Errorf("balance is %+v, want %v dropped", b, want)
	}
	expectFindings(t, b, nil)
	if sent, settled := s.ledger.Counts(); sent != 60 || settled != 43 {
		t.Errorf("counts are %d, %d", sent, settled)
	}
	if out != 42 {
		t.Errorf("%d spans were told to be out", out)
	}
}

// TestExcuseSome: spans of other traces have no excuse, nor does what has come out, or is sent later.
func TestExcuseSome(t *testing.T) {
	s := newSystem()
	s.send(0)
	s.send(20)
	s.ledger.Output(s.record(0, 0, places(0, 5)...))
	first := s.ledger.recipe.Trace(0)
	s.ledger.ExcuseSome("wiped", func(trace buffer.TraceKey) bool {
		if trace.Project != s.ledger.recipe.Project(s.ledger.recipe.Root(trace.Trace)) {
			t.Errorf("asked of trace %v", trace)
		}
		return trace.Trace == first
	})
	sent, out := s.ledger.Counts()
	excused := s.ledger.Excusable()
	if want := int64(s.ledger.recipe.Size(0)) - 5; excused != want || s.ledger.Pending() != sent-out-want {
		t.Errorf("%d excused, %d pending of %d; want %d excused", excused, s.ledger.Pending(), sent, want)
	}
	s.send(40)
	if s.ledger.Excusable() != excused {
		t.Error("what is sent later has an excuse")
	}
}

// TestExcuseSince: what was committed when the state was there to which the store went back has no excuse.
func TestExcuseSince(t *testing.T) {
	s := newSystem()
	s.ledger.KeepPlaces()
	s.send(0) // 20 spans
	p := s.ledger.recipe.Partition(0)
	for i := range int64(10) { // the others are not acknowledged yet
		s.ledger.Stands(p, uint64(i), false, i)
	}
	s.ledger.SentBad(4, 0)
	s.ledger.Stands(p, 4, true, 10)
	s.ledger.Output(s.record(0, 0, places(8, 12)...))
	all := func(buffer.TraceKey) bool { return true }
	s.ledger.ExcuseSince(SetBack, map[int32]int64{p: 6}, all)
	if got, want := s.ledger.Excusable(), int64(20-6-4); got != want {
		t.Errorf("%d have an excuse, want %d", got, want)
	}
	if b := s.ledger.Balance(0); b.Lost != 6 || b.Dropped[SetBack] != 10 {
		t.Errorf("%d are lost and %v dropped, want 6 and 10", b.Lost, b.Dropped)
	}
}

// TestASpanThatSettlesTwiceCountsOnce: it came out and is a dead letter as well.
func TestASpanThatSettlesTwiceCountsOnce(t *testing.T) {
	s := newSystem()
	s.send(0)
	s.ledger.Output(s.record(0, 0, places(0, 15)...))
	s.ledger.DeadLetter(s.letter(0, 3))
	s.ledger.DeadLetter(s.letter(0, 15))
	s.ledger.Output(s.record(0, 0, 15))
	if sent, settled := s.ledger.Counts(); sent != 20 || settled != 16 {
		t.Errorf("counts are %d, %d", sent, settled)
	}
	b := s.ledger.Balance(0)
	if b.Flushed != 16 || b.Dropped[DeadLettered] != 0 || b.Lost != 4 {
		t.Errorf("balance is %+v", b)
	}
}

// TestHeadless sends traces without their root: they belong under its id, and nowhere else.
func TestHeadless(t *testing.T) {
	const size = 20
	work := scenarios.Default().Workload
	work.Headless = 1
	rest := places(1, size)
	for _, c := range []struct {
		name  string
		plant func(t *testing.T, s *system) []Record
		want  map[Finding]int64
	}{
		{"as it must be", func(_ *testing.T, s *system) []Record {
			return []Record{s.record(0, 0, rest...)}
		}, nil},
		{"with a root that was never sent", func(_ *testing.T, s *system) []Record {
			return []Record{s.record(0, 0, places(0, size)...)}
		}, map[Finding]int64{Unknown: 1}},
		{"with a flag", func(t *testing.T, s *system) []Record {
			return []Record{edit(t, s.record(0, 0, rest...), `"is_segment":false`, `"is_segment":true`)}
		}, map[Finding]int64{Altered: 1}},
		{"under a span that is no ancestor", func(_ *testing.T, s *system) []Record {
			return []Record{s.record(0, 0, places(1, size-1)...), s.record(0, 1, size-1)}
		}, map[Finding]int64{Misplaced: 1}},
		{"under another trace's root", func(_ *testing.T, s *system) []Record {
			r := s.record(0, size, rest...)
			return []Record{r}
		}, map[Finding]int64{Misplaced: size - 1}},
		{"in parts", func(t *testing.T, s *system) []Record {
			parent := s.Parent(0, size-1)
			return []Record{s.record(0, 0, places(1, size-1)...), s.record(0, parent, size-1)}
		}, map[Finding]int64{Split: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := load.NewRecipe(work, 4, 11)
			s := &system{Recipe: r, ledger: New(r)}
			if last := size - 1; !r.Headless(0) || r.Parent(0, last) == 0 || r.Ancestor(0, 1, last) {
				t.Fatal("the trace has not the form that is needed; take another seed")
			}
			s.send(0)
			for _, record := range c.plant(t, s) {
				s.ledger.Output(record)
			}
			b := s.ledger.Balance(0)
			expectFindings(t, b, c.want)
			if b.Sent != size-1 || b.Flushed != b.Sent || b.Lost != 0 {
				t.Errorf("balance is %+v", b)
			}
		})
	}
}
