package flusher

import (
	"time"

	"sluice/buffer"
)

// Drift turns wall-clock time into the time of one shard:
//
//	shard's now = wall + offset
//
// where the offset is that of the shard's own input, never of another's: a lagging partition is
// not flushed by the clock of one that leads.
//
// A new owner does not know how far the input has moved on while nobody flushed, and to take the
// wall clock for the shard's would flush, after a restart in a backlog, every segment whose spans
// are still being read. So the clock continues from where it was last seen, and the time without an
// owner does not count, until new input tells the offset. A shard without any input has the wall
// clock's time.
//
// An input that ticks says with each tick that nothing more had come until then, and with each batch
// that all before it is stored. When both stop (Kafka is away, the reader was killed), spans may be
// waiting to be read, and the clock keeps running for the unseen time only, and continues from there
// when the input is seen again: what comes after an outage may be late, too. So the time of an
// outage does not count either, and segments do not come out in fragments after it.
//
// What was seen in the future of this clock (it was set back, or the reader was on a host whose clock is
// ahead) was seen now: or the clock would run on until then, though nobody sees the input.
type Drift struct {
	offset time.Duration
	inputs uint64         // that offset accounts for
	drift  time.Duration  // that came with these
	seen   buffer.Instant // wall-clock time of the last tick or batch; 0: the input does not tick
	told   buffer.Instant // what the store said of that
	unseen time.Duration  // how far the clock runs beyond that
}

// ResumeDrift returns the drift of a shard that was just fenced, at wall, whose clock runs beyond
// the last tick or batch of its input by unseen at most.
func ResumeDrift(clock buffer.ShardClock, wall buffer.Instant, unseen time.Duration) Drift {
	d := Drift{told: clock.Seen, seen: min(clock.Seen, wall), unseen: unseen}
	if clock.Inputs == 0 && clock.Drift == 0 {
		return d
	}
	d.offset, d.inputs, d.drift = clock.Now.Sub(wall), clock.Inputs, clock.Drift
	if d.seen != 0 {
		// Not seen for longer: it stands where it was last seen until it is.
		d.seen = max(d.seen, wall.Add(-unseen))
	}
	return d
}

// Behind tells whether the store knows of less input than it did: it has lost data. (If it knows of
// none, nothing that an owner has released can have come back.)
func (d *Drift) Behind(clock buffer.ShardClock) bool {
	return clock.Inputs > 0 && clock.Inputs < d.inputs
}

// Adopt takes over, at wall, the drift that new input brought, if there was any since the last call, and
// tells whether there was. A count below the known one is news too.
func (d *Drift) Adopt(clock buffer.ShardClock, wall buffer.Instant) bool {
	d.seen = min(d.seen, wall)
	if clock.Seen != d.told {
		d.hear(clock.Seen, wall)
	}
	if clock.Inputs == d.inputs && clock.Drift == d.drift {
		return false
	}
	d.offset, d.inputs, d.drift = clock.Drift, clock.Inputs, clock.Drift
	return true
}

// hear takes over when the input was last seen.
func (d *Drift) hear(seen, wall buffer.Instant) {
	d.told, seen = seen, min(seen, wall)
	if seen == 0 || d.seen == 0 { // it does not tick any more, or has not until now
		d.seen = seen
		return
	}
	if stood := seen.Sub(d.seen) - d.unseen; stood > 0 {
		d.offset -= stood
	}
	d.seen = max(d.seen, seen)
}

// SetBack takes note that the wall clock was set back by so much: the shard's time goes on from where it
// was. Without any input that is the wall clock's.
func (d *Drift) SetBack(by time.Duration) {
	if d.inputs != 0 || d.drift != 0 {
		d.offset += by
	}
	if d.seen != 0 {
		d.seen = d.seen.Add(-by)
	}
}

// Now returns the shard's now at wall.
func (d *Drift) Now(wall buffer.Instant) buffer.Instant {
	if d.seen != 0 {
		wall = min(wall, d.seen.Add(d.unseen))
	}
	return wall.Add(d.offset)
}
