package ingest

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sluice/buffer"
	"sluice/flusher"
	"sluice/internal/wallclock"
)

func TestRevokedPartitionIsCommittedThenReleased(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		release := make(chan struct{})
		r.steps.before = func(call string) error {
			if call == "enqueue" {
				<-release
			}
			return nil
		}
		r.start(0, 1)
		r.broker.append(0, time.Now(), "x a a")
		settle(time.Second)
		r.broker.change(flusher.Fetch{Revoked: []int32{0}})
		settle(time.Second)
		if got := r.broker.releasedNow(); len(got) != 0 {
			t.Errorf("released %v while a batch was in work", got)
		}
		if got := fmt.Sprint(r.assigner.last()); got != "[1]" {
			t.Errorf("shards %v are flushed, want 1", got)
		}
		close(release)
		settle(time.Second)
		if got, committed := fmt.Sprint(r.broker.releasedNow()), r.broker.committedAt(0); got != "[0]" ||
			committed != 1 {
			t.Errorf("released %v, committed %d; want [0] and 1", got, committed)
		}
		if r.loop.Counters().Partitions[0].Assigned {
			t.Error("counted as assigned")
		}
		r.end()
	})
}

func TestRevokedPartitionInTroubleIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.steps.before = (&switchable{err: buffer.ErrUnavailable}).of
		r.start(0, 1)
		r.broker.append(0, time.Now(), "x a a")
		settle(time.Second)
		r.broker.change(flusher.Fetch{Revoked: []int32{0}})
		settle(2 * time.Second)
		if got, committed := fmt.Sprint(r.broker.releasedNow()), r.broker.committedAt(0); got != "[0]" ||
			committed != 0 {
			t.Errorf("released %v, committed %d; want [0] and 0", got, committed)
		}
		if all := r.loop.Troubles().All(); len(all) > 0 || r.journal.count(": given up") != 1 {
			t.Errorf("troubles %v, and said\n%s\nwant none, and that it is given up", all, r.journal)
		}
		r.end()
	})
}

func TestRevokedPartitionWhoseCommitFailsIsReleased(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.broker.commitError = errors.New("coordinator is away")
		r.start(0)
		r.broker.append(0, time.Now(), "x a a")
		settle(time.Second)
		r.broker.change(flusher.Fetch{Revoked: []int32{0}})
		settle(10 * time.Second)
		if got := fmt.Sprint(r.broker.releasedNow()); got != "[0]" {
			t.Errorf("released %v, want [0]", got)
		}
		if r.journal.count(string(CommitGivenUp)) != 1 {
			t.Errorf("journal:\n%s", r.journal)
		}
		r.end()
	})
}

func TestLostPartitionIsNeverCommitted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		release := make(chan struct{})
		r.steps.after = func(call string) error {
			if call == "attach" {
				<-release
			}
			return nil
		}
		r.start(0)
		r.broker.append(0, time.Now(), "x a a")
		settle(time.Second)
		r.broker.change(flusher.Fetch{Lost: []int32{0}})
		settle(time.Second)
		close(release)
		settle(10 * time.Second)
		if got := r.broker.committedAt(0); got != 0 {
			t.Errorf("committed %d of a lost partition", got)
		}
		if got := r.broker.releasedNow(); len(got) != 0 {
			t.Errorf("released %v, which was not revoked", got)
		}
		// Another has flushed it by now, perhaps: it must not lie in the store where nobody looks.
		if got := held(t, r.store, 0); got != "x:a" {
			t.Errorf("the queue names %q, want what was attached: x:a", got)
		}
		r.end()
	})
}

