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
	next map[int32]int64 // the offset to be read next, of partitions for which it is known
	done map[int32]int64 // the offset that is committed, of such
}

func newGaps() *gaps {
	return &gaps{next: make(map[int32]int64), done: make(map[int32]int64)}
}

// joined notes the offsets that the group has committed of partitions that this member got.
func (g *gaps) joined(offsets map[int32]kgo.Offset) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for number, offset := range offsets {
		if at := offset.EpochOffset().Offset; at >= 0 {
			g.next[number], g.done[number] = at, at
		} else {
			delete(g.next, number) // the group has none
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
	}
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
	return g.next[number]
}

// committed returns up to where nothing is to be read again; 0 if nothing is known.
func (g *gaps) committed(number int32) int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.done[number]
}

// begins notes where the log of a partition begins of which the group has committed nothing.
func (g *gaps) begins(number int32, offset int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, known := g.next[number]; !known {
		g.next[number] = offset
	}
}

// read looks at what was fetched of a partition, and returns what is missing before it; is is false if
// nothing is.
func (g *gaps) read(p kgo.FetchTopicPartition) (gap flusher.Gap, is bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	next, known := g.next[p.Partition]
	if known && p.LogStartOffset > next {
		gap, is = flusher.Gap{Partition: p.Partition, From: next, To: p.LogStartOffset}, true
		next = p.LogStartOffset
	}
	if n := len(p.Records); n > 0 {
		next, known = p.Records[n-1].Offset+1, true
	}
	if known {
		g.next[p.Partition] = next
	}
	return gap, is
}
