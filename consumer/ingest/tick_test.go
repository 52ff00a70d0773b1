package ingest

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sluice/buffer"
	"sluice/internal/wallclock"
)

// seen returns when the shard's input was last seen.
func (r *rig) seen(shard buffer.Shard) buffer.Instant {
	r.t.Helper()
	fenced, err := r.store.Fence(r.t.Context(), shard, buffer.AnyEpoch)
	if err != nil {
		r.t.Fatal(err)
	}
	return fenced.Clock.Seen
}

func TestShardsAreToldWhetherTheirInputIsInTouch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.broker.inTouch.Store(true)
		r.start(0, 3)
		settle(5 * time.Second)
		now := buffer.InstantOf(time.Now())
		for _, shard := range []buffer.Shard{0, 3} {
			if seen := r.seen(shard); now.Sub(seen) > 2*r.config.TickEvery {
				t.Errorf("the input of shard %d was last seen %v ago", shard, now.Sub(seen))
			}
		}
		if seen := r.seen(1); seen != 0 {
			t.Errorf("a shard that is not assigned was ticked at %d", seen)
		}
		r.broker.inTouch.Store(false)
		settle(5 * time.Second)
		if seen := r.seen(0); buffer.InstantOf(time.Now()).Sub(seen) < 4*time.Second {
			t.Error("shard 0 is ticked although the source is not in touch")
		}
		r.end()
	})
}

// TestASilentPartitionDoesNotTick, though the others of the source do.
func TestASilentPartitionDoesNotTick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.broker.inTouch.Store(true)
		r.start(0, 3)
		settle(5 * time.Second)
		wants := func(shard buffer.Shard, ticks bool) {
			t.Helper()
			ago := buffer.InstantOf(time.Now()).Sub(r.seen(shard))
			if ticks != (ago <= 2*r.config.TickEvery) {
				t.Errorf("the input of shard %d was last seen %v ago", shard, ago)
			}
		}
		r.broker.silent.Store(&[]int32{3})
		settle(5 * time.Second)
		wants(0, true)
		wants(3, false)
		r.broker.silent.Store(nil)
		settle(5 * time.Second)
		wants(3, true)
		r.end()
	})
}

func TestATickThatFailsIsFollowedByTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.broker.inTouch.Store(true)
		down := &switchable{err: buffer.ErrUnavailable}
		r.steps.before = down.of
		r.start(0)
		settle(5 * time.Second)
		if seen := r.seen(0); seen != 0 {
			t.Fatalf("a store that is away was ticked at %d", seen)
		}
		down.off.Store(true)
		settle(2 * time.Second)
		if seen := r.seen(0); buffer.InstantOf(time.Now()).Sub(seen) > 2*r.config.TickEvery {
			t.Errorf("the input was last seen at %d, though the store is back", seen)
		}
		r.end()
	})
}

// TestATickThatFailsKeepsNoOtherShardFromItsOwn: else those behind it never come due.
func TestATickThatFailsKeepsNoOtherShardFromItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.broker.inTouch.Store(true)
		var ticks atomic.Int64
		r.steps.before = func(call string) error {
			if call == "enqueue" && ticks.Add(1)%3 == 0 { // another shard's each time
				return buffer.ErrUnavailable
			}
			return nil
		}
		r.start(0, 1, 2, 3)
		settle(5 * time.Second)
		for shard := range buffer.Shard(4) {
			if ago := buffer.InstantOf(time.Now()).Sub(r.seen(shard)); ago > 3*r.config.TickEvery {
				t.Errorf("the input of shard %d was last seen %v ago", shard, ago)
			}
		}
		r.end()
	})
}

// TestTheClockGoesOnWithSlowBatches, each with the next one behind it: as far as they say, and no further.
func TestTheClockGoesOnWithSlowBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.broker.inTouch.Store(true)
		r.start(0)
		settle(3 * time.Second)
		r.steps.before = func(call string) error {
			time.Sleep(700 * time.Millisecond)
			return nil
		}
		go func() {
			for i := range 200 {
				r.broker.append(0, time.Now(), fmt.Sprintf("x s%d root", i))
				time.Sleep(100 * time.Millisecond)
			}
		}()
		settle(15 * time.Second)
		ago := buffer.InstantOf(time.Now()).Sub(r.seen(0))
		if ago > r.config.UnseenMax+3*time.Second || ago < r.config.UnseenMax {
			t.Errorf("the input was last seen %v ago", ago)
		}
		settle(20 * time.Second)
		r.end()
	})
}

