package buffer

import "time"

// Deadline returns when a live generation is due after a write of the given batch clock:
//
//	clock + RootTimeout   if the segment has seen a root
//	clock + Timeout       otherwise
//
// and, with MaxSegmentAge, first + MaxSegmentAge at the latest. The last write wins, also
// backwards, so the caller overwrites what was there.
func Deadline(clock Instant, g LiveGeneration, o Options) Instant {
	wait := o.Timeout
	if g.HasRoot {
		wait = o.RootTimeout
	}
	deadline := clock.Add(wait)
	if o.MaxSegmentAge != NoSegmentAge {
		deadline = min(deadline, g.First.Add(o.MaxSegmentAge))
	}
	return deadline
}

// DueEvery is how far apart deadlines are, at the least: clocks are whole seconds, and so are most time-outs.
func (o Options) DueEvery() time.Duration {
	step := int64(time.Second / time.Millisecond)
	for _, d := range []time.Duration{o.Timeout, o.RootTimeout, o.MaxSegmentAge} {
		for n := d.Milliseconds(); n != 0; {
			step, n = n, step%n
		}
	}
	return time.Duration(step) * time.Millisecond
}
