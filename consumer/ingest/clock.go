package ingest

import (
	"slices"
	"time"

	"sluice/buffer"
	"sluice/flusher"
)

// course is how the clock of a partition's input has moved: what the timestamps of its messages are
// judged by. A timestamp is input, and may be anything; the log is in order all the same. So a
// message is on the course if it is
//
//   - no later than the wall clock, by more than the grain,
//   - no earlier than most of the messages before it, and
//   - no later than most of the messages after it.
//
// A backlog is on its own course, and so is what comes after a gap, or what was written again with
// old timestamps, once there is enough of it. Only to go ahead cannot be taken back, since what
// became due is flushed: so a message that leaps ahead waits for what comes after it, for a while.
//
// What is not on the course is skewed, and has no part in the clock of its batch.
type course struct {
	// grain is how far apart clocks may be and still agree.
	grain time.Duration

	before []buffer.Instant // the clocks of the last messages, skewed ones too
	// clock and latest are the range of the last batch, wall when it was read.
	clock, latest, wall buffer.Instant
	// leads are how far the last batches were ahead of the wall clock, mostly below 0.
	leads []time.Duration
}

const (
	// witnesses is how many messages on either side of one say whether it is on the course.
	witnesses = 32
	// few messages after one are enough to say so.
	few = 5
)

// clocks is a range of them, both ends included; empty if from is after to.
type clocks struct{ from, to buffer.Instant }

var noClocks = clocks{1, 0}

func (c clocks) has(t buffer.Instant) bool { return c.from <= t && t <= c.to }

// reach is what one cut of pending messages goes by.
type reach struct {
	*course
	pending   []flusher.Message
	now, wall buffer.Instant
	waited    bool // nothing more comes
}

// cut returns how many of the pending messages, at most, make a batch, and the clocks of those on
// the course: up to the first with which the course has moved on by more than the grain. A message
// that is due by the clock of one at the other end of its batch is due so much too early, and with a
// spread beyond the time-out, before the rest of its trace is read. No messages: more must come
// before the first can be judged.
func (r reach) cut(most int) (n int, agreed clocks) {
	agreed = noClocks
	for n = 0; n < min(most, len(r.pending)); n++ {
		t := clockOf(&r.pending[n])
		near := t >= agreed.to.Add(-r.grain) && t <= agreed.from.Add(r.grain)
		switch {
		case agreed != noClocks && near:
			agreed = clocks{min(agreed.from, t), max(agreed.to, t)}
		case !r.has(n, t):
		case agreed == noClocks && !r.waited && len(r.pending)-1-n < few && r.leaps(t):
			return 0, noClocks
		case agreed != noClocks && r.movedOn(n, t, agreed):
			if r.begins(n, t, agreed) {
				agreed = clocks{t, t}
			} else if !r.beginsSoon(n, agreed) {
				return n, agreed
			}
		case agreed == noClocks:
			agreed = clocks{t, t}
		case r.hasCompany(n, t):
			agreed = clocks{min(agreed.from, t), max(agreed.to, t)}
		}
	}
	if agreed == noClocks && n == len(r.pending) && n < most && !r.waited {
		return 0, agreed
	}
	return n, agreed
}

// canBe tells whether a clock can be right at all.
func (r reach) canBe(t buffer.Instant) bool { return 0 < t && t <= r.now.Add(r.grain) }

// has tells whether the message at i is on the course.
func (r reach) has(i int, t buffer.Instant) bool {
	if !r.canBe(t) {
		return false
	}
	for w := 4; w <= witnesses; w *= 2 {
		later, before := r.countBefore(i, 2*w, func(o buffer.Instant) bool { return o > t.Add(r.grain) })
		earlier, after := r.countAfter(i, w, func(o buffer.Instant) bool { return o < t.Add(-r.grain) })
		switch {
		case later > 1 && 2*later >= before, earlier > 1 && 2*earlier > after:
			return false
		case earlier > 0 && (2*earlier > after || r.lastBut(after)) && r.leaps(t):
			return false
		}
	}
	return true
}

// lastBut tells whether a message with so many after it is so near the end of the input that one of
// them is enough against it: what it would bring forward cannot be taken back, and to doubt it costs a
// wait.
func (r reach) lastBut(after int) bool { return r.waited && after == 2 && r.course.wall != 0 }

// leaps tells whether a clock is ahead of where the wall clock would have brought the last batches:
// the furthest of them, since one that was a little behind the others need not have been right. At
// the start of a tenure, when there is nothing to go by but the wall clock, all but that leaps.
func (r reach) leaps(t buffer.Instant) bool {
	if r.course.wall == 0 {
		return t < r.now.Add(-r.grain)
	}
	lead := r.latest.Sub(r.course.wall)
	if len(r.leads) > 0 {
		lead = max(lead, slices.Max(r.leads))
	}
	return t > r.wall.Add(lead+r.grain)
}

