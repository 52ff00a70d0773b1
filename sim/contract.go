package sim

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"sluice/buffer"
	"sluice/flusher"
	"sluice/internal/options"
)

// What consumers and workers owe the store, see buffer.Store, is watched here: no other world sees
// every call. The watchers are what a consumer and a worker see of the store, faults at its port
// included: an answer that was lost is none.

// inputContract watches the store calls of a life of a consumer.
type inputContract struct {
	buffer.Store
	clock flusher.Clock
	tell  func(string) // of a breach
	// most is how many messages a batch may have.
	most int64
	// last is what was attached last, by partition, and closed since when the input of a shard is to
	// pause.
	last   map[int32]attached
	closed map[buffer.Shard]time.Time
	// exhausted is true once a budget is used up, which ends the consumer.
	exhausted bool
	// gaps are what was deleted before it was read.
	gaps []flusher.Gap
}

// attached are a delivery's number, and the greatest offset of its spans.
type attached struct{ number, offset int64 }

func newInputContract(
	store buffer.Store, clock flusher.Clock, most int, tell func(string),
) *inputContract {
	return &inputContract{Store: store, clock: clock, most: int64(most), tell: tell,
		last: map[int32]attached{}, closed: map[buffer.Shard]time.Time{}}
}

// gate follows the gates.
func (c *inputContract) gate(e flusher.Event) {
	c.exhausted = c.exhausted || e.Kind == flusher.EventExhausted
	for _, shard := range e.Shards {
		_, is := c.closed[shard]
		switch {
		case e.Kind == flusher.EventGateClosed && !is:
			c.closed[shard] = c.clock.Now()
		case e.Kind == flusher.EventGateOpened:
			delete(c.closed, shard)
		}
	}
}

// paused tells whether the input of a shard is to pause.
func (c *inputContract) paused(shard buffer.Shard) bool {
	_, is := c.closed[shard]
	return is
}

// miss follows what is deleted of the input.
func (c *inputContract) miss(gap flusher.Gap) { c.gaps = append(c.gaps, gap) }

// roundsMax is how far ahead of the clock, at which its batch was begun, a delivery's number may be: one
// microsecond for each round of attaches just before it.
const roundsMax = time.Millisecond

// Attach implements buffer.Store.
func (c *inputContract) Attach(
	ctx context.Context, delivery buffer.Delivery, traces []buffer.TraceBatch,
) ([]buffer.Attached, error) {
	from, to := int64(math.MaxInt64), int64(-1)
	for _, t := range traces {
		for _, s := range t.Subtrees {
			for i := range s.Spans {
				offset := s.Spans[i].Position.Offset
				from, to = min(from, offset), max(to, offset)
			}
		}
	}
	id := delivery.ID
	last := c.last[id.Partition]
	begun := time.UnixMicro(id.Number)
	since, paused := c.closed[buffer.Shard(id.Partition)]
	span := to - from
	for _, gap := range c.gaps {
		if gap.Partition == id.Partition && gap.From >= from && gap.To <= to {
			span -= gap.To - gap.From
		}
	}
	switch {
	case span >= c.most:
		c.breach(id, "has messages %d to %d, and may have %d", from, to, c.most)
	case id.Number <= last.number && to > last.offset:
		c.breach(id, "has the number of an earlier one, of messages up to %d, and has messages up to %d",
			last.offset, to)
	case paused && begun.Sub(since) > roundsMax:
		c.breach(id, "was begun %v after its input was to pause", begun.Sub(since))
	}
	if id.Number > last.number {
		c.last[id.Partition] = attached{id.Number, to}
	}
	return c.Store.Attach(ctx, delivery, traces)
}

func (c *inputContract) breach(id buffer.DeliveryID, format string, args ...any) {
	c.tell(fmt.Sprintf("batch %v "+format, append([]any{id}, args...)...))
}

// breachOf returns what tells of the breaches of somebody, as long as he is alive.
func (s *System) breachOf(who string) func(string) {
	return func(what string) {
		if s.Alive() {
			s.setup.Sink.Breach(s.Now(), who+": "+what)
		}
	}
}

