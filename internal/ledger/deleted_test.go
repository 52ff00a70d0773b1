package ledger

import "testing"

// TestDeletedUnread: what was deleted is lost as far as a reader says that it missed it, in whatever
// order one hears of it, and no further; a bad message as well as a span.
func TestDeletedUnread(t *testing.T) {
	const from, to, read = 4, 12, 7
	for _, c := range []struct {
		name string
		hear func(l *Ledger, place func())
		lost int64 // spans of the deleted ones that have an excuse
	}{
		{"deleted, then said", func(l *Ledger, place func()) {
			place()
			l.Deleted(0, from, to)
			l.Missed(0, read, to)
		}, to - read},
		{"said before it is known to be deleted", func(l *Ledger, place func()) {
			place()
			l.Missed(0, read, to)
			l.Deleted(0, from, to)
		}, to - read},
		{"acknowledged last", func(l *Ledger, place func()) {
			l.Deleted(0, from, to)
			l.Missed(0, read, to)
			place()
		}, to - read},
		{"more is said than was deleted", func(l *Ledger, place func()) {
			place()
			l.Deleted(0, from, to)
			l.Missed(0, read, to+5)
		}, to - read},
		{"nobody says it", func(l *Ledger, place func()) {
			place()
			l.Deleted(0, from, to)
			l.SentAll()
		}, 0},
		{"nobody can say it, since nothing follows", func(l *Ledger, place func()) {
			place()
			l.Deleted(0, from, 20)
			l.SentAll()
		}, 20 - from},
		{"nobody can say it, since nothing was committed", func(l *Ledger, place func()) {
			place()
			l.Deleted(0, -1, to)
		}, to},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSystem()
			s.ledger.KeepPlaces()
			s.send(0) // 20 spans
			s.ledger.SentBad(8, 0)
			c.hear(s.ledger, func() {
				for i := range int64(20) {
					s.ledger.Stands(0, uint64(i), false, i)
				}
			})
			s.ledger.Stands(1, 8, true, 20)
			b := s.ledger.Balance(0)
			if b.Dropped[DeletedUnread] != c.lost || b.Lost != 20-c.lost || b.BadLost != 1 {
				t.Errorf("%d deleted, %d lost, want %d and %d", b.Dropped[DeletedUnread], b.Lost, c.lost,
					20-c.lost)
			}
			s.ledger.Deleted(1, 20, 21)
			s.ledger.Missed(1, 20, 21)
			if b := s.ledger.Balance(0); b.BadDeleted != 1 || b.BadLost != 0 {
				t.Errorf("%d bad messages deleted, %d lost, want 1 and 0", b.BadDeleted, b.BadLost)
			}
			if pending := s.ledger.Pending(); pending != 20-c.lost {
				t.Errorf("%d pending, want %d", pending, 20-c.lost)
			}
		})
	}
}

// TestDeletedOfTwo: a span that is sent twice is lost only if both its messages are.
func TestDeletedOfTwo(t *testing.T) {
	s := newSystem()
	s.ledger.KeepPlaces()
	s.send(0)
	deleted := func(offset int64) {
		s.ledger.Deleted(0, offset, offset+1)
		s.ledger.Missed(0, offset, offset+1)
	}
	is := func(when string, want int64) {
		t.Helper()
		if got := s.ledger.Balance(0).Dropped[DeletedUnread]; got != want || s.ledger.Excusable() != want {
			t.Errorf("%s: %d are deleted, %d excusable, want %d", when, got, s.ledger.Excusable(), want)
		}
	}
	s.ledger.Stands(0, 3, false, 0)
	deleted(0)
	is("the first is deleted", 1)
	s.ledger.Sent(3, 0, 0)
	is("it is sent again", 0)
	s.ledger.Stands(0, 3, false, 1)
	deleted(1)
	is("the second is deleted, too", 1)
	s.ledger.Sent(4, 0, 0)
	s.ledger.Stands(0, 4, false, 2)
	s.ledger.Stands(0, 4, false, 3)
	deleted(2)
	is("one of another two is deleted", 1)
}
