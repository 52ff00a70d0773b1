package ingest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sluice/buffer"
	"sluice/flusher"
)

// The tests of this file are about what the loop hands to its neighbours: source, store, assigner.

// slowSource commits only when it may, and notes partitions that were let go of before a commit of
// theirs has ended.
type slowSource struct {
	*broker
	gate  chan struct{} // each commit takes one
	early []int32
}

func (s *slowSource) Commit(ctx context.Context, last []flusher.Message) error {
	<-s.gate
	for _, m := range last {
		if slices.Contains(s.releasedNow(), m.Position.Partition) {
			s.early = append(s.early, m.Position.Partition)
		}
	}
	return s.broker.Commit(ctx, last)
}

// slow makes the commits of a rig wait for the channel.
func (r *rig) slow() *slowSource {
	s := &slowSource{broker: r.broker, gate: make(chan struct{})}
	r.ports.Source = s
	return s
}

// One commit may be under way at a time. A partition whose offset is not in it is not let go of
// before the next.
func TestRevokedPartitionWaitsForTheCommitOfAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		s := r.slow()
		r.start(0, 1)
		r.broker.append(1, time.Now(), "y a a")
		settle(time.Second)
		r.broker.append(0, time.Now(), "x a a")
		settle(time.Second)
		r.broker.change(flusher.Fetch{Revoked: []int32{0}})
		settle(time.Second)
		if got := r.broker.releasedNow(); len(got) != 0 {
			t.Errorf("released %v before its commit", got)
		}
		close(s.gate)
		settle(time.Second)
		if got := fmt.Sprint(r.broker.releasedNow()); got != "[0]" || r.broker.committedAt(0) != 1 {
			t.Errorf("released %s, committed %d; want [0] and 1", got, r.broker.committedAt(0))
		}
		r.end()
	})
}

// Each try takes longer than the pause between two, so that another would begin at once: it is given up all
// the same.
func TestRevokedPartitionWhoseCommitsAreSlowIsReleased(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.broker.commitError = errors.New("coordinator is away")
		s := r.slow()
		r.start(0)
		r.broker.append(0, time.Now(), "x a a")
		settle(time.Second)
		r.broker.change(flusher.Fetch{Revoked: []int32{0}})
		for range commitTriesMax {
			settle(2 * r.config.RetryMax)
			s.gate <- struct{}{}
		}
		settle(2 * r.config.RetryMax)
		if got := fmt.Sprint(r.broker.releasedNow()); got != "[0]" || r.journal.count(string(CommitGivenUp)) != 1 {
			t.Errorf("released %s, want [0], and journal:\n%s", got, r.journal)
		}
		close(s.gate)
		r.end()
	})
}

// A partition whose commits have failed often enough is let go of when it is revoked, but not while one more
// try is under way.
func TestPartitionIsNotReleasedDuringItsCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.broker.commitError = errors.New("coordinator is away")
		s := r.slow()
		r.start(0)
		r.broker.append(0, time.Now(), "x a a")
		for range commitTriesMax {
			settle(2 * r.config.RetryMax)
			s.gate <- struct{}{}
		}
		settle(2 * r.config.RetryMax)
		r.broker.change(flusher.Fetch{Revoked: []int32{0}})
		settle(2 * r.config.RetryMax)
		if got := r.broker.releasedNow(); len(got) != 0 {
			t.Errorf("released %v during its commit", got)
		}
		close(s.gate)
		settle(time.Second)
		if got := fmt.Sprint(r.broker.releasedNow()); got != "[0]" || len(s.early) != 0 {
			t.Errorf("released %s, and %v during a commit; want [0] afterwards", got, s.early)
		}
		r.end()
	})
}