// workerContract watches the store calls of a worker.
type workerContract struct {
	buffer.Store
	tell func(string) // of a breach
	// held is what it has leased and not released.
	held map[buffer.Generation]*holding
}

// holding is how far a worker is with a generation.
type holding struct {
	shard           buffer.Shard
	claimed, loaded bool
	done            bool // it is flushed, or not there, so it may be released
	spans           []buffer.Span
	// more is how often it was leased beside that. A store that was set back gives once more what is in
	// work: then the worker does everything twice, of which the store refuses what was done.
	more  int
	twice bool
}

func newWorkerContract(store buffer.Store, tell func(string)) *workerContract {
	return &workerContract{Store: store, tell: tell, held: map[buffer.Generation]*holding{}}
}

func (c *workerContract) breach(format string, args ...any) { c.tell(fmt.Sprintf(format, args...)) }

// Fence implements buffer.Store.
func (c *workerContract) Fence(
	ctx context.Context, shard buffer.Shard, last buffer.Epoch,
) (buffer.Fenced, error) {
	fenced, err := c.Store.Fence(ctx, shard, last)
	for g, h := range c.held { //order-free: each by itself
		if err == nil && h.shard == shard {
			delete(c.held, g)
		}
	}
	return fenced, err
}

// Lease implements buffer.Store.
func (c *workerContract) Lease(
	ctx context.Context, owner buffer.Owner, now buffer.Instant, limit int,
) (buffer.Leased, error) {
	leased, err := c.Store.Lease(ctx, owner, now, limit)
	if err == nil {
		for _, due := range leased.Due {
			if h := c.held[due.Generation]; h != nil {
				h.more, h.twice = h.more+1, true
				continue
			}
			c.held[due.Generation] = &holding{shard: owner.Shard}
		}
	}
	return leased, err
}

// Claim implements buffer.Store.
func (c *workerContract) Claim(
	ctx context.Context, owner buffer.Owner, list []buffer.Generation,
) ([]buffer.Claim, error) {
	asked := make([]*holding, 0, len(list))
	for _, g := range list {
		h := c.held[g]
		if asked = append(asked, h); h == nil {
			c.breach("it claims %v, which it has not leased", g.ID)
		}
	}
	claims, err := c.Store.Claim(ctx, owner, list)
	if err == nil {
		for i, claim := range claims {
			if h := asked[i]; h != nil {
				h.claimed, h.done = claim.State == buffer.ClaimOwned, claim.State == buffer.ClaimGone
				if claim.Loaded != nil {
					h.loaded, h.spans = claim.Loaded.Owned, claim.Loaded.Spans
				}
			}
		}
	}
	return claims, err
}

// Load implements buffer.Store.
func (c *workerContract) Load(
	ctx context.Context, owner buffer.Owner, list []buffer.Generation,
) ([]buffer.Loaded, error) {
	asked := make([]*holding, 0, len(list))
	for _, g := range list {
		h := c.held[g]
		if asked = append(asked, h); h == nil || !h.claimed && !h.twice {
			c.breach("it loads %v, which it has not claimed", g.ID)
		}
	}
	loaded, err := c.Store.Load(ctx, owner, list)
	if err == nil {
		for i, l := range loaded {
			if h := asked[i]; h != nil {
				h.loaded, h.done, h.spans = l.Owned, !l.Owned, l.Spans
			}
		}
	}
	return loaded, err
}

// Ack implements buffer.Store.
func (c *workerContract) Ack(
	ctx context.Context, owner buffer.Owner, flushed []buffer.Flushed,
) ([]buffer.AckResult, error) {
	asked := make([]*holding, 0, len(flushed))
	for i := range flushed {
		f := &flushed[i]
		h := c.held[f.Generation]
		asked = append(asked, h)
		if h != nil && h.twice {
			continue
		}
		if h == nil || !h.loaded || !areOf(f.Spans, h.spans) {
			c.breach("it acknowledges %s of %v, which is not what it loaded",
				options.FormatCount(len(f.Spans), "span"), f.ID)
		}
	}
	results, err := c.Store.Ack(ctx, owner, flushed)
	if err == nil {
		for i, result := range results {
			if h := asked[i]; h != nil && result != buffer.AckStale {
				h.done, h.spans = true, nil
			}
		}
	}
	return results, err
}

