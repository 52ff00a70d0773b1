package sim

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"sluice/buffer"
	"sluice/internal/journal"
	"sluice/reports"
	"sluice/scenarios"
)

// client is a process's way to the store.
type client struct {
	*redis
	conns []*conn // by node
	// who asks, for the journal.
	who     journal.Who
	journal *journal.Journal
	// answerMax is how long it waits for an answer.
	answerMax time.Duration
	// cpu is the process's, which computes that much for a call, for a span that it attaches or loads,
	// and for every 1,000 bytes of one that it loads.
	cpu                       *processor
	perCall, attach, load, kb time.Duration
	// doing notes its calls; nil: nobody asks.
	doing *doing
}

var _ buffer.Store = client{}

// call makes one call to a node, which costs the server its time per call and the given one beside it,
// and that of what is loaded.
func call[T any](
	ctx context.Context, c client, name string, at int, cost time.Duration, bytes int,
	do func(context.Context, *visit) (T, error),
) (T, error) {
	c.doing.enter(name)
	defer c.doing.leave(name)
	c.cpu.compute(c.perCall)
	c.cpu.settle()
	w := sendTo(ctx, c, at, cost, bytes, do)
	return w.wait(ctx)
}

// visit is a call at a node, and what turns out there to cost more than was known when it was sent.
type visit struct {
	*node
	more time.Duration
}

// way is a call that is under way to a node.
type way[T any] struct {
	c             client
	request       *request
	until         time.Duration
	answer        T
	failed, err   error
	spans, loaded int
}

func sendTo[T any](
	ctx context.Context, c client, at int, cost time.Duration, bytes int,
	do func(context.Context, *visit) (T, error),
) *way[T] {
	w, n := &way[T]{c: c}, c.nodes[at]
	w.until = n.k.Elapsed() + c.answerMax
	w.request, w.err = c.conns[at].send(ctx, c.costs.Call+cost, bytes, func() (int, time.Duration) {
		v := &visit{node: n}
		w.answer, w.failed = do(context.Background(), v)
		w.spans, w.loaded = spansOf(w.answer)
		return small + w.loaded, v.more + each(w.spans, c.costs.Flush) + perKB(w.loaded, c.costs.KB)
	})
	return w
}

// wait returns the answer when it has come.
func (w *way[T]) wait(ctx context.Context) (T, error) {
	err := w.err
	if err == nil {
		err = w.request.wait(ctx, false, w.until)
	}
	switch {
	case ctx.Err() != nil:
		return *new(T), ctx.Err()
	case errors.Is(err, context.DeadlineExceeded):
		return *new(T), fmt.Errorf("no answer within %v: %w", w.c.answerMax, buffer.ErrUnavailable)
	case err != nil:
		return *new(T), fmt.Errorf("%w: %w", buffer.ErrUnavailable, err)
	}
	w.c.cpu.compute(each(w.spans, w.c.load) + perKB(w.loaded, w.c.kb))
	return w.answer, w.failed
}

// burden is what a part of a call costs the server, and how many bytes go there.
type burden struct {
	cost  time.Duration
	bytes int
}

// scatter makes a call about traces: to each node about those in its slots, all at once. With an error
// the answers of the other nodes are there all the same.
func scatter[E, A any](
	ctx context.Context, c client, name string, list []E, trace func(*E) buffer.TraceKey,
	weigh func([]E) burden, do func(context.Context, *visit, []E) ([]A, error),
) ([]A, error) {
	if len(c.nodes) == 1 {
		l := weigh(list)
		return call(ctx, c, name, 0, l.cost, l.bytes, func(ctx context.Context, n *visit) ([]A, error) {
			return do(ctx, n, list)
		})
	}
	c.doing.enter(name)
	defer c.doing.leave(name)
	c.cpu.compute(c.perCall)
	c.cpu.settle()
	parts, places := make([][]E, len(c.nodes)), make([][]int, len(c.nodes))
	for i := range list {
		at := c.ofTrace(trace(&list[i]))
		parts[at], places[at] = append(parts[at], list[i]), append(places[at], i)
	}
	ways := make([]*way[[]A], len(c.nodes))
	for at, part := range parts {
		if len(part) > 0 {
			l := weigh(part)
			ways[at] = sendTo(ctx, c, at, l.cost, l.bytes, func(ctx context.Context, n *visit) ([]A, error) {
				return do(ctx, n, part)
			})
		}
	}
	answers := make([]A, len(list))
	var failed error
	for at, w := range ways {
		if w == nil {
			continue
		}
		part, err := w.wait(ctx)
		failed = cmp.Or(failed, err)
		for i := range part {
			answers[places[at][i]] = part[i]
		}
	}
	return answers, failed
}

