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
		r := reach{course: &course{grain: grain}, pending: pending, now: buffer.Seconds(10_000), waited: true}
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
			if call != "enqueue" {
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
