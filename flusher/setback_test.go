package flusher_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sluice/buffer"
	"sluice/flusher"
)

// A worker that knows more of a shard than the store does says so, and touches nothing of it.
func TestWorkerNoticesThatTheStoreWasSetBack(t *testing.T) {
	for name, ahead := range map[string]func(*buffer.Fenced){
		"epoch":  func(f *buffer.Fenced) { f.Owner.Epoch += 2 },
		"inputs": func(f *buffer.Fenced) { f.Clock.Inputs += 2 },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t)
				b.feed.put(t, 0, 10)
				b.feed.put(t, 1, 20)
				owners := fence(t, b.store, 0, 1)
				ahead(&owners[1])
				b.start(owners...)
				eventually(t, 3*time.Second, "shard 0 is flushed", func() bool { return len(b.broker.all()) == 1 })
				if status, _ := b.inbox.last(); !status.SetBack || !slices.Equal(status.Lost, []buffer.Shard{1}) {
					t.Errorf("set back %v, lost %v, want true and shard 1", status.SetBack, status.Lost)
				}
				if err := b.join(); err != nil {
					t.Fatal(err)
				}
			})
		})
	}
	t.Run("of all its shards", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t)
			owners := fence(t, b.store, 0)
			owners[0].Owner.Epoch++
			b.start(owners...)
			eventually(t, time.Second, "set back", func() bool {
				status, _ := b.inbox.last()
				return status.SetBack
			})
			if err := b.join(); !errors.Is(err, flusher.ErrFenced) && err != nil {
				t.Errorf("ended with %v", err)
			}
		})
	})
}

// Workers of a store that has lost data are replaced at once and at no cost: ended or not, and not
// more often than LostAfter.
func TestSupervisorFencesAgainAfterASetBack(t *testing.T) {
	for name, s1 := range map[string]script{
		"lives": {lost: []buffer.Shard{1}, setBack: true},
		"ended": {lost: []buffer.Shard{0, 1}, setBack: true, dies: 2 * time.Second,
			exit: flusher.Exit{Code: 1, Err: flusher.ErrFenced}},
		"ended with a shard left": {lost: []buffer.Shard{1}, setBack: true, dies: 2 * time.Second,
			exit: flusher.Exit{Code: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage(t, 1)
				s.cfg.RestartBudget = 0
				s.scripts = func(spec flusher.WorkerSpec) script {
					if spec.Start <= 3 {
						return s1
					}
					return script{}
				}
				begun := time.Now()
				s.run(2)
				eventually(t, 3*time.Second, "fenced again", func() bool { return s.sup.Workers()[0].Starts == 2 })
				eventually(t, time.Minute, "healthy", func() bool {
					w := s.sup.Workers()[0]
					return w.Starts == 4 && w.State == flusher.StateHealthy
				})
				if took := time.Since(begun); took < 2*s.cfg.LostAfter {
					t.Errorf("three times within %v, want not more often than every %v", took, s.cfg.LostAfter)
				}
				if w := s.sup.Workers()[0]; w.Restarts != 0 || len(w.Causes) != 0 {
					t.Errorf("%+v, want no restart that counts", w)
				}
				if err := s.end(); err != nil {
					t.Error(err)
				}
				if n := len(s.of(flusher.EventSuperseded)); n > 0 {
					t.Errorf("said %d times that another owner has all", n)
				}
				if n := len(s.of(flusher.EventSetBack)); n != 3 {
					t.Errorf("said %d times that the store was set back, want 3", n)
				}
			})
		})
	}
}