// TestManyShardsTickThoughTheStoreIsSlow: one after the other they would take 12 s for a round.
func TestManyShardsTickThoughTheStoreIsSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.broker.inTouch.Store(true)
		r.steps.before = func(call string) error {
			if call == "enqueue" {
				time.Sleep(200 * time.Millisecond)
			}
			return nil
		}
		const shards = 60
		var all []int32
		for shard := range int32(shards) {
			all = append(all, shard)
		}
		r.start(all...)
		settle(10 * time.Second)
		for shard := range buffer.Shard(shards) {
			if ago := buffer.InstantOf(time.Now()).Sub(r.seen(shard)); ago > 4*time.Second {
				t.Errorf("the input of shard %d was last seen %v ago", shard, ago)
			}
		}
		r.end()
	})
}

// hangingStore does not answer for some shards until each call's context or patience ends.
type hangingStore struct {
	buffer.Store
	hangs    func(buffer.Shard) bool
	patience time.Duration
	waiting  [16]atomic.Int32 // calls, by shard
	most     atomic.Int32     // of one shard at a time
}

func (h *hangingStore) Enqueue(ctx context.Context, shard buffer.Shard, update buffer.QueueUpdate) error {
	if !h.hangs(shard) {
		return h.Store.Enqueue(ctx, shard, update)
	}
	h.most.Store(max(h.most.Load(), h.waiting[shard].Add(1)))
	defer h.waiting[shard].Add(-1)
	if err := (wallclock.Clock{}).Sleep(ctx, h.patience); err != nil {
		return err
	}
	return buffer.ErrUnavailable
}

// TestAHangingNodeHoldsOnlyItsShards: those of other nodes hear often enough for their clocks to go on, and
// the hanging ones are not asked again before they answer.
func TestAHangingNodeHoldsOnlyItsShards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.broker.inTouch.Store(true)
		hangs := func(shard buffer.Shard) bool { return shard%3 == 0 }
		store := &hangingStore{Store: r.store, hangs: hangs, patience: 5 * time.Second}
		r.ports.Store = store
		var all []int32
		for shard := range int32(len(store.waiting)) {
			all = append(all, shard)
		}
		r.start(all...)
		settle(3 * time.Second)
		for range 200 { // 20 s, in which what hangs is given up and tried again
			settle(100 * time.Millisecond)
			for _, number := range all {
				shard := buffer.Shard(number)
				ago := buffer.InstantOf(time.Now()).Sub(r.seen(shard))
				if !hangs(shard) && ago > r.config.UnseenMax {
					t.Fatalf("the input of shard %d was last seen %v ago", shard, ago)
				}
			}
		}
		if most := store.most.Load(); most != 1 {
			t.Errorf("%d ticks of a shard wait for the same node", most)
		}
		r.kill()
		<-r.ended
	})
}

// TestTheEndWaitsForNoRowOfTicks, of a store that hangs: each shard would take as long as an answer may.
func TestTheEndWaitsForNoRowOfTicks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.broker.inTouch.Store(true)
		const patience = 5 * time.Second
		all := func(buffer.Shard) bool { return true }
		store := &hangingStore{Store: r.store, hangs: all, patience: patience}
		r.ports.Store = store
		r.start(0, 1, 2, 3, 4, 5, 6, 7)
		for store.most.Load() == 0 {
			settle(10 * time.Millisecond)
		}
		began := time.Now()
		r.end()
		if took := time.Since(began); took > patience+time.Second {
			t.Errorf("the end took %v, with ticks of %v", took, patience)
		}
	})
}

func TestAPausedInputDoesNotTickUnlessTheStoreIsFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.broker.inTouch.Store(true)
		r.start(0)
		settle(3 * time.Second)
		r.gate.set(map[buffer.Shard]string{0: "worker 0 is down"})
		settle(5 * time.Second)
		if ago := buffer.InstantOf(time.Now()).Sub(r.seen(0)); ago < 4*time.Second {
			t.Errorf("the input of a paused partition was seen %v ago", ago)
		}
		r.gate.full.Store(true)
		settle(2 * time.Second)
		if ago := buffer.InstantOf(time.Now()).Sub(r.seen(0)); ago > 2*r.config.TickEvery {
			t.Errorf("with a full store, the input was last seen %v ago", ago)
		}
		r.gate.full.Store(false)
		settle(3 * time.Second)

		// Once it goes on, what has gathered is read before the clock goes on.
		r.gate.set(nil)
		settle(settleWait / 2)
		if ago := buffer.InstantOf(time.Now()).Sub(r.seen(0)); ago < 2*time.Second {
			t.Errorf("the input was seen %v ago, before anything was read", ago)
		}
		r.broker.append(0, time.Now().Add(-5*time.Second), "x a a")
		settle(r.config.TickEvery + 100*time.Millisecond)
		if ago := buffer.InstantOf(time.Now()).Sub(r.seen(0)); ago > 2*r.config.TickEvery {
			t.Errorf("the input was last seen %v ago, though a batch was read", ago)
		}
		r.end()
	})
}

