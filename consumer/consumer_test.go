package consumer_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sluice/buffer"
	"sluice/consumer"
	"sluice/flusher"
)

const (
	// soon is how long an end "at once" may take: some looks of the supervisor.
	soon    = time.Second
	forever = 10 * time.Hour
)

func TestStopDrains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.drains = 20 * time.Second
		r.run()
		r.stop()
		took, err := r.end()
		if err != nil {
			t.Errorf("Run: %v", err)
		}
		if took < r.drains || took > r.drains+soon {
			t.Errorf("took %v, want the %v that the workers need", took, r.drains)
		}
		r.wantCommitted()
		if n := r.killed(); n > 0 {
			t.Errorf("%d workers were killed, want none", n)
		}
	})
}

// stuck runs a rig whose workers do not end by themselves, and whose store is away for so long.
func stuck(t *testing.T, timeout, away time.Duration) *rig {
	r := newRig(t)
	r.cfg.Flusher.ShutdownTimeout = timeout
	r.away = time.Now().Add(away)
	r.drains = forever
	r.run()
	return r
}

func TestShutdownTimeoutBoundsTheDrain(t *testing.T) {
	for _, timeout := range []time.Duration{0, 30 * time.Second} {
		t.Run(timeout.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := stuck(t, timeout, forever)
				r.stop()
				took, err := r.end()
				if err != nil {
					t.Errorf("Run: %v", err)
				}
				if took < timeout || took > timeout+soon {
					t.Errorf("took %v, want %v", took, timeout)
				}
				if r.killed() != 2 || r.committed != 0 {
					t.Errorf("%d workers killed, %d committed, want 2 and 0", r.killed(), r.committed)
				}
				if want := "after " + timeout.String(); r.gaveUp() != want {
					t.Errorf("giving up was said with %q, want %q", r.gaveUp(), want)
				}
			})
		})
	}
}

func TestWithoutTimeoutTheDrainTakesItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.cfg.Flusher.ShutdownTimeout = flusher.NoTimeout
		r.away = time.Now().Add(2 * time.Minute)
		r.drains = 3 * time.Minute
		r.run()
		r.stop()
		took, err := r.end()
		if err != nil || took < r.drains || took > r.drains+soon {
			t.Errorf("took %v with error %v, want %v", took, err, r.drains)
		}
		r.wantCommitted()
		if r.killed() > 0 || r.gaveUp() != "" {
			t.Errorf("%d workers killed, gave up %q, want neither", r.killed(), r.gaveUp())
		}
	})
}

// TestWithoutTimeoutAFaultEndsInTimeAllTheSame: nobody asked for that end, so what does not come is not waited for.
func TestWithoutTimeoutAFaultEndsInTimeAllTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.cfg.Flusher.ShutdownTimeout, r.cfg.Flusher.RestartBudget = flusher.NoTimeout, 0
		r.away, r.dies = time.Now().Add(forever), 8*time.Second
		r.run()
		took, err := r.end()
		if !errors.Is(err, flusher.ErrBudget) {
			t.Errorf("Run: %v", err)
		}
		if most := r.dies + 2*flusher.FaultTimeout + soon; took > most {
			t.Errorf("took %v, want %v at most", took, most)
		}
		if want := "after " + flusher.FaultTimeout.String(); r.gaveUp() != want {
			t.Errorf("giving up was said with %q, want %q", r.gaveUp(), want)
		}
	})
}

// TestAFaultOfTheInputIsOneOfTheConsumer: it is said while the workers end, and these have as long as after a
// fault of their own.
func TestAFaultOfTheInputIsOneOfTheConsumer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		fatal := errors.New("no such topic")
		r.cfg.Flusher.ShutdownTimeout, r.drains = flusher.NoTimeout, forever
		c := r.run()
		r.mu.Lock()
		r.pollErr = fatal
		r.mu.Unlock()
		time.Sleep(5 * time.Second)
		if err := c.Fault(); !errors.Is(err, fatal) {
			t.Errorf("while the workers end the fault is %v, want %v", err, fatal)
		}
		took, err := r.end()
		if !errors.Is(err, fatal) || strings.Count(err.Error(), fatal.Error()) != 1 {
			t.Errorf("Run: %v, want that once", err)
		}
		if most := flusher.FaultTimeout + 10*time.Second; took > most || r.killed() != 2 {
			t.Errorf("took %v with %d workers killed, want %v at most, and 2", took, r.killed(), most)
		}
	})
}

