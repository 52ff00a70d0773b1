package flusher_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sluice/buffer"
	"sluice/flusher"
	"sluice/internal/wallclock"
)

// superseded is a worker that ends after a time, because another owner has all its shards.
func superseded(after time.Duration, shards int) script {
	return script{dies: after, loses: after, lost: shardRange(shards),
		exit: flusher.Exit{Code: 1, Err: flusher.ErrFenced}}
}

// A worker that ends because another owner has all its shards is no failure at once: an assignment may be
// on its way that says so. If none comes, the shards are taken back.
func TestSupervisorWaitsBeforeItTakesShardsBack(t *testing.T) {
	for _, test := range []struct {
		name     string
		lives    bool                      // it has not ended, though it has nothing left
		assign   func(*flusher.Supervisor) // a second later
		starts   int
		restarts int
		story    string
	}{
		{"nobody says anything", false, func(*flusher.Supervisor) {}, 2, 1,
			"superseded, failed, restart, stopped, fenced, started, healthy"},
		{"they are another's", false, func(s *flusher.Supervisor) { s.Assign(nil) }, 1, 0,
			"superseded, assigned, stopped"},
		{"they are assigned again", false, func(s *flusher.Supervisor) { s.Assign(shardRange(2)) }, 2, 0,
			"superseded, assigned, stopped, fenced, started, healthy"},
		{"it ends when it is asked to", true, func(s *flusher.Supervisor) { s.Assign(nil) }, 1, 0,
			"assigned, stopping, stopped"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage(t, 1)
				first := superseded(time.Minute, 2)
				if test.lives {
					first.dies = 0
				}
				s.scripts = firstStart(first)
				s.run(2)
				time.Sleep(61 * time.Second)
				test.assign(s.sup)
				time.Sleep(s.cfg.LostAfter - 2*time.Second)
				if n := len(s.of(flusher.EventFailed)); n > 0 || len(s.sup.Closed()) > 0 {
					t.Errorf("%d failures, and %v paused, before an assignment had its time", n, s.sup.Closed())
				}
				time.Sleep(time.Minute)
				w := s.sup.Workers()[0]
				if w.Starts != test.starts || w.Restarts != test.restarts || len(w.Causes) != test.restarts {
					t.Errorf("%+v, want %d starts and %d restarts that count", w, test.starts, test.restarts)
				}
				if len(w.Causes) > 0 && w.Causes[0] != "another owner has taken shards 0,1 for 5s" {
					t.Errorf("because of %q", w.Causes)
				}
				if want := "assigned, fenced, started, healthy, " + test.story; s.story(0) != want {
					t.Errorf("events\n%s\nwant\n%s", s.story(0), want)
				}
				if err := s.end(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// Who takes shards back and loses them again waits ever longer, up to MaxUnhealthy, with its input paused;
// who held them for long, or was assigned others, starts over.
func TestSupervisorTakesShardsBackEverMoreRarely(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const held, again = 7, 9 // the starts that keep the shards for long, and whose shards are assigned anew
		s := newStage(t, 1)
		s.cfg.RestartBudget = 100
		s.scripts = func(spec flusher.WorkerSpec) script {
			switch {
			case spec.Start == held:
				return superseded(3*time.Minute, 2)
			case spec.Start > 11:
				return script{}
			}
			return superseded(time.Second, 2)
		}
		s.run(2)
		eventually(t, time.Hour, "it has begun anew", func() bool { return s.sup.Workers()[0].Starts == again })
		time.Sleep(2 * time.Second)
		s.sup.Assign(shardRange(2))
		eventually(t, time.Hour, "start 12", func() bool { return s.sup.Workers()[0].Starts == 12 })
		var gaps []time.Duration
		for i := range s.puppets[1:] {
			gaps = append(gaps, s.puppets[i+1].begun.Sub(s.puppets[i].begun.Add(s.puppets[i].dies)).Round(time.Second))
		}
		second := time.Second
		if gaps[again-1] < 5*second { // that is up to the test
			gaps[again-1] = 0
		}
		want := []time.Duration{5 * second, 10 * second, 20 * second, 40 * second, 60 * second, 60 * second,
			5 * second, 10 * second, 0, 5 * second, 10 * second}
		if !slices.Equal(gaps, want) {
			t.Errorf("taken back after %v, want %v", gaps, want)
		}
		var waits int
		for _, e := range s.of(flusher.EventGateClosed) {
			if strings.Contains(e.Cause, "is not up after 10s") {
				waits++
			}
		}
		if waits != 4 {
			t.Errorf("input paused %d times because nobody had been up for 10 s, want 4", waits)
		}
		if n := len(s.of(flusher.EventSuperseded)); n != 11 {
			t.Errorf("said %d times that all is another's, want 11", n)
		}
		if err := s.end(); err != nil {
			t.Error(err)
		}
	})
}

// twins starts workers for members of a group, as goroutines that their context can end.
type twins struct {
	store  buffer.Store
	broker *broker
}

type twin struct {
	*inbox
	stop, kill context.CancelFunc
	done       chan struct{}
	exit       flusher.Exit
}

func (w *twin) Status() (flusher.Status, time.Time) { return w.last() }
func (w *twin) DrainFresh() []time.Duration         { return w.drain() }
func (w *twin) Stop()                               { w.stop() }
func (w *twin) Kill()                               { w.kill() }
func (w *twin) CanKill() bool                       { return true }

func (w *twin) Exited() (flusher.Exit, bool) {
	select {
	case <-w.done:
		return w.exit, true
	default:
		return flusher.Exit{}, false
	}
}

func (tw *twins) Start(_ context.Context, spec flusher.WorkerSpec) (flusher.Handle, error) {
	ctx, kill := context.WithCancel(context.Background())
	stop, ask := context.WithCancel(ctx)
	w := &twin{inbox: newInbox(), stop: ask, kill: kill, done: make(chan struct{})}
	go func() {
		defer close(w.done)
		time.Sleep(50 * time.Millisecond) // a process takes that
		err := flusher.RunWorker(ctx, stop, flusher.DefaultWorkerConfig(), flusher.WorkerPorts{
			Clock: wallclock.Clock{}, Tasks: wallclock.Tasks{}, Store: tw.store, Producer: tw.broker,
			Encoder: textEncoder{}, Reporter: w,
		}, spec)
		if err != nil {
			w.exit = flusher.Exit{Code: 1, Err: err}
		}
	}()
	return w, nil
}

// member is a supervisor of twins.
type member struct {
	*flusher.Supervisor
	done chan error
	end  context.CancelFunc
}

func (tw *twins) join(t *testing.T, cfg flusher.Config) member {
	t.Helper()
	sup, err := flusher.NewSupervisor(cfg, flusher.SupervisorPorts{
		Clock: wallclock.Clock{}, Tasks: wallclock.Tasks{}, Spawner: tw, Store: tw.store,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(context.Background())
	m := member{sup, make(chan error, 1), end}
	go func() { m.done <- sup.Run(ctx) }()
	return m
}

// Two consumers believe for a while that shards are theirs: the group has given them to the second, since
// the first does not reach Kafka, and the first has not noticed yet. That costs neither much of its
// budget, and in the end the shards are the second's.
func TestTwoOwnersDoNotEndEachOther(t *testing.T) {
	for _, test := range []struct {
		name     string
		shards   int
		notices  time.Duration
		restarts int
	}{
		{"1 shard", 1, 10 * time.Second, 1},
		{"4 shards", 4, 10 * time.Second, 1},
		{"a long time", 4, 5 * time.Minute, 5},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tw := &twins{newStore(), &broker{}}
				cfg := flusher.DefaultConfig()
				first, second := tw.join(t, cfg), tw.join(t, cfg)
				first.Assign(shardRange(test.shards))
				time.Sleep(10 * time.Second)
				second.Assign(shardRange(test.shards))
				time.Sleep(test.notices)
				first.Assign(nil)
				time.Sleep(time.Minute)
				newFeed(tw.store).put(t, 0, 1)
				eventually(t, 10*time.Second, "it is flushed", func() bool { return len(tw.broker.all()) == 1 })
				for name, m := range map[string]member{"first": first, "second": second} {
					w := m.Workers()[0]
					if w.Restarts > test.restarts {
						t.Errorf("%d restarts of the %s's worker, want %d at most: %q", w.Restarts, name,
							test.restarts, w.Causes)
					}
					m.end()
					if err := <-m.done; err != nil {
						t.Errorf("the %s ended with: %.100v", name, err)
					}
				}
			})
		})
	}
}
