package flusher_test

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sluice/buffer"
	"sluice/flusher"
	"sluice/internal/wallclock"
)

// unreadableStore cannot read a trace in one of its steps, and says so of every list that names it, until it
// is mended.
type unreadableStore struct {
	buffer.Store
	step   string
	trace  buffer.TraceKey
	mended atomic.Bool
}

func (s *unreadableStore) reads(step string, generations []buffer.Generation) error {
	if step != s.step || s.mended.Load() || !slices.ContainsFunc(generations, func(g buffer.Generation) bool {
		return g.TraceKey == s.trace
	}) {
		return nil
	}
	return buffer.ErrDamaged
}

func (s *unreadableStore) Claim(
	ctx context.Context, owner buffer.Owner, generations []buffer.Generation,
) ([]buffer.Claim, error) {
	if err := s.reads("claim", generations); err != nil {
		return nil, err
	}
	return s.Store.Claim(ctx, owner, generations)
}

func (s *unreadableStore) Load(
	ctx context.Context, owner buffer.Owner, generations []buffer.Generation,
) ([]buffer.Loaded, error) {
	if err := s.reads("load", generations); err != nil {
		return nil, err
	}
	return s.Store.Load(ctx, owner, generations)
}

// TestADamagedTraceKeepsNoOtherFromItsWay: what is with it comes out, and the worker lives. It stays in the
// queue, is said to be there, and comes out once it can be read.
func TestADamagedTraceKeepsNoOtherFromItsWay(t *testing.T) {
	for _, step := range []string{"claim", "load"} {
		for name, shards := range map[string]int{"one shard": 1, "many shards": 20} {
			t.Run(step+"/"+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					b := newBench(t)
					if shards > 1 {
						b.tasks = wallclock.Tasks{}
					}
					store := &unreadableStore{Store: b.store, step: step, trace: traceOf(30)}
					b.faulty.Store = store
					const traces = 25
					for n := range traces {
						b.feed.put(t, buffer.Shard(n%shards), 10*n)
					}
					b.start(fence(t, b.store, shardRange(shards)...)...)
					time.Sleep(10 * time.Second)
					if n := len(b.broker.all()); n != traces-1 {
						t.Errorf("%d records, want %d: all but the damaged trace", n, traces-1)
					}
					status, _ := b.inbox.last()
					if len(status.Lost) > 0 || len(status.Troubles) != 1 || status.Troubles[0].Step != step ||
						!strings.Contains(status.Troubles[0].Error, "trace 1:"+traceOf(30).Trace.String()) {
						t.Errorf("lost %v, troubles %+v; want one that names the trace", status.Lost, status.Troubles)
					}
					if left := leftovers(t, b.store); len(left.Shards) != 1 || len(left.Shards[0].Queued) != 1 ||
						len(left.Shards[0].Leased) != 0 {
						t.Errorf("left are %v, want the trace in its queue", left)
					}
					store.mended.Store(true)
					eventually(t, 2*time.Minute, "it comes out, and the trouble is over", func() bool {
						status, _ := b.inbox.last()
						return b.empty() && len(status.Troubles) == 0
					})
					if err := b.join(); err != nil {
						t.Fatal(err)
					}
					if len(b.damaged) != 1 || b.damaged[0].TraceKey != traceOf(30) ||
						b.damaged[0].Shard != buffer.Shard(3%shards) {
						t.Errorf("told of %+v, want of the trace, once", b.damaged)
					}
					if len(b.troubles) != 2 || !b.troubles[1].Over || b.troubles[1].GivenUp {
						t.Errorf("told of troubles %v, want one and its end", b.troubles)
					}
				})
			})
		}
	}
}

func (s *unreadableStore) Ack(
	ctx context.Context, owner buffer.Owner, flushed []buffer.Flushed,
) ([]buffer.AckResult, error) {
	names := make([]buffer.Generation, len(flushed))
	for i := range flushed {
		names[i] = flushed[i].Generation
	}
	if err := s.reads("ack", names); err != nil {
		return nil, err
	}
	return s.Store.Ack(ctx, owner, flushed)
}

