package kernel_test

import (
	"context"
	"errors"
	"math"
	"runtime"
	"strings"
	"testing"
	"time"

	"sluice/sim/kernel"
)

func TestDeadlock(t *testing.T) {
	r := newRig(t)
	p, q := r.Process("worker-0"), r.Process("worker-1")
	death := r.Process("worker-2")
	p.Go("lease", func() { _ = r.NewCond("an answer of redis").Wait(context.Background()) })
	q.Go("ack", func() { r.nap(1500 * time.Millisecond); q.Freeze() })
	r.Go("keeper", func() { r.nap(2 * time.Second); death.Wait() })
	q.Go("served", func() { _ = r.NewHost("host", 1).Share("kafka", 1).Work(context.Background(), time.Hour) })
	last := r.Go("last", func() { r.Go("inner", func() { r.Process("p").Wait() }).Wait() })
	f := failure(t, last.Wait)
	const want = `deadlock: nothing can happen any more, 1h0m0s after the start
	main/main waits for task main/last since 0s
	worker-0/lease waits for an answer of redis since 0s
	worker-1/served (frozen) is served by kafka until 1h0m0s since 0s
	main/last waits for task main/inner since 0s
	main/inner waits for the death of process p since 0s
	worker-1/ack (frozen) is frozen since 1.5s
	main/keeper waits for the death of process worker-2 since 2s`
	if f.Kind != kernel.Deadlock || f.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", f, want)
	}
	if again := failure(t, func() { r.nap(1) }); again != f {
		t.Errorf("after a failure: %v", again)
	}
	death.Kill() // must not fail
}

func TestEventsMax(t *testing.T) {
	cfg := kernel.DefaultConfig()
	cfg.EventsMax = 10
	for _, others := range []int{0, 1} {
		k, err := kernel.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		for range 1 + others {
			k.Go("t", func() {
				for {
					_ = k.Sleep(context.Background(), time.Second)
				}
			})
		}
		k.Process("p").Go("long", func() { _ = k.Sleep(context.Background(), math.MaxInt64) })
		f := failure(t, func() { k.Process("never").Wait() })
		if f.Kind != kernel.EventsMax {
			t.Errorf("got %v", f)
		}
		wantText(t, f, "the limit of 10 events was reached",
			"p/long sleeps until the end of time since 0s",
			"main/main waits for the death of process never since 0s")
		k.Close()
	}
}

var errPlanted = errors.New("planted")

func explode() { panic(errPlanted) }

func TestPanic(t *testing.T) {
	r := newRig(t)
	r.Process("worker-0").Go("flush", func() {
		r.nap(3)
		explode()
	})
	other := r.Go("other", func() { r.nap(100) })
	r.Go("begins", func() { r.nap(3); r.Go("late", func() {}); r.nap(1) })
	f := failure(t, other.Wait)
	if f.Kind != kernel.Panic || f.Task != "worker-0/flush" || !errors.Is(f, errPlanted) || f.At != 3 {
		t.Errorf("got %v", f)
	}
	wantText(t, f, "task worker-0/flush panicked: planted", "3ns after the start", "explode",
		"main/other sleeps until 100ns")
}

// TestPanicOfATimer is one of no task, and ends the run in the same way.
func TestPanicOfATimer(t *testing.T) {
	r := newRig(t)
	r.Go("other", func() { r.nap(100) })
	r.After(3, explode)
	f := failure(t, func() { r.nap(50) })
	if f.Kind != kernel.Panic || f.Task != "main/timers" || !errors.Is(f, errPlanted) || f.At != 3 {
		t.Errorf("got %v", f)
	}
	wantText(t, f, "task main/timers panicked: planted", "3ns after the start", "explode",
		"main/other sleeps until 100ns")
	if again := failure(t, func() { r.nap(1) }); again != f {
		t.Errorf("after a failure: %v", again)
	}
}

// TestGoexitInATimer: a t.Fatal in a timer ends the test.
func TestGoexitInATimer(t *testing.T) {
	done := make(chan bool)
	go func() {
		defer close(done)
		k, err := kernel.New(kernel.DefaultConfig())
		if err != nil {
			t.Error(err)
			return
		}
		defer k.Close()
		k.After(1, runtime.Goexit)
		_ = k.Sleep(context.Background(), 2)
		t.Error("main went on")
	}()
	<-done
}

func wantText(t *testing.T, f *kernel.Failure, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(f.Error(), part) {
			t.Errorf("%q is not in %v", part, f)
		}
	}
}

// TestCatchLeavesOthers: what is no failure of the kernel passes.
func TestCatchLeavesOthers(t *testing.T) {
	defer func() {
		if cause := recover(); cause != errPlanted {
			t.Errorf("got %v", cause)
		}
	}()
	var err error
	defer kernel.Catch(&err)
	explode()
}

// TestGoexitInATask: a t.Fatal in a task ends the test, as in a function of its own.
func TestGoexitInATask(t *testing.T) {
	done := make(chan bool)
	go func() {
		defer close(done)
		k, err := kernel.New(kernel.DefaultConfig())
		if err != nil {
			t.Error(err)
			return
		}
		defer k.Close()
		k.Go("t", runtime.Goexit)
		_ = k.Sleep(context.Background(), 1)
		t.Error("main went on")
	}()
	<-done
}
