package flusher_test

import (
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

// TestMomentsThatAreReportedGoBackWithTheClock: who hears since when a worker lags, or tries something in vain,
// compares that with the wall clock of now, and else would wait for as long as it was set back.
func TestMomentsThatAreReportedGoBackWithTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const step = 10 * time.Minute
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
		back.Store(int64(step))
		time.Sleep(3 * time.Second)
		after, _ := b.inbox.last()
		if before.BackpressureSince.IsZero() || len(before.Troubles) != 1 || len(after.Troubles) != 1 {
			t.Fatalf("before %+v, after %+v; want backpressure and a trouble", before, after)
		}
		for what, moments := range map[string][2]time.Time{
			"backpressure": {before.BackpressureSince, after.BackpressureSince},
			"the trouble":  {before.Troubles[0].Since, after.Troubles[0].Since},
		} {
			if moved := moments[0].Round(0).Sub(moments[1].Round(0)); moved != step {
				t.Errorf("%s since %v, and after the step since %v: want %v earlier", what, moments[0], moments[1], step)
			}
			if age := b.clock.Now().Sub(moments[1]); age < 0 || age > step/2 {
				t.Errorf("%s is %v old by its report, want seconds", what, age)
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
	})
}
