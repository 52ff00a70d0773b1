package kernel_test

import (
	"context"
	"math"
	"runtime"
	"testing"
	"time"

	"sluice/sim/kernel"
)

type valueKey struct{}

func TestSleep(t *testing.T) {
	background := context.Background()
	ended, end := context.WithCancel(background)
	end()
	tests := []struct {
		name string
		ctx  func(*rig) context.Context
		d    time.Duration
		took time.Duration
		err  error
	}{
		{"some time", nil, 7, 7, nil},
		{"no time", nil, 0, 0, nil},
		{"less than no time", nil, -5, 0, nil},
		{"ended before", func(*rig) context.Context { return ended }, 7, 0, context.Canceled},
		{"ended before, no time", func(*rig) context.Context { return ended }, 0, 0, context.Canceled},
		{"cancelled", func(r *rig) context.Context {
			ctx, cancel := context.WithCancel(background)
			r.After(4, cancel)
			return ctx
		}, 7, 4, context.Canceled},
		{"cancelled in the last instant", func(r *rig) context.Context {
			ctx, cancel := context.WithCancel(background)
			r.After(7, cancel)
			return ctx
		}, 7, 7, context.Canceled},
		{"cancelled through the kernel", func(r *rig) context.Context {
			ctx, cancel := r.WithCancel(background)
			r.After(4, cancel)
			return ctx
		}, 7, 4, context.Canceled},
		{"the parent is cancelled", func(r *rig) context.Context {
			parent, cancel := context.WithCancel(background)
			r.After(4, cancel)
			ctx, _ := r.WithCancel(parent)
			return ctx
		}, 7, 4, context.Canceled},
		{"a value's parent is cancelled", func(r *rig) context.Context {
			parent, cancel := r.WithCancel(background)
			r.After(4, cancel)
			return context.WithValue(parent, valueKey{}, 1)
		}, 7, 4, context.Canceled},
		{"a child without the parent's end", func(r *rig) context.Context {
			parent, cancel := r.WithCancel(background)
			r.After(4, cancel)
			return context.WithoutCancel(parent)
		}, 7, 7, nil},
		{"a told child of one that is not", func(r *rig) context.Context {
			parent, cancel := r.WithCancel(background)
			r.After(4, cancel)
			middle, end := context.WithCancel(parent)
			r.t.Cleanup(end)
			ctx, _ := r.WithCancel(middle)
			return ctx
		}, 7, 4, context.Canceled},
		{"timeout", func(r *rig) context.Context {
			ctx, _ := r.WithTimeout(background, 4)
			return ctx
		}, 7, 4, context.DeadlineExceeded},
		{"timeout of no time", func(r *rig) context.Context {
			ctx, _ := r.WithTimeout(background, 0)
			return ctx
		}, 7, 0, context.DeadlineExceeded},
		{"timeout without end", func(r *rig) context.Context {
			ctx, _ := r.WithTimeout(background, math.MaxInt64)
			return ctx
		}, 7, 7, nil},
		{"cancelled before the timeout", func(r *rig) context.Context {
			ctx, cancel := r.WithTimeout(background, 6)
			r.After(4, cancel)
			return ctx
		}, 7, 4, context.Canceled},
		{"the longer of two timeouts", func(r *rig) context.Context {
			ctx, _ := r.WithTimeout(background, 3)
			ctx, _ = r.WithTimeout(ctx, 6)
			return ctx
		}, 7, 3, context.DeadlineExceeded},
		{"derived from a timeout", func(r *rig) context.Context {
			ctx, _ := r.WithTimeout(background, 4)
			ctx, end := context.WithCancel(ctx)
			r.t.Cleanup(end)
			return ctx
		}, 7, 4, context.DeadlineExceeded},
		{"derived from a timeout by the kernel", func(r *rig) context.Context {
			ctx, _ := r.WithTimeout(background, 4)
			ctx, _ = r.WithCancel(ctx)
			return ctx
		}, 7, 4, context.DeadlineExceeded},
	}
	for _, tt := range tests {
		for _, by := range []string{"task", "main"} {
			t.Run(tt.name+" by "+by, func(t *testing.T) {
				r, ctx := newRig(t), background
				if tt.ctx != nil {
					ctx = tt.ctx(r)
				}
				sleep := func() {
					err := r.Sleep(ctx, tt.d)
					if took := r.Elapsed(); err != tt.err || took != tt.took {
						t.Errorf("got %v after %d, want %v after %d", err, took, tt.err, tt.took)
					}
				}
				if by == "main" {
					sleep()
					return
				}
				r.Go("other", func() { // so that others are asked
					for range 20 {
						r.nap(1)
					}
				})
				r.Go("sleeper", sleep).Wait()
			})
		}
	}
}

