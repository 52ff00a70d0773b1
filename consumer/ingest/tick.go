package ingest

import (
	"context"
	"errors"
	"slices"
	"time"

	"sluice/buffer"
	"sluice/flusher"
)

// ticker tells the store, shard by shard, that the input is read as it comes. Without ticks the
// clocks of the shards stop soon (flusher.Drift): what was not read may still be to come.
type ticker struct {
	// inTouch is what the last poll said.
	inTouch bool
	last    time.Time
	task    flusher.Task
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

// tick starts a round of ticks if one is due. While the store is full partitions tick all the same,
// or nothing would become due, and the store would stay full.
func (l *Loop) tick(ctx context.Context, now time.Time) {
	t := &l.ticker
	full := l.ports.Gate.Full()
	shards := l.shards[:0]
	for _, p := range l.partitions {
		trouble := l.troubles.Of(input(p.number))
		readable := t.inTouch && p.reason == "" && trouble == nil
		if p.current(now, readable) || full || errors.Is(trouble, buffer.ErrFull) {
			shards = append(shards, buffer.Shard(p.number))
		}
	}
	l.shards = shards
	if t.task != nil && t.task.Done() {
		t.task = nil
	}
	if l.draining || len(shards) == 0 || t.task != nil || now.Sub(t.last) < l.config.TickEvery {
		return
	}
	t.last = now
	shards = slices.Clone(shards)
	update := buffer.QueueUpdate{Tick: true, Wall: buffer.InstantOf(now)}
	t.task = l.ports.Tasks.Go("ingest tick", func() {
		for _, shard := range shards {
			// A tick that fails is not tried again: the next one says the same, and more. It keeps no
			// other shard from its own: that may be on another node, and would never come due.
			if l.ports.Store.Enqueue(ctx, shard, update) != nil && ctx.Err() != nil {
				return
			}
		}
	})
}
