package conformance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"sluice/buffer"
)

// runner runs one variant of a case on an empty store.
type runner struct {
	ctx      context.Context
	subject  Subject
	store    Store
	codec    Codec
	options  buffer.Options
	maxFlush int
	assigned []buffer.Shard
	at       string // the step, for messages
	faults   []error

	deliveries int64

	offsets map[string]int64 // of each span, so that a redelivery has the same position
	owners  map[buffer.Shard]buffer.Owner
	flushes map[string][]taken
	// outputs holds what was produced for each generation that is not acknowledged yet.
	outputs map[buffer.Generation][]buffer.Chunk
}

// taken is what one owner took in one flush.
type taken struct {
	owner   buffer.Owner
	flushed []buffer.Flushed
	gone    []buffer.Generation
}

func newRunner(ctx context.Context, subject Subject, c Case) (*runner, error) {
	options := c.Options.buffer()
	store, err := subject.Open(options)
	return &runner{
		ctx: ctx, subject: subject,
		store:    store,
		codec:    subject.Codec(options.MaxSegmentBytes),
		options:  options,
		maxFlush: c.Options.maxFlushSegments(),
		assigned: c.Options.shards(),
		offsets:  make(map[string]int64),
		owners:   make(map[buffer.Shard]buffer.Owner),
		flushes:  make(map[string][]taken),
		outputs:  make(map[buffer.Generation][]buffer.Chunk),
	}, err
}

// errorf notes that something is not as it should be.
func (r *runner) errorf(format string, args ...any) {
	r.faults = append(r.faults, fmt.Errorf(r.at+": "+format, args...))
}

// givenUp is what a runner panics with after it has noted why it cannot go on.
type givenUp struct{}

func (r *runner) fatalf(format string, args ...any) {
	r.errorf(format, args...)
	panic(givenUp{})
}

func (r *runner) must(err error) {
	if err != nil {
		r.fatalf("%w", err)
	}
}

func instant(seconds float64) buffer.Instant { return buffer.Instant(seconds * 1000) }

// ingest attaches and enqueues the spans, one batch per partition.
func (r *runner) ingest(s step, oneByOne bool) {
	first := buffer.Shard(0)
	if len(r.assigned) > 0 {
		first = r.assigned[0]
	}
	var batches [][]buffer.Span
	index := make(map[int32]int)
	for i := range s.Spans {
		partition := int32(first)
		if s.Spans[i].Partition != nil {
			partition = *s.Spans[i].Partition
		}
		span := s.Spans[i].span(partition, 0)
		id := fmt.Sprint(span.TraceKey, span.ID, partition)
		if _, ok := r.offsets[id]; !ok {
			r.offsets[id] = int64(len(r.offsets))
		}
		span.Position.Offset = r.offsets[id]
		at, ok := index[partition]
		if !ok || oneByOne {
			at = len(batches)
			index[partition] = at
			batches = append(batches, nil)
		}
		batches[at] = append(batches[at], span)
	}
	for _, batch := range batches {
		r.ingestBatch(batch, instant(s.Now), s.Enqueue == nil || *s.Enqueue)
	}
}

func (r *runner) ingestBatch(batch []buffer.Span, clock buffer.Instant, enqueue bool) {
	traces, _ := buffer.Group(batch)
	r.deliveries++
	delivery := buffer.Delivery{Clock: clock, ID: buffer.DeliveryID{
		Partition: batch[0].Position.Partition, Number: r.deliveries}}
	answers, err := r.store.Attach(r.ctx, delivery, traces)
	r.must(err)
	if !enqueue {
		return
	}
	update := QueueUpdate(answers, delivery, r.options)
	r.must(r.store.Enqueue(r.ctx, buffer.Shard(batch[0].Position.Partition), update))
}

func (r *runner) owner(shard buffer.Shard) buffer.Owner {
	owner, ok := r.owners[shard]
	if !ok {
		r.fence(shard)
		owner = r.owners[shard]
	}
	return owner
}

func (r *runner) fence(shard buffer.Shard) {
	fenced, err := r.store.Fence(r.ctx, shard, buffer.AnyEpoch)
	r.must(err)
	r.owners[shard] = fenced.Owner
}

