package ingest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"sluice/buffer"
	"sluice/flusher"
)

// ticker tells the store, shard by shard, that the input is read as it comes. Without ticks the
// clocks of the shards stop soon (flusher.Drift): what was not read may still be to come.
type ticker struct {
	// inTouch and silent are what the last poll said.
	inTouch bool
	silent  []int32
	last    time.Time
	rows    []*row // that are not done, as far as was seen
}

// ticksInARow is how many shards hear one after the other; more do at the same time. Else, with many
// and a store that is slow, the last would hear too seldom for their clocks to go on.
const ticksInARow = 8

// row is some shards that hear one after the other.
type row struct {
	task  flusher.Task
	begun time.Time

	mu   sync.Mutex
	hand buffer.Shard   // that hears now; noShard before the first
	left []buffer.Shard // that hear after it
}

const noShard buffer.Shard = -1

// next returns the shard that is to hear next, if there is one.
func (r *row) next() (shard buffer.Shard, some bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.left) == 0 {
		return noShard, false
	}
	r.hand, r.left = r.left[0], r.left[1:]
	return r.hand, true
}

// end lets a row end with the shard that hears now, and returns that, and those that would have followed.
func (r *row) end() (hand buffer.Shard, left []buffer.Shard) {
	r.mu.Lock()
	defer r.mu.Unlock()
	hand, left, r.left = r.hand, r.left, nil
	return hand, left
}

// end lets all rows end with the shards that hear now: each may take as long as an answer of a store that hangs.
func (t *ticker) end() {
	for _, r := range t.rows {
		r.end()
	}
}

// overdue ends the rows that were begun by a time and are not done, and returns the shards that have not
// heard: those that were told, and wait for an answer, and those that waited for them.
func (t *ticker) overdue(by time.Time) (told, waited []buffer.Shard) {
	t.rows = slices.DeleteFunc(t.rows, func(r *row) bool { return r.task.Done() })
	for _, r := range t.rows {
		if r.begun.After(by) {
			continue
		}
		hand, left := r.end()
		told, waited = append(told, hand), append(waited, left...)
	}
	return told, waited
}

// settleWait is how long a partition that can be read again stays silent if nothing comes: what
// has gathered meanwhile should have come by then.
const settleWait = time.Second

// current tells whether what has not been read of the partition has not come yet, as far as can be
// known: nothing keeps it from being read, and since that is so, a batch was stored (with which
// the shard's drift accounts for the delay), or none came for a while.
func (p *partition) current(now time.Time, readable bool) bool {
	switch {
	case !readable:
		p.readable, p.caughtUp = time.Time{}, false
		return false
	case p.readable.IsZero():
		p.readable = now
	}
	return p.caughtUp || now.Sub(p.readable) >= settleWait
}

// A shard whose input is stored batch by batch needs few ticks, since a batch says what a tick would have
// said when it was begun. It counts for vouchTicks. But it never heals anything, so every ownTicks there is
// one all the same.
const (
	vouchTicks = 1.5
	ownTicks   = 4
)

// roundsPerTick is how often in the time from tick to tick of a shard there is a round.
const roundsPerTick = 4

// mute tells whether a partition needs no tick, since it had one, or a batch that said as much.
func (p *partition) mute(now time.Time, every time.Duration) bool {
	since := now.Sub(p.told)
	return since < every || since < ownTicks*every && now.Sub(p.vouched) < time.Duration(vouchTicks*float64(every))
}

// slowTicks is after how many ticks a batch that is not stored yet is slow. What came since may wait
// behind it, so the shard's clock goes on when it is stored.
const slowTicks = 2

// idle tells whether nothing came for so long that what is buffered would be due by a clock that
// went on from the last batch. If that clock is behind the wall clock all the same (the last that
// came was old, or skewed at the start of a tenure), nothing is to be read any more that it has to
// wait for.
func (p *partition) idle(now time.Time, longest time.Duration) bool {
	since := p.started
	for _, t := range []time.Time{p.since, p.readable} {
		if t.After(since) {
			since = t
		}
	}
	return p.abreast && len(p.pending)+len(p.inWork) == 0 && now.Sub(since) >= longest
}

// tick starts a round of ticks if one is due. While the store is full partitions tick all the same,
// or nothing would become due, and the store would stay full.
func (l *Loop) tick(ctx context.Context, now time.Time) {
	t := &l.ticker
	full := l.ports.Gate.Full()
	shards := l.shards[:0]
	for _, p := range l.partitions {
		trouble := l.troubles.Of(input(p.number))
		readable := t.inTouch && p.reason == "" && trouble == nil && !slices.Contains(t.silent, p.number)
		p.abreast = p.current(now, readable)
		p.vouches = p.abreast && !p.slow(now, slowTicks*l.config.TickEvery)
		if (p.vouches || full || errors.Is(trouble, buffer.ErrFull)) && !p.mute(now, l.config.TickEvery) {
			shards = append(shards, buffer.Shard(p.number))
		}
	}
	l.shards = shards
	if l.draining || now.Sub(t.last) < l.config.TickEvery/roundsPerTick {
		return
	}
	t.last = now
	// A shard whose node hangs keeps others waiting for one tick at the most: then they hear each by itself.
	told, waited := t.overdue(now.Add(-l.config.TickEvery))
	shards = slices.DeleteFunc(slices.Clone(shards), func(s buffer.Shard) bool {
		if slices.Contains(waited, s) {
			l.tickRow(ctx, []buffer.Shard{s}, now)
			return true
		}
		return slices.Contains(told, s)
	})
	for row := range slices.Chunk(shards, ticksInARow) {
		l.tickRow(ctx, row, now)
	}
	for _, p := range l.partitions {
		if p.idle(now, l.config.longest()) && p.course.behind() {
			l.catchUp(p, now)
		}
	}
}

// tickRow starts to tell the store of shards, one after the other.
func (l *Loop) tickRow(ctx context.Context, shards []buffer.Shard, now time.Time) {
	for _, shard := range shards {
		l.find(int32(shard)).told = now
	}
	r := &row{begun: now, hand: noShard, left: shards}
	l.ticker.rows = append(l.ticker.rows, r)
	update := buffer.QueueUpdate{Tick: true, Wall: buffer.InstantOf(now)}
	r.task = l.ports.Tasks.Go("ingest tick", func() {
		for shard, some := r.next(); some; shard, some = r.next() {
			// A tick that fails is not tried again: the next one says the same, and more. It keeps no
			// other shard from its own: that may be on another node, and would never come due.
			if l.ports.Store.Enqueue(ctx, shard, update) != nil && ctx.Err() != nil {
				return
			}
		}
	})
}

// catchUp starts to set the clock of a shard to the wall clock. It takes its turn as a batch does, that of no
// messages: what comes while it is on its way is stored behind it, or the clock would leap over its
// deadlines; and who gets the partition next does not get it before.
func (l *Loop) catchUp(p *partition, now time.Time) {
	b := p.append(&batch{number: p.number, wall: buffer.InstantOf(now), begun: now, run: p.run, empty: true})
	b.task = l.ports.Tasks.Go(p.taskName(), func() { b.err = l.setClock(p.ctx, b) })
}

// setClock sets the clock of an empty batch's shard. If that fails it is tried again with a later round of
// ticks: nothing depends on it.
func (l *Loop) setClock(ctx context.Context, b *batch) error {
	if err := b.takeTurn(); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	b.set = l.ports.Store.Enqueue(ctx, buffer.Shard(b.number),
		buffer.QueueUpdate{Clock: b.wall.WholeSeconds(), Wall: b.wall}) == nil
	return nil
}
