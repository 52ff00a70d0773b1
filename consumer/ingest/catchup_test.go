package ingest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sluice/buffer"
	"sluice/flusher"
)

// lateStore watches whether the clock of a shard leaps over the deadline of what is stored while messages
// wait.
type lateStore struct {
	buffer.Store
	mu       sync.Mutex
	tick     func()
	deadline buffer.Instant // of what was enqueued last
	early    []string
	unread   func() int
}

// watched is the shard that the stores here watch.
const watched = 7

func (u *lateStore) Enqueue(ctx context.Context, shard buffer.Shard, update buffer.QueueUpdate) error {
	if update.Tick && shard == 0 {
		u.tick()
	}
	err := u.Store.Enqueue(ctx, shard, update) // takes its time, then has its effect
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case shard != watched || update.Tick || err != nil:
	case len(update.Due) > 0:
		u.deadline = update.Due[0].Deadline
	case u.deadline != 0 && update.Clock >= u.deadline && u.unread() > 0:
		u.early = append(u.early, fmt.Sprintf("the clock is set to %d, %v behind the deadline of what is stored, while %d messages wait",
			update.Clock, update.Clock.Sub(u.deadline), u.unread()))
	}
	return err
}

// TestAShardThatCatchesUpDoesNotOvertakeABatch that came while its ticks were on their way.
func TestAShardThatCatchesUpDoesNotOvertakeABatch(t *testing.T) {
	failed := 0
	for ms := 59_000; ms <= 62_000; ms += 100 {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t)
			r.config.MaxBatch, r.config.BatchGrowth = 10, 1
			r.broker.inTouch.Store(true)
			r.steps.before = func(string) error { time.Sleep(20 * time.Millisecond); return nil } // of every call
			begun := time.Now()
			var once sync.Once
			store := &lateStore{Store: r.steps}
			store.unread = func() int { return 400 - int(r.broker.committedAt(watched)) }
			store.tick = func() {
				if time.Since(begun) >= time.Duration(ms)*time.Millisecond {
					once.Do(func() { // a producer that was away for 5 min sends what it has
						values := make([]string, 400)
						for i := range values {
							values[i] = fmt.Sprintf("x s%d root", i)
						}
						r.broker.append(watched, time.Now().Add(-5*time.Minute), values...)
					})
				}
			}
			r.ports.Store = store
			r.start(0, 1, 2, 3, 4, 5, 6, watched)
			settle(100 * time.Second)
			store.mu.Lock()
			if len(store.early) > 0 {
				failed++
				t.Logf("sent at %d ms: %v", ms, store.early)
			}
			store.mu.Unlock()
			r.end()
		})
	}
	if failed > 0 {
		t.Errorf("in %d of 31 cases a segment was due while its messages were waiting to be read", failed)
	}
}

// strangerStore watches whether the clock of a shard is set after its partition was released.
type strangerStore struct {
	buffer.Store
	tick     func()
	released func() bool
	mu       sync.Mutex
	late     int
}

func (u *strangerStore) Enqueue(ctx context.Context, shard buffer.Shard, update buffer.QueueUpdate) error {
	if update.Tick && shard == 0 {
		u.tick()
	}
	if shard == watched && !update.Tick && u.released() {
		u.mu.Lock()
		u.late++ // from now on it sets the clock of another member's shard
		u.mu.Unlock()
	}
	return u.Store.Enqueue(ctx, shard, update)
}

// TestAPartitionThatWasReleasedIsLeftAlone: its next owner may be reading a backlog.
func TestAPartitionThatWasReleasedIsLeftAlone(t *testing.T) {
	failed := 0
	for ms := 59_000; ms <= 62_000; ms += 100 {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t)
			r.broker.inTouch.Store(true)
			r.steps.before = func(string) error { time.Sleep(20 * time.Millisecond); return nil } // of every call
			begun := time.Now()
			var once sync.Once
			store := &strangerStore{Store: r.steps}
			store.released = func() bool { return slices.Contains(r.broker.releasedNow(), int32(watched)) }
			store.tick = func() {
				if time.Since(begun) >= time.Duration(ms)*time.Millisecond {
					once.Do(func() { r.broker.change(flusher.Fetch{Revoked: []int32{watched}}) })
				}
			}
			r.ports.Store = store
			r.start(0, 1, 2, 3, 4, 5, 6, watched)
			settle(100 * time.Second)
			store.mu.Lock()
			if store.late > 0 {
				failed++
			}
			store.mu.Unlock()
			r.end()
		})
	}
	if failed > 0 {
		t.Errorf("in %d of 31 cases the clock of a shard was set after its partition had been released", failed)
	}
}