// areOf tells whether ids are those of spans.
func areOf(ids []buffer.SpanID, spans []buffer.Span) bool {
	if len(ids) != len(spans) {
		return false
	}
	for i := range spans {
		if ids[i] != spans[i].ID {
			return false
		}
	}
	return true
}

// Release implements buffer.Store.
func (c *workerContract) Release(
	ctx context.Context, owner buffer.Owner, release buffer.Release,
) error {
	for _, g := range release.Done {
		if h := c.held[g]; h == nil || !h.done && !h.twice {
			c.breach("it releases %v, which is neither flushed nor gone", g.ID)
		}
	}
	err := c.Store.Release(ctx, owner, release)
	if err == nil {
		for _, g := range release.Done {
			c.released(g)
		}
		for _, due := range release.Back {
			c.released(due.Generation)
		}
	}
	return err
}

// released lets go of a generation that was leased once.
func (c *workerContract) released(g buffer.Generation) {
	if h := c.held[g]; h != nil && h.more > 0 {
		h.more--
		return
	}
	delete(c.held, g)
}

// ended tells what a worker still holds that has ended in good order. What it has lost is its
// successor's.
func (c *workerContract) ended(lost []buffer.Shard) {
	var left []buffer.Generation
	for g, h := range c.held { //order-free: the least
		if !slices.Contains(lost, h.shard) {
			left = append(left, g)
		}
	}
	if len(left) > 0 {
		c.breach("it has ended, and holds %s, among them %v", options.FormatCount(len(left), "segment"),
			slices.MinFunc(left, buffer.Generation.Compare).ID)
	}
}

// producerContract watches that a worker waits for no record of a shard that it has lost: its successor
// produces that.
type producerContract struct {
	flusher.Producer
	lost func() []buffer.Shard
	tell func(string) // of a breach
	// records takes what the broker has, if nobody else holds it; nil: somebody may.
	records *records
}

// Produce implements flusher.Producer.
func (c *producerContract) Produce(ctx context.Context, record flusher.Record) flusher.Future {
	a := &awaited{Future: c.Producer.Produce(ctx, record), of: c}
	if record.Topic == outputTopic { // the value of a dead letter is the span's own
		a.value = record.Value
	}
	for _, h := range record.Headers {
		if h.Key == flusher.HeaderGeneration {
			a.generation = h.Value
		}
	}
	return a
}

// awaited is a record that a worker may wait for.
type awaited struct {
	flusher.Future
	of         *producerContract
	generation []byte
	value      []byte // of an output record
}

// Wait implements flusher.Future.
func (a *awaited) Wait(ctx context.Context) error {
	if lost := a.of.lost(); len(lost) > 0 {
		id, err := buffer.ParseDeliveryID(string(a.generation))
		if err == nil && slices.Contains(lost, buffer.Shard(id.Partition)) {
			a.of.tell(fmt.Sprintf("it waits for %s, whose shard it has lost", a.generation))
		}
	}
	err := a.Future.Wait(ctx)
	if err == nil && a.of.records != nil {
		a.of.records.done(a.value)
		a.value = nil
	}
	return err
}

// epochs are those with which workers began last, by shard.
type epochs map[buffer.Shard]buffer.Epoch

// begin watches that a worker begins with epochs that none before it may take for its own.
func (e epochs) begin(owners []buffer.Fenced, tell func(string)) {
	for _, fenced := range owners {
		shard, epoch := fenced.Owner.Shard, fenced.Owner.Epoch
		last, known := e[shard]
		if known && epoch == last+1 {
			tell(fmt.Sprintf("it begins on shard %d with epoch %d, which the owner before it, of epoch %d, "+
				"may take for its own", shard, epoch, last))
		}
		e[shard] = max(last, epoch)
	}
}
