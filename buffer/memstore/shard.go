package memstore

import (
	"context"
	"fmt"
	"slices"

	"sluice/buffer"
)

// shard is the state of one shard.
type shard struct {
	epoch  buffer.Epoch
	clock  buffer.ShardClock
	queue  map[buffer.Generation]entry
	leased map[buffer.Generation]buffer.Instant // deadlines
}

// entry is a deadline in the queue.
type entry struct {
	deadline buffer.Instant
	// atOnce is true after a fence: due whatever the clock says, and before all others.
	atOnce bool
}

func (s *Store) shard(n buffer.Shard) *shard {
	sh, ok := s.shards[n]
	if !ok {
		sh = &shard{
			queue:  make(map[buffer.Generation]entry),
			leased: make(map[buffer.Generation]buffer.Instant),
		}
		s.shards[n] = sh
	}
	return sh
}

// current returns the shard if the owner is its last one.
func (s *Store) current(owner buffer.Owner, step string) (*shard, error) {
	sh := s.shard(owner.Shard)
	if sh.epoch != owner.Epoch {
		return nil, fmt.Errorf("%s on shard %d under epoch %d, which is at epoch %d: %w",
			step, owner.Shard, owner.Epoch, sh.epoch, buffer.ErrStale)
	}
	return sh, nil
}

// Enqueue implements buffer.Store.
func (s *Store) Enqueue(_ context.Context, n buffer.Shard, update buffer.QueueUpdate) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	sh := s.shard(n)
	if update.Tick {
		sh.clock.Seen = max(sh.clock.Seen, update.Wall)
		return nil
	}
	for _, due := range update.Due {
		sh.queue[due.Generation] = entry{deadline: due.Deadline}
	}
	for _, name := range update.Merged {
		delete(sh.queue, name)
	}
	sh.clock = buffer.ShardClock{
		Now:    update.Clock,
		Drift:  update.Clock.Sub(update.Wall),
		Inputs: sh.clock.Inputs + 1,
		Seen:   sh.clock.Seen,
	}
	return nil
}

// Fence implements buffer.Store.
func (s *Store) Fence(
	_ context.Context, n buffer.Shard, last buffer.Epoch,
) (buffer.Fenced, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sh := s.shard(n)
	if last != buffer.AnyEpoch && last != sh.epoch {
		return buffer.Fenced{}, fmt.Errorf("fence shard %d of epoch %d, which is at epoch %d: %w",
			n, last, sh.epoch, buffer.ErrStale)
	}
	sh.epoch++
	for name, deadline := range sh.leased { //order-free: every entry is moved by itself
		sh.queue[name] = entry{deadline: deadline, atOnce: true}
	}
	clear(sh.leased)
	return buffer.Fenced{Owner: buffer.Owner{Shard: n, Epoch: sh.epoch}, Clock: sh.clock}, nil
}

// Lease implements buffer.Store.
func (s *Store) Lease(
	_ context.Context, owner buffer.Owner, now buffer.Instant, limit int,
) (buffer.Leased, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sh, err := s.current(owner, "lease")
	if err != nil {
		return buffer.Leased{}, err
	}
	var leased buffer.Leased
	for _, due := range sh.sorted() {
		e := sh.queue[due.Generation]
		// What is leased already waits for its release: it was queued again by a later write.
		_, busy := sh.leased[due.Generation]
		if busy || !e.atOnce && e.deadline > now || len(leased.Due) >= limit {
			continue
		}
		leased.Due = append(leased.Due, due)
	}
	for _, due := range leased.Due {
		delete(sh.queue, due.Generation)
		sh.leased[due.Generation] = due.Deadline
	}
	if sh.clock.Inputs > 0 {
		sh.clock.Now = max(sh.clock.Now, now)
	}
	leased.Clock = sh.clock
	return leased, nil
}

// Release implements buffer.Store.
func (s *Store) Release(_ context.Context, owner buffer.Owner, release buffer.Release) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	sh, err := s.current(owner, "release")
	if err != nil {
		return err
	}
	for _, name := range release.Done {
		delete(sh.leased, name)
	}
	for _, due := range release.Back {
		delete(sh.leased, due.Generation)
		if _, queued := sh.queue[due.Generation]; !queued {
			sh.queue[due.Generation] = entry{deadline: due.Deadline}
		}
	}
	return nil
}

// sorted returns the queue in the order in which it is leased.
func (sh *shard) sorted() []buffer.Due {
	queue := make([]buffer.Due, 0, len(sh.queue))
	for name, e := range sh.queue { //order-free: sorted below
		queue = append(queue, buffer.Due{Generation: name, Deadline: e.deadline})
	}
	slices.SortFunc(queue, func(a, b buffer.Due) int {
		if x, y := sh.queue[a.Generation].atOnce, sh.queue[b.Generation].atOnce; x != y {
			if x {
				return -1
			}
			return 1
		}
		return a.Compare(b)
	})
	return queue
}
