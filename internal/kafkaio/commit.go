package kafkaio

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sluice/flusher"
)

// Commit commits the offsets behind these messages. Partitions that are not this member's are left
// out: the error of those wraps ErrNotAssigned. If Kafka has answered, the error is a
// *flusher.NotCommitted.
func (s *Source) Commit(ctx context.Context, last []flusher.Message) error {
	offsets, queued := make(map[int32]kgo.EpochOffset, len(last)), make(map[int32]bool, len(last))
	var refused uncommitted
	for _, m := range last {
		if !s.assignment.has(m.Position.Partition) {
			refused.add(m.Position.Partition, ErrNotAssigned)
			continue
		}
		offsets[m.Position.Partition] = kgo.EpochOffset{
			Epoch: m.LeaderEpoch, Offset: m.Position.Offset + 1,
		}
		queued[m.Position.Partition] = m.Queued
	}
	if len(offsets) == 0 {
		return refused.error(s.cfg.Topic)
	}
	var failed error
	ctx = kgo.PreCommitFnContext(ctx, func(request *kmsg.OffsetCommitRequest) error {
		s.sign(request, queued)
		return nil
	})
	s.client.CommitOffsetsSync(ctx, map[string]map[int32]kgo.EpochOffset{s.cfg.Topic: offsets},
		func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, answer *kmsg.OffsetCommitResponse, err error) {
			if err != nil || answer == nil {
				failed = err
				return
			}
			refused.read(answer)
		})
	if failed != nil {
		return fmt.Errorf("commit offsets of %s: %w", s.cfg.Topic, failed)
	}
	for _, number := range refused.partitions {
		delete(offsets, number)
	}
	s.gaps.commit(offsets)
	return refused.error(s.cfg.Topic)
}

// sign marks the offsets up to which the store was told of everything. The client has written the member's
// id, one for all.
func (s *Source) sign(request *kmsg.OffsetCommitRequest, queued map[int32]bool) {
	signed := request.MemberID + s.cfg.mark()
	for _, topic := range request.Topics {
		for i := range topic.Partitions {
			if p := &topic.Partitions[i]; queued[p.Partition] {
				p.Metadata = &signed
			}
		}
	}
}

// uncommitted are the partitions of a commit that were not committed, and why.
type uncommitted struct {
	partitions []int32
	faults     []error
}

func (r *uncommitted) add(number int32, cause error) {
	r.partitions = append(r.partitions, number)
	r.faults = append(r.faults, fmt.Errorf("partition %d: %w", number, cause))
}

// read adds what Kafka refused.
func (r *uncommitted) read(answer *kmsg.OffsetCommitResponse) {
	for _, topic := range answer.Topics {
		for _, p := range topic.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				r.add(p.Partition, err)
			}
		}
	}
}

// error is nil if nothing was refused.
func (r *uncommitted) error(topic string) error {
	if len(r.partitions) == 0 {
		return nil
	}
	return &flusher.NotCommitted{Partitions: r.partitions,
		Err: fmt.Errorf("commit offsets of %s: %w", topic, errors.Join(r.faults...))}
}
