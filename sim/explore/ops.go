package explore

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"sluice/buffer"
	"sluice/buffer/memstore"
)

// What processes ask for. The words are those of the port's call.
type (
	sleep struct{ Idle bool }
	// wait is for the fate of a record that was handed over for the how manieth time.
	wait struct {
		Generation buffer.Generation
		Try        int
	}
	poll struct{ From int64 } // an offset
	// commit names the offset up to which nothing is to be read again.
	commit struct{ Offset int64 }

	attach struct {
		Delivery buffer.Delivery
		Traces   []buffer.TraceBatch
	}
	enqueue struct {
		Shard  buffer.Shard
		Update buffer.QueueUpdate
	}
	fence struct {
		Shard buffer.Shard
		Last  buffer.Epoch
	}
	lease struct {
		Owner buffer.Owner
		Limit int
	}
	claim struct {
		Owner       buffer.Owner
		Generations []buffer.Generation
	}
	load struct {
		Owner       buffer.Owner
		Generations []buffer.Generation
	}
	ack struct {
		Owner   buffer.Owner
		Flushed []buffer.Flushed
	}
	release struct {
		Owner   buffer.Owner
		Release buffer.Release
	}
)

// step is what is asked of the store.
type step interface {
	// do has the effect on a store. Of a lease, take says what is due: time is not part of a state.
	do(on *memstore.Store, take []buffer.Generation) answer
}

var ctx = context.Background()

func (o attach) do(on *memstore.Store, _ []buffer.Generation) answer {
	v, err := on.Attach(ctx, o.Delivery, o.Traces)
	return answer{v, err}
}

func (o enqueue) do(on *memstore.Store, _ []buffer.Generation) answer {
	return answer{nil, on.Enqueue(ctx, o.Shard, o.Update)}
}

func (o fence) do(on *memstore.Store, _ []buffer.Generation) answer {
	v, err := on.Fence(ctx, o.Shard, o.Last)
	v.Clock = buffer.ShardClock{}
	return answer{v, err}
}

// do leases what is to be taken, in that order: all else is out of the queue meanwhile. What the store
// knows of deadlines, and which entries come first after a fence, is forgotten by that: neither is a part
// of a state.
func (o lease) do(on *memstore.Store, take []buffer.Generation) answer {
	var all, due, others buffer.QueueUpdate
	for i, name := range take {
		due.Due = append(due.Due, buffer.Due{Generation: name, Deadline: buffer.Instant(i)})
	}
	for name := range on.Snapshot().Shards[o.Owner.Shard].Queued { //order-free: sets
		all.Merged = append(all.Merged, name)
		if !slices.Contains(take, name) {
			others.Due = append(others.Due, buffer.Due{Generation: name})
		}
	}
	for _, update := range []buffer.QueueUpdate{all, due} {
		_ = on.Enqueue(ctx, o.Owner.Shard, update)
	}
	v, err := on.Lease(ctx, o.Owner, always, o.Limit)
	_ = on.Enqueue(ctx, o.Owner.Shard, others)
	for i := range v.Due {
		v.Due[i].Deadline = 0
	}
	v.Clock, v.Outstanding = buffer.ShardClock{}, 0 // nothing is ever lost here
	return answer{v, err}
}

// always is later than every deadline.
const always = buffer.Instant(1 << 62)

func (o claim) do(on *memstore.Store, _ []buffer.Generation) answer {
	v, err := on.Claim(ctx, o.Owner, o.Generations)
	return answer{v, err}
}

func (o load) do(on *memstore.Store, _ []buffer.Generation) answer {
	v, err := on.Load(ctx, o.Owner, o.Generations)
	return answer{v, err}
}

func (o ack) do(on *memstore.Store, _ []buffer.Generation) answer {
	v, err := on.Ack(ctx, o.Owner, o.Flushed)
	return answer{v, err}
}

func (o release) do(on *memstore.Store, _ []buffer.Generation) answer {
	return answer{nil, on.Release(ctx, o.Owner, o.Release)}
}

