package flusher_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sluice/buffer"
	"sluice/flusher"
)

// firstStart scripts the first start of worker 0, and leaves all others healthy.
func firstStart(s script) func(flusher.WorkerSpec) script {
	return func(spec flusher.WorkerSpec) script {
		if spec.Worker == 0 && spec.Start == 1 {
			return s
		}
		return script{}
	}
}

func TestSupervisorStartsAndEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, 2)
		s.run(5)
		eventually(t, time.Second, "two healthy workers", s.healthy(2))
		if got := shardsOf(s.last(0).spec); !slices.Equal(got, []buffer.Shard{0, 2, 4}) {
			t.Errorf("worker 0 has shards %v", got)
		}
		time.Sleep(time.Hour)
		state := s.sup.Workers()[1]
		if state.Restarts != 0 || state.Starts != 1 || state.Totals.Spans != 5 ||
			state.HealthySince.IsZero() || len(s.sup.Closed()) != 0 {
			t.Errorf("after an hour: %+v, closed %v", state, s.sup.Closed())
		}
		if err := s.end(); err != nil {
			t.Error(err)
		}
		if got, want := s.story(1), "assigned, fenced, started, healthy, stopping, stopped"; got != want {
			t.Errorf("events\n%s\nwant\n%s", got, want)
		}
		if s.fresh == 0 {
			t.Error("no freshness samples were passed on")
		}
		if state := s.sup.Workers()[1]; state.State != flusher.StateStopped || state.Totals.Spans != 5 {
			t.Errorf("at the end: %+v", state)
		}
	})
}

func TestSupervisorReplacesWhatFails(t *testing.T) {
	tests := []struct {
		name   string
		script script
		within time.Duration // from the start of the failure's cause to the next healthy worker
		cause  string
		health flusher.Health
		state  flusher.State
	}{
		{"exit code", script{dies: time.Minute, exit: flusher.Exit{Code: 3, Err: errDeath}},
			61 * time.Second, "exited with code 3: boom", flusher.HealthDead, flusher.StateDead},
		{"signal", script{dies: time.Minute, exit: flusher.Exit{Code: -1, Signal: "SIGSEGV"}},
			61 * time.Second, "killed by signal SIGSEGV", flusher.HealthDead, flusher.StateDead},
		{"exit that nobody asked for", script{dies: time.Minute}, 61 * time.Second,
			"exited with code 0", flusher.HealthDead, flusher.StateDead},
		{"hang", script{beats: time.Minute}, 121 * time.Second,
			"hang: no sign of life for 1m0.1s in stage idle", flusher.HealthHung, flusher.StateHung},
		{"hang that takes long to die", script{beats: time.Minute, falls: 5 * time.Minute},
			7 * time.Minute, "hang: ", flusher.HealthHung, flusher.StateHung},
		{"ended while starting", script{healthy: never, dies: 2 * time.Second,
			exit: flusher.Exit{Code: 1}}, 3 * time.Second, "ended while starting: exited with code 1",
			flusher.HealthDead, flusher.StateDead},
		{"start too slow", script{healthy: never}, 121 * time.Second, "not healthy 2m0",
			flusher.HealthUnstarted, flusher.StateHung},
		{"cannot be started", script{refuse: errDeath}, time.Second, "cannot be started: boom",
			flusher.HealthDead, flusher.StateDead},
		{"another owner has a shard", script{lost: []buffer.Shard{2}}, 10 * time.Second,
			"another owner has taken shards 2 for 5s", flusher.HealthSuperseded, flusher.StateDead},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage(t, 2)
				s.scripts = firstStart(test.script)
				begun := time.Now()
				s.run(4)
				restarted := func() bool {
					w := s.sup.Workers()
					return len(w) == 2 && w[0].Restarts == 1 && w[0].State == flusher.StateHealthy
				}
				eventually(t, test.within, "worker 0 is replaced", restarted)
				t.Logf("replaced after %v", time.Since(begun))
				w := s.sup.Workers()
				if len(w[0].Causes) != 1 || !strings.HasPrefix(w[0].Causes[0], test.cause) {
					t.Errorf("causes %q, want %q", w[0].Causes, test.cause)
				}
				if w[1].Restarts != 0 || s.last(1).wasStopped() {
					t.Errorf("worker 1 was touched: %+v", w[1])
				}
				failures := s.of(flusher.EventFailed, flusher.EventRestart)
				if len(failures) != 2 {
					t.Errorf("events of the failure: %v", failures)
				}
				for _, e := range failures {
					if e.Health != test.health || e.State != test.state {
						t.Errorf("%v: health %v, state %v; want %v and %v", e, e.Health, e.State,
							test.health, test.state)
					}
				}
				want := []string{"failed", "restart", "fenced", "started", "healthy"}
				if !inOrder(s.story(0), want) {
					t.Errorf("events %s, want in this order %v", s.story(0), want)
				}
				if err := s.end(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// The order in which a hung worker is replaced: nothing is fenced, let alone started, before it is
// proven stopped.
func TestSupervisorStoryOfAHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, 1)
		s.scripts = firstStart(script{beats: time.Second, falls: 3 * time.Second})
		s.run(1)
		eventually(t, 2*time.Minute, "start 2", func() bool { return s.sup.Workers()[0].Starts == 2 })
		eventually(t, time.Second, "healthy", s.healthy(1))
		const want = "assigned, fenced, started, healthy, " +
			"failed, restart, killed, waiting, waiting, stopped, fenced, started, healthy"
		if got := s.story(0); got != want {
			t.Errorf("events\n%s\nwant\n%s", got, want)
		}
		if err := s.end(); err != nil {
			t.Error(err)
		}
	})
}

