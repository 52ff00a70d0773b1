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
)

// switchable is an error that can be switched off.
type switchable struct {
	off atomic.Bool
	err error
}

func (s *switchable) of(string) error {
	if s.off.Load() {
		return nil
	}
	return s.err
}

func TestStoreTroubleIsWaitedForAndSaidOnce(t *testing.T) {
	for _, cause := range []error{buffer.ErrFull, buffer.ErrUnavailable} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t)
			down := &switchable{err: fmt.Errorf("node 1: %w", cause)}
			r.steps.before = down.of
			for p := range int32(4) {
				r.broker.append(p, time.Now(), "x a a", "bad")
			}
			r.start(0, 1, 2, 3)
			settle(20 * time.Second)
			if got := r.broker.committedAt(0); got != 0 {
				t.Fatalf("committed %d while the store was away", got)
			}
			down.off.Store(true)
			settle(5 * time.Second)
			for p := range int32(4) {
				if got := r.broker.committedAt(p); got != 2 {
					t.Errorf("partition %d is committed up to %d, want 2", p, got)
				}
			}
			r.end()
			began, over := r.journal.count("trying again"), r.journal.count("trouble is over")
			if began != 1 || over != 1 {
				t.Errorf("trouble began %d times and ended %d times, want once:\n%s", began, over, r.journal)
			}
			if got := len(r.broker.deadLetters()); got != 4 {
				t.Errorf("%d dead letters, want those 4 that are no spans", got)
			}
			if got := r.loop.Counters().Partitions[0].Retries; got < 20 || got > 40 {
				t.Errorf("%d retries in 20 s with waits of at most 1 s", got)
			}
		})
	}
}

// TestWhatAFullStoreTookIsNotAttachedAgain: it may have been flushed meanwhile, and would come out a
// second time.
func TestWhatAFullStoreTookIsNotAttachedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.steps.room, r.steps.taken = new(atomic.Int64), map[buffer.TraceKey]int{}
		r.steps.room.Store(2)
		r.broker.append(0, time.Now(), "x a a", "y b b", "z c c")
		r.start(0)
		settle(5 * time.Second)
		if got := r.broker.committedAt(0); got != 0 {
			t.Fatalf("committed %d while the store was full", got)
		}
		r.steps.room.Store(9)
		settle(5 * time.Second)
		if got := r.broker.committedAt(0); got != 3 {
			t.Errorf("committed up to %d, want 3", got)
		}
		r.end()
		if len(r.steps.taken) != 3 {
			t.Errorf("%d traces were attached, want 3", len(r.steps.taken))
		}
		for trace, times := range r.steps.taken {
			if times != 1 {
				t.Errorf("trace %v was attached %d times", trace, times)
			}
		}
		if got, want := held(t, r.store, 0), "x:a y:b z:c"; got != want {
			t.Errorf("the store holds %q, want %q", got, want)
		}
	})
}

func TestBrokenInvariantEndsTheLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		broken := errors.New("script is broken")
		r.steps.before = func(string) error { return broken }
		r.broker.append(0, time.Now(), "x a a")
		r.broker.append(1, time.Now(), "y a a")
		r.start(0, 1)
		err := <-r.ended
		if !errors.Is(err, broken) {
			t.Errorf("Run = %v, want %v", err, broken)
		}
		r.kill()
	})
}

func TestOnePartitionInTroubleDoesNotStopTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.config.MaxBatch = 10
		full := atomic.Int64{}
		r.ports.Store = shardFull{r.steps, 0, &full}
		for i := range 1000 {
			value := fmt.Sprintf("x s%d root", i)
			r.broker.append(0, time.Now(), value)
			r.broker.append(1, time.Now(), value)
		}
		r.start(0, 1)
		settle(30 * time.Second)
		if zero, one := r.broker.committedAt(0), r.broker.committedAt(1); zero != 0 || one != 1000 {
			t.Errorf("committed %d and %d, want 0 and 1000", zero, one)
		}
		if !r.broker.isPaused(0) {
			t.Error("the full partition is not paused: it would be read without end")
		}
		full.Store(1)
		settle(30 * time.Second)
		if zero := r.broker.committedAt(0); zero != 1000 {
			t.Errorf("committed %d, want all of it once there is room", zero)
		}
		r.end()
	})
}

