package sim

import (
	"slices"
	"testing"
	"time"
)

// TestJumpsOverlap: the end of one ends no other, and they add up.
func TestJumpsOverlap(t *testing.T) {
	s := &System{shifts: make([]time.Duration, 2)}
	all, one := parse(t, "at 1s jump clock by -30s for 5s"), parse(t, "at 2s jump partition 1 by 3s for 1s")
	for _, c := range []struct {
		jump func()
		want []time.Duration
	}{
		{func() { s.jump(all, all.By) }, []time.Duration{-30 * time.Second, -30 * time.Second}},
		{func() { s.jump(one, one.By) }, []time.Duration{-30 * time.Second, -27 * time.Second}},
		{func() { s.jump(all, -all.By) }, []time.Duration{0, 3 * time.Second}},
		{func() { s.jump(one, -one.By) }, []time.Duration{0, 0}},
	} {
		if c.jump(); !slices.Equal(s.shifts, c.want) {
			t.Errorf("the clocks are shifted by %v, want %v", s.shifts, c.want)
		}
	}
}