// spansOf counts the spans that an answer carries, and their bytes.
func spansOf(answer any) (spans, bytes int) {
	add := func(l *buffer.Loaded) {
		spans += len(l.Spans)
		for i := range l.Spans {
			bytes += l.Spans[i].Size
		}
	}
	switch answer := answer.(type) {
	case []buffer.Loaded:
		for i := range answer {
			add(&answer[i])
		}
	case []buffer.Claim:
		for i := range answer {
			if answer[i].Loaded != nil {
				add(answer[i].Loaded)
			}
		}
	}
	return spans, bytes
}

// sizeOf returns how many spans there are in a batch, and their bytes.
func sizeOf(traces []buffer.TraceBatch) (spans, bytes int) {
	for _, t := range traces {
		for _, s := range t.Subtrees {
			spans += len(s.Spans)
			for i := range s.Spans {
				bytes += s.Spans[i].Size
			}
		}
	}
	return spans, bytes
}

// Attach implements buffer.Store.
func (c client) Attach(
	ctx context.Context, delivery buffer.Delivery, traces []buffer.TraceBatch,
) ([]buffer.Attached, error) {
	weigh := func(traces []buffer.TraceBatch) burden {
		spans, bytes := sizeOf(traces)
		c.cpu.compute(each(spans, c.attach))
		return burden{each(len(traces), c.costs.Trace) + each(spans, c.costs.Span) +
			perKB(bytes, c.costs.KB), small + bytes}
	}
	return scatter(ctx, c, scenarios.CallAttach, traces,
		func(t *buffer.TraceBatch) buffer.TraceKey { return t.TraceKey }, weigh,
		func(ctx context.Context, n *visit, traces []buffer.TraceBatch) ([]buffer.Attached, error) {
			if n.full > 0 {
				return nil, buffer.ErrFull
			}
			known := 0
			for i := range traces {
				if n.store.Holds(traces[i].TraceKey) {
					known++
				}
			}
			n.more += each(known, c.costs.Known)
			attached, err := n.store.Attach(ctx, delivery, traces)
			if err == nil {
				c.journal.Attached(n.k.Now(), c.who, traces, attached)
			}
			stored := 0
			for _, a := range attached {
				stored += a.Stored
				n.more += each(a.Duplicates, c.costs.Repeat) + each(len(a.Merged), c.costs.Merge)
			}
			if spans, bytes := sizeOf(traces); spans > 0 { // repeats are not stored, and of average size
				n.bytes += buffer.Bytes(stored)*c.costs.Overhead + buffer.Bytes(bytes*stored/spans)
			}
			return attached, err
		})
}

// Enqueue implements buffer.Store.
func (c client) Enqueue(ctx context.Context, shard buffer.Shard, update buffer.QueueUpdate) error {
	cost := each(len(update.Due)+len(update.Merged), c.costs.Queue)
	_, err := call(ctx, c, scenarios.CallEnqueue, c.ofShard(shard), cost, small,
		func(ctx context.Context, n *visit) (struct{}, error) {
			err := n.store.Enqueue(ctx, shard, update)
			if err == nil {
				c.journal.Queued(n.k.Now(), c.who, update)
			}
			return struct{}{}, err
		})
	return err
}

// Fence implements buffer.Store.
func (c client) Fence(
	ctx context.Context, shard buffer.Shard, last buffer.Epoch,
) (buffer.Fenced, error) {
	return call(ctx, c, scenarios.CallFence, c.ofShard(shard), 0, small,
		func(ctx context.Context, n *visit) (buffer.Fenced, error) {
			return n.store.Fence(ctx, shard, last)
		})
}

