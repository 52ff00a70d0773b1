package flusher_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"sluice/buffer"
	"sluice/internal/wallclock"
)

// steppedClock is a machine's clock that was set back: the wall clock's half of its readings was, the monotonic
// half was not.
type steppedClock struct {
	wallclock.Clock
	back *atomic.Int64
}

// Now lays a time out by hand, as package time does: there is no other way to one whose halves differ.
func (c steppedClock) Now() time.Time {
	now := time.Now()
	wall := now.Add(-time.Duration(c.back.Load()))
	seconds := wall.Unix() - time.Date(1885, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
	laid := struct {
		wall      uint64
		monotonic int64
		zone      *time.Location
	}{1<<63 | uint64(seconds)<<30 | uint64(wall.Nanosecond()), now.UnixNano(), nil}
	return *(*time.Time)(unsafe.Pointer(&laid))
}

func TestSteppedClock(t *testing.T) {
	back := &atomic.Int64{}
	clock := steppedClock{back: back}
	before := clock.Now()
	back.Store(int64(time.Hour))
	after := clock.Now()
	if after.Sub(before) < 0 || after.Round(0).Sub(before.Round(0)) > -59*time.Minute {
		t.Errorf("%v after %v: want more on the monotonic half, and an hour less on the other", after, before)
	}
}

// TestWorkerGoesOnWhenItsClockIsSetBack: the deadlines of a shard are neither later for that, though no batch
// comes that tells its clock anew, nor earlier, when one comes in that moment.
func TestWorkerGoesOnWhenItsClockIsSetBack(t *testing.T) {
	const step = 10 * time.Minute
	for _, c := range []struct {
		name         string
		ticks, batch bool
	}{
		{"a quiet shard", false, false},
		{"a shard that ticks", true, false},
		{"a batch comes while the worker looks", false, true},
		{"the same of a shard that ticks", true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				back := &atomic.Int64{}
				b := newBench(t)
				b.clock, b.feed.back = steppedClock{back: back}, back
				tick := func() {
					wall := buffer.InstantOf(time.Now()).Add(-time.Duration(back.Load()))
					if err := b.store.Enqueue(t.Context(), 0, buffer.QueueUpdate{Tick: true, Wall: wall}); err != nil {
						t.Error(err)
					}
				}
				if c.ticks {
					tick()
				}
				b.start(fence(t, b.store, 0)...)
				var at atomic.Int64 // when the last span came
				put := func(span int) {
					at.Store(time.Now().UnixNano())
					b.feed.put(t, 0, span)
				}
				since := func() time.Duration { return time.Since(time.Unix(0, at.Load())) }
				put(10)
				time.Sleep(500 * time.Millisecond)
				b.faulty.set(func(call string, after bool) error {
					if call == "lease" && !after && back.Load() == 0 {
						back.Store(int64(step))
						if c.batch {
							put(11)
						}
					}
					return nil
				})
				for !b.empty() {
					if since() > step/2 {
						t.Fatalf("nothing is flushed %v after it came, want after %v", since(), b.feed.options.RootTimeout)
					}
					if c.ticks {
						tick()
					}
					time.Sleep(10 * time.Millisecond)
				}
				due := b.feed.options.RootTimeout
				if took := since(); back.Load() == 0 || took < due || took > due+4*b.cfg.IdleSleep {
					t.Errorf("flushed %v after it came, want after %v", took, due)
				}
				if err := b.join(); err != nil {
					t.Fatal(err)
				}
			})
		})
	}
}

// TestMomentsThatAreReportedGoWithTheClock: who hears since when a worker lags, or tries something in vain,
// compares that with the wall clock of now. Else it would wait for as long as that was set back, or take for long
// what has just begun, once the step was corrected.
func TestMomentsThatAreReportedGoWithTheClock(t *testing.T) {
	const step = 10 * time.Minute
	for name, steps := range map[string][]time.Duration{
		"back":                 {step},
		"on":                   {-step},
		"back and on again":    {step, 0},
		"on and back again":    {-step, 0},
		"back, on and further": {step, 0, -step},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { momentsGoWithTheClock(t, step, steps) })
		})
	}
}