// stageOf names what a process is doing that waits for the answer to this.
func stageOf(op any) string {
	switch o := op.(type) {
	case sleep:
		if o.Idle {
			return "idle"
		}
		return "pause"
	case poll:
		return "idle"
	}
	return strings.TrimPrefix(fmt.Sprintf("%T", op), "explore.")
}

// say describes a call in words.
func say(op any) string {
	switch o := op.(type) {
	case attach:
		var spans []string
		for _, t := range o.Traces {
			for _, sub := range t.Subtrees {
				for _, s := range sub.Spans {
					spans = append(spans, spanName(s.ID))
				}
			}
		}
		return "attach " + strings.Join(spans, " ")
	case enqueue:
		text := "enqueue"
		for _, d := range o.Update.Due {
			text += " " + generationName(d.Generation)
		}
		for _, g := range o.Update.Merged {
			text += ", drop " + generationName(g)
		}
		return text
	case lease:
		return fmt.Sprintf("lease under epoch %d", o.Owner.Epoch)
	case claim:
		return "claim" + generationNames(o.Generations)
	case load:
		return "load" + generationNames(o.Generations)
	case ack:
		text := "ack"
		for _, f := range o.Flushed {
			text += " " + generationName(f.Generation)
		}
		return text
	case release:
		text := "release" + generationNames(o.Release.Done)
		for _, d := range o.Release.Back {
			text += ", back " + generationName(d.Generation)
		}
		return text
	case fence:
		return fmt.Sprintf("fence shard %d", o.Shard)
	case commit:
		return fmt.Sprintf("commit up to offset %d", o.Offset)
	}
	return stageOf(op)
}

// reply describes an answer in words, if it says more than that it was done.
func reply(a answer) string {
	if a.Err != nil {
		return a.Err.Error()
	}
	var words []string
	switch v := a.Value.(type) {
	case buffer.Leased:
		if len(v.Due) == 0 {
			return "nothing is due"
		}
		for _, d := range v.Due {
			words = append(words, generationName(d.Generation))
		}
	case []buffer.Claim:
		for _, c := range v {
			words = append(words, [...]string{"gone", "owned", "busy", "stale"}[c.State])
		}
	case []buffer.Loaded:
		for _, l := range v {
			if !l.Owned {
				words = append(words, "not owned")
			}
			for _, s := range l.Spans {
				words = append(words, spanName(s.ID))
			}
		}
	case []buffer.AckResult:
		for _, r := range v {
			words = append(words, [...]string{"gone", "done", "stale"}[r])
		}
	case buffer.Fenced:
		return fmt.Sprintf("epoch %d", v.Owner.Epoch)
	}
	return strings.Join(words, ", ")
}

// spanName returns "a2" for the third span of the first trace.
func spanName(id buffer.SpanID) string {
	return fmt.Sprintf("%s%d", traceName(id[0], id[1]), id[2])
}

func traceName(column, row byte) string {
	return string(rune('a'+column)) + strings.Repeat("'", int(row))
}

// generationName returns "a0/1" for the generation that began with offset 1 in segment a0, and
// "a0/1.2" for one of the third reading.
func generationName(g buffer.Generation) string {
	text := fmt.Sprintf("%s/%d", spanName(g.Segment), g.ID.Number%perTenure)
	if tenure := g.ID.Number / perTenure; tenure > 0 {
		text += fmt.Sprintf(".%d", tenure)
	}
	return text
}

func generationNames(gs []buffer.Generation) string {
	text := ""
	for _, g := range gs {
		text += " " + generationName(g)
	}
	return text
}

// sortedGenerations returns the keys in their order.
func sortedGenerations(set map[buffer.Generation]bool) []buffer.Generation {
	all := make([]buffer.Generation, 0, len(set))
	for g := range set { //order-free: sorted below
		all = append(all, g)
	}
	slices.SortFunc(all, func(a, b buffer.Generation) int { return a.Compare(b) })
	return all
}
