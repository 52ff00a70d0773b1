package ingest

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"sluice/buffer"
	"sluice/flusher"
)

func TestABatchEndsWhereItsClockHasMovedOn(t *testing.T) {
	for _, c := range []struct {
		name   string
		clocks []int // in units of a quarter of the grain
		want   int
	}{
		{"at once", []int{0, 0, 0, 0, 0}, 5},
		{"within the grain", []int{0, 1, 2, 3, 4}, 5},
		{"beyond it", []int{0, 1, 2, 3, 4, 5, 6}, 5},
		{"out of order", []int{3, 0, 4, 1, 5, 6, 7}, 4},
		{"a gap", []int{0, 0, 99, 99}, 2},
		{"a gap before the last", []int{0, 0, 99}, 2},
		{"one that is later than those around it", []int{0, 0, 99, 0, 0, 1}, 6},
		{"producers that disagree", []int{0, 9, 0, 9, 0, 9, 0, 9, 0}, 9},
		{"going back", []int{9, 9, 9, 0, 0, 1, 5}, 7},
		{"full", []int{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 10},
	} {
		const grain = 4 * time.Second
		var pending []flusher.Message
		for _, clock := range c.clocks {
			at := time.Unix(1000, 0).Add(time.Duration(clock) * grain / 4)
			pending = append(pending, flusher.Message{Time: at})
		}
		of := &course{grain: grain, before: make([]buffer.Instant, few)} // none of which says anything
		r := reach{course: of, pending: pending, now: buffer.Seconds(10_000), waited: true}
		if got, _ := r.cut(10); got != c.want {
			t.Errorf("%s: %d messages of %v, want %d", c.name, got, c.clocks, c.want)
		}
	}
}

// A backlog is read as fast without waiting for batches to be full, and each of its batches is due
// by its own clock.
func TestABacklogIsCutByItsClocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		grain := r.config.grain()
		begin := time.Now().Add(-time.Hour).Truncate(time.Second)
		for i := range 40 {
			r.broker.append(0, begin.Add(time.Duration(i)*grain/2), fmt.Sprintf("x s%d root", i))
		}
		r.start(0)
		settle(r.config.batchWait() / 2)
		got := r.loop.Counters().Partitions[0]
		r.end()
		// Three messages are within the grain.
		if got.Batches != 14 || got.Next != 40 {
			t.Errorf("%d batches up to %d, want 14 up to 40", got.Batches, got.Next)
		}
		last := begin.Add(39 * grain / 2).Unix()
		if clock := int64(got.Clock) / 1000; clock != last {
			t.Errorf("the last batch has the clock %d, want %d", clock, last)
		}
	})
}

func TestFlushingWaitsForABacklogThatIsCutByItsClocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		begin := time.Now().Add(-time.Hour)
		for i := range 100 {
			at := begin.Add(time.Duration(i/10) * time.Minute)
			r.broker.append(0, at, fmt.Sprintf("x s%d root", i))
		}
		stored := 0
		r.steps.after = func(call string) error {
			if call != "attach" {
				return nil
			}
			if stored++; stored < 10 && len(r.assigner.last()) > 0 {
				t.Errorf("flushed after %d of 10 batches", stored)
			}
			time.Sleep(10 * time.Millisecond)
			return nil
		}
		r.broker.inTouch.Store(true)
		r.start(0)
		settle(r.config.AssignWait / 2)
		if len(r.assigner.last()) == 0 {
			t.Errorf("not flushed after %d batches", stored)
		}
		r.end()
	})
}

// Each line is batches of one message, of those around which the test is: what clock a batch gets
// whose only message has that clock, in seconds, after others and with others behind it.
func TestTheClockOfABatchOfOneMessage(t *testing.T) {
	steady := []int64{100, 101, 102, 103, 104, 105, 106, 107, 108}
	for _, c := range []struct {
		name   string
		before []int64
		clock  int64
		want   int64 // 0: waits for more
	}{
		{"in order", steady, 109, 109},
		{"days old", steady, 1, 109},
		{"no time at all", steady, 0, 109},
		{"ahead of the wall clock", steady, 1_000_000, 109},
		{"ahead of the course, of a backlog", steady, 5000, 0},
		{"the first", nil, 9999, 9999},
		{"the first, old: it may be a backlog", nil, 109, 0},
	} {
		course := &course{grain: 2 * time.Second}
		feed := func(clock, wall int64) (int, buffer.Instant) {
			m := []flusher.Message{{Time: time.Unix(clock, 0)}}
			at := buffer.Seconds(wall)
			n, agreed := reach{course: course, pending: m, now: buffer.Seconds(10_000), wall: at}.cut(9)
			waited := n == 0
			if waited {
				n, agreed = reach{course, m, buffer.Seconds(10_000), at, true}.cut(9)
			}
			clockOf := course.advance(m[:n], agreed, at, true)
			if waited && agreed != noClocks {
				return 0, 0
			}
			return n, clockOf
		}
		wall := int64(9991)
		for _, clock := range c.before {
			feed(clock, wall)
			wall++
		}
		if _, got := feed(c.clock, wall); got != buffer.Seconds(c.want) {
			t.Errorf("%s: the clock is %d, want %d", c.name, got/1000, c.want)
		}
	}
}

