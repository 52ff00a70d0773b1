package kafkaio

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sluice/flusher"
)

// Commit commits the offsets behind these messages. Partitions that are not this member's are left
// out: the error of those wraps ErrNotAssigned. If Kafka has answered, the error is a
// *flusher.NotCommitted.
func (s *Source) Commit(ctx context.Context, last []flusher.Message) error {
	offsets, claims := make(map[int32]kgo.EpochOffset, len(last)), make(map[int32]claim, len(last))
	var refused uncommitted
	for _, m := range last {
		tenure := s.assignment.tenure(m.Position.Partition)
		if tenure == nil {
			refused.add(m.Position.Partition, ErrNotAssigned)
			continue
		}
		offsets[m.Position.Partition] = kgo.EpochOffset{
			Epoch: m.LeaderEpoch, Offset: m.Position.Offset + 1,
		}
		claims[m.Position.Partition] = claim{tenure, m.Queued}
	}
	if len(offsets) == 0 {
		return refused.error(s.cfg.Topic)
	}
	var failed error
	ctx = kgo.PreCommitFnContext(ctx, func(request *kmsg.OffsetCommitRequest) error {
		dropped := s.sign(request, claims)
		for _, number := range dropped {
			refused.add(number, ErrNotAssigned)
		}
		if len(dropped) > 0 && len(request.Topics) == 0 { // else the client has refused the topic, and answers
			return errNothingLeft
		}
		return nil
	})
	s.client.CommitOffsetsSync(ctx, map[string]map[int32]kgo.EpochOffset{s.cfg.Topic: offsets},
		func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, answer *kmsg.OffsetCommitResponse, err error) {
			switch {
			case errors.Is(err, errNothingLeft):
			case err != nil || answer == nil:
				failed = err
			default:
				refused.read(answer)
			}
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

// errNothingLeft ends a commit all of whose partitions sign has dropped.
var errNothingLeft = errors.New("nothing left to commit")

// claim is what lets an offset be committed, and whether the store was told of everything before it.
type claim struct {
	tenure *partition
	queued bool
}

// sign drops and returns the partitions that are not this member's to commit, and marks the offsets up to which
// the store was told of everything. The client has written the member's id, one for all. That need not be the
// one under which the offsets were taken, for a commit waits while the client joins the group:
//
//	a rebalance; the network is away; Commit waits; the group does not wait any longer, and gives the
//	partition to another, who commits; the network is back, and the client joins as a new member;
//	the commit goes out as that one's, which Kafka takes: it does not look whose the partition is
//
// What the other has flushed since would be read again. A later generation of the same member is none of this: it
// gives nothing away that it was not asked for.
func (s *Source) sign(request *kmsg.OffsetCommitRequest, claims map[int32]claim) (dropped []int32) {
	signed := request.MemberID + s.cfg.mark()
	for t := range request.Topics {
		topic := &request.Topics[t]
		var kept []kmsg.OffsetCommitRequestTopicPartition
		for _, p := range topic.Partitions {
			of := claims[p.Partition]
			if !s.assignment.isOf(p.Partition, of.tenure, request.MemberID) {
				dropped = append(dropped, p.Partition)
				continue
			}
			if of.queued {
				p.Metadata = &signed
			}
			kept = append(kept, p)
		}
		topic.Partitions = kept
	}
	request.Topics = slices.DeleteFunc(request.Topics, func(t kmsg.OffsetCommitRequestTopic) bool {
		return len(t.Partitions) == 0
	})
	return dropped
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
