package kafkaio

import (
	"log/slog"
	"maps"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
)

// gaps notices messages that Kafka deleted before they were read: retention was shorter than the
// outage, or somebody deleted records. The client goes on behind them without a word. A gap between
// offsets alone is none: transactions leave some.
type gaps struct {
	topic string
	log   *slog.Logger

	mu   sync.Mutex
	next map[int32]int64  // the offset to be read next, of partitions for which it is known
	done map[int32]int64  // the offset that is committed, of such
	lost map[int32]uint64 // messages, at most
}

func newGaps(topic string, log *slog.Logger) *gaps {
	return &gaps{topic: topic, log: log, next: make(map[int32]int64), done: make(map[int32]int64),
		lost: make(map[int32]uint64)}
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

// committed returns up to where nothing is to be read again; 0 if nothing is known.
func (g *gaps) committed(number int32) int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.done[number]
}

// read looks at what was fetched of a partition.
func (g *gaps) read(p kgo.FetchTopicPartition) {
	g.mu.Lock()
	next, known := g.next[p.Partition]
	from := next
	gone := int64(0)
	if known && p.LogStartOffset > next {
		gone, next = p.LogStartOffset-next, p.LogStartOffset
		g.lost[p.Partition] += uint64(gone)
	}
	if n := len(p.Records); n > 0 {
		next, known = p.Records[n-1].Offset+1, true
	}
	if known {
		g.next[p.Partition] = next
	}
	g.mu.Unlock()
	if gone > 0 {
		g.log.Error("kafka deleted messages that were not read yet (retention, or by hand); going on "+
			"behind them", "partition", p.Partition, "from", from, "to", p.LogStartOffset, "count", gone)
	}
}

// Lost returns how many messages of each partition Kafka deleted before they were read, at most: the
// offsets of transactions count, too.
func (s *Source) Lost() map[int32]uint64 {
	s.gaps.mu.Lock()
	defer s.gaps.mu.Unlock()
	return maps.Clone(s.gaps.lost)
}