// While a drain waits for one partition, another is tried often enough in vain; it is in the commit that works
// in the end. Before, each has one try at least, however many failed while nobody wanted to stop.
func TestADrainCommitsWhatFailedBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, away := range []bool{true, false} {
			r := newRig(t)
			r.broker.commitError = errors.New("coordinator is away")
			store := &switchable{err: buffer.ErrUnavailable}
			store.off.Store(true)
			r.steps.before = store.of
			r.broker.append(0, time.Now(), "x a a")
			r.start(0, 1)
			settle(5 * time.Second)
			store.off.Store(false)
			r.broker.append(1, time.Now(), "y a a")
			settle(time.Minute)
			works := func() {
				r.broker.mu.Lock()
				r.broker.commitError = nil
				r.broker.mu.Unlock()
				store.off.Store(true)
			}
			if !away {
				works()
			}
			r.stop()
			settle(time.Minute)
			works()
			if err := <-r.ended; err != nil || r.broker.committedAt(0) != 1 || r.broker.committedAt(1) != 1 {
				t.Errorf("away at the stop %v: Run = %v, committed %d and %d, want 1 of each", away, err,
					r.broker.committedAt(0), r.broker.committedAt(1))
			}
			if got := r.journal.count(string(CommitGivenUp)); got != 0 {
				t.Errorf("away at the stop %v: given up %d times", away, got)
			}
			r.kill()
		}
	})
}

// TestWhatADrainGivesUpIsSaid: its next owner reads it again.
func TestWhatADrainGivesUpIsSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		var tries atomic.Int64
		r.broker.before = func(call string) error {
			if call != "commit" {
				return nil
			}
			tries.Add(1)
			return errors.New("coordinator is away")
		}
		r.broker.append(3, time.Now(), "x a a")
		r.start(3)
		settle(time.Minute)
		before := tries.Load()
		r.end()
		if tried := tries.Load() - before; tried < 1 || r.journal.count(string(CommitGivenUp)+" [3]") != 1 {
			t.Errorf("%d more tries, want one at least, and journal:\n%s", tried, r.journal)
		}
	})
}

// What is stored while a commit is under way is committed by another, also at the end.
func TestStopCommitsWhatTheCommitUnderWayDoesNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		s := r.slow()
		r.start(0)
		r.broker.append(0, time.Now(), "x a a")
		settle(2 * time.Second)
		r.broker.append(0, time.Now(), "x b a")
		settle(2 * time.Second)
		r.stop()
		settle(time.Second)
		close(s.gate)
		if err := <-r.ended; err != nil || r.broker.committedAt(0) != 2 {
			t.Errorf("Run = %v, committed %d, want all that is stored", err, r.broker.committedAt(0))
		}
		r.kill()
	})
}

func TestStopTriesAFailedCommitAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		calls := 0
		r.broker.before = func(call string) error {
			if call != "commit" {
				return nil
			}
			if calls++; calls == 1 {
				r.stop()
				return errors.New("coordinator is away")
			}
			return nil
		}
		r.start(0)
		r.broker.append(0, time.Now(), "x a a")
		if err := <-r.ended; err != nil || r.broker.committedAt(0) != 1 {
			t.Errorf("Run = %v, committed %d, want 1", err, r.broker.committedAt(0))
		}
		r.kill()
	})
}

// attaches notes what every Attach brings.
type attaches struct {
	buffer.Store
	mu    sync.Mutex
	ids   []buffer.DeliveryID
	spans []int // of each
}

func (a *attaches) Attach(
	ctx context.Context, delivery buffer.Delivery, traces []buffer.TraceBatch,
) ([]buffer.Attached, error) {
	n := 0
	for _, trace := range traces {
		for _, subtree := range trace.Subtrees {
			n += len(subtree.Spans)
		}
	}
	a.mu.Lock()
	a.ids, a.spans = append(a.ids, delivery.ID), append(a.spans, n)
	a.mu.Unlock()
	return a.Store.Attach(ctx, delivery, traces)
}

func (r *rig) watched() *attaches {
	a := &attaches{Store: r.ports.Store}
	r.ports.Store = a
	return a
}

// setBack is a clock that somebody sets back once it is asked for the hundredth time.
type setBack struct {
	flusher.Clock
	asked atomic.Int64
}

func (c *setBack) Now() time.Time {
	if c.asked.Add(1) > 100 {
		return c.Clock.Now().Add(-time.Hour)
	}
	return c.Clock.Now()
}

