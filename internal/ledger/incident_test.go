package ledger

import (
	"testing"
	"time"

	"sluice/buffer"
)

// TestIncidentsNameShardAndTime makes one of each kind, and a second repeat in the same second.
func TestIncidentsNameShardAndTime(t *testing.T) {
	s := newSystem()
	for i := range uint64(20) {
		s.ledger.Sent(i, 0, time.Duration(5+i)*time.Second)
	}
	s.ledger.Sent(3, 0, 30*time.Second)
	s.ledger.SentBad(4, 0)
	at := func(second float64, r Record) Record {
		r.At = time.Duration(second * float64(time.Second))
		return r
	}
	first := s.record(0, 0, places(0, 10)...)
	s.ledger.Output(at(40, first))
	s.ledger.Output(at(42.25, first))
	s.ledger.Output(at(42.5, first))
	s.ledger.Output(at(42.75, s.record(0, s.Parent(0, 19), 19)))
	s.ledger.Output(at(43, s.record(0, 0, 3)))
	s.ledger.Output(at(44, s.record(0, 0, 4)))
	s.ledger.DeadLetter(at(45, s.bad(0, 4)))
	s.ledger.DeadLetter(at(46, s.bad(0, 4)))
	want := []struct {
		kind     Finding
		from, to float64
		spans    int64
	}{
		{Repeated, 40, 42.5, 20}, {Split, 5, 42.75, 1}, {Resent, 5, 43, 1}, {Duplicated, 9, 44, 1},
		{RepeatedLetter, 9, 46, 1},
	}
	got := s.ledger.Balance(0).Incidents
	if len(got) != len(want) {
		t.Fatalf("%d incidents: %v", len(got), got)
	}
	for i, w := range want {
		if g := got[i]; g.Kind != w.kind || g.Shard != s.Partition(0) || g.From.Seconds() != w.from ||
			g.To.Seconds() != w.to || g.Spans != w.spans || g.First == "" {
			t.Errorf("%v: %+v, want %v", w.kind, g, w)
		}
	}
}

// TestWhatTheLoadExplainsIsNoIncident: something of the trace was late, or too far apart, which explains
// no span that came out twice, or it was cut off.
func TestWhatTheLoadExplainsIsNoIncident(t *testing.T) {
	for name, c := range map[string]struct {
		explain func(s *system)
		want    int
	}{
		"nothing":                {func(*system) {}, 2},
		"late":                   {func(s *system) { s.ledger.Late(0) }, 0},
		"another trace was late": {func(s *system) { s.ledger.Late(20) }, 2},
		"it paused":              {func(s *system) { s.ledger.RootSilence, s.ledger.Silence = 1, 1 }, 1},
		"cut off": {func(s *system) {
			key := buffer.TraceKey{Project: s.Project(0), Trace: s.Trace(0)}
			r := s.record(0, 0, 17, 18)
			id := buffer.CutOffSegment(key, s.ID(0), s.ID(17)).String()
			s.ledger.Output(reheader(r, HeaderSegment, id))
		}, 0},
	} {
		s := newSystem()
		s.send(0)
		s.ledger.Sent(3, 0, time.Second)
		s.ledger.Output(s.record(0, 0, places(0, 10)...))
		s.ledger.Output(s.record(0, s.Parent(0, 19), 19))
		s.ledger.Output(s.record(0, 0, 3))
		c.explain(s)
		if got := s.ledger.Balance(0).Incidents; len(got) != c.want {
			t.Errorf("%s: %d incidents, want %d", name, len(got), c.want)
		}
	}
}

// TestIncidentsAreBounded makes more of them than are kept, explains some, and makes one more.
func TestIncidentsAreBounded(t *testing.T) {
	s := newSystem()
	is := identity{}
	happen := func(root uint64) {
		s.ledger.out.Lock()
		defer s.ledger.out.Unlock()
		is.root = root
		s.ledger.happened(Split, &Record{}, 0, is, "planted")
	}
	for root := range uint64(incidentsMax) {
		happen(root)
	}
	happen(incidentsMax)
	if b := s.ledger.Balance(0); b.Uncounted[Split] != 1 || len(b.Incidents) != incidentsMax ||
		b.Of(Split).Count != incidentsMax+1 {
		t.Errorf("%d incidents, and %d more of %d", len(b.Incidents), b.Uncounted[Split],
			b.Of(Split).Count)
	}
	for root := range uint64(1000) {
		s.ledger.Late(root)
	}
	for root := range uint64(2000) {
		happen(2*incidentsMax + root)
	}
	b := s.ledger.Balance(0)
	if kept := len(b.Incidents); kept <= incidentsMax-1000 || kept > incidentsMax ||
		b.Uncounted[Split] != 1024 {
		t.Errorf("%d incidents, and %d more", kept, b.Uncounted[Split])
	}
}
