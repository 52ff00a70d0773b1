package flusher_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sluice/buffer"
	"sluice/flusher"
	"sluice/internal/wallclock"
)

// What a worker says after it was last looked at, at its end, is heard all the same.
func TestSupervisorHearsTheLastOfAWorker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, 1)
		s.scripts = func(flusher.WorkerSpec) script { return script{late: true, drains: time.Second} }
		s.run(1)
		eventually(t, time.Second, "a healthy worker", s.healthy(1))
		s.sup.Assign(nil)
		time.Sleep(5 * time.Second)
		if got := s.sup.Workers()[0].Totals.Spans; s.fresh != 1 || got != 5 {
			t.Errorf("%d samples and %d spans of a worker that ended, want 1 and 5", s.fresh, got)
		}
		if err := s.end(); err != nil {
			t.Error(err)
		}
	})
}

// A failure closes the gate until the worker is healthy again. It is not held against the next
// start, which may take its time.
func TestSupervisorForgetsAFailureThatIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, 1)
		s.scripts = func(spec flusher.WorkerSpec) script {
			if spec.Start == 1 {
				return script{dies: 2 * time.Second}
			}
			return script{healthy: 3 * time.Second}
		}
		s.run(1)
		time.Sleep(10 * time.Second)
		before := len(s.of(flusher.EventGateClosed))
		s.sup.Assign(nil)
		time.Sleep(2 * time.Second)
		s.sup.Assign(shardRange(1))
		time.Sleep(10 * time.Second)
		if n := len(s.of(flusher.EventGateClosed)); before != 1 || n != 1 {
			t.Errorf("the gate closed %d times, %d after the failure was over: want 1 and none",
				before, n-before)
		}
		if err := s.end(); err != nil {
			t.Error(err)
		}
	})
}

// frozenClock sleeps through the time from from to to.
type frozenClock struct {
	wallclock.Clock
	from, to time.Time
}

func (c frozenClock) Sleep(ctx context.Context, d time.Duration) error {
	wakes := time.Now().Add(d)
	if wakes.After(c.from) && wakes.Before(c.to) {
		d = time.Until(c.to)
		ctx = context.WithoutCancel(ctx)
	}
	return c.Clock.Sleep(ctx, d)
}

// A supervisor that was frozen finds old reports when it wakes, and kills nobody for it.
func TestSupervisorExcusesItsOwnAbsence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, 1)
		s.scripts = func(flusher.WorkerSpec) script {
			return script{quiet: [2]time.Duration{10 * time.Second, 5*time.Minute + time.Second}}
		}
		now := time.Now()
		s.runWith(flusher.SupervisorPorts{Clock: frozenClock{
			from: now.Add(10 * time.Second), to: now.Add(5 * time.Minute),
		}})
		s.sup.Assign(shardRange(1))
		time.Sleep(10 * time.Minute)
		if w := s.sup.Workers()[0]; w.Restarts != 0 || w.State != flusher.StateHealthy {
			t.Errorf("the worker is %v after %d restarts, because of %q", w.State, w.Restarts, w.Causes)
		}
		if err := s.end(); err != nil {
			t.Error(err)
		}
	})
}

// sure relies on it: the epoch after a worker's own is never another's.
func TestSupervisorFencesTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, 2)
		s.scripts = func(spec flusher.WorkerSpec) script {
			return script{dies: map[int]time.Duration{1: 5 * time.Second}[spec.Start]}
		}
		s.run(3)
		time.Sleep(20 * time.Second)
		if err := s.end(); err != nil {
			t.Fatal(err)
		}
		starts := make(map[buffer.Shard]buffer.Epoch)
		for _, p := range s.puppets {
			for _, fenced := range p.spec.Owners {
				starts[fenced.Owner.Shard]++
				if want := 2 * starts[fenced.Owner.Shard]; fenced.Owner.Epoch != want {
					t.Errorf("worker %d.%d owns %v, want epoch %d", p.spec.Worker, p.spec.Start,
						fenced.Owner, want)
				}
			}
		}
		if starts[0] != 2 {
			t.Errorf("%d starts on shard 0, want 2", starts[0])
		}
	})
}

// Another's fence between the two would give its worker the epoch before this one's, or after it.
func TestSupervisorFencesAnewIfAnotherHasFencedBetween(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, 1)
		calls := 0
		s.fenceErr = func() error {
			if calls++; calls == 2 {
				s.epochs[0]++
			}
			return nil
		}
		s.run(1)
		eventually(t, time.Minute, "healthy", s.healthy(1))
		if owner := s.puppets[0].spec.Owners[0].Owner; calls != 4 || owner.Epoch != 4 {
			t.Errorf("%v after %d fences, want epoch 4 after 4", owner, calls)
		}
		if strings.Contains(s.story(0), "fence failed") {
			t.Errorf("a failure is told: %s", s.story(0))
		}
		if err := s.end(); err != nil {
			t.Error(err)
		}
	})
}

// A worker of 1,024 shards is fenced in, each shard twice, before its input pauses: with a store that takes
// 5 ms for an answer.
func TestSupervisorFencesManyShardsInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const shards = 1024
		slow := &slowFences{Store: newStore()}
		m := (&twins{slow, &broker{}}).join(t, flusher.DefaultConfig())
		begun := time.Now()
		m.Assign(shardRange(shards))
		eventually(t, time.Minute, "healthy", func() bool {
			return len(m.Workers()) == 1 && m.Workers()[0].State == flusher.StateHealthy
		})
		if took := time.Since(begun); took > time.Second || len(m.Closed()) > 0 {
			t.Errorf("healthy after %v, with the input of %d shards paused", took, len(m.Closed()))
		}
		if slow.most != 32 || slow.all != 2*shards {
			t.Errorf("%d fences, %d at a time; want %d, 32 at a time", slow.all, slow.most, 2*shards)
		}
		m.end()
		if err := <-m.done; err != nil {
			t.Error(err)
		}
	})
}

// One shard says that the store does not answer, however many there are; and the supervisor ends all the
// same, also in the midst of many fences.
func TestSupervisorSaysOnceThatManyFencesFail(t *testing.T) {
	for name, good := range map[string]int{"from the start": 0, "in the midst": 20} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage(t, 1)
				calls := 0
				s.fenceErr = func() error {
					if calls++; calls > good {
						return buffer.ErrUnavailable
					}
					return nil
				}
				s.run(100)
				time.Sleep(time.Minute)
				failed := len(s.of(flusher.EventFenceFailed))
				if good == 0 && failed != 1 || failed > 32 {
					t.Errorf("told %d times that a fence failed", failed)
				}
				if len(s.puppets) > 0 {
					t.Error("a worker is started without its shards")
				}
				if err := s.end(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}
