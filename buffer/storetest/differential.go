package storetest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"sluice/buffer"
	"sluice/buffer/conformance"
)

// Small numbers, so that the same traces, segments and generations meet again and again.
const (
	diffTraces  = 2
	diffSpans   = 7 // per trace
	diffParents = 9 // ids a parent is drawn from: also of spans that never come
	diffShards  = 2
)

// differential drives the same steps into a reference and a candidate, and compares every answer.
type differential struct {
	tb                   testing.TB
	ctx                  context.Context
	reference, candidate Store
	options              buffer.Options

	spans      []buffer.Span // all that the source has, by offset
	attached   map[int64]bool
	acked      map[int64]bool
	clock      buffer.Instant
	deliveries int64
	owners     []*diffOwner
	current    [diffShards]*diffOwner
	log        []string
	fault      error
}

// diffOwner is an owner and what it believes to hold. Old owners stay around: they are the frozen
// workers that wake up.
type diffOwner struct {
	owner  buffer.Owner
	leased []buffer.Due
	loaded map[buffer.Generation][]buffer.Span
}

// Differential runs the steps that the numbers stand for, each followed by the next with a crash
// possible between any two, then delivers everything again, flushes it, and returns the first
// difference between the two stores, a lost span, or what is left over. The log says what was done.
func Differential(
	tb testing.TB, reference, candidate Factory, steps []uint32,
) (log []string, err error) {
	var seed uint32
	if len(steps) > 0 {
		seed, steps = steps[0], steps[1:]
	}
	random := rand.New(rand.NewPCG(uint64(seed), 0))
	options := buffer.DefaultOptions()
	options.MaxSegmentBytes = []buffer.Bytes{buffer.NoSegmentLimit, 150, 300}[random.IntN(3)]
	d := &differential{
		tb: tb, ctx: tb.Context(), options: options,
		reference: reference(tb, options), candidate: candidate(tb, options),
		attached: make(map[int64]bool), acked: make(map[int64]bool),
	}
	d.draw(random)
	for shard := range buffer.Shard(diffShards) {
		d.fence(shard, buffer.AnyEpoch)
	}
	for _, s := range steps {
		d.step(s)
	}
	d.sameLeftovers()
	d.finish()
	return d.log, d.fault
}

// draw draws the spans of the source. Most parents come earlier, but some never come, some come
// later, and some make a cycle. One trace in two is read from both partitions.
func (d *differential) draw(random *rand.Rand) {
	for trace := range diffTraces {
		mixed := random.IntN(2) == 0
		for id := range diffSpans {
			span := buffer.Span{
				TraceKey: buffer.TraceKey{Project: 1, Trace: buffer.TraceID{byte(trace)}},
				ID:       buffer.SpanID{byte(id)},
				Parent:   buffer.SpanID{byte(random.IntN(diffParents))},
				Root:     random.IntN(5) == 0,
				Size:     20 + random.IntN(100),
				Payload:  []byte(fmt.Sprintf("payload of %d", id)),
				Position: buffer.Position{
					Partition: int32(trace % diffShards), Offset: int64(len(d.spans)),
				},
			}
			if mixed {
				span.Position.Partition = int32(random.IntN(diffShards))
			}
			if span.Root {
				span.Parent = span.ID
			}
			d.spans = append(d.spans, span)
			d.log = append(d.log, fmt.Sprintf("span %d of trace %d at %v: parent %d root %v size %d",
				id, trace, span.Position, span.Parent[0], span.Root, span.Size))
		}
	}
}