// inOrder tells whether the words occur in the text in that order.
func inOrder(text string, words []string) bool {
	for _, word := range words {
		_, after, found := strings.Cut(text, word)
		if !found {
			return false
		}
		text = after
	}
	return true
}

// One worker that takes an hour to be proven stopped, and one that takes two minutes to start, keep
// nobody else from being judged and restarted.
func TestSupervisorRestartsOneBesideTheOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, 3)
		s.scripts = func(spec flusher.WorkerSpec) script {
			switch {
			case spec.Start > 1:
				return script{}
			case spec.Worker == 0:
				return script{beats: time.Second, falls: time.Hour}
			case spec.Worker == 1:
				return script{healthy: 100 * time.Second}
			}
			return script{dies: 70 * time.Second, exit: flusher.Exit{Code: 1}}
		}
		s.run(3)
		time.Sleep(72 * time.Second)
		if w := s.sup.Workers()[2]; w.Restarts != 1 || w.State != flusher.StateHealthy {
			t.Errorf("worker 2, which died: %+v", w)
		}
		time.Sleep(30 * time.Minute)
		if w := s.sup.Workers()[0]; w.State != flusher.StateHung || w.Starts != 1 {
			t.Errorf("worker 0, which does not die: %+v", w)
		}
		if n := strings.Count(s.story(0), "waiting"); n < 5 || n > 15 {
			t.Errorf("%d reports in half an hour that a worker does not end, want ever fewer", n)
		}
		if closed := s.sup.Closed(); len(closed) != 1 || closed[0] != "worker 0 is down" {
			t.Errorf("closed %v, want shard 0 alone", closed)
		}
		eventually(t, time.Hour, "three healthy workers", s.healthy(3))
		if err := s.end(); err != nil {
			t.Error(err)
		}
	})
}

func TestSupervisorBudgetIsExact(t *testing.T) {
	for _, budget := range []int{0, 1, 10} {
		t.Run(fmt.Sprint(budget), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage(t, 2)
				s.cfg.RestartBudget = budget
				s.scripts = func(spec flusher.WorkerSpec) script {
					if spec.Worker == 1 {
						return script{dies: time.Second, exit: flusher.Exit{Code: 7}}
					}
					return script{drains: time.Second}
				}
				s.run(2)
				err := s.join()
				if !errors.Is(err, flusher.ErrBudget) || !strings.Contains(err.Error(), "worker 1") ||
					!strings.Contains(err.Error(), "exited with code 7") {
					t.Errorf("ended with %v", err)
				}
				w := s.sup.Workers()[1]
				if w.Starts != budget+1 || w.Restarts != budget || len(w.Causes) != budget+1 {
					t.Errorf("%d starts, %d restarts, %d causes; want %d restarts",
						w.Starts, w.Restarts, len(w.Causes), budget)
				}
				if !s.last(0).wasStopped() || s.last(0).wasKilled() {
					t.Error("the other worker was not left to finish")
				}
			})
		})
	}
}

// Restarts in a row wait longer and longer, the first not at all; a healthy worker starts over.
func TestSupervisorBacksOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, 1)
		s.cfg.RestartBackoff = 10 * time.Second
		s.scripts = func(spec flusher.WorkerSpec) script {
			switch spec.Start {
			case 1, 2, 3:
				return script{healthy: never, dies: time.Second, exit: flusher.Exit{Code: 1}}
			case 4:
				return script{dies: time.Second, exit: flusher.Exit{Code: 1}}
			}
			return script{}
		}
		s.run(1)
		eventually(t, time.Minute, "start 5", func() bool { return s.sup.Workers()[0].Starts == 5 })
		var gaps []time.Duration
		for i := range s.puppets[1:] {
			died := s.puppets[i].begun.Add(time.Second)
			gaps = append(gaps, s.puppets[i+1].begun.Sub(died).Round(time.Second))
		}
		want := []time.Duration{0, 10 * time.Second, 20 * time.Second, 0}
		if !slices.Equal(gaps, want) {
			t.Errorf("restarts after %v, want %v", gaps, want)
		}
		if err := s.end(); err != nil {
			t.Error(err)
		}
	})
}