// movedOn tells whether the message at i is apart from those that agreed, and so are most of those
// that follow; with few to follow, whether it is later.
func (r reach) movedOn(i int, t buffer.Instant, agreed clocks) bool {
	up, down := agreed.from.Add(r.grain), agreed.to.Add(-r.grain)
	n, of := r.countAfter(i, witnesses/4, func(o buffer.Instant) bool {
		return t > up && o > up || t < down && o < down
	})
	return 2*n > of || t > up && (2*n == of || of < few)
}

// begins tells whether the course is better begun with the message at i than with the few before it
// that agreed, a time-out ago and more: they may be skewed, for little before them tells. If they
// are not, they wait a little longer than they would have.
func (r reach) begins(i int, t buffer.Instant, agreed clocks) bool {
	return len(r.before) < few && i < few && t > agreed.to.Add(grainShare*r.grain) &&
		r.hasCompany(i, t)
}

// beginsSoon tells whether that is so of one of the few messages after the one at i, which is skewed,
// too, then.
func (r reach) beginsSoon(i int, agreed clocks) bool {
	for i++; i < min(few, len(r.pending)); i++ {
		if r.begins(i, clockOf(&r.pending[i]), agreed) {
			return true
		}
	}
	return false
}

// hasCompany tells whether the message at i, which is apart from those that agreed while those that
// follow do not move on, is one of many: the clocks of producers differ, and none is wrong. To cut
// the batch would not help.
func (r reach) hasCompany(i int, t buffer.Instant) bool {
	n, of := r.countAfter(i, witnesses/4, func(o buffer.Instant) bool {
		return t.Add(-r.grain) <= o && o <= t.Add(r.grain)
	})
	return of > 0 && 4*n >= of
}

// countAfter returns for how many of the next messages, at most w, something is true, and how many
// those are that can be right.
func (r reach) countAfter(i, w int, is func(buffer.Instant) bool) (n, of int) {
	next := r.pending[i+1:]
	next = next[:min(w, len(next))]
	for j := range next {
		r.count(clockOf(&next[j]), is, &n, &of)
	}
	return n, of
}

// countBefore does that for the last messages.
func (r reach) countBefore(i, w int, is func(buffer.Instant) bool) (n, of int) {
	for j := max(0, i-w); j < i; j++ {
		r.count(clockOf(&r.pending[j]), is, &n, &of)
	}
	for j := max(0, len(r.before)-max(0, w-i)); j < len(r.before); j++ {
		r.count(r.before[j], is, &n, &of)
	}
	return n, of
}

func (r reach) count(o buffer.Instant, is func(buffer.Instant) bool, n, of *int) {
	if r.canBe(o) {
		*of++
		if is(o) {
			*n++
		}
	}
}

// advance takes note of a batch that was read at wall, and returns its clock: the earliest that
// agreed, in whole seconds. Where none did, the course goes on by itself: with the wall clock if all
// has been read that had come, else by the grain at most.
func (c *course) advance(
	messages []flusher.Message, agreed clocks, wall buffer.Instant, current bool,
) buffer.Instant {
	if agreed != noClocks {
		c.clock, c.latest, c.wall = agreed.from, agreed.to, wall
		c.leads = append(c.leads[max(0, len(c.leads)+1-few):], agreed.to.Sub(wall))
	} else {
		c.pass(wall, current)
	}
	for i := max(0, len(messages)-witnesses); i < len(messages); i++ {
		c.before = append(c.before, clockOf(&messages[i]))
	}
	c.before = append(c.before[:0], c.before[max(0, len(c.before)-witnesses):]...)
	return c.clock.WholeSeconds()
}

// pass lets the course go on without a batch, until wall.
func (c *course) pass(wall buffer.Instant, current bool) {
	if c.wall == 0 {
		c.catchUp(wall)
		return
	}
	by := max(0, wall.Sub(c.wall))
	if !current {
		by = min(by, c.grain)
	}
	c.clock, c.latest, c.wall = c.clock.Add(by), c.latest.Add(by), wall
}

// catchUp sets the course to the wall clock: all that had come was read.
func (c *course) catchUp(wall buffer.Instant) { c.clock, c.latest, c.wall = wall, wall, wall }

// behind tells whether the clock may be behind the wall clock: it was with the last batch, or there
// was none.
func (c *course) behind() bool { return c.wall == 0 || c.wall.Sub(c.latest) > c.grain }

// clockMax is later than any clock, and can be reckoned with.
const clockMax = buffer.Instant(1 << 53)

// clockOf returns the clock of a message, at most clockMax; below 0 if it has none.
func clockOf(m *flusher.Message) buffer.Instant {
	return max(-1, min(buffer.InstantOf(m.Time), clockMax))
}
