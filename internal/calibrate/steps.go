package calibrate

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"sluice/buffer"
	"sluice/internal/load"
)

// steps are what each step of the protocol took for a shape's load, one step after the other, with
// nothing going on beside it.
type steps struct {
	shape
	// known are the traces of Attach of which something was stored already, over all batches.
	// merged are the segments that became part of another one.
	spans, traces, known, merged, queued, segments, bytes int
	// along are the spans that came with a Claim, so that nobody loaded them; alongBytes are theirs, and
	// loadedSegments those that were loaded.
	along, alongBytes, loadedSegments int
	// attachCalls are those of Attach, calls those of each step of a worker but Load, and loadCalls its.
	attachCalls, calls, loadCalls int

	decode, group, attach, again, enqueue, lease, claim, load, encode, ack, release used
	// Of the first shape only: to make its messages smaller, by codec, to produce them, and how many that
	// were per second.
	compress map[string]used
	produce  used
	rate     rate
}

// named are the steps with their names, in their order.
func (s *steps) named() []struct {
	name string
	used
} {
	type named = struct {
		name string
		used
	}
	list := []named{
		{"decode", s.decode}, {"group", s.group}, {"attach", s.attach}, {"enqueue", s.enqueue},
		{"lease", s.lease}, {"claim", s.claim}, {"load", s.load}, {"assemble", s.encode},
	}
	for _, codec := range compressions {
		list = append(list, named{"compress " + codec, s.compress[codec]})
	}
	return append(list, named{"produce", s.produce}, named{"ack", s.ack}, named{"release", s.release})
}

// stepShard is the queue that the steps use.
const stepShard = 0

// walk drives every step of the store for a load of a shape, and the codec, one after the other.
type walk struct {
	rig   *rig
	out   *steps
	owner buffer.Owner
	clock buffer.Instant
	// What one step hands to the next. A step lets go of what no later one needs: the garbage collector
	// would go through it within their time.
	messages []load.Message
	all      []buffer.Span
	batches  [][]buffer.TraceBatch
	updates  []buffer.QueueUpdate
	pages    [][]buffer.Generation // what each lease gave
	claims   [][]buffer.Claim      // of each page
	spans    map[buffer.Generation][]buffer.Span
	flushed  [][]buffer.Flushed // of each page
}