// A number that comes again could name a segment that was flushed: batches that begin at the same
// moment have two, and so do those after a clock was set back.
func TestDeliveryNumbersOnlyGrow(t *testing.T) {
	for _, back := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t)
			r.config.MaxBatch, r.config.BatchGrowth = 1, 1
			if back {
				r.ports.Clock = &setBack{Clock: r.ports.Clock}
			}
			a := r.watched()
			r.steps.before = func(string) error {
				time.Sleep(10 * time.Millisecond) // so that two begin at a time
				return nil
			}
			for range 20 {
				r.broker.append(2, time.Now(), "x a a")
			}
			r.start(2)
			settle(10 * time.Second)
			r.end()
			if len(a.ids) != 20 {
				t.Fatalf("%d batches, want 20", len(a.ids))
			}
			for i, id := range a.ids {
				if id.Partition != 2 || i > 0 && id.Number <= a.ids[i-1].Number {
					t.Errorf("batch %d is %v, after %v", i, id, a.ids[max(0, i-1)])
				}
			}
		})
	}
}

// A trace of many spans goes into the store in rounds, each a delivery of its own, and one fails
// alone: what was attached is not attached again.
func TestAGiantTraceIsAttachedInRounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.config.MaxBatch, r.config.AttachSpansMax = 10, 3
		a := r.watched()
		failed := false
		r.steps.before = func(call string) error {
			if call == "attach" && len(a.ids) == 2 && !failed {
				failed = true
				return buffer.ErrUnavailable
			}
			return nil
		}
		for i := range 20 {
			value := fmt.Sprintf("x %d root", i)
			if i == 4 {
				value = "y a a"
			}
			r.broker.append(0, time.Now(), value)
		}
		r.start(0)
		settle(10 * time.Second)
		r.end()
		if want := []int{4, 3, 3, 3, 3, 3, 3, 1}; !slices.Equal(a.spans, want) {
			t.Errorf("%v spans attached at a time, want %v: the second comes again", a.spans, want)
		}
		if !failed || r.broker.committedAt(0) != 20 {
			t.Errorf("committed %d, want 20 after a failure (%v)", r.broker.committedAt(0), failed)
		}
		for i := range a.ids[1:] {
			if again := i == 1; a.ids[i+1].Compare(a.ids[i]) != 1 && !again {
				t.Errorf("delivery %v after %v, want numbers that grow", a.ids[i+1], a.ids[i])
			}
		}
	})
}

// A partition that is lost between two rounds: what the first has stored is in the queue all the same,
// for nobody may deliver it again.
func TestARoundThatWasStoredIsEnqueued(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.config.AttachSpansMax, r.config.PollEvery = 3, 0
		attaches := 0
		r.steps.before = func(call string) error {
			if call != "attach" {
				return nil
			}
			if attaches++; attaches == 2 {
				r.broker.change(flusher.Fetch{Lost: []int32{0}})
				return buffer.ErrUnavailable
			}
			return nil
		}
		for i := range 5 {
			r.broker.append(0, time.Now(), fmt.Sprintf("x %d root", i))
		}
		r.start(0)
		settle(10 * time.Second)
		r.end()
		if got := held(t, r.store, 0); got != "x:0,1,2" || r.broker.committedAt(0) != 0 {
			t.Errorf("the queue names %q, committed %d; want x:0,1,2 and 0", got, r.broker.committedAt(0))
		}
	})
}

// What is polled and not yet in a batch stays where it is when the gate closes.
func TestGateHoldsBackWhatIsPending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.config.MaxBatchWait = time.Second
		r.config.Options.Timeout, r.config.Options.RootTimeout = time.Hour, time.Hour
		r.start(0)
		r.broker.append(0, time.Now(), "x a a")
		settle(100 * time.Millisecond)
		r.broker.append(0, time.Now(), "x b a") // waits for others to share its batch
		settle(100 * time.Millisecond)
		r.gate.set(map[buffer.Shard]string{0: "worker 0 is down"})
		settle(time.Minute)
		if got := r.broker.committedAt(0); got != 1 {
			t.Errorf("committed %d behind a closed gate, want 1 as before", got)
		}
		r.gate.set(nil)
		settle(time.Second)
		if got := r.broker.committedAt(0); got != 2 {
			t.Errorf("committed %d, want 2 after the gate opened", got)
		}
		r.end()
	})
}

