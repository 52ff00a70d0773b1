package flusher_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sluice/buffer"
	"sluice/flusher"
)

func TestSupervisorShutdown(t *testing.T) {
	slow := script{drains: 10 * time.Minute, falls: time.Second}
	tests := []struct {
		name       string
		timeout    time.Duration
		script     script
		takes      time.Duration
		asked, hit bool
	}{
		{"in time", time.Minute, script{drains: 10 * time.Second}, 10 * time.Second, true, false},
		{"not in time", time.Minute, slow, 61 * time.Second, true, true},
		{"at once", 0, slow, time.Second, false, true},
		{"no timeout", flusher.NoTimeout, slow, 10 * time.Minute, true, false},
		{"no timeout, but hung", flusher.NoTimeout, script{beats: 50 * time.Minute, drains: never},
			time.Minute, true, true},
		{"slow to die after the deadline", time.Minute, script{drains: never, falls: time.Hour},
			61 * time.Minute, true, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage(t, 3)
				s.cfg.ShutdownTimeout = test.timeout
				s.cfg.CheckEvery = time.Second
				s.scripts = func(flusher.WorkerSpec) script { return test.script }
				s.run(3)
				eventually(t, 3*time.Second, "three healthy workers", s.healthy(3))
				if test.script.beats > 0 {
					time.Sleep(test.script.beats - 2*time.Second)
				}
				begun := time.Now()
				if err := s.end(); err != nil {
					t.Error(err)
				}
				if took := time.Since(begun); took < test.takes-3*time.Second ||
					took > test.takes+3*time.Second {
					t.Errorf("took %v, want %v", took, test.takes)
				}
				for worker := range 3 {
					p := s.last(worker)
					if p.wasStopped() != test.asked || p.wasKilled() != test.hit {
						t.Errorf("worker %d: asked %v, killed %v; want %v, %v", worker,
							p.wasStopped(), p.wasKilled(), test.asked, test.hit)
					}
				}
			})
		})
	}
}

// A worker that is being killed, waited for, fenced or backed off when the end comes.
func TestSupervisorEndsInTheMiddle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, 2)
		s.cfg.RestartBackoff = time.Hour
		s.scripts = func(spec flusher.WorkerSpec) script {
			if spec.Worker == 0 {
				return script{beats: time.Second, falls: time.Hour}
			}
			return script{healthy: never, dies: time.Second, exit: flusher.Exit{Code: 1}}
		}
		s.run(2)
		time.Sleep(2 * time.Minute)
		if err := s.end(); err != nil {
			t.Error(err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, 2)
		s.fenceErr = func() error { return buffer.ErrUnavailable }
		s.run(2)
		time.Sleep(time.Minute)
		begun := time.Now()
		if err := s.end(); err != nil || time.Since(begun) > time.Second {
			t.Errorf("ended with %v after %v", err, time.Since(begun))
		}
	})
}

func TestSupervisorReassigns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, 2)
		s.scripts = func(flusher.WorkerSpec) script { return script{drains: 3 * time.Second} }
		s.run(3) // {0,2} {1}
		eventually(t, time.Second, "two healthy workers", s.healthy(2))
		s.sup.Assign([]buffer.Shard{1, 2, 0}) // the same, in another order
		time.Sleep(time.Minute)
		if w := s.sup.Workers(); w[0].Starts != 1 || w[1].Starts != 1 {
			t.Error("workers whose shards stay were restarted")
		}
		s.sup.Assign([]buffer.Shard{0, 1, 2, 3}) // {0,2} {1,3}
		again := func() bool { return s.sup.Workers()[1].Starts == 2 }
		eventually(t, 5*time.Second, "worker 1 again", again)
		eventually(t, time.Second, "two healthy workers", s.healthy(2))
		if s.sup.Workers()[0].Starts != 1 {
			t.Error("worker 0, whose shards stay, was restarted")
		}
		s.sup.Assign([]buffer.Shard{1, 2, 3}) // {1,3} {2}: they change places
		eventually(t, 10*time.Second, "both again", func() bool {
			w := s.sup.Workers()
			return w[0].Starts == 2 && w[1].Starts == 3
		})
		eventually(t, time.Second, "two healthy workers", s.healthy(2))
		s.sup.Assign([]buffer.Shard{2})
		eventually(t, 10*time.Second, "one healthy worker", s.healthy(1))
		s.sup.Assign(nil)
		eventually(t, 10*time.Second, "no worker", s.healthy(0))
		if n := len(s.alive()); n != 0 {
			t.Errorf("%d workers without shards", n)
		}
		s.sup.Assign(shardRange(2))
		eventually(t, time.Second, "two healthy workers", s.healthy(2))
		for _, w := range s.sup.Workers() {
			if w.Restarts != 0 {
				t.Errorf("assignments cost budget: %+v", w)
			}
		}
		s.sup.Assign([]buffer.Shard{4, 4})
		if err := s.join(); err == nil || !strings.Contains(err.Error(), "shard 4") {
			t.Errorf("ended with %v, want the shard that is listed twice", err)
		}
	})
}