// step does what a number stands for: its lowest digit chooses the step, the rest its arguments.
func (d *differential) step(number uint32) {
	if d.fault != nil {
		return
	}
	kind, rest := number%15, number/15
	switch kind {
	case 0, 1, 2:
		d.ingest(rest, true)
	case 3:
		d.ingest(rest, false)
	case 4, 5:
		last := buffer.AnyEpoch
		if rest/diffShards%3 == 0 { // a worker that lost an answer succeeds itself
			last = d.pick(rest).owner.Epoch
		}
		d.fence(buffer.Shard(rest%diffShards), last)
	case 6:
		d.clock += buffer.Instant(rest % 40_000)
		d.lease(d.pick(rest))
	case 7, 8: // most of what a worker does, up to where it may die or freeze
		d.clock += buffer.Instant(rest % 80_000)
		o := d.current[rest%diffShards]
		d.lease(o)
		d.claim(o, 0)
		d.load(o, 0)
	case 9:
		d.claim(d.pick(rest), rest)
	case 10:
		d.load(d.pick(rest), rest)
	case 11, 12:
		d.ack(d.pick(rest), rest)
	case 13:
		d.release(d.pick(rest), rest)
	case 14:
		d.tick(buffer.Shard(rest%diffShards), d.clock+buffer.Instant(rest%10_000))
	}
}

// pick chooses an owner, mostly a current one.
func (d *differential) pick(number uint32) *diffOwner {
	if number/7%3 == 0 {
		recent := d.owners[max(0, len(d.owners)-4):]
		return recent[int(number/28)%len(recent)]
	}
	return d.current[number%diffShards]
}

// ingest delivers some spans of one partition as a batch.
func (d *differential) ingest(number uint32, enqueue bool) {
	partition := int32(number % diffShards)
	mask := number / diffShards
	var batch []buffer.Span
	for i, span := range d.spans {
		if span.Position.Partition == partition && mask>>(i%20)&1 == 1 {
			batch = append(batch, span)
		}
	}
	d.deliver(batch, enqueue)
}

func (d *differential) deliver(batch []buffer.Span, enqueue bool) {
	if len(batch) == 0 {
		return
	}
	traces, _ := buffer.Group(batch)
	d.log = append(d.log, fmt.Sprintf("attach at %d, enqueue %v: %v", d.clock, enqueue, show(batch)))
	d.deliveries++
	delivery := buffer.Delivery{Clock: d.clock, ID: buffer.DeliveryID{
		Partition: batch[0].Position.Partition, Number: d.deliveries}}
	want, err1 := d.reference.Attach(d.ctx, delivery, traces)
	got, err2 := d.candidate.Attach(d.ctx, delivery, traces)
	d.same("attach", want, err1, got, err2)
	for _, span := range batch {
		d.attached[span.Position.Offset] = true
	}
	if !enqueue {
		return
	}
	update := conformance.QueueUpdate(want, delivery, d.options)
	update.Wall += 500
	shard := buffer.Shard(batch[0].Position.Partition)
	err1 = d.reference.Enqueue(d.ctx, shard, update)
	err2 = d.candidate.Enqueue(d.ctx, shard, update)
	d.same("enqueue", nil, err1, nil, err2)
}

func (d *differential) fence(shard buffer.Shard, last buffer.Epoch) {
	want, err1 := d.reference.Fence(d.ctx, shard, last)
	got, err2 := d.candidate.Fence(d.ctx, shard, last)
	d.log = append(d.log, fmt.Sprintf("fence shard %d of epoch %d: %+v %v", shard, last, want, err1))
	d.same("fence", want, err1, got, err2)
	if err1 == nil {
		d.current[shard] = &diffOwner{
			owner: want.Owner, loaded: make(map[buffer.Generation][]buffer.Span)}
		d.owners = append(d.owners, d.current[shard])
	}
}

func (d *differential) tick(shard buffer.Shard, wall buffer.Instant) {
	update := buffer.QueueUpdate{Tick: true, Wall: wall}
	err1 := d.reference.Enqueue(d.ctx, shard, update)
	err2 := d.candidate.Enqueue(d.ctx, shard, update)
	d.log = append(d.log, fmt.Sprintf("tick of shard %d at %d", shard, wall))
	d.same("tick", nil, err1, nil, err2)
}

func (d *differential) lease(o *diffOwner) {
	want, err1 := d.reference.Lease(d.ctx, o.owner, d.clock, 1000)
	got, err2 := d.candidate.Lease(d.ctx, o.owner, d.clock, 1000)
	d.log = append(d.log, fmt.Sprintf("lease at %d by %v: %+v %v", d.clock, o.owner, want, err1))
	sortDue(want.Due)
	sortDue(got.Due)
	d.same("lease", want, err1, got, err2)
	o.leased = append(o.leased, want.Due...)
}