// TestAFirstBatchBeginsTheTicking: if no tick came after it, since the store refused it or the source was
// away, the shard's clock ran on without end, as that of an input that does not tick.
func TestAFirstBatchBeginsTheTicking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.start(0)
		r.broker.append(0, time.Now(), "x s1 root")
		settle(3 * time.Second)
		if ago := buffer.InstantOf(time.Now()).Sub(r.seen(0)); ago < 2*time.Second || ago > r.config.UnseenMax+3*time.Second {
			t.Errorf("the input was last seen %v ago", ago)
		}
		r.end()
	})
}

// TestAMessageThatWaitedMovesNoClock: one whose time is wrong waits before a closed gate. That of the batch is the
// time of the next one, which came a minute later: it is not a minute ago that the clock was that.
func TestAMessageThatWaitedMovesNoClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.broker.inTouch.Store(true)
		r.start(0)
		send := func(at time.Time, id string) {
			r.broker.append(0, at, "x "+id+" root")
			settle(40 * time.Millisecond)
		}
		for i := range 20 {
			send(time.Now(), fmt.Sprint("s", i))
			settle(200 * time.Millisecond)
		}
		settle(time.Second)
		send(time.Now(), "last") // begins a batch at once, so that the next one is not due yet when the gate closes
		send(time.Now().Add(-time.Hour), "old")
		r.gate.set(map[buffer.Shard]string{0: "worker 0 is down"})
		settle(50 * time.Second)
		send(time.Now(), "new")
		settle(10 * time.Second)
		r.gate.set(nil)
		settle(5 * time.Second)
		fenced, err := r.store.Fence(t.Context(), 0, buffer.AnyEpoch)
		if err != nil {
			t.Fatal(err)
		}
		if drift := fenced.Clock.Drift; drift > time.Second {
			t.Errorf("the shard's clock is %v ahead of the wall clock", drift)
		}
		if got := held(t, r.store, 0); !strings.Contains(got, "new") || !strings.Contains(got, "old") {
			t.Errorf("the store holds %s", got)
		}
		r.end()
	})
}

// lateCatchUp is a store in which the setting of a shard's clock waits.
type lateCatchUp struct {
	buffer.Store
	gate chan struct{}
}

func (s lateCatchUp) Enqueue(ctx context.Context, shard buffer.Shard, update buffer.QueueUpdate) error {
	if !update.Tick && len(update.Due) == 0 && update.Clock != 0 {
		<-s.gate
	}
	return s.Store.Enqueue(ctx, shard, update)
}

// Set after its tenure, a clock says nothing of how far behind the partition is read.
func TestACatchUpOfAnEarlierTenureSetsNoClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.broker.inTouch.Store(true)
		store := lateCatchUp{r.steps, make(chan struct{})}
		r.ports.Store = store
		r.broker.append(0, time.Now().Add(-5*time.Minute), "x a a")
		r.start(0)
		settle(3 * time.Minute)
		r.broker.change(flusher.Fetch{Revoked: []int32{0}})
		settle(time.Second)
		if got := r.broker.releasedNow(); len(got) > 0 {
			t.Fatalf("released %v: nothing sets its clock", got)
		}
		close(store.gate)
		settle(time.Second)
		if got := r.loop.Counters().Partitions[0]; got.Clock != 0 || got.Wall != 0 {
			t.Errorf("clock %v and wall %v of what is another's, want neither", got.Clock, got.Wall)
		}
		r.end()
	})
}