// More can be pending than a batch may hold: the last poll brings MaxBatch when one is missing.
func TestNoBatchIsLargerThanItMayBe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.config.MaxBatch, r.config.BatchGrowth = 10, 1
		a := r.watched()
		release := make(chan struct{})
		r.steps.before = func(string) error {
			<-release
			return nil
		}
		r.start(0)
		for _, n := range []int{1, 10, 9, 10} {
			for i := range n {
				r.broker.append(0, time.Now(), fmt.Sprintf("x %d%d root", n, i))
			}
			settle(2 * r.config.MaxBatchWait)
		}
		close(release)
		settle(5 * time.Second)
		r.end()
		if slices.Max(a.spans) > r.config.MaxBatch || r.broker.committedAt(0) != 30 {
			t.Errorf("batches of %v spans up to %d, want at most %d each up to 30",
				a.spans, r.broker.committedAt(0), r.config.MaxBatch)
		}
	})
}

func TestWhatTheStoreHasIsCountedAsDuplicateOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.start(0)
		for range 3 {
			r.broker.append(0, time.Now(), "x a a", "x b a")
			settle(2 * time.Second)
		}
		r.end()
		if got := r.loop.Counters().Partitions[0]; got.Duplicates != 4 || got.Spans != 6 {
			t.Errorf("counters %+v, want 6 spans, 4 of them duplicates", got)
		}
	})
}

// What waits for others to share its batch was read before them: the shard's drift is counted from
// then.
func TestABatchWasReadWhenItsFirstMessageWas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.config.Options.Timeout, r.config.Options.RootTimeout = time.Hour, time.Hour
		r.start(0)
		r.broker.append(0, time.Now(), "x a a")
		settle(100 * time.Millisecond)
		read := buffer.InstantOf(time.Now())
		r.broker.append(0, time.Now(), "x b a")
		settle(2 * r.config.MaxBatchWait)
		if got := r.loop.Counters().Partitions[0].Wall; got != read {
			t.Errorf("read at %d, want %d", got, read)
		}
		r.end()
	})
}

func TestMergedGenerationsLeaveTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.start(0)
		for _, span := range []string{"x c b", "x b a"} { // b pulls in what is filed below it
			r.broker.append(0, time.Now(), span)
			settle(2 * time.Second)
		}
		r.end()
		left, err := r.store.Leftovers(t.Context())
		if err != nil || len(left.Shards) != 1 || len(left.Shards[0].Queued) != 1 {
			t.Errorf("left %v, %v, want one generation in the queue", left, err)
		}
	})
}

func TestOneRoundOfTicksAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.broker.inTouch.Store(true)
		release := make(chan struct{})
		var ticks atomic.Int64
		r.steps.before = func(string) error {
			ticks.Add(1)
			<-release
			return nil
		}
		r.start(0)
		settle(10 * time.Second)
		if n := ticks.Load(); n != 1 {
			t.Errorf("%d ticks under way, want one until it is answered", n)
		}
		close(release)
		r.end()
	})
}

// What is refused of one partition is no failure of those beside it: they are committed and let go of.
func TestACommitOfWhichSomeIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.broker.commitError = &flusher.NotCommitted{
			Partitions: []int32{1}, Err: errors.New("partition 1: not ours any more"),
		}
		r.start(0, 1)
		r.broker.append(0, time.Now(), "x a a")
		r.broker.append(1, time.Now(), "y a a")
		settle(time.Second)
		r.broker.change(flusher.Fetch{Revoked: []int32{0, 1}})
		settle(2 * commitTriesMax * r.config.RetryMax)
		if got := r.broker.committedAt(0); got != 1 {
			t.Errorf("committed %d, want 1", got)
		}
		given := string(CommitGivenUp)
		if r.journal.count(given+" [1]") != 1 || r.journal.count(given) != 1 {
			t.Errorf("want partition 1 given up and no other:\n%s", r.journal)
		}
		r.end()
	})
}