// some chooses some of what the owner has leased.
func (o *diffOwner) some(number uint32) []buffer.Due {
	var some []buffer.Due
	for i, due := range o.leased {
		if number>>(i%16)&1 == 0 {
			some = append(some, due)
		}
	}
	return some
}

func (d *differential) claim(o *diffOwner, number uint32) {
	names := generations(o.some(number))
	want, err1 := d.reference.Claim(d.ctx, o.owner, names)
	got, err2 := d.candidate.Claim(d.ctx, o.owner, names)
	d.log = append(d.log, fmt.Sprintf("claim by %v of %v: %+v %v", o.owner, names, want, err1))
	// What was loaded before may be another generation of that name: after a redelivery there is
	// one. Only what is loaded after the claim, or by it, may be acknowledged.
	for _, name := range names {
		delete(o.loaded, name)
	}
	d.loadedAlong(o, names, got)
	d.same("claim", want, err1, got, err2)
}

// loadedAlong compares what a Claim of the candidate has loaded with what the reference loads, and takes
// it out of the answers.
func (d *differential) loadedAlong(o *diffOwner, names []buffer.Generation, claims []buffer.Claim) {
	for i := range claims {
		got := claims[i].Loaded
		if got == nil {
			continue
		}
		claims[i].Loaded = nil
		want, err := d.reference.Load(d.ctx, o.owner, names[i:i+1])
		d.same("load by claim", want, err, []buffer.Loaded{*got}, nil)
		if got.Owned {
			o.loaded[names[i]] = got.Spans
		}
	}
}

func (d *differential) load(o *diffOwner, number uint32) {
	names := generations(o.some(number))
	want, err1 := d.reference.Load(d.ctx, o.owner, names)
	got, err2 := d.candidate.Load(d.ctx, o.owner, names)
	d.log = append(d.log, fmt.Sprintf("load by %v of %v: %v", o.owner, names, err1))
	d.same("load", want, err1, got, err2)
	for i, loaded := range want {
		if loaded.Owned {
			o.loaded[names[i]] = loaded.Spans
		}
	}
}

func (d *differential) ack(o *diffOwner, number uint32) {
	var flushed []buffer.Flushed
	for _, due := range o.some(number) {
		if spans, ok := o.loaded[due.Generation]; ok {
			flushed = append(flushed, buffer.Flushed{
				Generation: due.Generation, Spans: conformance.SpanIDs(spans),
				Along: number>>20&1 == 0, // right or wrong
			})
		}
	}
	want, err1 := d.reference.Ack(d.ctx, o.owner, flushed)
	got, err2 := d.candidate.Ack(d.ctx, o.owner, flushed)
	d.log = append(d.log, fmt.Sprintf("ack by %v of %v: %v %v", o.owner, flushed, want, err1))
	d.same("ack", want, err1, got, err2)
	// Whatever the answer, these records were produced before.
	for _, f := range flushed {
		for _, span := range o.loaded[f.Generation] {
			d.acked[span.Position.Offset] = true
		}
	}
}

func (d *differential) release(o *diffOwner, number uint32) {
	var release buffer.Release
	for i, due := range o.some(number) {
		// Only what is gone may be released for good, or a span would be lost by the test itself.
		delete(o.loaded, due.Generation)
		claims, err := d.reference.Claim(d.ctx, o.owner, generations([]buffer.Due{due}))
		again, err2 := d.candidate.Claim(d.ctx, o.owner, generations([]buffer.Due{due}))
		for i := range again {
			again[i].Loaded = nil
		}
		d.same("claim before release", claims, err, again, err2)
		if d.fault != nil {
			return
		}
		if claims[0].State == buffer.ClaimGone {
			release.Done = append(release.Done, due.Generation)
		} else {
			release.Back = append(release.Back, buffer.Due{
				Generation: due.Generation, Deadline: due.Deadline + buffer.Instant(i)})
		}
	}
	err1 := d.reference.Release(d.ctx, o.owner, release)
	err2 := d.candidate.Release(d.ctx, o.owner, release)
	d.log = append(d.log, fmt.Sprintf("release by %v: %+v %v", o.owner, release, err1))
	d.same("release", nil, err1, nil, err2)
	if err1 == nil {
		o.leased = slices.DeleteFunc(o.leased, func(due buffer.Due) bool {
			return slices.Contains(release.Done, due.Generation) ||
				slices.Contains(generations(release.Back), due.Generation)
		})
	}
}

