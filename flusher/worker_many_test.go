package flusher_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sluice/buffer"
	"sluice/flusher"
	"sluice/internal/wallclock"
)

// A worker whose shards always have something due somewhere looks for it no more often than one that is
// idle, and waits no longer for it; unless a shard has as much as a cycle may take.
func TestWorkerLooksNowAndThen(t *testing.T) {
	for _, c := range []struct {
		name            string
		limit           int
		least, greatest int // looks at a shard in ten seconds
	}{
		{"a little is due", 500, 90, 101},
		{"more is due than a cycle takes", 1, 400, 4000},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t)
				b.cfg.MaxFlushSegments = c.limit
				b.broker.delay = 5 * time.Millisecond
				b.start(fence(t, b.store, 0)...)
				for n := range 500 {
					b.feed.put(t, 0, 10*n)
					time.Sleep(20 * time.Millisecond)
				}
				looks := 0
				for _, step := range b.faulty.steps() {
					if step == "lease" {
						looks++
					}
				}
				if looks < c.least || looks > c.greatest {
					t.Errorf("%d looks, want %d to %d", looks, c.least, c.greatest)
				}
				eventually(t, 5*time.Second, "store is empty", b.empty)
				if late := slices.Max(b.inbox.drain()); late > b.cfg.IdleSleep+50*time.Millisecond {
					t.Errorf("a segment waited for %v", late)
				}
				if err := b.join(); err != nil {
					t.Fatal(err)
				}
			})
		})
	}
}

// A worker with many shards asks the store about all of them at the same time, so that it can send that
// together; what one of them is refused is nothing to the others.
func TestWorkerAsksAboutManyShardsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const shards = 40
		b := newBench(t)
		var all []buffer.Shard
		for n := range shards {
			b.feed.put(t, buffer.Shard(n), 10*n)
			all = append(all, buffer.Shard(n))
		}
		owners := fence(t, b.store, all...)
		fence(t, b.store, 7)
		slow := &slowStore{Store: b.store}
		b.faulty.Store = slow
		first := sync.OnceValue(time.Now)
		b.faulty.set(func(step string, after bool) error {
			if step == "claim" && !after && time.Since(first()) < time.Millisecond {
				return fmt.Errorf("try again: %w", buffer.ErrUnavailable)
			}
			return nil
		})
		b.tasks = wallclock.Tasks{}
		b.start(owners...)
		eventually(t, 10*time.Second, "all but the lost shard is out", func() bool {
			status, _ := b.inbox.last()
			return status.Segments == shards-1
		})
		// All of the first round failed at the same time, which is told once.
		if len(b.troubles) != 2 || !b.troubles[1].Over {
			t.Errorf("it told of %+v", b.troubles)
		}
		// Each answer is a sign of life, though the last of a round comes after 320 ms.
		if b.inbox.silence > 150*time.Millisecond {
			t.Errorf("it was silent for %v", b.inbox.silence)
		}
		if status, _ := b.inbox.last(); !slices.Equal(status.Lost, []buffer.Shard{7}) {
			t.Errorf("lost are %v, want shard 7", status.Lost)
		}
		if err := b.join(); err != nil {
			t.Fatal(err)
		}
		if slow.most != 32 {
			t.Errorf("%d calls at a time", slow.most)
		}
		if got := len(b.broker.all()); got != shards-1 {
			t.Errorf("%d records, want %d", got, shards-1)
		}
	})
}

// TestWorkerPanicsWhereItRuns: who runs a worker hears of what it panics of, wherever that was.
func TestWorkerPanicsWhereItRuns(t *testing.T) {
	store := newStore()
	owners := fence(t, store, 0, 1, 2, 3)
	faulty := &faultyStore{Store: store}
	faulty.set(func(step string, _ bool) error { panic("planted in " + step) })
	defer func() {
		if reason := recover(); reason != "planted in lease" {
			t.Errorf("it panics of %v", reason)
		}
	}()
	err := flusher.RunWorker(t.Context(), t.Context(), flusher.DefaultWorkerConfig(), flusher.WorkerPorts{
		Clock: wallclock.Clock{}, Tasks: wallclock.Tasks{}, Store: faulty, Producer: &broker{},
		Encoder: boundedEncoder{textEncoder{}}, Reporter: newInbox(),
	}, flusher.WorkerSpec{Owners: owners, Start: 1})
	t.Errorf("it ended with %v", err)
}