// TestATraceThatIsDamagedWhenItIsAcknowledgedComesOutOnce for each owner of its shard: Kafka has it. The worker
// lives, also if it has to fence the shard itself, and all others are acknowledged.
func TestATraceThatIsDamagedWhenItIsAcknowledgedComesOutOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		store := &unreadableStore{Store: b.store, step: "ack", trace: traceOf(30)}
		b.faulty.Store = store
		const traces = 25
		put := func(but int) {
			for n := range traces {
				if n != but {
					b.feed.put(t, 0, 10*n)
				}
			}
		}
		records := func(want int, when string) {
			t.Helper()
			if n := len(b.broker.all()); n != want {
				t.Errorf("%s: %d records, want %d", when, n, want)
			}
			left := leftovers(t, b.store)
			if len(left.Shards) != 1 || len(left.Shards[0].Leased) != 1 || len(left.Shards[0].Queued) != 0 {
				t.Errorf("%s: left are %v, want one that is leased", when, left)
			}
		}
		put(-1)
		b.start(fence(t, b.store, 0)...)
		time.Sleep(3 * time.Minute)
		records(traces, "when it cannot be deleted")
		put(3)
		time.Sleep(10 * time.Second)
		records(2*traces-1, "when others have come")
		lost := true // the answer of the next lease
		b.faulty.set(func(step string, after bool) error {
			if step != "lease" || !after || !lost {
				return nil
			}
			lost = false
			return buffer.ErrUnavailable
		})
		time.Sleep(10 * time.Second)
		records(2*traces, "when the worker has fenced the shard itself")
		status, _ := b.inbox.last()
		if len(status.Lost) > 0 || len(status.Troubles) != 1 || status.Troubles[0].Step != "ack" ||
			!strings.Contains(status.Troubles[0].Error, "trace 1:"+traceOf(30).Trace.String()) {
			t.Errorf("lost %v, troubles %+v; want one that names the trace", status.Lost, status.Troubles)
		}
		read := false
		b.faulty.set(func(step string, after bool) error {
			if step != "claim" || read {
				return nil
			}
			read = true
			return buffer.ErrDamaged
		})
		b.feed.put(t, 0, 500)
		time.Sleep(3 * time.Minute)
		records(2*traces+1, "when another could be read only later")
		if status, _ := b.inbox.last(); len(status.Troubles) != 1 {
			t.Errorf("when another could be read: troubles %+v, want that it cannot be deleted", status.Troubles)
		}
		store.mended.Store(true)
		again := true // the answer of a lease is lost
		b.faulty.set(func(step string, after bool) error {
			if step != "lease" || !after || !again {
				return nil
			}
			again = false
			return buffer.ErrUnavailable
		})
		b.feed.put(t, 0, 510)
		time.Sleep(3 * time.Minute)
		if status, _ = b.inbox.last(); len(status.Troubles) != 0 || len(leftovers(t, b.store).Shards) != 0 {
			t.Errorf("troubles %+v and left are %v after it could be deleted", status.Troubles, leftovers(t, b.store))
		}
		if err := b.join(); err != nil {
			t.Fatal(err)
		}
		if len(b.damaged) != 3 || b.damaged[1].TraceKey != traceOf(30) || b.damaged[1].Step != flusher.StageAck ||
			b.damaged[1].Again != 0 {
			t.Errorf("told of %+v, want of the trace at each fence, and of another", b.damaged)
		}
	})
}

// TestADamagedTraceIsTriedNowAndThen: not in every cycle, and the trouble lasts as long as it fails.
func TestADamagedTraceIsTriedNowAndThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.faulty.Store = &unreadableStore{Store: b.store, step: "load", trace: traceOf(30)}
		b.feed.put(t, 0, 30)
		b.start(fence(t, b.store, 0)...)
		for range 30 { // five minutes, in which other segments come
			time.Sleep(10 * time.Second)
			b.feed.put(t, 0, 40)
		}
		time.Sleep(2 * time.Second)
		if status, _ := b.inbox.last(); len(status.Troubles) != 1 || status.Segments != 30 {
			t.Errorf("troubles %+v, %d segments; want one, and 30", status.Troubles, status.Segments)
		}
		if err := b.join(); err != nil {
			t.Fatal(err)
		}
		if n := len(b.damaged); n != 6 { // at once, and every minute
			t.Errorf("tried %d times in five minutes, want 6", n)
		}
		if len(b.troubles) != 1 {
			t.Errorf("told of troubles %v, want one that lasts", b.troubles)
		}
		for _, d := range b.damaged {
			if d.Step != flusher.StageLoad || d.Cause == nil || d.Again <= 0 {
				t.Errorf("told of %+v", d)
			}
		}
	})
}

// TestADamagedTraceOfALostShardIsNoTroubleAnyMore: it is the successor's.
func TestADamagedTraceOfALostShardIsNoTroubleAnyMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.faulty.Store = &unreadableStore{Store: b.store, step: "claim", trace: traceOf(30)}
		b.feed.put(t, 0, 30)
		b.start(fence(t, b.store, 0, 1)...)
		time.Sleep(5 * time.Second)
		fence(t, b.store, 0)
		eventually(t, 5*time.Second, "the shard is lost, and the trouble over", func() bool {
			status, _ := b.inbox.last()
			return slices.Equal(status.Lost, []buffer.Shard{0}) && len(status.Troubles) == 0
		})
		if err := b.join(); err != nil {
			t.Fatal(err)
		}
		if len(b.troubles) != 2 || !b.troubles[1].GivenUp {
			t.Errorf("told of troubles %v, want one that was given up", b.troubles)
		}
	})
}

// TestADamagedTraceOfALateShardIsATrouble: the first input is late, so that the shard's clock goes back to long
// before the last look that took all. That look says nothing of what is set aside since.
func TestADamagedTraceOfALateShardIsATrouble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.cfg.MaxFlushSegments = 1 // a look that finds something does not take all
		store := &unreadableStore{Store: b.store, step: "claim", trace: traceOf(30)}
		b.faulty.Store = store
		b.start(fence(t, b.store, 0)...)
		time.Sleep(time.Second + time.Microsecond) // between two looks
		b.feed.late = time.Hour
		b.feed.put(t, 0, 30)
		b.feed.late -= 5 * time.Second // by this clock it is due
		b.feed.put(t, 0, 40)
		time.Sleep(90 * time.Second)
		status, _ := b.inbox.last()
		if len(status.Troubles) != 1 || status.Segments != 1 {
			t.Errorf("troubles %+v, %d segments; want one, and one", status.Troubles, status.Segments)
		}
		store.mended.Store(true)
		eventually(t, 2*time.Minute, "it comes out, and the trouble is over", func() bool {
			status, _ := b.inbox.last()
			return b.empty() && len(status.Troubles) == 0
		})
		if err := b.join(); err != nil {
			t.Fatal(err)
		}
		if len(b.damaged) != 2 || len(b.troubles) != 2 || !b.troubles[1].Over {
			t.Errorf("tried %d times in vain, told of troubles %v; want 2 times, and one trouble and its end",
				len(b.damaged), b.troubles)
		}
	})
}