func TestABatchThatWaitsForTheStoreHoldsItsClock(t *testing.T) {
	for cause, held := range map[error]bool{buffer.ErrUnavailable: true, buffer.ErrFull: false} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t)
			r.broker.inTouch.Store(true)
			r.start(0)
			settle(2 * time.Second)
			away := &switchable{err: cause}
			r.steps.before = func(call string) error {
				if call != "attach" { // ticks would arrive
					return nil
				}
				return away.of(call)
			}
			r.broker.append(0, time.Now(), "x a a")
			settle(10 * time.Second)
			ago := buffer.InstantOf(time.Now()).Sub(r.seen(0))
			if got := ago > 5*time.Second; got != held {
				t.Errorf("%v: the input was last seen %v ago", cause, ago)
			}
			away.off.Store(true)
			settle(3 * time.Second)
			r.end()
		})
	}
}

// updates are the batches that a store was told of, with the wall-clock time of each.
type updates struct {
	buffer.Store
	mu   sync.Mutex
	list []buffer.QueueUpdate
	at   []buffer.Instant
}

func (u *updates) Enqueue(ctx context.Context, shard buffer.Shard, update buffer.QueueUpdate) error {
	if !update.Tick {
		u.mu.Lock()
		u.list, u.at = append(u.list, update), append(u.at, buffer.InstantOf(time.Now()))
		u.mu.Unlock()
	}
	return u.Store.Enqueue(ctx, shard, update)
}

// TestAClockIsNotAheadOfWhatIsNotStored: while a batch is on its way into a slow store more comes, and
// what is not polled yet, or not in a batch, must not find its segment flushed.
func TestAClockIsNotAheadOfWhatIsNotStored(t *testing.T) {
	for _, maxBatch := range []int{1000, 2} { // with 2 the partition is full, and paused at the source
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t)
			r.config.MaxBatch, r.config.BatchGrowth = maxBatch, 2
			r.broker.inTouch.Store(true)
			var stuck sync.Once
			r.steps.before = func(call string) error {
				if call == "attach" {
					stuck.Do(func() { time.Sleep(5 * time.Second) })
				}
				return nil
			}
			told := &updates{Store: r.steps}
			r.ports.Store = told
			r.start(0)
			settle(2 * time.Second)
			for range 30 { // for 6 s
				r.broker.append(0, time.Now(), "x a a")
				settle(200 * time.Millisecond)
			}
			settle(2 * time.Second)
			for i, update := range told.list[:len(told.list)-1] {
				// Clocks are cut to whole seconds.
				now, next := told.at[i].Add(update.Clock.Sub(update.Wall)), told.list[i+1].Clock.Add(time.Second)
				if now > next {
					t.Errorf("at most %d: batch %d sets the clock to %d, the next one is of %d at the latest",
						maxBatch, i, now, next)
				}
			}
			r.end()
		})
	}
}

// TestASlowBatchHoldsItsClock: what came while it is on its way may be waiting, though nothing fails.
func TestASlowBatchHoldsItsClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.broker.inTouch.Store(true)
		r.steps.before = func(call string) error {
			if call == "attach" {
				time.Sleep(10 * time.Second)
			}
			return nil
		}
		r.start(0)
		settle(2 * time.Second)
		r.broker.append(0, time.Now(), "x a a")
		settle(9 * time.Second)
		r.broker.append(0, time.Now(), "y a a")
		if ago := buffer.InstantOf(time.Now()).Sub(r.seen(0)); ago < 7*time.Second {
			t.Errorf("the input was last seen %v ago", ago)
		}
		settle(3 * time.Second) // the next batch is as slow, but has not been for long
		if ago := buffer.InstantOf(time.Now()).Sub(r.seen(0)); ago > 4*r.config.TickEvery {
			t.Errorf("after a batch the input was last seen %v ago", ago)
		}
		settle(10 * time.Second)
		r.end()
	})
}

