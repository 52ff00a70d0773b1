package ledger

import "fmt"

// Balance is the account: Sent = Flushed + Dropped + Buffered + Lost, in spans, and
// BadSent = BadLettered + BadDeleted + BadLost, in bad messages.
type Balance struct {
	// Messages sent, and the spans they hold: fewer, if some were sent twice or are bad.
	Messages, Sent int64
	// Flushed spans came out at least once.
	Flushed int64
	// Dropped spans never came out, by the reason: they were let go on purpose, or excused.
	Dropped map[string]int64
	// Buffered spans are still in the store, or not read yet.
	Buffered int64
	// Lost spans are nowhere.
	Lost int64
	// BadSent messages are not spans. BadLettered ones came out in the dead-letter topic at least
	// once, BadDeleted ones were deleted by Kafka before they were read, BadLost ones are nowhere.
	BadSent, BadLettered, BadDeleted, BadLost int64
	// Unsaid is how many messages were deleted at the most of which no reader can tell.
	Unsaid int64
	// Losses names the first few spans that are lost or buffered, and bad messages that are lost.
	Losses []string
	// FirstLost is the number of the first span that is lost or buffered; it means nothing if none is.
	FirstLost uint64
	// Records came out with so many distinct flush ids; Bytes is the size of all records.
	Records, Bytes int64
	// Findings by kind.
	Findings [findings]Found
	// Incidents are those findings that a cause may excuse, and that the load does not explain, as far
	// as they were kept; Uncounted is how many more there were, by kind.
	Incidents []Incident
	Uncounted [findings]int64
}

// lossesNamed is how many lost spans are named, and how many bad messages.
const lossesNamed = 5

// Duplicates returns how many times a span came out that had come out before.
func (b Balance) Duplicates() int64 {
	return repeatsIn(&b.Findings)
}

// repeatsIn adds up the spans that had come out before.
func repeatsIn(f *[findings]Found) int64 {
	return f[Repeated].Count + f[Duplicated].Count + f[Resent].Count
}

// Of returns what was found of a kind.
func (b Balance) Of(kind Finding) Found { return b.Findings[kind] }

// Balance closes the account, with so many spans known to be buffered still.
func (l *Ledger) Balance(buffered int64) Balance {
	l.out.Lock()
	defer l.out.Unlock()
	l.in.Lock()
	defer l.in.Unlock()
	b := Balance{
		Messages: l.messages, Sent: l.sent.count, Flushed: l.flushed.count,
		BadSent: l.badSent.count, BadLettered: l.badLettered.count,
		Records: int64(len(l.records)), Bytes: l.bytes,
		Dropped: map[string]int64{}, Findings: l.findings, Unsaid: l.unsaid,
		Incidents: l.unexplained(), Uncounted: l.uncounted,
	}
	for reason, set := range l.dropped { //order-free: sums
		b.drop(reason, set, &l.flushed)
	}
	for reason, set := range l.excused { //order-free: sums
		b.drop(reason, set, &l.settled)
	}
	missing, first := l.sent.minus(lossesNamed, &l.settled, &l.excusable)
	b.Buffered = min(buffered, missing)
	b.Lost = missing - b.Buffered
	if missing > 0 {
		b.FirstLost = first[0]
		for _, seq := range first {
			b.Losses = append(b.Losses, fmt.Sprintf("span %d (%v) of %s", seq, l.recipe.ID(seq),
				l.traceOf(seq)))
		}
	}
	b.BadLost, first = l.badSent.minus(lossesNamed, &l.badLettered, &l.badDeleted)
	b.BadDeleted, _ = l.badDeleted.minus(0, &l.badLettered)
	for _, seq := range first {
		b.Losses = append(b.Losses, fmt.Sprintf("bad message %v after span %d of %s",
			l.recipe.BadKey(seq), seq, l.traceOf(seq)))
	}
	return b
}

// drop adds the spans of a set that are not in another.
func (b *Balance) drop(reason string, set, but *bitset) {
	if n, _ := set.minus(0, but); n > 0 {
		b.Dropped[reason] += n
	}
}

// traceOf names the trace of a span that was sent. in must be locked.
func (l *Ledger) traceOf(seq uint64) string {
	root, _ := l.roots.upTo(seq)
	return fmt.Sprintf("trace %v, partition %d", l.recipe.Trace(root), l.recipe.Partition(root))
}
