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
