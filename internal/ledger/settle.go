package ledger

import "sluice/buffer"

// settle notes that it is known what became of a span.
func (l *Ledger) settle(seq uint64) {
	if l.settled.set(seq) && l.excusable.has(seq) {
		l.open--
	}
}

// drop enters a span that was let go for a reason, and tells whether that is new.
func (l *Ledger) drop(reason string, seq uint64) bool {
	if l.dropped[reason] == nil {
		l.dropped[reason] = &bitset{}
	}
	l.settle(seq)
	return l.dropped[reason].set(seq)
}

// Excuse says that just now something was destroyed that may have held, alone, any span that was
// sent by now and has not come out: if such a span never comes out, it was dropped for that reason.
// A span that is sent later has no excuse. If several times could excuse a span, the first does.
// Bad messages have none: nothing but Kafka ever holds them, see [Ledger.Deleted].
func (l *Ledger) Excuse(reason string) {
	l.out.Lock()
	defer l.out.Unlock()
	l.in.Lock()
	defer l.in.Unlock()
	l.excuse(reason, &l.sent)
}

// excuse gives spans an excuse that have not come out. in and out must be locked.
func (l *Ledger) excuse(reason string, could *bitset) {
	if l.excused[reason] == nil {
		l.excused[reason] = &bitset{}
	}
	added := l.excused[reason].add(could, &l.settled, &l.excusable)
	l.excusable.add(l.excused[reason])
	l.open += added
}

// ExcuseSome is Excuse for what may have held spans of some traces only: of others nothing was
// destroyed.
func (l *Ledger) ExcuseSome(reason string, of func(trace buffer.TraceKey) bool) {
	l.excuseSome(reason, &bitset{}, of)
}

// excuseSome gives spans an excuse that are not out, but for some, and are of some traces.
func (l *Ledger) excuseSome(reason string, but *bitset, of func(trace buffer.TraceKey) bool) {
	some, known := &bitset{}, make(map[uint64]bool) // by root
	for _, seq := range l.notOut() {
		if but.has(seq) {
			continue
		}
		root := l.recipe.RootOf(seq)
		is, asked := known[root]
		if !asked {
			is = of(buffer.TraceKey{Project: l.recipe.Project(root), Trace: l.recipe.Trace(root)})
			known[root] = is
		}
		if is {
			some.set(seq)
		}
	}
	l.out.Lock()
	defer l.out.Unlock()
	l.in.Lock()
	defer l.in.Unlock()
	l.excuse(reason, some)
}

// SetBack is the reason under which spans count that went with the latest writes of a Redis that was set
// back to a state that it had before.
const SetBack = "set_back"

// ExcuseSince is Excuse for a store that was set back to the state of a moment, as far as it holds some
// traces: what stood below the offsets that were committed by then was stored, and has no excuse. Places
// must be kept.
func (l *Ledger) ExcuseSince(
	reason string, committed map[int32]int64, of func(trace buffer.TraceKey) bool,
) {
	stored := &bitset{}
	l.out.Lock()
	for partition, s := range l.standing { //order-free: a set
		for _, message := range s.messages[:min(committed[partition], int64(len(s.messages)))] {
			if seq, bad := messageOf(message); message != 0 && !bad {
				stored.set(seq)
			}
		}
	}
	l.out.Unlock()
	l.excuseSome(reason, stored, of)
}

// notOut returns the spans that were sent and have not come out.
func (l *Ledger) notOut() []uint64 {
	l.out.Lock()
	defer l.out.Unlock()
	l.in.Lock()
	defer l.in.Unlock()
	_, open := l.sent.minus(int(l.sent.count), &l.settled)
	return open
}

// Pending returns how many spans and bad messages are still to come out: those of which it is not
// known what became of them, apart from spans that have an excuse. It is cheap.
func (l *Ledger) Pending() int64 {
	l.out.Lock()
	defer l.out.Unlock()
	l.in.Lock()
	defer l.in.Unlock()
	return l.sent.count + l.badSent.count - l.settled.count - l.badLettered.count - l.open - l.badOpen
}

// Excusable returns how many spans have an excuse for not having come out. They may come out yet:
// what was destroyed need not have held them. It is cheap.
func (l *Ledger) Excusable() int64 {
	l.out.Lock()
	defer l.out.Unlock()
	return l.open
}

// Counts returns the spans sent, and those of them that came out or were dropped. Neither bad
// messages nor excuses count. It is cheap.
func (l *Ledger) Counts() (sent, settled int64) {
	l.out.Lock()
	defer l.out.Unlock()
	l.in.Lock()
	defer l.in.Unlock()
	return l.sent.count, l.settled.count
}

// Messages returns how many messages were sent so far, bad ones and repeats among them. It is cheap.
func (l *Ledger) Messages() int64 {
	l.in.Lock()
	defer l.in.Unlock()
	return l.messages
}

// Traffic returns how many spans came out again so far, and the bytes of all output records. It is
// cheap.
func (l *Ledger) Traffic() (repeated, bytes int64) {
	l.out.Lock()
	defer l.out.Unlock()
	return repeatsIn(&l.findings), l.bytes
}