// A batch that ends when its tenure has, or another has begun, is counted, but says nothing of how far behind
// the partition is read now.
func TestABatchOfAnEarlierTenureSetsNoClock(t *testing.T) {
	for name, again := range map[string][]int32{"left": nil, "again": {0}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				gates := []chan struct{}{make(chan struct{}), make(chan struct{})}
				var calls atomic.Int32
				r.steps.before = func(call string) error {
					if n := calls.Add(1) - 1; call == "attach" && int(n) < 1 {
						<-gates[0]
					} else if call == "attach" {
						<-gates[1]
					}
					return nil
				}
				r.start(0)
				r.broker.append(0, time.Now(), "x a a")
				settle(time.Second)
				r.broker.change(flusher.Fetch{Revoked: []int32{0}})
				settle(time.Second)
				if again != nil {
					r.broker.change(flusher.Fetch{Assigned: again})
				}
				settle(time.Second)
				close(gates[0])
				settle(time.Second)
				got := r.loop.Counters().Partitions[0]
				if got.Messages != 1 || got.Clock != 0 || got.Wall != 0 {
					t.Errorf("%d messages, clock %v and wall %v; want 1, and neither", got.Messages, got.Clock, got.Wall)
				}
				close(gates[1])
				settle(5 * time.Second)
				if got := r.loop.Counters().Partitions[0]; again != nil && got.Wall == 0 {
					t.Errorf("no clock after a batch of this tenure: %+v", got)
				}
				r.end()
			})
		})
	}
}

// The batch of the first tenure hangs in the store and is given up; that must not let the first
// batch of the second tenure be skipped while the next one is committed.
func TestPartitionThatComesBackWaitsForItsEarlierTenure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		release := make(chan struct{})
		calls := 0
		r.steps.before = func(call string) error {
			if call != "attach" {
				return nil
			}
			if calls++; calls == 1 {
				<-release
				return buffer.ErrUnavailable
			}
			return nil
		}
		r.start(0)
		r.broker.append(0, time.Now(), "x a a")
		settle(time.Second)
		r.broker.change(flusher.Fetch{Lost: []int32{0}})
		r.broker.change(flusher.Fetch{Assigned: []int32{0}})
		r.broker.append(0, time.Now(), "y b b")
		settle(time.Second)
		if calls != 1 {
			t.Errorf("%d batches in the store, want the second tenure to wait", calls)
		}
		close(release)
		settle(time.Second)
		r.broker.append(0, time.Now(), "z c c")
		settle(time.Second)
		r.end()
		if got := held(t, r.store, 0); got != "x:a y:b z:c" || r.broker.committedAt(0) != 3 {
			t.Errorf("the store holds %q, committed %d", got, r.broker.committedAt(0))
		}
	})
}

// A tenure ended without being waited for, and the partition came back. What of the first is in the store
// is read again by the second, which alone speaks for the partition: were the offsets of both committed
// together, the group's could go back behind what is flushed; and were the second to be revoked in turn,
// the end of the first would let it go before it is committed.
func TestOnlyTheLastTenureCommitsAndReleases(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		release, commits := make(chan struct{}), make(chan struct{})
		r.steps.before = func(call string) error {
			if call == "enqueue" {
				<-release
			}
			return nil
		}
		r.broker.before = func(call string) error {
			if call == "commit" {
				<-commits
			}
			return nil
		}
		r.broker.check = func(last []flusher.Message) {
			for _, m := range last {
				if was := r.broker.committed[m.Position.Partition]; m.Position.Offset < was {
					t.Errorf("offset %d is committed after %d", m.Position.Offset+1, was)
				}
				r.broker.committed[m.Position.Partition] = m.Position.Offset + 1
			}
		}
		r.start(0, 1)
		r.broker.append(0, time.Now(), "x a a")
		settle(time.Second)
		r.broker.change(flusher.Fetch{Revoked: []int32{0}})
		r.broker.change(flusher.Fetch{Assigned: []int32{0}})
		r.broker.append(0, time.Now(), "y b b")
		r.broker.append(1, time.Now(), "z c c")
		settle(time.Second)
		close(release)
		settle(time.Second)
		r.broker.change(flusher.Fetch{Revoked: []int32{0}})
		settle(time.Second)
		if got := r.broker.releasedNow(); len(got) != 0 {
			t.Errorf("released %v before the second tenure was committed", got)
		}
		close(commits)
		settle(time.Second)
		if got, committed := fmt.Sprint(r.broker.releasedNow()), r.broker.committedAt(0); got != "[0]" ||
			committed != 2 {
			t.Errorf("released %v, committed %d; want [0] once, and 2", got, committed)
		}
		r.end()
	})
}

func TestRebalanceDuringShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		release := make(chan struct{})
		r.steps.before = func(string) error {
			<-release
			return nil
		}
		r.start(0)
		r.broker.append(0, time.Now(), "x a a")
		settle(time.Second)
		r.stop()
		settle(time.Second)
		r.broker.change(flusher.Fetch{Revoked: []int32{0}})
		settle(time.Second)
		close(release)
		if err := <-r.ended; err != nil {
			t.Errorf("Run = %v", err)
		}
		got, committed := fmt.Sprint(r.broker.releasedNow()), r.broker.committedAt(0)
		if got != "[0]" || committed != 1 {
			t.Errorf("released %v, committed %d; want [0] and 1", got, committed)
		}
		r.kill()
	})
}

// The first batch of a revoked partition is given up. The one that was decoded behind it would find
// the store at work again; if it went in, its offset would cover the spans of the first.
func TestBatchBehindOneThatWasGivenUpIsSkipped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.config.MaxBatch = 1
		var down switchable
		down.err = buffer.ErrUnavailable
		r.steps.before = down.of
		r.ports.Clock = sleeper{ends: func() { down.off.Store(true) }}
		r.start(0)
		r.broker.append(0, time.Now(), "x a a", "x b b")
		settle(time.Second)
		r.broker.change(flusher.Fetch{Revoked: []int32{0}})
		settle(5 * time.Second)
		got, committed := fmt.Sprint(r.broker.releasedNow()), r.broker.committedAt(0)
		if got != "[0]" || committed != 0 {
			t.Errorf("released %v, committed %d; want [0] and 0", got, committed)
		}
		r.end()
	})
}

// sleeper calls ends when a context ends a sleep.
type sleeper struct {
	wallclock.Clock
	ends func()
}

func (s sleeper) Sleep(ctx context.Context, d time.Duration) error {
	err := s.Clock.Sleep(ctx, d)
	if err != nil {
		s.ends()
	}
	return err
}

func TestBatchesOfAPartitionKeepTheirOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.config.MaxBatch, r.config.BatchGrowth = 1, 1
		slow := time.Minute // the first batch takes longest
		var order []string
		r.steps.before = func(call string) error {
			order = append(order, call)
			wait := slow
			slow /= 2
			time.Sleep(wait)
			return nil
		}
		for range 4 {
			r.broker.append(0, time.Now(), "x a a")
		}
		r.start(0)
		settle(10 * time.Minute)
		r.end()
		want := "[attach enqueue attach enqueue attach enqueue attach enqueue]"
		if got := fmt.Sprint(order); got != want {
			t.Errorf("steps %s, want %s", got, want)
		}
	})
}

func TestFlushingWaitsForWhatIsDeliveredAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		release := make(chan struct{})
		r.steps.before = func(string) error {
			<-release
			return nil
		}
		r.broker.append(0, time.Now(), "x a a")
		r.start(0, 1)
		settle(r.config.AssignWait * 8 / 10)
		if got := r.assigner.last(); len(got) > 0 {
			t.Errorf("%v are flushed before their first batch is stored", got)
		}
		r.broker.append(1, time.Now(), "y a a")
		close(release)
		settle(5 * r.config.BusyWait)
		if got := fmt.Sprint(r.assigner.calls); got != "[[0 1]]" {
			t.Errorf("told %v, want both shards at once when their first batches are stored", got)
		}
		r.broker.change(flusher.Fetch{Assigned: []int32{2}}) // has no input
		settle(r.config.AssignWait / 2)
		if got := fmt.Sprint(r.assigner.last()); got != "[0 1]" {
			t.Errorf("shards %v are flushed, want 0 and 1 as before", got)
		}
		settle(r.config.AssignWait)
		if got := fmt.Sprint(r.assigner.last()); got != "[0 1 2]" {
			t.Errorf("shards %v are flushed, want also 2 after the wait", got)
		}
		r.end()
	})
}

func TestFlushingWaitsForABacklogOfFullBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.config.MaxBatch = 1
		var stored atomic.Int64
		r.steps.after = func(call string) error {
			if call == "enqueue" {
				if n := stored.Add(1); len(r.assigner.last()) > 0 && n < catchUpMax {
					t.Errorf("flushed after %d batches", n)
				}
				time.Sleep(10 * time.Millisecond)
			}
			return nil
		}
		for range 20 {
			r.broker.append(0, time.Now(), "x a a")
		}
		r.start(0)
		settle(100 * time.Millisecond)
		if n := stored.Load(); len(r.assigner.last()) == 0 || n > 15 {
			t.Errorf("not flushed after %d batches", n)
		}
		r.end()
	})
}