// A full store takes nothing more once the workers have ended: without a time-out that would be for ever.
func TestAFullStoreDoesNotHoldUpTheEnd(t *testing.T) {
	for _, asked := range []bool{true, false} {
		t.Run(fmt.Sprintf("asked=%v", asked), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				r.cfg.Flusher.ShutdownTimeout = flusher.NoTimeout
				r.away, r.why = time.Now().Add(forever), buffer.ErrFull
				if !asked {
					r.cfg.Flusher.RestartBudget = 0
					r.dies = 8 * time.Second
				}
				r.run()
				if asked {
					r.stop()
				}
				took, err := r.end()
				if asked && err != nil || !asked && !errors.Is(err, flusher.ErrBudget) {
					t.Errorf("Run: %v", err)
				}
				if took > r.dies+soon {
					t.Errorf("took %v", took)
				}
				if r.committed != 0 {
					t.Errorf("%d are committed, and none is stored", r.committed)
				}
			})
		})
	}
}

// The end of ctx ends everything at once, and is no shutdown that took too long: whether Run was
// reading, draining, or waiting for the workers alone.
func TestEndOfContextEndsAllAtOnce(t *testing.T) {
	for _, phase := range []string{"reading", "draining", "workers"} {
		t.Run(phase, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				away := forever
				if phase == "workers" {
					away = 0
				}
				r := stuck(t, flusher.NoTimeout, away)
				if phase != "reading" {
					r.stop()
					time.Sleep(time.Minute)
					r.began = time.Now()
				}
				r.kill()
				took, err := r.end()
				if err != nil || took > soon {
					t.Errorf("took %v with error %v, want none and at once", took, err)
				}
				if r.killed() != 2 || r.gaveUp() != "" {
					t.Errorf("%d workers killed, gave up %q, want 2 and \"\"", r.killed(), r.gaveUp())
				}
			})
		})
	}
}

func TestFaultOfTheSupervisorEndsTheLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.cfg.Flusher.RestartBudget = 0
		r.dies = 8 * time.Second // each worker after 8 s, so after run
		r.run()
		took, err := r.end()
		if !errors.Is(err, flusher.ErrBudget) {
			t.Errorf("Run: %v, want that the budget is used up", err)
		}
		if took > r.dies {
			t.Errorf("ended %v after the start of the look, want soon after the first death", took)
		}
		r.wantCommitted()
	})
}

func TestFaultOfTheInputEndsTheWorkers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.drains = 10 * time.Second
		r.run()
		fatal := errors.New("topic is gone")
		r.mu.Lock()
		r.pollErr = fatal
		r.mu.Unlock()
		took, err := r.end()
		if !errors.Is(err, fatal) {
			t.Errorf("Run: %v, want %v", err, fatal)
		}
		if took < r.drains || took > r.drains+soon {
			t.Errorf("took %v, want that workers may finish, which takes %v", took, r.drains)
		}
		if r.killed() > 0 || r.gaveUp() != "" {
			t.Errorf("%d workers killed, gave up %q, want neither", r.killed(), r.gaveUp())
		}
	})
}

// What a worker says goes to the supervisor, and from there to the loop and to whoever listens.
func TestThePartsHearOfEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.run()
		lag := func(lags bool) (paused bool) {
			r.mu.Lock()
			r.lags = lags
			r.mu.Unlock()
			time.Sleep(r.cfg.Flusher.BackpressureAfter + soon)
			r.mu.Lock()
			defer r.mu.Unlock()
			return r.paused
		}
		if !lag(true) {
			t.Error("the input does not pause for a worker under backpressure")
		}
		if lag(false) {
			t.Error("the input pauses though all is well")
		}
		r.stop()
		if _, err := r.end(); err != nil {
			t.Errorf("Run: %v", err)
		}
		kinds := make(map[flusher.EventKind]bool)
		for _, e := range r.events {
			kinds[e.Kind] = true
		}
		if !kinds[flusher.EventStarted] || !kinds[flusher.EventGateClosed] || r.fresh == 0 {
			t.Errorf("heard of %v and of %d samples", kinds, r.fresh)
		}
	})
}

func TestFaultsOfBothPartsAreNamed(t *testing.T) {
	r := newRig(t)
	r.cfg.Flusher.Processes = 0
	r.cfg.Ingest.MaxBatch = 0
	r.ports.Source = nil
	_, err := consumer.New(r.cfg, r.ports)
	for _, want := range []string{"flusher processes 0", "max_batch 0", "Source is missing"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("New: %v, want it to name %q", err, want)
		}
	}
}