// TestTheClockOfTheLastMessages: with few to go by, a clock is not moved ahead by one that another
// contradicts, and not held back by one that was a little behind.
func TestTheClockOfTheLastMessages(t *testing.T) {
	for _, c := range []struct {
		name   string
		before []int64
		clocks []int64
		want   int64
	}{
		{"two of three are ahead", []int64{100, 101, 102, 103, 104, 105}, []int64{140, 1686, 106}, 106},
		{"one was behind, and one is far behind", []int64{100, 103, 106, 109, 112, 115, 118, 110},
			[]int64{121, 1}, 121},
	} {
		of := &course{grain: 2 * time.Second}
		feed := func(wall buffer.Instant, clocks ...int64) (clock buffer.Instant) {
			var pending []flusher.Message
			for _, clock := range clocks {
				pending = append(pending, flusher.Message{Time: time.Unix(clock, 0)})
			}
			n, agreed := reach{of, pending, buffer.Seconds(10_000), wall, true}.cut(9)
			return of.advance(pending[:n], agreed, wall, true)
		}
		for i, clock := range c.before {
			feed(buffer.Seconds(9000+3*int64(i)), clock)
		}
		if got := feed(buffer.Seconds(9000+3*int64(len(c.before))), c.clocks...); got != buffer.Seconds(c.want) {
			t.Errorf("%s: the clock is %d, want %d", c.name, got/1000, c.want)
		}
	}
}

// TestTheFirstMessagesAreSkewed: where a tenure begins, the course is that of the many, also if more than
// one of the first is far behind them.
func TestTheFirstMessagesAreSkewed(t *testing.T) {
	const wall = 10_000
	for _, skewed := range [][]int64{{9829}, {9829, 9935}, {9935, 9829}, {9000, 9829, 9935}} {
		var pending []flusher.Message
		for _, clock := range append(skewed, wall, wall, wall, wall, wall, wall, wall, wall) {
			pending = append(pending, flusher.Message{Time: time.Unix(clock, 0)})
		}
		of := &course{grain: time.Second}
		n, agreed := reach{of, pending, buffer.Seconds(wall), buffer.Seconds(wall), false}.cut(100)
		clock := of.advance(pending[:n], agreed, buffer.Seconds(wall), true)
		if n != len(pending) || clock != buffer.Seconds(wall) {
			t.Errorf("%v: a batch of %d messages with the clock %d, want %d with %d", skewed, n, clock/1000,
				len(pending), wall)
		}
	}
}

// After the longest time-out without input nothing has to wait for a clock that is behind.
func TestAnIdleInputCatchesUpWithTheWallClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.broker.inTouch.Store(true)
		r.broker.append(0, time.Now().Add(-30*24*time.Hour), "x a a")
		r.start(0)
		settle(r.config.longest() / 2)
		if got := r.loop.Counters().Partitions[0]; got.Wall.Sub(got.Clock) < 24*time.Hour {
			t.Errorf("the clock is %v behind, want that of the message", got.Wall.Sub(got.Clock))
		}
		settle(r.config.longest())
		r.end()
		if got := r.loop.Counters().Partitions[0]; got.Wall != got.Clock {
			t.Errorf("the input lag is %v, want none", got.Wall.Sub(got.Clock))
		}
		fenced, err := r.store.Fence(t.Context(), 0, buffer.AnyEpoch)
		if err != nil || fenced.Clock.Drift < -time.Second {
			t.Errorf("the shard's drift is %v, %v", fenced.Clock.Drift, err)
		}
	})
}

func TestSkewedMessagesAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		for i := range 20 {
			r.broker.append(0, time.Now(), fmt.Sprintf("x s%d root", i))
		}
		r.broker.append(0, time.UnixMilli(-1), "x old root")
		r.start(0)
		settle(time.Second)
		r.end()
		if got := r.loop.Counters().Partitions[0]; got.Skewed != 1 || got.Spans != 21 {
			t.Errorf("%d of %d skewed, want 1 of 21", got.Skewed, got.Spans)
		}
	})
}
