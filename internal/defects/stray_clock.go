package defects

import (
	"context"
	"sync"
	"time"

	"sluice/buffer"
	"sluice/consumer"
	"sluice/flusher"
)

// strayClock: the clock of a batch is the smallest of its timestamps, whatever the others say, so
// one wrong clock makes that of all that came with it.
var strayClock = Defect{
	Name:       "stray-clock",
	Wrong:      "one message with a wrong timestamp sets the clock of all that came with it",
	Caught:     "segment integrity",
	Shown:      "skewed-clock",
	Unexplored: byTime,
	Changes: []string{
		"duration=8s", "faults=[]",
	},
	consumer: func(p *consumer.Ports) {
		read := &stamps{of: map[buffer.Position]buffer.Instant{}, least: map[buffer.Shard]buffer.Instant{}}
		p.Source, p.Store = stamping{p.Source, read}, leastClock{p.Store, read}
	},
}

// stamps are the clocks of the messages that were read and not stored yet, and the least of those in
// the last batch of each shard.
type stamps struct {
	mu    sync.Mutex
	of    map[buffer.Position]buffer.Instant
	least map[buffer.Shard]buffer.Instant
}

// stamping is a Source that remembers the timestamps of what it returns.
type stamping struct {
	flusher.Source
	read *stamps
}

// Poll remembers.
func (s stamping) Poll(
	ctx context.Context, limit int, wait time.Duration,
) (flusher.Fetch, error) {
	fetch, err := s.Source.Poll(ctx, limit, wait)
	s.read.mu.Lock()
	defer s.read.mu.Unlock()
	for _, batch := range fetch.Batches {
		for _, m := range batch.Messages {
			s.read.of[m.Position] = buffer.Seconds(m.Time.Unix())
		}
	}
	return fetch, err
}

// leastClock is a Store that is given the least clock of each batch.
type leastClock struct {
	buffer.Store
	read *stamps
}

// Attach finds it.
func (l leastClock) Attach(
	ctx context.Context, delivery buffer.Delivery, traces []buffer.TraceBatch,
) ([]buffer.Attached, error) {
	l.read.mu.Lock()
	for _, trace := range traces {
		for _, subtree := range trace.Subtrees {
			for i := range subtree.Spans {
				at := subtree.Spans[i].Position
				if clock, known := l.read.of[at]; known {
					delivery.Clock = min(delivery.Clock, clock)
					delete(l.read.of, at)
				}
			}
		}
	}
	l.read.least[buffer.Shard(delivery.ID.Partition)] = delivery.Clock
	l.read.mu.Unlock()
	return l.Store.Attach(ctx, delivery, traces)
}

// Enqueue moves the clock, and the deadlines with it.
func (l leastClock) Enqueue(ctx context.Context, shard buffer.Shard, u buffer.QueueUpdate) error {
	l.read.mu.Lock()
	least, known := l.read.least[shard]
	l.read.mu.Unlock()
	if known && len(u.Due) > 0 && least < u.Clock {
		due := append([]buffer.Due(nil), u.Due...)
		for i := range due {
			due[i].Deadline -= u.Clock - least
		}
		u.Due, u.Clock = due, least
	}
	return l.Store.Enqueue(ctx, shard, u)
}