func TestSupervisorFencesUntilItWorks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, 1)
		up := time.Now().Add(10 * time.Minute)
		s.fenceErr = func() error {
			if time.Now().Before(up) {
				return buffer.ErrUnavailable
			}
			return nil
		}
		s.run(1)
		time.Sleep(9 * time.Minute)
		if n := strings.Count(s.story(0), "fence failed"); n != 1 {
			t.Errorf("told %d times that the fence failed, want once", n)
		}
		if closed := s.sup.Closed()[0]; !strings.Contains(closed, "not up") {
			t.Errorf("closed because of %q", closed)
		}
		eventually(t, 2*time.Minute, "healthy", s.healthy(1))
		if w := s.sup.Workers()[0]; w.Restarts != 0 || len(w.Causes) != 0 {
			t.Errorf("an outage of the store cost budget: %+v", w)
		}
		if err := s.end(); err != nil {
			t.Error(err)
		}
	})
}

// A worker that says which server it waits for is not started again for that, nor is it up: nobody flushes
// its shards. Once it has that server, it has the time of a start.
func TestSupervisorWaitsForAWorkerThatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, 1)
		s.scripts = func(spec flusher.WorkerSpec) script {
			if spec.Start == 1 {
				return script{waits: time.Hour, healthy: never}
			}
			return script{waits: time.Hour, healthy: time.Hour + time.Minute}
		}
		s.run(1)
		time.Sleep(time.Hour)
		if w := s.sup.Workers()[0]; w.Starts != 1 || w.State != flusher.StateStarting {
			t.Errorf("after an hour of waiting: %+v", w)
		}
		if closed := s.sup.Closed()[0]; !strings.Contains(closed, "not up") {
			t.Errorf("closed because of %q", closed)
		}
		eventually(t, 3*time.Minute, "replaced", func() bool { return s.sup.Workers()[0].Starts == 2 })
		eventually(t, 2*time.Hour, "healthy", s.healthy(1))
		if w := s.sup.Workers()[0]; w.Restarts != 1 || !strings.Contains(w.Causes[0], "not healthy") {
			t.Errorf("%d restarts for %q, want one of the worker that did not start", w.Restarts, w.Causes)
		}
		if err := s.end(); err != nil {
			t.Error(err)
		}
	})
}

func TestSupervisorCountsStrays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, 1)
		s.cfg.MaxStrays = 1
		s.scripts = func(spec flusher.WorkerSpec) script {
			switch spec.Start {
			case 1:
				return script{beats: time.Second, falls: 10 * time.Minute, cannotKill: true}
			case 2:
				return script{beats: 30 * time.Minute, falls: never, drains: never, cannotKill: true}
			}
			return script{beats: time.Second, falls: never, drains: never, cannotKill: true}
		}
		s.run(1)
		eventually(t, 2*time.Minute, "a successor", func() bool { return s.sup.Workers()[0].Starts == 2 })
		if w := s.sup.Workers()[0]; w.Strays != 1 {
			t.Errorf("%d strays, want 1", w.Strays)
		}
		time.Sleep(15 * time.Minute)
		if w := s.sup.Workers()[0]; w.Strays != 0 {
			t.Errorf("%d strays after it ended, want 0", w.Strays)
		}
		err := s.join()
		if !errors.Is(err, flusher.ErrStrays) {
			t.Errorf("ended with %v, want ErrStrays", err)
		}
		if w := s.sup.Workers()[0]; w.Starts != 3 || w.Strays != 2 {
			t.Errorf("at the end %+v, want two strays of three", w)
		}
	})
}

func TestSupervisorReplacesWhoLostAShard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, 1)
		s.scripts = func(spec flusher.WorkerSpec) script {
			if spec.Start <= 2 {
				return script{lost: []buffer.Shard{1}}
			}
			return script{}
		}
		s.run(2)
		eventually(t, time.Second, "healthy", s.healthy(1))
		// The same shards again, as after a rebalance that took shard 1 away for a moment.
		time.Sleep(time.Second)
		s.sup.Assign(shardRange(2))
		eventually(t, time.Second, "restarted", func() bool { return s.sup.Workers()[0].Starts == 2 })
		if w := s.sup.Workers()[0]; w.Restarts != 0 {
			t.Errorf("the assignment cost budget: %+v", w)
		}
		eventually(t, 6*time.Second, "replaced", func() bool { return s.sup.Workers()[0].Starts == 3 })
		if w := s.sup.Workers()[0]; w.Restarts != 1 || !strings.Contains(w.Causes[0], "taken shards 1") {
			t.Errorf("%+v, want a restart because of shard 1", w)
		}
		if err := s.end(); err != nil {
			t.Error(err)
		}
	})
}

func TestRunTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, 1)
		s.run(1)
		eventually(t, time.Second, "healthy", s.healthy(1))
		if err := s.sup.Run(t.Context()); err == nil {
			t.Error("Run ran twice")
		}
		if err := s.end(); err != nil {
			t.Error(err)
		}
	})
}