func (r *runner) takeOver(s step) {
	shards := r.assigned
	if s.Shards != nil {
		shards = toShards(s.Shards)
	}
	for _, shard := range shards {
		r.owner(shard) // there was one before
		r.fence(shard)
	}
}

// flush lets the owners do one cycle.
func (r *runner) flush(s step) {
	shards := r.assigned
	if s.Shards != nil {
		shards = toShards(s.Shards)
	}
	var produced []string
	for _, shard := range shards {
		limit := (r.maxFlush + len(r.assigned) - 1) / max(len(r.assigned), 1)
		took, segments := r.cycle(r.owner(shard), instant(s.Now), limit)
		produced = append(produced, segments...)
		if s.Ack == nil || *s.Ack {
			if !r.acknowledge(took) {
				r.errorf("ack of the current owner %v is stale", took.owner)
			}
		}
		if s.ID != "" {
			r.flushes[s.ID] = append(r.flushes[s.ID], took)
		}
	}
	r.compare(produced, unmarshal[[]expectedSegment](r, s.Expect))
}

// cycle leases, claims and loads, and returns what was taken and a text for each segment.
func (r *runner) cycle(owner buffer.Owner, now buffer.Instant, limit int) (taken, []string) {
	took := taken{owner: owner}
	leased, err := r.store.Lease(r.ctx, owner, now, limit)
	r.must(err)
	if len(leased.Due) > limit {
		r.errorf("lease of at most %d returned %d", limit, len(leased.Due))
	}
	var names []buffer.Generation
	for i, due := range leased.Due {
		names = append(names, due.Generation)
		if due.Deadline > now || i > 0 && due.Deadline < leased.Due[i-1].Deadline {
			r.errorf("at %v, leased %v out of order or too early", now, leased.Due)
		}
	}
	claims, err := r.store.Claim(r.ctx, owner, names)
	r.must(err)
	var owned []buffer.Generation
	along := make(map[buffer.Generation]*buffer.Loaded)
	var back []buffer.Due
	for i, claim := range claims {
		switch claim.State {
		case buffer.ClaimOwned:
			owned = append(owned, names[i])
			along[names[i]] = claim.Loaded
		case buffer.ClaimBusy:
			due := leased.Due[i]
			back = append(back, buffer.Due{
				Generation: due.Generation, Deadline: max(due.Deadline, now)})
		case buffer.ClaimGone:
			took.gone = append(took.gone, names[i])
		case buffer.ClaimStale:
			r.errorf("claim of the current owner %v is stale", owner)
		}
	}
	if len(back) > 0 {
		r.must(r.store.Release(r.ctx, owner, buffer.Release{Back: back}))
	}
	loaded, err := r.store.Load(r.ctx, owner, owned)
	r.must(err)
	var segments []string
	for i, load := range loaded {
		if !load.Owned || len(load.Spans) == 0 {
			r.fatalf("load of %v, just claimed, returned %+v", owned[i], load)
		}
		if by := along[owned[i]]; by != nil && !reflect.DeepEqual(*by, load) {
			r.errorf("load of %v returned %+v, the claim %+v", owned[i], load, *by)
		}
		took.flushed = append(took.flushed, buffer.Flushed{
			Generation: owned[i], Spans: SpanIDs(load.Spans), Along: along[owned[i]] != nil,
		})
		segments = append(segments, r.produce(owned[i], load.Spans))
	}
	return took, segments
}

// produce encodes a segment, compares it with what was encoded for the same generation before, and
// returns it as a text that compare understands.
func (r *runner) produce(name buffer.Generation, spans []buffer.Span) string {
	chunks, err := r.codec.Encode(name, spans)
	r.must(err)
	if before, ok := r.outputs[name]; ok {
		same := slices.EqualFunc(before, chunks, func(a, b buffer.Chunk) bool {
			return a.FlushID == b.FlushID && bytes.Equal(a.Value, b.Value)
		})
		if !same {
			r.errorf("generation %v came out again, but not the same:\n%v\n%v",
				name, before, chunks)
		}
	}
	r.outputs[name] = chunks
	var ids, flagged []string
	for i := range spans {
		ids = append(ids, spans[i].ID.String())
		if spans[i].IsSegment(name.Segment) {
			flagged = append(flagged, spans[i].ID.String())
		}
	}
	return segmentText(int64(name.Project), name.Trace, name.Segment.String(), ids, flagged)
}

