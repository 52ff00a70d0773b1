package ingest

import (
	"context"
	"errors"
	"slices"
	"time"

	"sluice/flusher"
)

// commit is the one commit that may be in flight.
type commit struct {
	task       flusher.Task // nil if none is
	partitions []*partition // whose offsets it commits
	last       []flusher.Message
	err        error // the task's until it is done

	started time.Time
}

// holds tells whether the partition's offset is being committed.
func (c *commit) holds(p *partition) bool {
	return c.task != nil && slices.Contains(c.partitions, p)
}

// commitDone takes note of a commit that is done, and starts the next one if there is something to
// commit: for each partition the last message of the batches that are done without a gap.
func (l *Loop) commitDone(ctx context.Context, now time.Time) {
	c := &l.commit
	if c.task != nil {
		if !c.task.Done() {
			return
		}
		l.commitEnded(c)
	}
	if now.Sub(c.started) < l.config.CommitInterval && len(l.leaving) == 0 && !l.draining {
		return
	}
	if l.troubles.Of(committing) != nil && now.Sub(c.started) < l.config.RetryMax {
		return
	}
	c.partitions, c.last = nil, nil
	wanted := false
	for i, p := range l.all() {
		if !p.uncommitted() {
			continue
		}
		// What leaves is given up after some tries: were it tried again at once, it would never be let go.
		// In a drain it takes part in what others try.
		leaves := l.draining || i >= len(l.partitions)
		givenUp := leaves && p.tries >= commitTriesMax
		if givenUp && !l.draining {
			continue
		}
		wanted = wanted || !givenUp
		c.partitions = append(c.partitions, p)
		c.last = append(c.last, p.done)
	}
	if !wanted {
		return
	}
	c.started = now
	last := c.last
	c.task = l.ports.Tasks.Go("commit", func() { c.err = l.ports.Source.Commit(ctx, last) })
}

func (l *Loop) commitEnded(c *commit) {
	c.task = nil
	l.ledger.commit(c.err != nil)
	if c.err != nil {
		l.troubles.Fails(committing, OperationCommit, c.err)
	} else {
		l.troubles.Works(committing)
	}
	var some *flusher.NotCommitted
	errors.As(c.err, &some)
	for i, p := range c.partitions {
		if c.err != nil && (some == nil || slices.Contains(some.Partitions, p.number)) {
			p.tries++
			continue
		}
		p.committed = c.last[i].Position.Offset
		l.ledger.moveOn(p.number, p.committed+1)
	}
}
