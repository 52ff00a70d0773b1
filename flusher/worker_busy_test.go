package flusher_test

import (
	"testing"
	"testing/synctest"
	"time"

	"sluice/buffer"
	"sluice/internal/wallclock"
)

// TestABusyWorkerSlowsNoClock: each cycle is longer than a clock runs without a sign of the input, and signs of a
// shard that has no batches come all the while. What they say of an outage counts all the same.
func TestABusyWorkerSlowsNoClock(t *testing.T) {
	for name, outage := range map[string]time.Duration{"in touch": 0, "with an outage": 15 * time.Second} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const quiet, busy = buffer.Shard(0), buffer.Shard(1)
				b := newBench(t)
				b.broker.delay = 5 * time.Second
				began := time.Now()
				tick := func() {
					if ran := time.Since(began); ran >= 5*time.Second && ran < 5*time.Second+outage {
						return // all are away
					}
					for _, shard := range []buffer.Shard{quiet, busy} {
						now := buffer.InstantOf(time.Now())
						if err := b.store.Enqueue(t.Context(), shard, buffer.QueueUpdate{Tick: true, Wall: now}); err != nil {
							t.Fatal(err)
						}
					}
				}
				tick()
				const timeout = 30 * time.Second
				late := b.feed
				late.options.RootTimeout, late.options.Timeout = timeout, timeout
				late.put(t, quiet, 10)
				b.start(fence(t, b.store, quiet, busy)...)
				out := func() bool {
					for _, r := range b.broker.all() {
						if idsIn(r.Value)[0] == spanID(10).String() {
							return true
						}
					}
					return false
				}
				for n := 0; !out() && time.Since(began) < 5*time.Minute; n++ {
					if n%2 == 0 {
						b.feed.put(t, busy, 1000+10*n)
					}
					time.Sleep(500 * time.Millisecond)
					tick()
				}
				want := timeout
				if outage > 0 {
					want += outage - b.cfg.UnseenMax
				}
				// It is produced by the cycle that follows, behind the one that waits.
				if took := time.Since(began); took < want-time.Second || took > want+2*b.broker.delay {
					t.Errorf("what is due after %v is out after %v, want %v", timeout, took, want)
				}
				b.kill()
				<-b.ended
			})
		})
	}
}

// askedWhileItHangs returns how often the worker asks a store about shards that does not answer from now on.
func askedWhileItHangs(b *bench) int {
	before := b.countSteps("lease")
	b.faulty.set(func(step string, after bool) error {
		if step == "lease" {
			return buffer.ErrUnavailable
		}
		return nil
	})
	time.Sleep(10 * time.Second)
	return b.countSteps("lease") - before
}

// TestABusyWorkerWithManyShardsAsksNoStoreThatHangs: whose first shards cannot be asked does not wait for
// the others, too, each of them as long.
func TestABusyWorkerWithManyShardsAsksNoStoreThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const shards = 100
		b := newBench(t)
		b.broker.delay = 5 * time.Second
		b.broker.stop(20 * time.Second)
		var all []buffer.Shard
		for n := range shards {
			b.feed.put(t, buffer.Shard(n), 10*n)
			all = append(all, buffer.Shard(n))
		}
		b.tasks = wallclock.Tasks{}
		b.start(fence(t, b.store, all...)...)
		eventually(t, 10*time.Second, "it produces", func() bool { return len(b.broker.all()) == shards })
		if asked := askedWhileItHangs(b); asked != 32 {
			t.Errorf("it asked about %d shards, want those of the first round, 32", asked)
		}
		b.kill()
		<-b.ended
	})
}

// TestABusyWorkerAsksNoStoreThatHangs about the input, at every acknowledgement that it waits for.
func TestABusyWorkerAsksNoStoreThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.broker.delay = 5 * time.Second
		b.broker.stop(20 * time.Second)
		for n := range 20 {
			b.feed.put(t, 0, 10*n)
		}
		b.start(fence(t, b.store, 0)...)
		eventually(t, 10*time.Second, "it produces", func() bool { return len(b.broker.all()) == 20 })
		if asked := askedWhileItHangs(b); asked != 1 {
			t.Errorf("it asked %d times, want once until it looks again", asked)
		}
		b.kill()
		<-b.ended
	})
}