// shardFull has no room in the queue of one shard until passed is set.
type shardFull struct {
	buffer.Store
	shard  buffer.Shard
	passed *atomic.Int64
}

func (s shardFull) Enqueue(ctx context.Context, n buffer.Shard, u buffer.QueueUpdate) error {
	if n == s.shard && s.passed.Load() == 0 {
		return buffer.ErrFull
	}
	return s.Store.Enqueue(ctx, n, u)
}

func TestGatePausesItsPartitionsOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		begun := buffer.InstantOf(time.Now())
		r.gate.set(map[buffer.Shard]string{1: "redis is at 91% of its memory"})
		r.start(0, 1)
		r.broker.append(0, time.Now(), "x a a")
		r.broker.append(1, time.Now(), "y a a")
		settle(time.Minute)
		if zero, one := r.broker.committedAt(0), r.broker.committedAt(1); zero != 1 || one != 0 {
			t.Errorf("committed %d and %d, want 1 and 0", zero, one)
		}
		paused := r.loop.Counters().Partitions[1]
		if paused.Paused != "redis is at 91% of its memory" || paused.PausedAt > begun.Add(time.Second) {
			t.Errorf("paused for %q since %v, want it from the begin at %v", paused.Paused, paused.PausedAt, begun)
		}
		r.gate.set(map[buffer.Shard]string{1: "worker 1 is down"})
		settle(time.Second)
		if now := r.loop.Counters().Partitions[1]; now.Paused != "worker 1 is down" || now.PausedAt != paused.PausedAt {
			t.Errorf("paused for %q since %v, want still since %v", now.Paused, now.PausedAt, paused.PausedAt)
		}
		r.gate.set(nil)
		settle(time.Second)
		if now := r.loop.Counters().Partitions[1]; now.Paused != "" || now.PausedAt != 0 {
			t.Errorf("paused for %q since %v after the gate opened", now.Paused, now.PausedAt)
		}
		if one := r.broker.committedAt(1); one != 1 {
			t.Errorf("committed %d, want 1 after the gate opened", one)
		}
		r.end()
		want := "partitions assigned [0 1]\ninput paused [1]: redis is at 91% of its memory\n" +
			"input resumed [1]"
		if r.journal.String() != want {
			t.Errorf("journal:\n%s\nwant:\n%s", r.journal, want)
		}
	})
}

// One cause that closes many gates is said once, and another for itself.
func TestGatesOfOneCauseAreOneEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.gate.set(map[buffer.Shard]string{0: "full", 1: "worker 1 is down", 2: "full"})
		r.start(0, 1, 2, 3)
		settle(time.Second)
		r.gate.set(nil)
		settle(time.Second)
		r.end()
		want := "partitions assigned [0 1 2 3]\ninput paused [0 2]: full\n" +
			"input paused [1]: worker 1 is down\ninput resumed [0 1 2]"
		if r.journal.String() != want {
			t.Errorf("journal:\n%s\nwant:\n%s", r.journal, want)
		}
	})
}

func TestFailedCommitIsTriedAgainAndSaidOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.broker.commitError = errors.New("coordinator is away")
		r.start(0)
		for range 10 {
			r.broker.append(0, time.Now(), "x a a")
			settle(time.Second)
		}
		r.broker.mu.Lock()
		r.broker.commitError = nil
		r.broker.mu.Unlock()
		settle(2 * time.Second)
		if got := r.broker.committedAt(0); got != 10 {
			t.Errorf("committed %d, want 10", got)
		}
		r.end()
		failed, again := r.journal.count("commit failed"), r.journal.count("commits work")
		if failed != 1 || again != 1 {
			t.Errorf("failed said %d times, resumed %d times:\n%s", failed, again, r.journal)
		}
	})
}

func TestSourceErrorEndsTheLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		fenced := errors.New("another member has this instance id")
		r.broker.before = func(call string) error {
			if call == "poll" && r.broker.committedAt(0) > 0 {
				return fenced
			}
			return nil
		}
		r.broker.append(0, time.Now(), "x a a")
		r.start(0)
		if err := <-r.ended; !errors.Is(err, fenced) {
			t.Errorf("Run = %v, want %v", err, fenced)
		}
		r.kill()
	})
}

func TestStopFinishesWhatIsInWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		down := &switchable{err: buffer.ErrUnavailable}
		r.steps.before = down.of
		r.broker.append(0, time.Now(), "x a a")
		r.start(0)
		settle(time.Second)
		r.stop()
		settle(10 * time.Second)
		r.broker.append(0, time.Now(), "x b a") // comes too late
		down.off.Store(true)
		if err := <-r.ended; err != nil {
			t.Errorf("Run = %v", err)
		}
		if got := r.broker.committedAt(0); got != 1 {
			t.Errorf("committed %d, want what was in work and no more", got)
		}
		r.kill()
	})
}

// TestStopDoesNotWaitForRoom: the workers end, too, and with the last of them nobody would make any. What
// was stored by then is committed; what was not comes again, and is stored once.
func TestStopDoesNotWaitForRoom(t *testing.T) {
	for _, step := range []string{"attach", "enqueue"} {
		t.Run(step, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				full := &switchable{err: fmt.Errorf("node 1: %w", buffer.ErrFull)}
				full.off.Store(true)
				r.steps.before = func(call string) error {
					if call == step {
						return full.of(call)
					}
					return nil
				}
				for p := range int32(2) {
					r.broker.append(p, time.Now(), "x a a")
				}
				r.start(0, 1)
				settle(30 * time.Second)
				full.off.Store(false)
				for range 3 { // one batch that is tried, one behind it, and one that is pending
					r.broker.append(1, time.Now(), "y b b", "z c c")
					settle(5 * time.Second)
				}
				r.stop()
				settle(5 * time.Second)
				select {
				case err := <-r.ended:
					if err != nil {
						t.Errorf("Run = %v, want nil after stop", err)
					}
				default:
					t.Errorf("Run waits for room that nobody makes")
					r.kill()
					<-r.ended
				}
				if zero, one := r.broker.committedAt(0), r.broker.committedAt(1); zero != 1 || one != 1 {
					t.Errorf("committed %d and %d, want what is stored, 1 and 1", zero, one)
				}
				full.off.Store(true)
				r.start(0, 1)
				settle(time.Minute)
				if one := r.broker.committedAt(1); one != 7 {
					t.Errorf("committed %d, want all that was let go", one)
				}
				r.end()
				if got, want := held(t, r.store, 0, 1), "x:a y:b z:c"; got != want {
					t.Errorf("the store holds %q, want %q", got, want)
				}
			})
		})
	}
}

func TestEndOfTheContextIsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.steps.before = (&switchable{err: buffer.ErrUnavailable}).of
		r.broker.append(0, time.Now(), "x a a")
		r.start(0)
		settle(time.Second)
		began := time.Now()
		r.kill()
		if err := <-r.ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Run = %v, want the context's error", err)
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("took %v", took)
		}
	})
}

func TestStopGivesUpACommitThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.broker.commitError = errors.New("coordinator is away")
		r.broker.append(0, time.Now(), "x a a")
		r.start(0)
		settle(time.Second)
		r.stop()
		if err := <-r.ended; err != nil {
			t.Errorf("Run = %v", err)
		}
		r.kill()
	})
}

var _ flusher.Source = (*broker)(nil)
