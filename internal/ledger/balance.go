package ledger

import (
	"fmt"
	"maps"
	"slices"
)

// Balance is the account: Sent = Flushed + Dropped + Buffered + Lost, in spans.
type Balance struct {
	// Messages sent, and the spans they hold: fewer, if some were sent twice.
	Messages, Sent int64
	// Flushed spans came out at least once.
	Flushed int64
	// Dropped spans were let go on purpose, by reason.
	Dropped map[string]int64
	// Buffered spans are still in the store, or not read yet.
	Buffered int64
	// Lost spans are nowhere; Losses names the first few.
	Lost   int64
	Losses []string
	// Records came out with so many distinct flush ids; Bytes is the size of all records.
	Records, Bytes int64
	// Findings by kind.
	Findings [findings]Found
}

// lossesNamed is how many lost spans are named.
const lossesNamed = 5

// Duplicates returns how many times a span came out that had come out before.
func (b Balance) Duplicates() int64 {
	return b.Findings[Repeated].Count + b.Findings[Duplicated].Count
}

// Of returns what was found of a kind.
func (b Balance) Of(kind Finding) Found { return b.Findings[kind] }

// Balance closes the account, with so many spans known to be buffered still.
func (l *Ledger) Balance(buffered int64) Balance {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := Balance{
		Messages: l.messages, Sent: l.sent.count, Flushed: l.flushed.count,
		Records: int64(len(l.records)), Bytes: l.bytes,
		Dropped: map[string]int64{}, Findings: l.findings,
	}
	accounted := []*bitset{&l.flushed}
	for _, reason := range slices.Sorted(maps.Keys(l.dropped)) {
		b.Dropped[reason] = l.dropped[reason].count
		accounted = append(accounted, l.dropped[reason])
	}
	missing, first := l.sent.minus(lossesNamed, accounted...)
	b.Buffered = min(buffered, missing)
	b.Lost = missing - b.Buffered
	if b.Lost > 0 {
		for _, seq := range first {
			root, _ := l.roots.upTo(seq)
			b.Losses = append(b.Losses, fmt.Sprintf("span %d (%v) of trace %v, partition %d",
				seq, l.recipe.ID(seq), l.recipe.Trace(root), l.recipe.Partition(root)))
		}
	}
	return b
}

// Counts returns the spans sent, and those of them that came out or were dropped. It is cheap.
func (l *Ledger) Counts() (sent, settled int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	settled = l.flushed.count
	for _, dropped := range l.dropped {
		settled += dropped.count
	}
	return l.sent.count, settled
}

// Traffic returns how many spans came out again so far, and the bytes of all output records. It is
// cheap.
func (l *Ledger) Traffic() (repeated, bytes int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.findings[Repeated].Count + l.findings[Duplicated].Count, l.bytes
}
