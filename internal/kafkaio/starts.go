package kafkaio

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Start is where this member begins to read a partition that it got.
type Start struct {
	Partition int32
	// Offset is the one that the group has committed, or where the log begins.
	Offset int64
	// None is true if the group has committed none: it never read the partition, or its offsets have
	// expired or were deleted.
	None bool
	// Read is up to where this member had read the partition when it lost it before its first commit, if it
	// has none because of that; else 0.
	Read int64
	// Set is true if it was not a member of the group that committed the offset: a tool has set it.
	Set bool
	// Queued is true if the member that committed the offset has told this store of it before: that the
	// store is behind it now means that the store has lost data.
	Queued bool
}

// startsMax bounds the questions about starts: the group waits meanwhile.
const startsMax = 3 * time.Second

// joined is called by the client with the offsets that the group has committed, before it reads on from
// there.
func (s *Source) joined(
	ctx context.Context, offsets map[string]map[int32]kgo.Offset,
) (map[string]map[int32]kgo.Offset, error) {
	s.gaps.joined(offsets[s.cfg.Topic])
	if s.cfg.Starts != nil && len(offsets[s.cfg.Topic]) > 0 {
		ctx, cancel := context.WithTimeout(ctx, startsMax)
		defer cancel()
		starts, err := s.starts(ctx, offsets[s.cfg.Topic])
		if err != nil {
			s.log.Debug("whether offsets were reset is not known", "error", err)
		} else {
			for _, start := range starts {
				s.gaps.begins(start.Partition, start.Offset)
			}
			s.cfg.Starts(ctx, starts)
		}
	}
	return offsets, nil
}

func (s *Source) starts(ctx context.Context, offsets map[int32]kgo.Offset) ([]Start, error) {
	select {
	case <-s.made:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	admin := kadm.NewClient(s.client)
	committed, err := admin.FetchOffsetsForTopics(ctx, s.cfg.Group, s.cfg.Topic)
	if err != nil {
		return nil, fmt.Errorf("fetch the offsets of the group: %w", err)
	}
	begins, err := answered(admin.ListStartOffsets(ctx, s.cfg.Topic))
	if err != nil {
		return nil, fmt.Errorf("find the start of topic %s: %w", s.cfg.Topic, err)
	}
	var starts []Start
	for number, offset := range offsets {
		start := Start{Partition: number, Offset: offset.EpochOffset().Offset}
		if start.None = start.Offset < 0; start.None {
			start.Read = s.gaps.readBefore(number)
			begin, known := begins.Lookup(s.cfg.Topic, number)
			if !known || begin.Err != nil {
				continue // nobody leads it: where its log begins is not known
			}
			start.Offset = begin.Offset
		}
		// A member's commits carry its id.
		one, known := committed.Lookup(s.cfg.Topic, number)
		start.Set = !start.None && known && one.Metadata == ""
		mark := s.cfg.mark()
		start.Queued = !start.None && known && mark != "" && one.At == start.Offset &&
			strings.HasSuffix(one.Metadata, mark)
		starts = append(starts, start)
	}
	slices.SortFunc(starts, func(a, b Start) int { return int(a.Partition - b.Partition) })
	return starts, nil
}
