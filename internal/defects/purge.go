package defects

import (
	"context"
	"slices"
	"time"

	"sluice/buffer"
	"sluice/flusher"
)

// The old clean-up knew segments, not generations: it took away whatever stood under a segment's
// name when it came to it.
var (
	scanRace = Defect{
		Name:     "scan-race",
		Wrong:    "a span written between load and clean-up is deleted with its segment",
		Caught:   "conservation",
		Shown:    "kafka-slow",
		Explored: "protocol",
		Changes:  whileInFlight,
		worker: func(p *flusher.WorkerPorts) {
			p.Store = &sweeper{Store: p.Store, payload: true,
				takes: func(flushed, queued buffer.Due) bool { return true }}
		},
	}
	queueABA = Defect{
		Name:     "queue-aba",
		Wrong:    "a queue entry is removed because its deadline looks unchanged, though more was written",
		Caught:   "conservation",
		Shown:    "kafka-slow",
		Explored: "protocol",
		// A clock that jumps back brings the deadline that there was before.
		Changes: append(slices.Clone(whileInFlight), "workload.late=0.1 by 3s",
			"faults=[every 3s from 2s fail kafka for 2s, every 3s from 3s jump clock by -3s for 1500ms]"),
		worker: func(p *flusher.WorkerPorts) {
			p.Store = &sweeper{Store: p.Store,
				takes: func(flushed, queued buffer.Due) bool { return flushed.Deadline == queued.Deadline }}
		},
	}
)

// whileInFlight are changes with which spans come while their segment is on its way to a Kafka that
// takes nothing for a while.
var whileInFlight = []string{
	"faults=[every 3s from 2s fail kafka for 2s]",
	"duration=8s", "expectations.drain_max=45s", "workload.rate=constant 300/s",
	"workload.traces_at_once=10", "workload.late=0.3 by 3s",
	"pipeline.timeout=2s", "pipeline.root_timeout=2s", "expectations.split_spans_max=unlimited",
	"expectations.worker_restarts_max=unlimited", "expectations.freshness_p99_max=off",
}

// sweeper is a Store whose clean-up takes other generations of a flushed segment along, those that
// it takes by their queue entries: with their payload, or the entry alone.
type sweeper struct {
	buffer.Store
	takes   func(flushed, queued buffer.Due) bool
	payload bool

	now    buffer.Instant
	leased map[buffer.Generation]buffer.Due
}

// Lease remembers what it leased.
func (s *sweeper) Lease(
	ctx context.Context, owner buffer.Owner, now buffer.Instant, limit int,
) (buffer.Leased, error) {
	leased, err := s.Store.Lease(ctx, owner, now, limit)
	if limit > 0 {
		s.now = now
	}
	if s.leased == nil {
		s.leased = map[buffer.Generation]buffer.Due{}
	}
	for _, due := range leased.Due {
		s.leased[due.Generation] = due
	}
	return leased, err
}

// Ack takes along what was written since.
func (s *sweeper) Ack(
	ctx context.Context, owner buffer.Owner, flushed []buffer.Flushed,
) ([]buffer.AckResult, error) {
	results, err := s.Store.Ack(ctx, owner, flushed)
	if err != nil {
		return results, err
	}
	gone := map[segment]buffer.Due{}
	for _, f := range flushed {
		gone[segmentOf(f.Generation)] = s.leased[f.Generation]
		delete(s.leased, f.Generation)
	}
	return results, s.sweep(ctx, owner, gone)
}

// everything is a deadline that no queue entry has reached, and a limit that it does not.
const (
	horizon    = time.Hour
	everything = 1 << 20
)

// sweep looks through the queue, whatever is due.
func (s *sweeper) sweep(
	ctx context.Context, owner buffer.Owner, gone map[segment]buffer.Due,
) error {
	queue, err := s.Store.Lease(ctx, owner, s.now.Add(horizon), everything)
	if err != nil {
		return err
	}
	var release buffer.Release
	for _, queued := range queue.Due {
		flushed, is := gone[segmentOf(queued.Generation)]
		if is && s.takes(flushed, queued) {
			release.Done = append(release.Done, queued.Generation)
		} else {
			release.Back = append(release.Back, queued)
		}
	}
	if s.payload {
		if err := discard(ctx, s.Store, owner, release.Done); err != nil {
			return err
		}
	}
	return s.Store.Release(ctx, owner, release)
}

// segment names what the old clean-up named.
type segment struct {
	buffer.TraceKey
	id buffer.SpanID
}

func segmentOf(g buffer.Generation) segment { return segment{g.TraceKey, g.Segment} }

// discard deletes leased generations that were not flushed.
func discard(
	ctx context.Context, store buffer.Store, owner buffer.Owner, list []buffer.Generation,
) error {
	if len(list) == 0 {
		return nil
	}
	if _, err := store.Claim(ctx, owner, list); err != nil {
		return err
	}
	_, err := forget(ctx, store, owner, list)
	return err
}

// forget deletes claimed generations, and returns what was in them.
func forget(
	ctx context.Context, store buffer.Store, owner buffer.Owner, list []buffer.Generation,
) ([]buffer.Loaded, error) {
	loaded, err := store.Load(ctx, owner, list)
	if err != nil {
		return nil, err
	}
	flushed := make([]buffer.Flushed, len(list))
	for i := range list {
		flushed[i].Generation = list[i]
		for _, span := range loaded[i].Spans {
			flushed[i].Spans = append(flushed[i].Spans, span.ID)
		}
	}
	_, err = store.Ack(ctx, owner, flushed)
	return loaded, err
}
