package ledger

// DeletedUnread is the reason under which spans count whose messages Kafka deleted before they were read.
const DeletedUnread = "deleted"

// standing is a partition of the input of which messages may be deleted.
type standing struct {
	// messages that stand there, by offset: 0 if it is not known which does, or else 1 more than twice the
	// span's number, and 1 more for the bad message that follows it.
	messages []uint64
	// to is the offset below which all was deleted; from was committed when it was.
	from, to int64
	missed   []stretch // what readers say was deleted before they read it
}

// stretch is offsets: from the first to behind the last.
type stretch struct{ from, to int64 }

// KeepPlaces has the ledger remember which message stands where in the input, 8 bytes for each: of what
// is deleted it can tell then which spans that were. It is to be called before anything is sent.
func (l *Ledger) KeepPlaces() { l.standing = make(map[int32]*standing) }

// KeepsPlaces tells whether [Ledger.Stands] is to be called for each message.
func (l *Ledger) KeepsPlaces() bool { return l.standing != nil }

func (l *Ledger) standingIn(partition int32) *standing {
	s := l.standing[partition]
	if s == nil {
		s = &standing{}
		l.standing[partition] = s
	}
	return s
}

// Stands says at which offset of the input a message stands: a span, or the bad one that follows it.
func (l *Ledger) Stands(partition int32, seq uint64, bad bool, offset int64) {
	l.out.Lock()
	defer l.out.Unlock()
	l.in.Lock()
	defer l.in.Unlock()
	s := l.standingIn(partition)
	for int64(len(s.messages)) <= offset {
		s.messages = append(s.messages, 0)
	}
	message := 1 + 2*seq
	if bad {
		message++
	}
	s.messages[offset] = message
	for _, m := range s.missed {
		l.forgive(s, max(m.from, offset), min(m.to, offset+1))
	}
}

// Deleted says that Kafka deleted everything of the input's partition below an offset, when from was
// committed; -1 if nothing was. What of it no reader has read is lost, and must be said by one, see
// [Ledger.Missed]. But nobody can tell what was deleted of a partition before the group first committed.
func (l *Ledger) Deleted(partition int32, from, to int64) {
	l.out.Lock()
	defer l.out.Unlock()
	l.in.Lock()
	defer l.in.Unlock()
	s := l.standingIn(partition)
	before := s.to
	s.from, s.to = max(from, 0), max(s.to, to)
	for _, m := range s.missed {
		l.forgive(s, max(m.from, before), m.to)
	}
	if from < 0 {
		l.unsaid += to
		l.miss(s, stretch{0, to})
	}
}

// Missed enters what a reader says: these messages were deleted before they were read. It is believed
// as far as they were deleted.
func (l *Ledger) Missed(partition int32, from, to int64) {
	l.out.Lock()
	defer l.out.Unlock()
	l.in.Lock()
	defer l.in.Unlock()
	l.miss(l.standingIn(partition), stretch{from, to})
}

// SentAll says that nothing more is sent. Where nothing came after what was deleted, no reader can tell.
func (l *Ledger) SentAll() {
	l.out.Lock()
	defer l.out.Unlock()
	l.in.Lock()
	defer l.in.Unlock()
	for _, s := range l.standing { //order-free: each by itself
		if s.to > s.from && s.to >= int64(len(s.messages)) {
			l.unsaid += s.to - s.from
			l.miss(s, stretch{s.from, s.to})
		}
	}
}

func (l *Ledger) miss(s *standing, m stretch) {
	s.missed = append(s.missed, m)
	l.forgive(s, m.from, m.to)
}

// forgive excuses what stood between two offsets and was deleted. in and out must be locked.
func (l *Ledger) forgive(s *standing, from, to int64) {
	for offset := from; offset < min(to, s.to, int64(len(s.messages))); offset++ {
		message := s.messages[offset]
		if message == 0 {
			continue
		}
		s.messages[offset] = 0 // once
		seq, bad := messageOf(message)
		switch {
		case bad:
			if l.badDeleted.set(seq) && !l.badLettered.has(seq) {
				l.badOpen++
			}
		case l.twice.has(seq) && l.halfDeleted.set(seq): // the other one is still to come out
		default:
			one := &bitset{}
			one.set(seq)
			l.halfDeleted.set(seq)
			l.excuse(DeletedUnread, one)
		}
	}
}

// messageOf is the span of a message, or that before a bad one.
func messageOf(message uint64) (seq uint64, bad bool) { return (message - 1) / 2, message%2 == 0 }

// sentAgain takes back the excuse of a span that is sent once more. in and out must be locked.
func (l *Ledger) sentAgain(seq uint64) {
	if set := l.excused[DeletedUnread]; set != nil && set.unset(seq) {
		l.excusable.unset(seq)
		if !l.settled.has(seq) {
			l.open--
		}
	}
}