// Lease implements buffer.Store.
func (c client) Lease(
	ctx context.Context, owner buffer.Owner, now buffer.Instant, limit int,
) (buffer.Leased, error) {
	return call(ctx, c, "lease", c.ofShard(owner.Shard), 0, small,
		func(ctx context.Context, n *visit) (buffer.Leased, error) {
			leased, err := n.store.Lease(ctx, owner, now, limit)
			n.more += each(len(leased.Due), c.costs.Queue)
			for _, due := range leased.Due {
				c.journal.Did(n.k.Now(), c.who, reports.SpanLeased, due.Generation)
			}
			return leased, err
		})
}

// named is the trace of a generation.
func named(g *buffer.Generation) buffer.TraceKey { return g.TraceKey }

// weighSegments: each costs the same to claim, and to load but for its spans.
func (c client) weighSegments(list []buffer.Generation) burden {
	return burden{each(len(list), c.costs.Segment), small}
}

// Claim implements buffer.Store.
func (c client) Claim(
	ctx context.Context, owner buffer.Owner, list []buffer.Generation,
) ([]buffer.Claim, error) {
	return scatter(ctx, c, "claim", list, named, c.weighSegments,
		func(ctx context.Context, n *visit, list []buffer.Generation) ([]buffer.Claim, error) {
			claims, err := n.store.Claim(ctx, owner, list)
			for i, claim := range claims {
				if claim.State != buffer.ClaimOwned {
					c.journal.Did(n.k.Now(), c.who, reports.SpanBusy, list[i])
				}
				if claim.Loaded != nil {
					c.loaded(n.node, list[i], *claim.Loaded)
				}
			}
			return claims, err
		})
}

// loaded notes what was read of a generation.
func (c client) loaded(n *node, g buffer.Generation, l buffer.Loaded) {
	if l.Owned {
		c.journal.Loaded(n.k.Now(), c.who, g, l.Spans)
	}
	spans, bytes := spansOf([]buffer.Loaded{l})
	n.sizes[g] = buffer.Bytes(spans)*c.costs.Overhead + buffer.Bytes(bytes)
}

// Load implements buffer.Store.
func (c client) Load(
	ctx context.Context, owner buffer.Owner, list []buffer.Generation,
) ([]buffer.Loaded, error) {
	return scatter(ctx, c, "load", list, named, c.weighSegments,
		func(ctx context.Context, n *visit, list []buffer.Generation) ([]buffer.Loaded, error) {
			loaded, err := n.store.Load(ctx, owner, list)
			for i, l := range loaded {
				c.loaded(n.node, list[i], l)
			}
			return loaded, err
		})
}

// Ack implements buffer.Store.
func (c client) Ack(
	ctx context.Context, owner buffer.Owner, flushed []buffer.Flushed,
) ([]buffer.AckResult, error) {
	weigh := func(flushed []buffer.Flushed) burden {
		spans := 0
		for _, f := range flushed {
			spans += len(f.Spans)
		}
		return burden{each(len(flushed), c.costs.Segment) + each(spans, c.costs.Flush), small}
	}
	return scatter(ctx, c, "ack", flushed,
		func(f *buffer.Flushed) buffer.TraceKey { return f.TraceKey }, weigh,
		func(ctx context.Context, n *visit, flushed []buffer.Flushed) ([]buffer.AckResult, error) {
			results, err := n.store.Ack(ctx, owner, flushed)
			for i, result := range results {
				step := reports.SpanAckRefused
				if result == buffer.AckDone {
					step = reports.SpanAcked
					n.bytes -= n.sizes[flushed[i].Generation]
					delete(n.sizes, flushed[i].Generation)
				}
				c.journal.Did(n.k.Now(), c.who, step, flushed[i].Generation)
			}
			return results, err
		})
}

// Release implements buffer.Store.
func (c client) Release(ctx context.Context, owner buffer.Owner, release buffer.Release) error {
	cost := each(len(release.Done)+len(release.Back), c.costs.Queue)
	_, err := call(ctx, c, "release", c.ofShard(owner.Shard), cost, small,
		func(ctx context.Context, n *visit) (struct{}, error) {
			err := n.store.Release(ctx, owner, release)
			for _, back := range release.Back {
				c.journal.Did(n.k.Now(), c.who, reports.SpanBack, back.Generation)
			}
			return struct{}{}, err
		})
	return err
}
