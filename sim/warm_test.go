package sim

import (
	"math"
	"testing"
	"time"
)

// instantly is a station that does everything at once, and knows how much it was.
type instantly struct{ done time.Duration }

func (s *instantly) Take(cost time.Duration) time.Duration {
	s.done += cost
	return 0
}

// TestWarming: a cold broker computes three times as much at first, and in all as much more as it was
// said to, in whatever portions; a warm one no more.
func TestWarming(t *testing.T) {
	const warmUp = 10 * time.Second
	for _, portion := range []time.Duration{10 * time.Microsecond, 10 * time.Millisecond, time.Second} {
		var at instantly
		var used time.Duration
		w := &warming{station: &at, warmUp: warmUp, used: &used}
		take := func(work time.Duration) float64 {
			before := at.done
			for range work / portion {
				w.Take(portion)
			}
			return (at.done - before).Seconds() / work.Seconds()
		}
		near := func(when string, got, want float64) {
			if math.Abs(got/want-1) > 0.02 {
				t.Errorf("in portions of %v, %s, it computes %.3f times as much, want %.3f", portion, when, got, want)
			}
		}
		near("warm", take(time.Second), 1)
		w.start()
		if portion < time.Second {
			near("at first", take(100*time.Millisecond), coldFactor)
		}
		take(60 * time.Second)
		if extra := used.Seconds(); math.Abs(extra/warmUp.Seconds()-1) > 0.01 {
			t.Errorf("in portions of %v, it computes %.2f s beside what it was asked for, want %v", portion, extra, warmUp)
		}
		near("later", take(time.Second), 1)
	}
}