// momentsGoWithTheClock sets the clock back by each of the steps, counted from what it was at first.
func momentsGoWithTheClock(t *testing.T, step time.Duration, steps []time.Duration) {
	back, away := &atomic.Int64{}, &atomic.Bool{}
	b := newBench(t)
	b.clock, b.feed.back = steppedClock{back: back}, back
	b.cfg.MaxFlushSegments = 1
	for n := range 5 {
		b.feed.put(t, 0, 10*n)
	}
	away.Store(true)
	b.faulty.set(func(call string, after bool) error {
		if call == "release" && away.Load() {
			return buffer.ErrUnavailable
		}
		return nil
	})
	b.start(fence(t, b.store, 0)...)
	time.Sleep(5 * time.Second)
	before, _ := b.inbox.last()
	for _, by := range steps {
		back.Store(int64(by))
		time.Sleep(3 * time.Second)
		after, _ := b.inbox.last()
		if before.BackpressureSince.IsZero() || len(before.Troubles) != 1 || len(after.Troubles) != 1 {
			t.Fatalf("before %+v, after %+v; want backpressure and a trouble", before, after)
		}
		for what, moments := range map[string][2]time.Time{
			"backpressure": {before.BackpressureSince, after.BackpressureSince},
			"the trouble":  {before.Troubles[0].Since, after.Troubles[0].Since},
		} {
			if moved := moments[0].Round(0).Sub(moments[1].Round(0)); moved != by {
				t.Errorf("%s since %v, and after the step since %v: want %v earlier", what, moments[0], moments[1], by)
			}
			if age := b.clock.Now().Sub(moments[1]); age < 0 || age > step/2 {
				t.Errorf("%s is %v old by its report, want seconds", what, age)
			}
		}
	}
	away.Store(false)
	eventually(t, 10*time.Second, "store is empty", b.empty)
	if err := b.join(); err != nil {
		t.Fatal(err)
	}
	if n := len(b.troubles); n != 2 || !b.troubles[1].Over || b.troubles[1].Lasted > step/2 {
		t.Errorf("told of troubles %+v, want one of seconds", b.troubles)
	}
}

// stepsAsleep is a clock that is set back in the next sleep, if it is to be.
type stepsAsleep struct {
	steppedClock
	next *atomic.Int64
}

func (c stepsAsleep) Sleep(ctx context.Context, d time.Duration) error {
	c.back.Add(c.next.Swap(0))
	return c.steppedClock.Sleep(ctx, d)
}

// TestATroubleGoesBackWithTheClockThatStepsAtOnce: between the failure and the next reading of the clock, as on a
// machine that was paused in a call.
func TestATroubleGoesBackWithTheClockThatStepsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const step = 10 * time.Minute
		clock := stepsAsleep{steppedClock{back: &atomic.Int64{}}, &atomic.Int64{}}
		away := &atomic.Bool{}
		b := newBench(t)
		b.clock, b.feed.back = clock, clock.back
		b.feed.put(t, 0, 10)
		away.Store(true)
		first := true
		b.faulty.set(func(call string, after bool) error {
			if call != "claim" || !away.Load() {
				return nil
			}
			if first {
				first = false
				time.Sleep(time.Second) // the call hangs, and fails after the last reading
				clock.next.Store(int64(step))
			}
			return buffer.ErrUnavailable
		})
		b.start(fence(t, b.store, 0)...)
		time.Sleep(5 * time.Second)
		status, _ := b.inbox.last()
		if len(status.Troubles) != 1 || clock.back.Load() != int64(step) {
			t.Fatalf("troubles %+v, and the clock is set back by %v; want one, and %v", status.Troubles,
				time.Duration(clock.back.Load()), step)
		}
		since := status.Troubles[0].Since.Round(0) // as it is read in a report
		if age := clock.Now().Sub(since); age < 0 || age > step/2 {
			t.Errorf("it is %v old by its report, want seconds", age)
		}
		away.Store(false)
		eventually(t, 10*time.Second, "store is empty", b.empty)
		if err := b.join(); err != nil {
			t.Fatal(err)
		}
	})
}
