package wall

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"sluice/buffer"
	"sluice/buffer/redisstore"
	"sluice/internal/harness"
	"sluice/internal/judge"
	"sluice/scenarios"
)

// Remains implements harness.System. The input is asked first: a message is committed after its span
// is in the store.
func (s *System) Remains(ctx context.Context) (left judge.Remains) {
	if left.Waiting, left.Err = s.waiting(ctx); left.Err != nil {
		return left
	}
	store, err := s.store(ctx)
	if err != nil {
		left.Err = err
		return left
	}
	defer store.Close()
	left.Store, left.Err = store.Leftovers(ctx)
	return left
}

// store opens the store of the run, past the faults of the network.
func (s *System) store(ctx context.Context) (*redisstore.Store, error) {
	redis := s.access.Redis(s.redis)
	redis.Namespace = s.namespace
	return redis.Open(ctx, nil, buffer.DefaultOptions().MaxSegmentBytes, DialMax)
}

var _ harness.Locator = (*System)(nil)

// Homes implements harness.Locator: nodes have the numbers of their addresses.
func (s *System) Homes(ctx context.Context) (func(buffer.TraceKey) int, error) {
	store, err := s.store(ctx)
	if err != nil {
		return nil, err
	}
	defer store.Close()
	home, err := store.Homes(ctx)
	if err != nil {
		return nil, err
	}
	return func(trace buffer.TraceKey) int { return slices.Index(s.redis, home(trace)) }, nil
}

// SetBack is for nodes that go back to what they hold now: what it returns is to be called when they are
// gone, and notes what is lost with them.
func (s *System) SetBack(ctx context.Context, nodes scenarios.Target) (lose func(), err error) {
	home, err := s.Homes(ctx)
	if err != nil {
		return nil, err
	}
	committed, err := s.committed(ctx)
	if err != nil {
		return nil, err
	}
	offsets := map[int32]int64{}
	committed.Each(func(o kadm.OffsetResponse) { offsets[o.Partition] = max(o.At, 0) })
	return func() {
		s.setup.Sink.SetBack(offsets, func(trace buffer.TraceKey) bool {
			return nodes.N == scenarios.AllNodes || home(trace) == nodes.N
		})
	}, nil
}

// waiting returns how many messages of the input the group has not committed.
func (s *System) waiting(ctx context.Context) (int64, error) {
	committed, err := s.committed(ctx)
	if err != nil {
		return 0, err
	}
	ends, err := kadm.NewClient(s.collector.client).ListEndOffsets(ctx, s.input)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return 0, fmt.Errorf("find the end of the input: %w", err)
	}
	starts, err := kadm.NewClient(s.collector.client).ListStartOffsets(ctx, s.input)
	if err == nil {
		err = starts.Error()
	}
	if err != nil {
		return 0, fmt.Errorf("find the start of the input: %w", err)
	}
	waiting := int64(0)
	ends.Each(func(end kadm.ListedOffset) {
		start, _ := starts.Lookup(end.Topic, end.Partition)
		done := start.Offset // what is before was committed, or deleted
		if o, ok := committed.Lookup(end.Topic, end.Partition); ok {
			done = max(done, o.At)
		}
		waiting += end.Offset - done
	})
	return waiting, nil
}

// committed returns what the group has committed of the input.
func (s *System) committed(ctx context.Context) (kadm.OffsetResponses, error) {
	committed, err := kadm.NewClient(s.collector.client).FetchOffsetsForTopics(ctx, s.group, s.input)
	if err == nil {
		err = committed.Error()
	}
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) { // without a group nothing is committed
		return nil, fmt.Errorf("ask for the offsets of group %s: %w", s.group, err)
	}
	return committed, nil
}
