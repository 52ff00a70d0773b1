package kafkaio

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sluice/flusher"
)

// onAssigned is called by the client before it fetches new partitions.
// (It is called also if there are none.)
func (s *Source) onAssigned(_ context.Context, client *kgo.Client, assigned map[string][]int32) {
	s.admitted.CompareAndSwap(nil, new(time.Now()))
	if numbers := assigned[s.cfg.Topic]; len(numbers) > 0 {
		s.touch.begin(numbers)
		s.assignment.assign(numbers)
	}
	s.assignment.admit(memberOf(client))
}

// memberOf returns as which member of the group a client was let in last.
func memberOf(client *kgo.Client) string {
	member, _ := client.GroupMetadata()
	return member
}

// onRevoked is called by the client when the group asks for partitions. The group gets them when
// it returns.
func (s *Source) onRevoked(ctx context.Context, client *kgo.Client, revoked map[string][]int32) {
	numbers := revoked[s.cfg.Topic]
	if len(numbers) == 0 {
		return
	}
	released := s.assignment.revoke(numbers)
	s.assignment.admit(memberOf(client)) // to what is left: it need not wait for what goes
	deadline := time.NewTimer(s.cfg.ReleaseTimeout())
	defer deadline.Stop()
	for _, done := range released {
		select {
		case <-done:
		case <-s.closed:
			return
		case <-ctx.Done():
			return
		case <-deadline.C:
			// Nothing of them can be committed any more.
			if late := s.assignment.release(numbers); len(late) > 0 {
				s.log.Error("revoked partitions were not released in time; their spans will be read "+
					"again by the next owner", "partitions", late, "after", s.cfg.ReleaseTimeout())
			}
			return
		}
	}
}

// refetchMin and refetchMax bound how long a member waits with an offset that it was refused before it joins
// again. That takes all partitions from it, and disturbs every other member: so the wait doubles while one
// refusal follows another.
const (
	refetchMin = 2 * time.Second
	refetchMax = time.Minute
)

// offsetsFetched is called by the client when it knows from where to read what was assigned. A partition
// whose offset it was refused it reads never, unless the group gives it to another: so the session ends
// with the error, and the next one asks again. It does not end at once, as that takes all partitions away.
func (s *Source) offsetsFetched(ctx context.Context, _ *kgo.Client, answer *kmsg.OffsetFetchResponse) error {
	err := refusedOffset(answer)
	wait := s.refetchWait(err)
	if err == nil {
		return nil
	}
	over := time.NewTimer(wait)
	defer over.Stop()
	select {
	case <-over.C:
		return err
	case <-ctx.Done():
		return ctx.Err() // the session ends already, and not for this
	}
}

// refetchWait counts the refusals that followed one another, and returns how long to wait after the last.
func (s *Source) refetchWait(err error) time.Duration {
	if err == nil {
		s.refetches.Store(0)
		return 0
	}
	return flusher.Backoff(refetchMin, refetchMax, int(s.refetches.Add(1))-1)
}

func refusedOffset(answer *kmsg.OffsetFetchResponse) error {
	for _, group := range answer.Groups {
		for _, topic := range group.Topics {
			for _, p := range topic.Partitions {
				if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
					return fmt.Errorf("offset of partition %d: %w", p.Partition, err)
				}
			}
		}
	}
	return nil
}

// onLost is called by the client when the group has given partitions away without asking.
func (s *Source) onLost(_ context.Context, _ *kgo.Client, lost map[string][]int32) {
	if numbers := lost[s.cfg.Topic]; len(numbers) > 0 {
		s.assignment.lose(numbers)
	}
}

// passing are errors that Kafka counts as not retriable, though the next attempt may succeed: those of a
// group, which the client answers by joining again; what brokers say when something went wrong in them, and
// what kerr has no name for; and that there are too many members for now.
var passing = []error{
	kerr.UnknownMemberID, kerr.IllegalGeneration, kerr.RebalanceInProgress, kerr.MemberIDRequired,
	kerr.FencedMemberEpoch, kerr.StaleMemberEpoch, kerr.OffsetOutOfRange, kerr.UnknownTopicID,
	kerr.UnknownServerError, kerr.GroupMaxSizeReached,
}

// refusals are what the brokers answer to a user who may not do that, or not come in.
var refusals = []error{
	kerr.TopicAuthorizationFailed, kerr.GroupAuthorizationFailed, kerr.ClusterAuthorizationFailed,
	kerr.SaslAuthenticationFailed,
}

// startMax is how soon after the group has let a source in it shows that the topic does not: with the
// first fetch.
const startMax = 10 * time.Second

// wasAllowed tells whether an error refuses what was allowed before: such a right may be given back. One
// that was missing from the start is for whoever starts the program to see.
func (s *Source) wasAllowed(err error) bool {
	since := s.admitted.Load()
	if since == nil || !isOneOf(err, refusals) {
		return false
	}
	return s.hasRead || !errors.Is(err, kerr.TopicAuthorizationFailed) || time.Since(*since) > startMax
}

func isOneOf(err error, list []error) bool {
	return slices.ContainsFunc(list, func(one error) bool { return errors.Is(err, one) })
}

// fatal tells whether an error of a fetch or of the group will not pass by trying again. Only what
// the brokers refuse for good is: a network can come back.
func fatal(err error) bool {
	_, tooLarge := errors.AsType[*kgo.ErrDecompressTooLarge](err) // it stops to read the partition
	if tooLarge || errors.Is(err, kgo.ErrClientClosed) {
		return true
	}
	if isOneOf(err, passing) {
		return false
	}
	broker, ok := errors.AsType[*kerr.Error](err)
	return ok && !broker.Retriable
}