// finish delivers every span that was ever delivered once more, then lets new owners flush until
// nothing is leased any more.
func (d *differential) finish() {
	for partition := range int32(diffShards) {
		var batch []buffer.Span
		for _, span := range d.spans {
			if span.Position.Partition == partition && d.attached[span.Position.Offset] {
				batch = append(batch, span)
			}
		}
		d.deliver(batch, true)
	}
	for shard := range buffer.Shard(diffShards) {
		d.fence(shard, buffer.AnyEpoch)
	}
	d.clock += 1e9
	for range 3 { // a generation that was busy in the first round is gone in the second
		for _, o := range d.current {
			if d.fault != nil {
				return
			}
			d.lease(o)
			d.claim(o, 0)
			d.load(o, 0)
			d.ack(o, 0)
			d.release(o, 0)
		}
	}
	d.nothingLost()
	d.nothingLeft("reference", d.reference)
	d.nothingLeft("candidate", d.candidate)
}

func (d *differential) nothingLost() {
	for _, span := range d.spans {
		if offset := span.Position.Offset; d.attached[offset] && !d.acked[offset] {
			d.fail(fmt.Errorf("span %v of trace %v was lost", span.ID, span.Trace))
		}
	}
}

// sameLeftovers compares what both say they hold. (same would compare their summaries alone.)
func (d *differential) sameLeftovers() {
	want, err1 := d.reference.Leftovers(d.ctx)
	got, err2 := d.candidate.Leftovers(d.ctx)
	if err := errors.Join(err1, err2); err != nil {
		d.fail(fmt.Errorf("leftovers: %w", err))
	} else if diff := gocmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		d.fail(fmt.Errorf("leftovers differ (-reference +candidate):\n%s", diff))
	}
}

func (d *differential) nothingLeft(name string, store Store) {
	left, err := store.Leftovers(d.ctx)
	if err != nil || !left.Empty() {
		d.fail(fmt.Errorf("%s still holds %v (%v)", name, left, err))
	}
}

func (d *differential) fail(err error) {
	if d.fault == nil {
		d.fault = err
	}
}

// same compares two answers.
func (d *differential) same(step string, want any, err1 error, got any, err2 error) {
	switch {
	case (err1 == nil) != (err2 == nil),
		errors.Is(err1, buffer.ErrStale) != errors.Is(err2, buffer.ErrStale),
		errors.Is(err1, buffer.ErrSetBack) != errors.Is(err2, buffer.ErrSetBack):
		d.fail(fmt.Errorf("%s: reference says %v, candidate %v", step, err1, err2))
	case err1 == nil && fmt.Sprintf("%+v", want) != fmt.Sprintf("%+v", got):
		if diff := gocmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			d.fail(fmt.Errorf("%s differs (-reference +candidate):\n%s", step, diff))
		}
	}
}

func generations(dues []buffer.Due) []buffer.Generation {
	names := make([]buffer.Generation, len(dues))
	for i, due := range dues {
		names[i] = due.Generation
	}
	return names
}

// sortDue brings entries into one order, since that of equal deadlines is free; the order by deadline
// has its own tests.
func sortDue(dues []buffer.Due) {
	slices.SortFunc(dues, func(a, b buffer.Due) int {
		return cmp.Compare(fmt.Sprintf("%+v", a), fmt.Sprintf("%+v", b))
	})
}

func show(batch []buffer.Span) []string {
	var words []string
	for _, span := range batch {
		words = append(words, fmt.Sprintf("%d/%d", span.Trace[0], span.ID[0]))
	}
	return words
}
