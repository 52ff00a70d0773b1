package pipeline

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"sluice/buffer"
	"sluice/consumer"
	"sluice/internal/kafkaio"
)

// checkStranded says what Redis holds of partitions that the input topic does not have any more.
func (p *Pipeline) checkStranded(ctx context.Context) error {
	partitions, err := kafkaio.Partitions(ctx, p.kafka, p.cfg.InputTopic)
	if err != nil {
		return err
	}
	stranded, err := p.store.Stranded(ctx, buffer.Shard(partitions))
	if err != nil {
		return err
	}
	if len(stranded) == 0 {
		return nil
	}
	segments := int64(0)
	for _, waits := range stranded {
		segments += waits
	}
	gone := slices.Sorted(maps.Keys(stranded))
	p.log.Error("the input topic has fewer partitions than before, and redis holds segments of those that "+
		"are gone: nobody flushes them", "topic", p.cfg.InputTopic, "partitions", partitions,
		"gone", gone, "segments", segments, "remedy", fmt.Sprintf("give the topic %d partitions "+
			"(kafka-topics.sh --alter --topic %s --partitions %d): then they are flushed",
			gone[len(gone)-1]+1, p.cfg.InputTopic, gone[len(gone)-1]+1))
	return nil
}

// onStarts says where partitions are read from, if that is not where they were left.
func (p *Pipeline) onStarts(ctx context.Context, starts []kafkaio.Start) {
	shards := make([]buffer.Shard, len(starts))
	for i, start := range starts {
		shards[i] = buffer.Shard(start.Partition)
	}
	left, err := p.store.Positions(ctx, shards)
	if err != nil {
		return // Redis is away, which is said elsewhere
	}
	var unknown []int32
	var behind []setBack
	for _, start := range starts {
		at := left[buffer.Shard(start.Partition)]
		switch {
		case !at.Known && !start.None && start.Offset > 0:
			unknown = append(unknown, start.Partition)
		case start.Queued && at.Next < start.Offset:
			behind = append(behind, setBack{partition: start.Partition, from: at.Next, to: start.Offset})
		case at.Next != 0 && at.Next != start.Offset:
			p.onReset(start, at.Next)
		}
	}
	if len(unknown) > 0 {
		p.log.Error("redis knows nothing of partitions that the group has read: it was wiped since, and what "+
			"it held is lost, or the namespace is a new one", "partitions", unknown)
	}
	p.onBehind(p.setBacks.fresh(behind))
}

// onReset says that a partition is read from another offset than the one it was left at.
func (p *Pipeline) onReset(start kafkaio.Start, from int64) {
	switch {
	case start.None && from <= start.Read:
		// It was lost before its first commit: that is no more than any loss of a partition, which was said.
	case start.None:
		p.log.Error("the group has no offset of the partition any more (expired, deleted, or none was ever "+
			"committed): it is read from its start, and what was flushed comes out again", "partition", start.Partition, "from", from,
			"to", start.Offset)
	case start.Set && start.Offset > from:
		p.log.Error("the offset of the group was set ahead: messages in between are not read",
			"partition", start.Partition, "from", from, "to", start.Offset,
			"messages", start.Offset-from)
	case start.Set:
		p.log.Warn("the offset of the group was set back: messages are read again",
			"partition", start.Partition, "from", from, "to", start.Offset,
			"messages", from-start.Offset)
	}
}

// onBehind says that Redis was set back while no member was looking.
func (p *Pipeline) onBehind(behind []setBack) {
	if len(behind) == 0 {
		return
	}
	var partitions []int32
	var from, to []int64
	messages := int64(0)
	for _, b := range behind {
		partitions, from, to = append(partitions, b.partition), append(from, b.from), append(to, b.to)
		messages += b.to - b.from
	}
	p.log.Error("redis is behind what the group has committed: it was set back while nobody looked (an older "+
		"file, a replica that lagged), or another topic was read into this namespace; what lies between may "+
		"be lost", "partitions", partitions, "from", from, "to", to, "messages", messages)
}

// setBack is a partition of which Redis has forgotten what lies between two offsets: it was told of that, and
// then the group committed it.
type setBack struct {
	partition int32
	from, to  int64
}

// setBacks are the losses of Redis that only the offsets tell of, since nobody beat when it happened.
type setBacks struct {
	mu     sync.Mutex
	heard  bool            // of one that the audit has seen, whose traces these would be
	said   map[int32]int64 // from where, by partition: until the next batch it stays so
	losses uint64
}

// hear takes note that the audit has seen a loss, and said it.
func (s *setBacks) hear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heard = true
}

// fresh returns those that are to be said, and counts them as one loss.
func (s *setBacks) fresh(behind []setBack) (fresh []setBack) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range behind {
		from, said := s.said[b.partition]
		if s.heard || said && from == b.from {
			continue
		}
		if s.said == nil {
			s.said = make(map[int32]int64)
		}
		s.said[b.partition] = b.from
		fresh = append(fresh, b)
	}
	if len(fresh) > 0 {
		s.losses++
	}
	return fresh
}

// Audited returns what the audit of the store has seen so far. The losses are also those from before it began.
func (p *Pipeline) Audited() consumer.AuditCounters {
	counters := p.Consumer.Audited()
	p.setBacks.mu.Lock()
	defer p.setBacks.mu.Unlock()
	counters.Losses += p.setBacks.losses
	return counters
}
