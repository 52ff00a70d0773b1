package kernel_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"sluice/sim/kernel"
)

func TestConfig(t *testing.T) {
	_, err := kernel.New(kernel.Config{})
	text := fmt.Sprint(err)
	if !strings.Contains(text, "start") || !strings.Contains(text, "events max") {
		t.Errorf("got %v, want both faults", err)
	}
}

func TestNowIsTheStartAndWhatHasPassed(t *testing.T) {
	r := newRig(t)
	r.pass(90 * time.Second)
	if want := kernel.DefaultConfig().Start.Add(90 * time.Second); !r.Now().Equal(want) {
		t.Errorf("got %v, want %v", r.Now(), want)
	}
}

// TestOrder: earlier instants first, and what was scheduled first within one, whether that was
// before the instant or in it.
func TestOrder(t *testing.T) {
	r := newRig(t)
	for _, d := range []time.Duration{3, 1, 2, 1, 3} {
		r.Go("t", func() {
			r.nap(d)
			r.log("slept %d", d)
			r.Go("u", func() { r.log("begun by %d", d) })
		})
	}
	r.pass(10)
	r.want("1ns slept 1", "1ns slept 1", "1ns begun by 1", "1ns begun by 1",
		"2ns slept 2", "2ns begun by 2",
		"3ns slept 3", "3ns slept 3", "3ns begun by 3", "3ns begun by 3")
}

// TestManySleepers fills the heap to several levels, and wakes all in the order of their times.
func TestManySleepers(t *testing.T) {
	r := newRig(t)
	var woken []time.Duration
	for i := range 1000 {
		r.Go("t", func() {
			r.nap(time.Duration(1 + i*619%1009))
			woken = append(woken, r.Elapsed())
		})
	}
	r.pass(2000)
	if len(woken) != 1000 {
		t.Fatalf("%d woke, want 1000", len(woken))
	}
	for i := range woken[1:] {
		if woken[i] >= woken[i+1] {
			t.Fatalf("woken at %v and then at %v", woken[i], woken[i+1])
		}
	}
}

func TestTasks(t *testing.T) {
	r := newRig(t)
	outer := r.Go("outer", func() {
		inner := r.Go("inner", func() {
			r.log("inner begins")
			r.nap(5)
		})
		r.log("outer waits: %v", inner.Done())
		inner.Wait()
		r.log("inner is done: %v", inner.Done())
		inner.Wait() // returns at once
	})
	if outer.Done() {
		t.Error("a task has run before main waits")
	}
	outer.Wait()
	r.log("main")
	r.want("0s outer waits: false", "0s inner begins", "5ns inner is done: true", "5ns main")
}

func TestRunningNamesTheTask(t *testing.T) {
	r := newRig(t)
	p := r.Process("consumer-0")
	p.Go("commit", func() { r.log("%s", r.Running()) })
	r.After(0, func() { r.log("%s", r.Running()) })
	r.pass(1)
	r.log("%s", r.Running())
	r.want("0s consumer-0/commit", "0s main/timers", "1ns main/main")
}

func TestTimers(t *testing.T) {
	r := newRig(t)
	r.After(2, func() { r.log("two") })
	stopped := r.After(1, func() { r.log("stopped") })
	now := r.After(-1, func() { r.log("now") })
	stopped.Stop()
	stopped.Stop()
	r.After(3, func() { r.log("three") }) // in the slot that has become free
	stopped.Stop()
	r.pass(5)
	now.Stop()
	r.want("0s now", "2ns two", "3ns three")
}

func TestTimersFunctionMustNotWait(t *testing.T) {
	r := newRig(t)
	r.After(1, func() { r.nap(1) })
	wantText(t, failure(t, func() { r.pass(2) }), "task main/timers panicked: kernel: a timer's function waits")
}

// TestMainDrives: what main waits for happens, and no more.
func TestMainDrives(t *testing.T) {
	r := newRig(t)
	r.Go("t", func() {
		for {
			r.nap(2)
			r.log("t")
		}
	})
	r.pass(3)
	r.log("main")
	ctx, cancel := context.WithCancel(context.Background())
	r.After(2, cancel)
	if err := r.Sleep(ctx, time.Hour); err != context.Canceled {
		t.Errorf("got %v", err)
	}
	r.log("main")
	r.want("2ns t", "3ns main", "4ns t", "5ns main")
}

// TestSteadyStateAllocatesNothing, whatever is waited for.
func TestSteadyStateAllocatesNothing(t *testing.T) {
	r := newRig(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	cond, server := r.NewCond("turn"), r.NewHost("host", 1).Share("server", 1)
	for i := range 100 {
		r.Go("sleeper", func() {
			for r.Sleep(ctx, time.Duration(100+i)) == nil {
			}
		})
		r.Go("served", func() {
			for server.Work(ctx, time.Duration(1+i)) == nil {
			}
		})
		r.Go("signalled", func() {
			for cond.Wait(ctx) == nil {
			}
		})
	}
	r.Go("signals", func() {
		for r.Sleep(ctx, 10) == nil {
			cond.Signal()
			r.Note("signal", 1, 2)
		}
	})
	r.pass(150_000) // every queue has been as long as it will be
	before := r.Events()
	if n := testing.AllocsPerRun(10, func() { r.pass(1000) }); n > 0 {
		t.Errorf("%v allocations in about %d events", n, (r.Events()-before)/11)
	}
}