// TestSleepersOfOneContext wake in the order in which they fell asleep, when the instant is over.
func TestSleepersOfOneContext(t *testing.T) {
	for _, told := range []bool{false, true} {
		r := newRig(t)
		with := context.WithCancel
		if told {
			with = r.WithCancel
		}
		a, cancelA := with(t.Context())
		b, cancelB := with(t.Context())
		for i, ctx := range []context.Context{b, a, b, a} {
			r.Go("sleeper", func() {
				r.nap(time.Duration(9 - i))
				r.log("%d: %v", i, r.Sleep(ctx, 100))
			})
		}
		r.Go("canceller", func() {
			r.nap(20)
			cancelA()
			cancelB()
			r.Go("other", func() { r.log("other") })
		})
		r.pass(50)
		r.want("20ns other", "20ns 3: context canceled", "20ns 2: context canceled",
			"20ns 1: context canceled", "20ns 0: context canceled")
	}
}

// TestTimeout: what a context with a timeout says of itself, and those derived from it.
func TestTimeout(t *testing.T) {
	r := newRig(t)
	before := runtime.NumGoroutine()
	parent, cancelParent := context.WithCancel(context.Background())
	defer cancelParent()
	ctx, cancel := r.WithTimeout(parent, 5)
	defer cancel()
	child, cancelChild := context.WithCancel(context.WithValue(ctx, valueKey{}, "v"))
	defer cancelChild()
	if at, ok := child.Deadline(); !ok || !at.Equal(kernel.DefaultConfig().Start.Add(5)) {
		t.Errorf("deadline %v, %v", at, ok)
	}
	longer, cancelLonger := r.WithTimeout(ctx, 50)
	defer cancelLonger()
	if at, _ := longer.Deadline(); !at.Equal(kernel.DefaultConfig().Start.Add(5)) {
		t.Errorf("the longer one's deadline is %v", at)
	}
	if child.Value(valueKey{}) != "v" {
		t.Error("the value is lost")
	}
	r.pass(4)
	if ctx.Err() != nil || child.Err() != nil {
		t.Error("ended too early")
	}
	r.pass(2)
	want := context.DeadlineExceeded
	if ctx.Err() != want || kernel.Err(child) != want || context.Cause(child) != want {
		t.Errorf("ended with %v, the child with %v", ctx.Err(), context.Cause(child))
	}
	select {
	case <-child.Done():
	default:
		t.Error("Done is not closed")
	}
	if after := runtime.NumGoroutine(); after > before {
		t.Errorf("%d goroutines, before %d", after, before)
	}
}

// TestWithoutEnd: the end of time is never reached, nor passed.
func TestWithoutEnd(t *testing.T) {
	r := newRig(t)
	r.pass(5)
	ctx, cancel := r.WithTimeout(context.Background(), math.MaxInt64)
	defer cancel()
	r.After(5, cancel)
	if err := r.Sleep(ctx, math.MaxInt64); err != context.Canceled || r.Elapsed() != 10 {
		t.Errorf("got %v after %v", err, r.Elapsed())
	}
}

// TestCancelledChildIsNoTimeout: an error that is nobody's timeout is not made one.
func TestCancelledChildIsNoTimeout(t *testing.T) {
	r := newRig(t)
	parent, cancel := r.WithTimeout(context.Background(), 5)
	defer cancel()
	child, cancelChild := context.WithCancel(parent)
	cancelChild()
	r.pass(10)
	if err := kernel.Err(child); err != context.Canceled {
		t.Errorf("got %v", err)
	}
}

// TestOneTaskManyContexts: a task may wait with another context each time.
func TestOneTaskManyContexts(t *testing.T) {
	r := newRig(t)
	for range 3 {
		r.Go("t", func() {
			for range 10 {
				ctx, cancel := context.WithCancel(t.Context())
				_ = r.Sleep(ctx, 1)
				_ = r.Sleep(t.Context(), 1)
				r.After(1, cancel)
				if err := r.Sleep(ctx, 2); err != context.Canceled {
					t.Error("not woken by its context")
				}
			}
			r.log("done")
		})
	}
	r.pass(100)
	r.want("30ns done", "30ns done", "30ns done")
	if n := r.Watches(); n != 0 {
		t.Errorf("%d contexts are still known", n)
	}
}
