package ingest

import (
	"context"
	"slices"
	"time"

	"sluice/buffer"
	"sluice/flusher"
)

// reassign follows the changes of the assignment.
func (l *Loop) reassign(ctx context.Context, fetch flusher.Fetch) {
	if len(fetch.Revoked)+len(fetch.Lost)+len(fetch.Assigned) == 0 {
		return
	}
	l.leave(fetch.Revoked, false)
	l.leave(fetch.Lost, true)
	for _, number := range fetch.Assigned {
		l.join(ctx, number)
	}
	l.say(PartitionsRevoked, fetch.Revoked)
	l.say(PartitionsLost, fetch.Lost)
	l.say(PartitionsAssigned, fetch.Assigned)
}

// assign tells the assigner which shards are to be flushed, when that has changed. New ones go
// together when each is ready, since a worker starts again for every change of its shards.
func (l *Loop) assign(now time.Time) {
	ready := true
	for _, p := range l.partitions {
		p.ready = p.ready || now.Sub(p.joined) >= l.config.AssignWait
		ready = ready && p.ready
	}
	shards := l.shards[:0]
	for _, p := range l.partitions {
		p.flushed = p.flushed || ready
		if p.flushed {
			shards = append(shards, buffer.Shard(p.number))
		}
	}
	l.shards = shards
	if !slices.Equal(shards, l.assigned) {
		l.assigned = slices.Clone(shards)
		l.ports.Assigner.Assign(slices.Clone(shards))
	}
}

func (l *Loop) say(kind EventKind, partitions []int32) {
	if len(partitions) > 0 {
		l.ports.event(Event{Kind: kind, Partitions: slices.Sorted(slices.Values(partitions))})
	}
}

// find returns the partition of that number, or nil.
func (l *Loop) find(number int32) *partition {
	if i, ok := slices.BinarySearchFunc(l.partitions, number, byNumber); ok {
		return l.partitions[i]
	}
	return nil
}

func byNumber(p *partition, number int32) int { return int(p.number - number) }

// join begins a tenure. A batch of an earlier one that is still in work goes first. An earlier one was not
// waited for, so it is as good as lost: what of it is not committed is read again, and were its offset
// committed after one of this tenure, or with it, what is flushed would be read again, too.
func (l *Loop) join(ctx context.Context, number int32) {
	at, there := slices.BinarySearchFunc(l.partitions, number, byNumber)
	if there {
		return
	}
	var earlier *batch
	for _, p := range l.leaving {
		if p.number == number {
			earlier = p.tail()
			p.lose()
		}
	}
	l.partitions = slices.Insert(l.partitions, at,
		newPartition(ctx, number, earlier, l.ports.Clock.Now(), l.config))
	l.ledger.assign(number, true)
}

// leave ends the tenure of partitions: what is pending is dropped, what is in work continues unless
// the partition is lost.
func (l *Loop) leave(numbers []int32, lost bool) {
	for _, number := range numbers {
		at, there := slices.BinarySearchFunc(l.partitions, number, byNumber)
		if !there {
			continue
		}
		p := l.partitions[at]
		l.partitions = slices.Delete(l.partitions, at, at+1)
		l.leaving = append(l.leaving, p)
		p.drop()
		p.tryOnce()
		if lost {
			p.lose()
		}
		l.ledger.assign(number, false)
	}
}

// release lets revoked partitions go of which nothing is in work and everything is committed. A
// batch that cannot get into the store for now is not waited for: another member has more luck. One
// that is in the store, and waits for a dead letter, is for some time: its spans would come out again.
func (l *Loop) release(now time.Time) {
	l.leaving = slices.DeleteFunc(l.leaving, func(p *partition) bool {
		if len(p.inWork) > 0 {
			if trouble, some := l.troubles.Open(input(p.number)); some && !passes(trouble, now) {
				p.cancel()
			}
			return false
		}
		if p.uncommitted() && p.tries < commitTriesMax || l.commit.holds(p) {
			return false
		}
		p.cancel()
		if p.uncommitted() {
			l.ports.event(Event{Kind: CommitGivenUp, Partitions: []int32{p.number}})
		}
		if !p.lost {
			l.ports.Source.Released(p.number)
			l.ports.event(Event{Kind: PartitionsReleased, Partitions: []int32{p.number}})
		}
		return true
	})
}
