package sim

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sluice/buffer"
	"sluice/buffer/memstore"
	"sluice/internal/harness"
	"sluice/reports"
	"sluice/scenarios"
	"sluice/sim/kernel"
)

// redis is one server over the reference store. Each call is one request, and has its effect at one
// moment.
type redis struct {
	*link
	own     *conn // of what belongs to no process
	costs   Redis
	options buffer.Options
	store   *memstore.Store
	full    int // faults under which it has no room
}

func newRedis(k *kernel.Kernel, costs Costs, on *hosts, options buffer.Options) *redis {
	l := newLink(k, "redis", costs.Network.Hop, k.NewServer("redis", on.shared))
	return &redis{link: l, own: l.connect(), costs: costs.Redis, options: options,
		store: memstore.New(options)}
}

// Break does a fault to the server or to the way to it.
func (r *redis) Break(f scenarios.Fault) (undo func() error, err error) {
	switch f.Verb {
	case scenarios.VerbFill:
		r.full++
		return func() error {
			r.full--
			return nil
		}, nil
	case scenarios.VerbWipe:
		r.store = memstore.New(r.options)
		return r.refuse(), nil
	}
	undo, ok := r.breakDown(f)
	if !ok {
		return nil, fmt.Errorf("world virtual knows no %s of redis", f.Verb)
	}
	return undo, nil
}

// Memory implements flusher.MemoryMeter: a node is full, or it has room.
func (r *redis) Memory(ctx context.Context) ([]buffer.NodeMemory, error) {
	node := buffer.NodeMemory{Node: "redis"}
	err := r.own.ask(ctx, patient, r.costs.Call, small, func() (int, time.Duration) {
		if r.full > 0 {
			node.Used, node.Max = 1, 1
		}
		return small, 0
	})
	return []buffer.NodeMemory{node}, err
}

// small is how many bytes a request or an answer has that carries no spans.
const small = 100

// client is a process's way to the store.
type client struct {
	*redis
	conn *conn
	// who asks, for the journal.
	who     harness.Process
	journal *harness.Journal
	// answerMax is how long it waits for an answer.
	answerMax time.Duration
	// cpu is the process's, which computes that much for a call, for a span that it attaches or loads,
	// and for every 1,000 bytes of one that it loads.
	cpu                       *processor
	perCall, attach, load, kb time.Duration
}

var _ buffer.Store = client{}

// call makes one call, which costs the server its time per call and the given one beside it, and that
// of what is loaded.
func call[T any](
	ctx context.Context, c client, cost time.Duration, bytes int,
	do func(context.Context) (T, error),
) (T, error) {
	var answer T
	var failed error
	c.cpu.compute(c.perCall)
	c.cpu.settle()
	spans, loaded := 0, 0
	err := c.conn.ask(ctx, c.answerMax, c.costs.Call+cost, bytes, func() (int, time.Duration) {
		answer, failed = do(context.Background())
		spans, loaded = spansOf(answer)
		return small + loaded, each(spans, c.costs.Flush)
	})
	switch {
	case ctx.Err() != nil:
		return *new(T), ctx.Err()
	case errors.Is(err, context.DeadlineExceeded):
		return *new(T), fmt.Errorf("no answer within %v: %w", c.answerMax, buffer.ErrUnavailable)
	case err != nil:
		return *new(T), fmt.Errorf("%w: %w", buffer.ErrUnavailable, err)
	}
	c.cpu.compute(each(spans, c.load) + perKB(loaded, c.kb))
	return answer, failed
}

// spansOf counts the spans that an answer carries, and their bytes.
func spansOf(answer any) (spans, bytes int) {
	loaded, _ := answer.([]buffer.Loaded)
	for _, l := range loaded {
		spans += len(l.Spans)
		for i := range l.Spans {
			bytes += l.Spans[i].Size
		}
	}
	return spans, bytes
}

