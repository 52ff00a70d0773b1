package kafkaio

import (
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/flusher"
)

// gaps notices messages that Kafka deleted before they were read: retention was shorter than the
// outage, or somebody deleted records. The client goes on behind them without a word. A gap between
// offsets alone is none: transactions leave some.
type gaps struct {
	mu   sync.Mutex
	next map[int32]int64 // the offset behind the last message, of partitions for which it is known
	all  map[int32]int64 // that to be read next: behind the marks of transactions, too
	done map[int32]int64 // the offset that is committed, of such
	// none are partitions of which the group had no offset when this member last got them, and nothing was
	// committed since. If that was so the time before, too, before is up to where they were read then.
	none   map[int32]bool
	before map[int32]int64
}

func newGaps() *gaps {
	return &gaps{
		next: make(map[int32]int64), all: make(map[int32]int64), done: make(map[int32]int64),
		none: make(map[int32]bool), before: make(map[int32]int64),
	}
}

// joined notes the offsets that the group has committed of partitions that this member got.
func (g *gaps) joined(offsets map[int32]kgo.Offset) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for number, offset := range offsets {
		if at := offset.EpochOffset().Offset; at >= 0 {
			g.next[number], g.all[number], g.done[number] = at, at, at
			g.none[number], g.before[number] = false, 0
		} else {
			if g.before[number] = 0; g.none[number] {
				g.before[number] = g.all[number]
			}
			g.none[number] = true
			delete(g.next, number) // the group has none
			delete(g.all, number)
			delete(g.done, number)
		}
	}
}

// commit notes what was committed.
func (g *gaps) commit(offsets map[int32]kgo.EpochOffset) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for number, offset := range offsets {
		g.done[number] = offset.Offset
		g.none[number], g.before[number] = false, 0
	}
}

// readBefore returns up to where this member had read a partition when it lost it, if the group had no offset
// of it then, either, and none was committed: that it has none is no news, then. Else 0.
func (g *gaps) readBefore(number int32) int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.before[number]
}

// idle tells whether all that was fetched of a partition is committed.
func (g *gaps) idle(number int32) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	next, known := g.next[number]
	return known && next == g.done[number]
}

// start returns the offset that is to be read next; 0 if the group has committed none: the log's start.
func (g *gaps) start(number int32) int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.all[number]
}

// committed returns up to where nothing is to be read again; 0 if nothing is known.
func (g *gaps) committed(number int32) int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.done[number]
}

// behind returns the offset that the group has committed of a partition; known is false if it has none.
func (g *gaps) behind(number int32) (offset int64, known bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	offset, known = g.done[number]
	return offset, known
}

// begins notes where the log of a partition begins of which the group has committed nothing.
func (g *gaps) begins(number int32, offset int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, known := g.next[number]; !known {
		g.next[number], g.all[number] = offset, offset
	}
}

// read looks at what was fetched of a partition, and the messages among it, and returns what is missing before
// it; is is false if nothing is.
func (g *gaps) read(p kgo.FetchTopicPartition, messages []*kgo.Record) (gap flusher.Gap, is bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if all, known := g.all[p.Partition]; known && p.LogStartOffset > all {
		gap, is = flusher.Gap{Partition: p.Partition, From: all, To: p.LogStartOffset}, true
		g.next[p.Partition], g.all[p.Partition] = p.LogStartOffset, p.LogStartOffset
	}
	if n := len(p.Records); n > 0 {
		g.all[p.Partition] = p.Records[n-1].Offset + 1
	}
	if n := len(messages); n > 0 {
		g.next[p.Partition] = messages[n-1].Offset + 1
	}
	return gap, is
}
