package pipeline

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"sluice/buffer"
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
	for _, start := range starts {
		from := left[buffer.Shard(start.Partition)].Next
		if !left[buffer.Shard(start.Partition)].Known && !start.None && start.Offset > 0 {
			unknown = append(unknown, start.Partition)
		}
		if from == 0 || from == start.Offset {
			continue
		}
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
	if len(unknown) > 0 {
		p.log.Error("redis knows nothing of partitions that the group has read: it was wiped since, and what "+
			"it held is lost, or the namespace is a new one", "partitions", unknown)
	}
}