// A worker that does not finish after its shards changed is killed in the end.
func TestSupervisorReassignmentTimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, 1)
		s.scripts = func(flusher.WorkerSpec) script { return script{drains: never} }
		s.run(1)
		eventually(t, time.Second, "healthy", s.healthy(1))
		s.sup.Assign(shardRange(2))
		eventually(t, 31*time.Second, "restarted", func() bool { return s.sup.Workers()[0].Starts == 2 })
		if w := s.sup.Workers()[0]; w.Restarts != 0 {
			t.Errorf("it cost budget: %+v", w)
		}
		s.cfg.ShutdownTimeout = 0
		if err := s.end(); err != nil {
			t.Error(err)
		}
	})
}

// With a process per shard the number of workers follows the assignment, up and down.
func TestSupervisorPerShard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, 6)
		s.cfg.Processes = flusher.PerShard
		s.run(4)
		eventually(t, time.Second, "four healthy workers", s.healthy(4))
		s.sup.Assign(shardRange(6))
		eventually(t, time.Second, "six healthy workers", s.healthy(6))
		s.sup.Assign(shardRange(2))
		eventually(t, time.Second, "two healthy workers", s.healthy(2))
		if w := s.sup.Workers(); w[0].Starts != 1 || w[1].Starts != 1 {
			t.Errorf("workers whose shard stays were restarted: %+v", w[:2])
		}
		if err := s.end(); err != nil {
			t.Error(err)
		}
	})
}

// TestAFaultIsToldAtOnceAndEndsInTime: the other workers may take long to end, and nobody who set no time-out
// for the ends that are asked for is there to cut this one short.
func TestAFaultIsToldAtOnceAndEndsInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, 2)
		s.cfg.RestartBudget, s.cfg.ShutdownTimeout = 0, flusher.NoTimeout
		s.scripts = func(spec flusher.WorkerSpec) script {
			if spec.Worker == 1 {
				return script{dies: time.Second, exit: flusher.Exit{Code: 7}}
			}
			return script{drains: never}
		}
		s.run(2)
		if timeout := s.sup.ShutdownTimeout(); timeout != flusher.NoTimeout {
			t.Errorf("an end that is asked for may take %v, want as long as it takes", timeout)
		}
		time.Sleep(5 * time.Second)
		if err := s.sup.Fault(); !errors.Is(err, flusher.ErrBudget) {
			t.Errorf("while the other ends the fault is %v, want the budget's", err)
		}
		if state := s.sup.Workers()[1].State; state != flusher.StateDead {
			t.Errorf("it is %v, want dead: no successor comes", state)
		}
		if err := s.join(); !errors.Is(err, flusher.ErrBudget) {
			t.Errorf("ended with %v", err)
		}
		if !s.last(0).wasKilled() {
			t.Error("the other worker was waited for to its end")
		}
	})
}

// TestWhoIsWithoutASuccessorIsDead: a fault ends the supervisor, and while a worker takes long to end, those that
// were to be started again are dead. Who was asked to end for that is not wanted any more.
func TestWhoIsWithoutASuccessorIsDead(t *testing.T) {
	const long, busy, asked, faulty, waits = 0, 1, 2, 3, 4
	fails := script{dies: time.Second, exit: flusher.Exit{Code: 7}}
	for name, c := range map[string]struct {
		faulty, waits script
		other         bool // it is given another shard
		want          error
	}{
		"it is one stray too many": {
			waits: script{beats: time.Second, drains: never, falls: never, cannotKill: true},
			want:  flusher.ErrStrays,
		},
		"it waits to be started again": {
			faulty: fails,
			waits:  script{healthy: never, dies: fails.dies, exit: fails.exit},
			want:   flusher.ErrBudget,
		},
		"it ends for another shard": {
			faulty: fails, other: true, waits: script{drains: 10 * time.Second},
			want: flusher.ErrBudget,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage(t, 5)
				s.cfg.RestartBudget, s.cfg.RestartBackoff = 2, 30*time.Second
				s.cfg.MaxStrays, s.cfg.ShutdownTimeout = 0, flusher.NoTimeout
				s.scripts = func(spec flusher.WorkerSpec) script {
					return map[int]script{
						long: {drains: never}, busy: {drains: 2 * time.Second}, faulty: c.faulty, waits: c.waits,
					}[spec.Worker]
				}
				s.run(5)
				time.Sleep(1500 * time.Millisecond)
				if c.other {
					s.sup.Assign([]buffer.Shard{0, 1, 2, 3, 9})
				}
				eventually(t, 5*time.Minute, "a fault", func() bool { return s.sup.Fault() != nil })
				time.Sleep(20 * time.Second)
				want := map[int]flusher.State{
					long: flusher.StateStopping, busy: flusher.StateStopped, asked: flusher.StateStopped,
					waits: flusher.StateDead,
				}
				for _, w := range s.sup.Workers() {
					if state, told := want[w.Worker]; told && w.State != state {
						t.Errorf("worker %d is %v, want %v", w.Worker, w.State, state)
					}
				}
				if err := s.join(); !errors.Is(err, c.want) {
					t.Errorf("ended with %v, want %v", err, c.want)
				}
			})
		})
	}
}