// stepByStep drives every step for a load of so many spans.
func (r *rig) stepByStep(ctx context.Context, s shape, spans int) (*steps, error) {
	w := &walk{rig: r, out: &steps{shape: s}}
	r.seed++
	_, w.messages = s.messages(spans, r.seed)
	list := []func(context.Context) error{
		w.decode, w.group, w.fence, w.attach, w.again, w.enqueue, w.lease, w.claim, w.load, w.assemble,
		w.output, w.ack, w.release,
	}
	for _, step := range list {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return w.out, nil
}

// timed enters what a step computes.
func (w *walk) timed(ctx context.Context, into *used, what string, do func() error) error {
	runtime.GC()
	u, err := w.rig.during(ctx, do)
	*into = u
	if err != nil {
		return fmt.Errorf("%s (%s): %w", what, w.out.name, err)
	}
	return nil
}

func (w *walk) decode(ctx context.Context) error {
	err := w.timed(ctx, &w.out.decode, "decode", func() error {
		for i := range w.messages {
			decoded, err := w.rig.codec.Decode(w.messages[i].Value)
			if err != nil {
				return err
			}
			decoded.Position = buffer.Position{Partition: stepShard, Offset: int64(i)}
			w.all = append(w.all, decoded.Span)
			w.out.bytes += decoded.Size
		}
		return nil
	})
	w.messages, w.out.spans = nil, len(w.all)
	return err
}

func (w *walk) group(ctx context.Context) error {
	if err := w.timed(ctx, &w.out.group, "group", func() error {
		for len(w.all) > 0 {
			n := min(w.out.batch, len(w.all))
			traces, _ := buffer.Group(w.all[:n])
			w.batches = append(w.batches, traces)
			w.out.traces += len(traces)
			w.all = w.all[n:]
		}
		return nil
	}); err != nil {
		return err
	}
	w.all = nil
	seen := map[buffer.TraceKey]bool{}
	for _, traces := range w.batches {
		for i := range traces {
			if key := traces[i].TraceKey; seen[key] {
				w.out.known++
			} else {
				seen[key] = true
			}
		}
	}
	return nil
}

// fence takes the queue, which takes no time that is told.
func (w *walk) fence(ctx context.Context) error {
	fenced, err := w.rig.store.Fence(ctx, stepShard, buffer.AnyEpoch)
	w.owner, w.clock = fenced.Owner, buffer.InstantOf(time.Now())
	return err
}

func (w *walk) attach(ctx context.Context) error {
	w.out.attachCalls = len(w.batches)
	w.updates = make([]buffer.QueueUpdate, len(w.batches))
	return w.timed(ctx, &w.out.attach, "attach", func() error {
		for i, traces := range w.batches {
			answers, err := w.deliver(ctx, traces)
			if err != nil {
				return err
			}
			update := &w.updates[i]
			*update = buffer.QueueUpdate{Clock: w.clock, Wall: w.clock}
			for _, answer := range answers {
				for _, live := range answer.Live {
					update.Due = append(update.Due, buffer.Due{Generation: live.Generation, Deadline: w.clock})
				}
				update.Merged = append(update.Merged, answer.Merged...)
				w.out.merged += len(answer.Merged)
			}
			w.out.queued += len(update.Due) + len(update.Merged)
		}
		return nil
	})
}

// deliver attaches a batch as the next delivery.
func (w *walk) deliver(ctx context.Context, traces []buffer.TraceBatch) ([]buffer.Attached, error) {
	w.rig.number++
	return w.rig.store.Attach(ctx, buffer.Delivery{Clock: w.clock,
		ID: buffer.DeliveryID{Partition: stepShard, Number: w.rig.number}}, traces)
}

// again attaches everything a second time, if the shape is one for that.
func (w *walk) again(ctx context.Context) error {
	err := w.timed(ctx, &w.out.again, "attach again", func() error {
		if !w.out.shape.again {
			return nil
		}
		for _, traces := range w.batches {
			if _, err := w.deliver(ctx, traces); err != nil {
				return err
			}
		}
		return nil
	})
	w.batches = nil
	return err
}

func (w *walk) enqueue(ctx context.Context) error {
	err := w.timed(ctx, &w.out.enqueue, "enqueue", func() error {
		for _, update := range w.updates {
			if err := w.rig.store.Enqueue(ctx, stepShard, update); err != nil {
				return err
			}
		}
		return nil
	})
	w.updates = nil
	return err
}

// lease leases everything, a page at a time.
func (w *walk) lease(ctx context.Context) error {
	now := buffer.InstantOf(time.Now().Add(ahead))
	err := w.timed(ctx, &w.out.lease, "lease", func() error {
		for {
			leased, err := w.rig.store.Lease(ctx, w.owner, now, w.out.shape.segments)
			if err != nil || len(leased.Due) == 0 {
				return err
			}
			page := make([]buffer.Generation, len(leased.Due))
			for i, due := range leased.Due {
				page[i] = due.Generation
			}
			w.pages = append(w.pages, page)
			w.out.segments += len(page)
		}
	})
	w.out.calls = len(w.pages)
	return err
}

func (w *walk) claim(ctx context.Context) error {
	w.claims = make([][]buffer.Claim, len(w.pages))
	return w.timed(ctx, &w.out.claim, "claim", func() error {
		for i, page := range w.pages {
			var err error
			if w.claims[i], err = w.rig.store.Claim(ctx, w.owner, page); err != nil {
				return err
			}
		}
		return nil
	})
}

// load loads what did not come with its Claim.
func (w *walk) load(ctx context.Context) error {
	left := w.spansOfClaims()
	loaded := make([][]buffer.Loaded, len(left))
	if err := w.timed(ctx, &w.out.load, "load", func() (err error) {
		for i, list := range left {
			if len(list) == 0 {
				continue
			}
			w.out.loadCalls++
			if loaded[i], err = w.rig.store.Load(ctx, w.owner, list); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		return err
	}
	for i, list := range left {
		w.out.loadedSegments += len(list)
		for k, g := range list {
			w.spans[g] = loaded[i][k].Spans
		}
	}
	return nil
}

// spansOfClaims takes the spans that came with Claims, and returns what of each page did not.
func (w *walk) spansOfClaims() (left [][]buffer.Generation) {
	w.spans = map[buffer.Generation][]buffer.Span{}
	left = make([][]buffer.Generation, len(w.pages))
	for i, page := range w.pages {
		for k, claim := range w.claims[i] {
			if claim.Loaded == nil {
				left[i] = append(left[i], page[k])
				continue
			}
			w.spans[page[k]] = claim.Loaded.Spans
			w.out.along += len(claim.Loaded.Spans)
			for _, span := range claim.Loaded.Spans {
				w.out.alongBytes += span.Size
			}
		}
	}
	return left
}

func (w *walk) assemble(ctx context.Context) error {
	w.flushed = make([][]buffer.Flushed, len(w.pages))
	err := w.timed(ctx, &w.out.encode, "assemble", func() error {
		for i, page := range w.pages {
			for k, g := range page {
				f := buffer.Flushed{Generation: g, Along: w.claims[i][k].Loaded != nil}
				for _, span := range w.spans[g] {
					f.Spans = append(f.Spans, span.ID)
				}
				w.flushed[i] = append(w.flushed[i], f)
				if _, err := w.rig.codec.Encode(g, w.spans[g]); err != nil {
					return err
				}
			}
		}
		return nil
	})
	w.claims = nil
	return err
}

func (w *walk) ack(ctx context.Context) error {
	err := w.timed(ctx, &w.out.ack, "ack", func() error {
		for _, list := range w.flushed {
			if _, err := w.rig.store.Ack(ctx, w.owner, list); err != nil {
				return err
			}
		}
		return nil
	})
	w.flushed = nil
	return err
}

func (w *walk) release(ctx context.Context) error {
	return w.timed(ctx, &w.out.release, "release", func() error {
		for _, page := range w.pages {
			if err := w.rig.store.Release(ctx, w.owner, buffer.Release{Done: page}); err != nil {
				return err
			}
		}
		return nil
	})
}