// tickCounter counts the ticks of all shards.
type tickCounter struct {
	buffer.Store
	ticks atomic.Int32
}

func (c *tickCounter) Enqueue(ctx context.Context, shard buffer.Shard, update buffer.QueueUpdate) error {
	if update.Tick {
		c.ticks.Add(1)
	}
	return c.Store.Enqueue(ctx, shard, update)
}

// TestABatchSaysWhatATickWould: while batches come, few ticks keep the input as well seen as many would; but
// a batch says nothing that a tick would not.
func TestABatchSaysWhatATickWould(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.broker.inTouch.Store(true)
		counter := &tickCounter{Store: r.store}
		r.ports.Store = counter
		r.start(0)
		settle(2 * time.Second)
		every, n := r.config.TickEvery, 0
		flows := func(during time.Duration, check func(seen time.Time)) {
			for range during / (100 * time.Millisecond) {
				r.broker.append(0, time.Now(), fmt.Sprintf("x%d a a", n))
				n++
				settle(100 * time.Millisecond)
				check(time.UnixMilli(int64(r.seen(0))))
			}
		}
		counter.ticks.Store(0)
		flows(20*time.Second, func(seen time.Time) {
			if ago := time.Since(seen); ago > 2*every {
				t.Fatalf("seen %v ago, with a tick every %v and batches", ago, every)
			}
		})
		if got, most := counter.ticks.Load(), int32(20*time.Second/(3*every)); got < 5 || got > most {
			t.Errorf("%d ticks in 20 s beside batches, want 5 to %d", got, most)
		}
		r.broker.inTouch.Store(false)
		settle(100 * time.Millisecond)
		last := time.Now()
		flows(5*time.Second, func(seen time.Time) {
			// A batch says that all before it is stored, and so far the clock runs on.
			if seen.After(last) && time.Since(seen) < r.config.UnseenMax {
				t.Fatalf("seen %v ago, though what Kafka has is not known since %v", time.Since(seen), time.Since(last))
			}
		})
		counter.ticks.Store(0)
		r.broker.inTouch.Store(true)
		settle(10 * time.Second)
		if got, want := counter.ticks.Load(), int32(10*time.Second/every); got < want-5 || got > want+1 {
			t.Errorf("%d ticks in 10 s without batches, want %d", got, want)
		}
		r.end()
	})
}

// TestABatchWithoutSpansSaysNothing: of one in which all is bad the store hears nothing, so ticks go on.
func TestABatchWithoutSpansSaysNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.broker.inTouch.Store(true)
		r.start(0)
		settle(2 * time.Second)
		for range 100 {
			r.broker.append(0, time.Now(), "bad")
			settle(100 * time.Millisecond)
			if ago := buffer.InstantOf(time.Now()).Sub(r.seen(0)); ago > 3*r.config.TickEvery/2 {
				t.Fatalf("seen %v ago, with a tick every %v", ago, r.config.TickEvery)
			}
		}
		r.end()
	})
}

// TestABatchWithoutSpansDoesNotCatchUp: after a silence, what has gathered may still be to come, and of a batch
// of which nothing is left the store does not hear how late it is.
func TestABatchWithoutSpansDoesNotCatchUp(t *testing.T) {
	for what, value := range map[string]string{"dropped": "k a a", "no spans": "bad", "spans": "x a a"} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				organization := int64('k')
				kill, err := buffer.NewKillSwitch([]buffer.Rule{{Organization: &organization}})
				if err != nil {
					t.Fatal(err)
				}
				r.ports.KillSwitch = func() *buffer.KillSwitch { return kill }
				r.broker.inTouch.Store(true)
				counter := &tickCounter{Store: r.store}
				r.ports.Store = counter
				r.start(0)
				settle(2 * time.Second)
				r.broker.silent.Store(&[]int32{0})
				settle(5 * time.Second)
				r.broker.silent.Store(nil)
				settle(r.config.PollWait)
				counter.ticks.Store(0)
				r.broker.append(0, time.Now(), value)
				settle(settleWait - r.config.PollWait - 10*time.Millisecond)
				if got, want := counter.ticks.Load() > 0, value == "x a a"; got != want {
					t.Errorf("it ticks before %v: %v, want %v", settleWait, got, want)
				}
				settle(settleWait)
				if counter.ticks.Load() == 0 {
					t.Error("it never ticks")
				}
				r.end()
			})
		})
	}
}