// A worker that was killed after it had said so, too soon to be replaced for that, is replaced for its death.
func TestAWorkerThatWasSetBackIsKilled(t *testing.T) {
	for name, lost := range map[string][]buffer.Shard{"a shard": {1}, "all": {0, 1}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage(t, 1)
				s.scripts = func(spec flusher.WorkerSpec) script {
					switch spec.Start {
					case 1:
						return script{lost: lost, setBack: true}
					case 2:
						return script{lost: lost, setBack: true, dies: time.Second, exit: flusher.Exit{Code: -1, Signal: "killed"}}
					}
					return script{}
				}
				s.run(2)
				eventually(t, 3*time.Second, "replaced twice", func() bool {
					w := s.sup.Workers()[0]
					return w.Starts == 3 && w.State == flusher.StateHealthy
				})
				if w := s.sup.Workers()[0]; w.Restarts != 1 {
					t.Errorf("%d restarts that count, want that of its death", w.Restarts)
				}
				if err := s.end(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// Supervisor.SetBack has everybody fenced again, but those that were for the same reason.
func TestSetBackFencesAllShardsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, 2)
		s.scripts = firstStart(script{lost: []buffer.Shard{2}, setBack: true})
		s.run(4)
		eventually(t, 2*time.Second, "worker 0 is replaced", func() bool {
			w := s.sup.Workers()
			return len(w) == 2 && w[0].Starts == 2 && s.healthy(2)()
		})
		s.sup.SetBack(time.Now().Add(-time.Minute), "wiped")
		eventually(t, 2*time.Second, "worker 1 is replaced", func() bool {
			return s.sup.Workers()[1].Starts == 2 && s.healthy(2)()
		})
		time.Sleep(time.Second)
		if starts := s.sup.Workers()[0].Starts; starts != 2 {
			t.Errorf("worker 0 started %d times, want 2", starts)
		}
		s.sup.SetBack(time.Now(), "wiped again")
		eventually(t, 2*time.Second, "both are replaced", func() bool {
			w := s.sup.Workers()
			return w[0].Starts == 3 && w[1].Starts == 3 && s.healthy(2)()
		})
		if err := s.end(); err != nil {
			t.Error(err)
		}
		for _, w := range s.sup.Workers() {
			if w.Restarts != 0 {
				t.Errorf("worker %d cost budget: %q", w.Worker, w.Causes)
			}
		}
		want := []string{"set back", "stopping", "stopped", "fenced", "started", "healthy"}
		if !inOrder(s.story(1), want) || strings.Contains(s.story(1), "failed") {
			t.Errorf("events %s, want in this order %v", s.story(1), want)
		}
	})
}

// What the store has leased, but not to the worker's knowledge, is nobody else's to flush: a store that
// was set back to before its release.
func TestWorkerFindsWhatItDoesNotKnowToBeLeased(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		owners := fence(t, b.store, 0)
		b.feed.put(t, 0, 10)
		now := buffer.InstantOf(time.Now()).Add(time.Minute)
		leased, err := b.store.Lease(t.Context(), owners[0].Owner, now, 9)
		if err != nil || len(leased.Due) != 1 {
			t.Fatal(leased, err)
		}
		b.start(owners...)
		eventually(t, 3*time.Second, "it is flushed", b.empty)
		if err := b.join(); err != nil {
			t.Fatal(err)
		}
		if status, _ := b.inbox.last(); len(status.Lost) != 0 {
			t.Errorf("lost %v, want nothing", status.Lost)
		}
	})
}

// A worker that said that the store was set back, and then hangs, is killed for it as any other: also at
// a shutdown that may take as long as it takes.
func TestSupervisorKillsAHungWorkerThatWasSetBack(t *testing.T) {
	for name, setBack := range map[string]bool{"not set back": false, "set back": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage(t, 1)
				s.cfg.ShutdownTimeout = flusher.NoTimeout
				s.cfg.MaxUnhealthy = 10 * time.Second
				hangs := script{beats: time.Second, drains: never}
				if setBack {
					hangs.setBack, hangs.lost = true, []buffer.Shard{1}
				}
				s.scripts = func(spec flusher.WorkerSpec) script { return hangs }
				s.run(2)
				time.Sleep(1500 * time.Millisecond) // it hangs by now
				s.cancel()
				time.Sleep(10 * time.Minute)
				select {
				case <-s.done:
				default:
					t.Errorf("the supervisor has not ended 10 min after it was told to: %s", s.story(0))
					for _, p := range s.alive() {
						p.Kill()
					}
					<-s.done
				}
			})
		})
	}
}