// SpanIDs returns the ids of spans.
func SpanIDs(spans []buffer.Span) []buffer.SpanID {
	ids := make([]buffer.SpanID, len(spans))
	for i := range spans {
		ids[i] = spans[i].ID
	}
	return ids
}

// acknowledge acknowledges and releases, and tells whether the owner was still one.
func (r *runner) acknowledge(took taken) bool {
	results, err := r.store.Ack(r.ctx, took.owner, took.flushed)
	r.must(err)
	release := buffer.Release{Done: slices.Clone(took.gone)}
	stale := false
	for i, result := range results {
		stale = stale || result == buffer.AckStale
		release.Done = append(release.Done, took.flushed[i].Generation)
		if result == buffer.AckDone {
			delete(r.outputs, took.flushed[i].Generation)
		}
	}
	err = r.store.Release(r.ctx, took.owner, release)
	if errors.Is(err, buffer.ErrStale) {
		return false
	}
	r.must(err)
	return !stale
}

func (r *runner) ack(s step) {
	flush, ok := r.flushes[s.Flush]
	if !ok {
		r.fatalf("there is no flush %q", s.Flush)
	}
	want := "ok"
	if s.Expect != nil {
		want = unmarshal[string](r, s.Expect)
	}
	got := "ok"
	for _, took := range flush {
		if !r.acknowledge(took) {
			got = "stale"
		}
	}
	if got != want {
		r.errorf("ack of flush %s is %s, want %s", s.Flush, got, want)
	}
}

func (r *runner) expectEmpty() {
	left, err := r.store.Leftovers(r.ctx)
	r.must(err)
	if !left.Empty() {
		r.errorf("the store still holds %v", left)
	}
}

// segmentText is the form in which segments are compared.
func segmentText(project int64, trace buffer.TraceID, segment string, ids, flagged []string) string {
	slices.Sort(ids)
	slices.Sort(flagged)
	return fmt.Sprintf("%d/%v %s spans%v is_segment%v", project, trace, segment, ids, flagged)
}

// compare compares the produced segments with the expected ones; an expected "*" is any id.
func (r *runner) compare(produced []string, expected []expectedSegment) {
	left := make(map[string]int)
	for _, text := range produced {
		left[text]++
	}
	for _, e := range expected {
		want := func(segment string) string {
			return segmentText(e.ProjectID, traceID(e.TraceID), segment,
				texts(e.SpanIDs), texts(e.IsSegmentOf))
		}
		text := want(e.Segment)
		if e.Segment != "*" {
			text = want(spanID(e.Segment).String())
		} else {
			for candidate := range left { //order-free: at most one holds these spans
				if text = want(segmentOf(candidate)); left[text] > 0 {
					break
				}
			}
		}
		if left[text] == 0 {
			r.errorf("missing segment %s; flushed %q", text, produced)
			continue
		}
		if left[text]--; left[text] == 0 {
			delete(left, text)
		}
	}
	if len(left) > 0 {
		r.errorf("unexpected segments %q", slices.Sorted(maps.Keys(left)))
	}
}

func texts(ids []string) []string {
	all := make([]string, len(ids))
	for i, id := range ids {
		all[i] = spanID(id).String()
	}
	return all
}

// segmentOf returns the segment id in a segmentText.
func segmentOf(text string) string {
	var trace, segment string
	if _, err := fmt.Sscanf(text, "%s %s", &trace, &segment); err != nil {
		panic(err)
	}
	return segment
}

// QueueUpdate is what ingest enqueues after an attach, with the wall clock at the batch's.
func QueueUpdate(
	answers []buffer.Attached, delivery buffer.Delivery, options buffer.Options,
) buffer.QueueUpdate {
	update := buffer.QueueUpdate{Clock: delivery.Clock, Wall: delivery.Clock}
	for _, answer := range answers {
		for _, live := range answer.Live {
			update.Due = append(update.Due, buffer.Due{Generation: live.Generation,
				Deadline: buffer.Deadline(delivery.Clock, live, options)})
		}
		update.Merged = append(update.Merged, answer.Merged...)
	}
	return update
}
