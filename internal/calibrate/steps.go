package calibrate

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"sluice/buffer"
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

// stepByStep drives every step of the store for a load, and the codec.
func (r *rig) stepByStep(ctx context.Context, s shape, spans int) (*steps, error) {
	out := &steps{shape: s}
	r.seed++
	_, messages := s.messages(spans, r.seed)
	timed := func(into *used, what string, do func() error) error {
		runtime.GC()
		u, err := r.during(ctx, do)
		*into = u
		if err != nil {
			return fmt.Errorf("%s (%s): %w", what, s.name, err)
		}
		return nil
	}
	var all []buffer.Span
	if err := timed(&out.decode, "decode", func() error {
		for i := range messages {
			decoded, err := r.codec.Decode(messages[i].Value)
			if err != nil {
				return err
			}
			decoded.Position = buffer.Position{Partition: stepShard, Offset: int64(i)}
			all = append(all, decoded.Span)
			out.bytes += decoded.Size
		}
		return nil
	}); err != nil {
		return nil, err
	}
	out.spans = len(all)
	var batches [][]buffer.TraceBatch
	if err := timed(&out.group, "group", func() error {
		for len(all) > 0 {
			n := min(s.batch, len(all))
			traces, _ := buffer.Group(all[:n])
			batches = append(batches, traces)
			out.traces += len(traces)
			all = all[n:]
		}
		return nil
	}); err != nil {
		return nil, err
	}
	seen := map[buffer.TraceKey]bool{}
	for _, traces := range batches {
		for i := range traces {
			if key := traces[i].TraceKey; seen[key] {
				out.known++
			} else {
				seen[key] = true
			}
		}
	}
	return out, r.storeSteps(ctx, out, batches, timed)
}

func (r *rig) storeSteps(
	ctx context.Context, out *steps, batches [][]buffer.TraceBatch,
	timed func(into *used, what string, do func() error) error,
) error {
	fenced, err := r.store.Fence(ctx, stepShard, buffer.AnyEpoch)
	if err != nil {
		return err
	}
	owner, clock := fenced.Owner, buffer.InstantOf(time.Now())
	out.attachCalls = len(batches)
	updates := make([]buffer.QueueUpdate, len(batches))
	if err := timed(&out.attach, "attach", func() error {
		for i, traces := range batches {
			r.number++
			answers, err := r.store.Attach(ctx, buffer.Delivery{Clock: clock,
				ID: buffer.DeliveryID{Partition: stepShard, Number: r.number}}, traces)
			if err != nil {
				return err
			}
			updates[i] = buffer.QueueUpdate{Clock: clock, Wall: clock}
			for _, answer := range answers {
				for _, live := range answer.Live {
					updates[i].Due = append(updates[i].Due, buffer.Due{Generation: live.Generation,
						Deadline: clock})
				}
				updates[i].Merged = append(updates[i].Merged, answer.Merged...)
				out.merged += len(answer.Merged)
			}
			out.queued += len(updates[i].Due) + len(updates[i].Merged)
		}
		return nil
	}); err != nil {
		return err
	}
	if err := timed(&out.again, "attach again", func() error {
		if !out.shape.again {
			return nil
		}
		for _, traces := range batches {
			r.number++
			if _, err := r.store.Attach(ctx, buffer.Delivery{Clock: clock,
				ID: buffer.DeliveryID{Partition: stepShard, Number: r.number}}, traces); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		return err
	}
	if err := timed(&out.enqueue, "enqueue", func() error {
		for _, update := range updates {
			if err := r.store.Enqueue(ctx, stepShard, update); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		return err
	}
	pages, claims, err := r.leaseSteps(ctx, out, owner, timed)
	if err != nil {
		return err
	}
	return r.flushSteps(ctx, out, owner, pages, claims, timed)
}

// leaseSteps leases and claims everything, a page at a time.
func (r *rig) leaseSteps(
	ctx context.Context, out *steps, owner buffer.Owner,
	timed func(into *used, what string, do func() error) error,
) (pages [][]buffer.Generation, claims [][]buffer.Claim, err error) {
	now := buffer.InstantOf(time.Now().Add(ahead))
	if err := timed(&out.lease, "lease", func() error {
		for {
			leased, err := r.store.Lease(ctx, owner, now, out.shape.segments)
			if err != nil || len(leased.Due) == 0 {
				return err
			}
			page := make([]buffer.Generation, len(leased.Due))
			for i, due := range leased.Due {
				page[i] = due.Generation
			}
			pages = append(pages, page)
			out.segments += len(page)
		}
	}); err != nil {
		return nil, nil, err
	}
	out.calls, claims = len(pages), make([][]buffer.Claim, len(pages))
	return pages, claims, timed(&out.claim, "claim", func() error {
		for i, page := range pages {
			var err error
			if claims[i], err = r.store.Claim(ctx, owner, page); err != nil {
				return err
			}
		}
		return nil
	})
}

// flushSteps loads, assembles, acknowledges and releases what was claimed.
func (r *rig) flushSteps(
	ctx context.Context, out *steps, owner buffer.Owner, pages [][]buffer.Generation,
	claims [][]buffer.Claim, timed func(into *used, what string, do func() error) error,
) error {
	spans := map[buffer.Generation][]buffer.Span{}
	left := make([][]buffer.Generation, len(pages)) // what did not come with its Claim
	for i, page := range pages {
		for k, claim := range claims[i] {
			if claim.Loaded == nil {
				left[i] = append(left[i], page[k])
				continue
			}
			spans[page[k]] = claim.Loaded.Spans
			out.along += len(claim.Loaded.Spans)
			for _, span := range claim.Loaded.Spans {
				out.alongBytes += span.Size
			}
		}
	}
	loaded := make([][]buffer.Loaded, len(pages))
	if err := timed(&out.load, "load", func() (err error) {
		for i, list := range left {
			if len(list) == 0 {
				continue
			}
			out.loadCalls++
			if loaded[i], err = r.store.Load(ctx, owner, list); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		return err
	}
	for i, list := range left {
		out.loadedSegments += len(list)
		for k, g := range list {
			spans[g] = loaded[i][k].Spans
		}
	}
	flushed := make([][]buffer.Flushed, len(pages))
	if err := timed(&out.encode, "assemble", func() error {
		for i, page := range pages {
			for k, g := range page {
				f := buffer.Flushed{Generation: g, Along: claims[i][k].Loaded != nil}
				for _, span := range spans[g] {
					f.Spans = append(f.Spans, span.ID)
				}
				flushed[i] = append(flushed[i], f)
				if _, err := r.codec.Encode(g, spans[g]); err != nil {
					return err
				}
			}
		}
		return nil
	}); err != nil {
		return err
	}
	if out.shape.alone {
		if err := r.outputSteps(ctx, out, pages, spans, timed); err != nil {
			return err
		}
	}
	if err := timed(&out.ack, "ack", func() error {
		for _, list := range flushed {
			if _, err := r.store.Ack(ctx, owner, list); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		return err
	}
	return timed(&out.release, "release", func() error {
		for _, page := range pages {
			if err := r.store.Release(ctx, owner, buffer.Release{Done: page}); err != nil {
				return err
			}
		}
		return nil
	})
}