// Attach implements buffer.Store.
func (c client) Attach(
	ctx context.Context, delivery buffer.Delivery, traces []buffer.TraceBatch,
) ([]buffer.Attached, error) {
	spans, bytes := 0, small
	for _, t := range traces {
		for _, s := range t.Subtrees {
			spans += len(s.Spans)
			for i := range s.Spans {
				bytes += s.Spans[i].Size
			}
		}
	}
	c.cpu.compute(each(spans, c.attach))
	cost := each(len(traces), c.costs.Trace) + each(spans, c.costs.Span)
	return call(ctx, c, cost, bytes,
		func(ctx context.Context) ([]buffer.Attached, error) {
			if c.full > 0 {
				return nil, buffer.ErrFull
			}
			attached, err := c.store.Attach(ctx, delivery, traces)
			if err == nil {
				c.journal.Attached(c.k.Now(), c.who, traces, attached)
			}
			return attached, err
		})
}

// Enqueue implements buffer.Store.
func (c client) Enqueue(ctx context.Context, n buffer.Shard, update buffer.QueueUpdate) error {
	_, err := call(ctx, c, 0, small, func(ctx context.Context) (struct{}, error) {
		err := c.store.Enqueue(ctx, n, update)
		if err == nil {
			c.journal.Queued(c.k.Now(), c.who, update)
		}
		return struct{}{}, err
	})
	return err
}

// Fence implements buffer.Store.
func (c client) Fence(
	ctx context.Context, n buffer.Shard, last buffer.Epoch,
) (buffer.Fenced, error) {
	return call(ctx, c, 0, small, func(ctx context.Context) (buffer.Fenced, error) {
		return c.store.Fence(ctx, n, last)
	})
}

// Lease implements buffer.Store.
func (c client) Lease(
	ctx context.Context, owner buffer.Owner, now buffer.Instant, limit int,
) (buffer.Leased, error) {
	return call(ctx, c, 0, small, func(ctx context.Context) (buffer.Leased, error) {
		leased, err := c.store.Lease(ctx, owner, now, limit)
		for _, due := range leased.Due {
			c.journal.Did(c.k.Now(), c.who, reports.SpanLeased, due.Generation)
		}
		return leased, err
	})
}

// Claim implements buffer.Store.
func (c client) Claim(
	ctx context.Context, owner buffer.Owner, list []buffer.Generation,
) ([]buffer.Claim, error) {
	return call(ctx, c, each(len(list), c.costs.Segment), small,
		func(ctx context.Context) ([]buffer.Claim, error) {
			claims, err := c.store.Claim(ctx, owner, list)
			for i, claim := range claims {
				if claim.State != buffer.ClaimOwned {
					c.journal.Did(c.k.Now(), c.who, reports.SpanBusy, list[i])
				}
			}
			return claims, err
		})
}

// Load implements buffer.Store.
func (c client) Load(
	ctx context.Context, owner buffer.Owner, list []buffer.Generation,
) ([]buffer.Loaded, error) {
	return call(ctx, c, each(len(list), c.costs.Segment), small,
		func(ctx context.Context) ([]buffer.Loaded, error) {
			loaded, err := c.store.Load(ctx, owner, list)
			for i, l := range loaded {
				if l.Owned {
					c.journal.Loaded(c.k.Now(), c.who, list[i], l.Spans)
				}
			}
			return loaded, err
		})
}

// Ack implements buffer.Store.
func (c client) Ack(
	ctx context.Context, owner buffer.Owner, flushed []buffer.Flushed,
) ([]buffer.AckResult, error) {
	spans := 0
	for _, f := range flushed {
		spans += len(f.Spans)
	}
	return call(ctx, c, each(len(flushed), c.costs.Segment)+each(spans, c.costs.Flush), small,
		func(ctx context.Context) ([]buffer.AckResult, error) {
			results, err := c.store.Ack(ctx, owner, flushed)
			for i, result := range results {
				step := reports.SpanAckRefused
				if result == buffer.AckDone {
					step = reports.SpanAcked
				}
				c.journal.Did(c.k.Now(), c.who, step, flushed[i].Generation)
			}
			return results, err
		})
}

// Release implements buffer.Store.
func (c client) Release(ctx context.Context, owner buffer.Owner, release buffer.Release) error {
	_, err := call(ctx, c, 0, small, func(ctx context.Context) (struct{}, error) {
		err := c.store.Release(ctx, owner, release)
		for _, back := range release.Back {
			c.journal.Did(c.k.Now(), c.who, reports.SpanBack, back.Generation)
		}
		return struct{}{}, err
	})
	return err
}
