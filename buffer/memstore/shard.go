package memstore

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"sluice/buffer"
)

// shard is the state of one shard.
type shard struct {
	epoch  buffer.Epoch
	clock  buffer.ShardClock
	queue  map[buffer.Generation]entry
	leased map[buffer.Generation]buffer.Instant // deadlines
	// due is an instant before which nothing in the queue is due: most leases look no further.
	due buffer.Instant
	// ready is what was due at an instant and beyond the limit of a lease, in order, as it was then: of a
	// long queue a lease looks no further either. What is put before that instant empties it.
	ready   []queued
	readyAt buffer.Instant
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
			due:    never,
		}
		s.shards[n] = sh
	}
	return sh
}

// The ends of time.
const (
	always buffer.Instant = math.MinInt64
	never  buffer.Instant = math.MaxInt64
)

// put sets a deadline in the queue.
func (sh *shard) put(name buffer.Generation, e entry) {
	sh.queue[name] = e
	sh.due = min(sh.due, e.from())
	if e.from() <= sh.readyAt {
		sh.ready = nil
	}
}

// from returns the instant from which on the entry is due.
func (e entry) from() buffer.Instant {
	if e.atOnce {
		return always
	}
	return e.deadline
}

// current returns the shard if the owner is its last one.
func (s *Store) current(owner buffer.Owner, step string) (*shard, error) {
	sh := s.shard(owner.Shard)
	if sh.epoch != owner.Epoch {
		return nil, fmt.Errorf("%s on shard %d under epoch %d, which is at epoch %d: %w",
			step, owner.Shard, owner.Epoch, sh.epoch, sh.stale(owner.Epoch))
	}
	return sh, nil
}

// stale returns what an epoch is that is not the shard's.
func (sh *shard) stale(epoch buffer.Epoch) error {
	if sh.epoch < epoch {
		return buffer.ErrSetBack
	}
	return buffer.ErrStale
}

// Enqueue implements buffer.Store.
func (s *Store) Enqueue(_ context.Context, n buffer.Shard, update buffer.QueueUpdate) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	sh := s.shard(n)
	if update.Tick {
		if ahead := sh.clock.Seen.Sub(update.Wall); ahead < 0 || ahead > buffer.SeenAheadMax {
			sh.clock.Seen = update.Wall
		}
		return nil
	}
	for _, due := range update.Due {
		sh.put(due.Generation, entry{deadline: due.Deadline})
	}
	for _, name := range update.Merged {
		delete(sh.queue, name)
	}
	sh.clock = buffer.ShardClock{
		Now:    update.Clock,
		Drift:  update.Clock.Sub(update.Wall),
		Inputs: sh.clock.Inputs + 1,
		Seen:   max(sh.clock.Seen, update.Seen),
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
			n, last, sh.epoch, sh.stale(last))
	}
	sh.epoch++
	if last == buffer.AnyEpoch {
		sh.epoch = max(sh.epoch, s.forgotten+1)
	}
	for name, deadline := range sh.leased { //order-free: every entry is moved by itself
		sh.put(name, entry{deadline: deadline, atOnce: true})
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
	leased := buffer.Leased{Due: sh.take(now, limit)}
	for _, due := range leased.Due {
		delete(sh.queue, due.Generation)
		sh.leased[due.Generation] = due.Deadline
	}
	if sh.clock.Inputs > 0 {
		sh.clock.Now = max(sh.clock.Now, now)
	}
	leased.Clock, leased.Outstanding = sh.clock, len(sh.leased)
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
		if again, queued := sh.queue[name]; queued {
			sh.put(name, again) // it was not ready as long as it was leased
		}
	}
	for _, due := range release.Back {
		delete(sh.leased, due.Generation)
		again, queued := sh.queue[due.Generation]
		if !queued {
			again = entry{deadline: due.Deadline}
		}
		sh.put(due.Generation, again)
	}
	return nil
}

// take returns what is due, in the order in which it is leased, and no more than limit of it. What is
// leased already waits for its release: it was queued again by a later write.
func (sh *shard) take(now buffer.Instant, limit int) []buffer.Due {
	if sh.due > now {
		return nil
	}
	first := sh.takeReady(now, limit)
	if len(first) == limit {
		return first
	}
	sh.due = never
	var list []queued
	for name, e := range sh.queue { //order-free: sorted below
		if _, busy := sh.leased[name]; busy || e.from() > now {
			sh.due = min(sh.due, e.from())
			continue
		}
		list = append(list, queued{name, e})
	}
	sort(list)
	if len(list) > limit {
		sh.due, sh.ready, sh.readyAt = always, list[limit:], now
		list = list[:limit]
	}
	return dues(list)
}

// takeReady returns the first of what is ready, if there is as much as the limit; else nothing is any more.
func (sh *shard) takeReady(now buffer.Instant, limit int) (first []buffer.Due) {
	for at := range sh.ready {
		if len(first) == limit {
			sh.ready = sh.ready[at:]
			return first
		}
		if q := &sh.ready[at]; sh.queue[q.Generation] == q.entry && now >= sh.readyAt {
			first = append(first, q.due())
		}
	}
	sh.ready = nil
	return nil
}

// all returns the whole queue in the order in which it is leased.
func (sh *shard) all() []buffer.Due {
	list := make([]queued, 0, len(sh.queue))
	for name, e := range sh.queue { //order-free: sorted below
		list = append(list, queued{name, e})
	}
	sort(list)
	return dues(list)
}

// queued is an entry of the queue with its name.
type queued struct {
	buffer.Generation
	entry
}

// sort brings entries into the order in which they are leased.
func sort(list []queued) {
	slices.SortFunc(list, func(a, b queued) int {
		if a.atOnce != b.atOnce {
			if a.atOnce {
				return -1
			}
			return 1
		}
		if a.deadline != b.deadline {
			return cmp.Compare(a.deadline, b.deadline)
		}
		return a.Generation.Compare(b.Generation)
	})
}

func dues(list []queued) []buffer.Due {
	all := make([]buffer.Due, len(list))
	for i := range list {
		all[i] = list[i].due()
	}
	return all
}

func (q *queued) due() buffer.Due {
	return buffer.Due{Generation: q.Generation, Deadline: q.deadline}
}
