package sim

import (
	"math"
	"time"
)

// coldFactor is how many times as much as later a broker computes for the same when it has just been
// started: Java compiles what it does often.
const coldFactor = 3

// warming is the station of a broker. What it computes beside what is asked of it, since it is cold,
// becomes less with what it has computed: by an exponential function, and all of it is warmUp.
type warming struct {
	station
	warmUp time.Duration
	left   time.Duration // of it
	used   *time.Duration
}

// start makes it cold.
func (w *warming) start() { w.left = w.warmUp }

// Take implements station.
func (w *warming) Take(cost time.Duration) time.Duration {
	extra := w.extra(cost)
	*w.used += extra
	return w.station.Take(cost + extra)
}

// extra is what some work takes beside its cost.
func (w *warming) extra(cost time.Duration) time.Duration {
	if w.left <= 0 || cost <= 0 {
		return 0
	}
	after := time.Duration(float64(w.left) * math.Exp((1-coldFactor)*cost.Seconds()/w.warmUp.Seconds()))
	extra := w.left - after
	w.left = after
	return extra
}