// slowStore takes 10 ms for a call, and for calls at the same time as much longer as their shard's number
// says: it answers in that order. It notes how many it had.
type slowStore struct {
	buffer.Store
	mu        sync.Mutex
	now, most int
}

func slowly[A any](s *slowStore, shard buffer.Shard, call func() (A, error)) (A, error) {
	s.mu.Lock()
	wait := 10 * time.Millisecond
	if s.now++; s.now > 1 {
		wait *= time.Duration(shard%32 + 1)
	}
	s.most = max(s.most, s.now)
	s.mu.Unlock()
	time.Sleep(wait)
	s.mu.Lock()
	s.now--
	s.mu.Unlock()
	return call()
}

func (s *slowStore) Lease(
	ctx context.Context, owner buffer.Owner, now buffer.Instant, limit int,
) (buffer.Leased, error) {
	return slowly(s, owner.Shard, func() (buffer.Leased, error) { return s.Store.Lease(ctx, owner, now, limit) })
}

func (s *slowStore) Claim(
	ctx context.Context, owner buffer.Owner, list []buffer.Generation,
) ([]buffer.Claim, error) {
	return slowly(s, owner.Shard, func() ([]buffer.Claim, error) { return s.Store.Claim(ctx, owner, list) })
}

func (s *slowStore) Load(
	ctx context.Context, owner buffer.Owner, list []buffer.Generation,
) ([]buffer.Loaded, error) {
	return slowly(s, owner.Shard, func() ([]buffer.Loaded, error) { return s.Store.Load(ctx, owner, list) })
}

func (s *slowStore) Ack(
	ctx context.Context, owner buffer.Owner, list []buffer.Flushed,
) ([]buffer.AckResult, error) {
	return slowly(s, owner.Shard, func() ([]buffer.AckResult, error) { return s.Store.Ack(ctx, owner, list) })
}

func (s *slowStore) Release(ctx context.Context, owner buffer.Owner, r buffer.Release) error {
	_, err := slowly(s, owner.Shard, func() (struct{}, error) { return struct{}{}, s.Store.Release(ctx, owner, r) })
	return err
}

// slowFences takes 5 ms for a fence, and notes how many it had at a time.
type slowFences struct {
	buffer.Store
	mu             sync.Mutex
	now, most, all int
}

func (s *slowFences) Fence(ctx context.Context, shard buffer.Shard, last buffer.Epoch) (buffer.Fenced, error) {
	s.mu.Lock()
	s.now++
	s.most, s.all = max(s.most, s.now), s.all+1
	s.mu.Unlock()
	time.Sleep(5 * time.Millisecond)
	s.mu.Lock()
	s.now--
	s.mu.Unlock()
	return s.Store.Fence(ctx, shard, last)
}

// After an outage a worker with many shards, which knows of none whether it has leased something, fences
// them at the same time. What it does not hear is tried again, and a shard that it lost stays lost.
func TestWorkerFencesManyShardsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const shards = 64
		b := newBench(t)
		for n := range shards {
			b.feed.put(t, buffer.Shard(n), 10*n)
		}
		owners := fence(t, b.store, shardRange(shards)...)
		slow := &slowFences{Store: b.store}
		b.faulty.Store = slow
		// Once, and not twice as a supervisor does: a worker that has not tried to fence before must not take
		// the epoch after its own for its own.
		if _, err := b.store.Fence(t.Context(), 7, buffer.AnyEpoch); err != nil {
			t.Fatal(err)
		}
		away := time.Now().Add(50 * time.Millisecond)
		var unheard atomic.Int32
		b.faulty.set(func(step string, after bool) error {
			if step == "lease" && !after && time.Now().Before(away) ||
				step == "fence" && after && unheard.Add(1) <= shards/2 {
				return buffer.ErrUnavailable
			}
			return nil
		})
		b.tasks = wallclock.Tasks{}
		b.start(owners...)
		eventually(t, 10*time.Second, "all but the lost shard is out", func() bool {
			status, _ := b.inbox.last()
			return status.Segments == shards-1
		})
		if status, _ := b.inbox.last(); !slices.Equal(status.Lost, []buffer.Shard{7}) {
			t.Errorf("lost are %v, want shard 7", status.Lost)
		}
		if err := b.join(); err != nil {
			t.Fatal(err)
		}
		if slow.most != 32 {
			t.Errorf("%d fences at a time, want 32", slow.most)
		}
	})
}
