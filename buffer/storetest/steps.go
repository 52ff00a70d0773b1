package storetest

import (
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"sluice/buffer"
)

// Steps checks what the contract says of single steps and the conformance cases cannot see: what
// owners are handed, told and refused.
func Steps(t *testing.T, open Factory) {
	t.Helper()
	for name, check := range map[string]func(*hand){
		"fence makes due at once":     (*hand).fenceMakesDue,
		"fence of a known epoch":      (*hand).fenceIsConditional,
		"old owners are refused":      (*hand).oldOwners,
		"a store that was set back":   (*hand).setBack,
		"beats are counted":           (*hand).beats,
		"a sweep meets all":           (*hand).sweeps,
		"adopt queues what is not":    (*hand).adopts,
		"adopt heeds the clock":       (*hand).adoptsLater,
		"clock":                       (*hand).clock,
		"clock without ticks":         (*hand).clockWithoutTicks,
		"what is leased stays leased": (*hand).leasedOnce,
		"what comes back keeps later": (*hand).backKeepsLater,
		"leases are oldest first":     (*hand).oldestFirst,
		"what is released goes first": (*hand).releasedFirst,
		"a lease of none":             (*hand).leasesNone,
		"claim":                       (*hand).claims,
		"take-over":                   (*hand).takeOver,
		"merged":                      (*hand).merged,
		"what is merged is inherited": (*hand).inherited,
		"arrival":                     (*hand).arrival,
		"a long way is shortened":     (*hand).longWay,
	} {
		t.Run(name, func(t *testing.T) {
			check(&hand{t: t, store: open(t, buffer.DefaultOptions())})
		})
	}
}

// hand makes steps, none of which may fail.
type hand struct {
	t          *testing.T
	store      Store
	deliveries int64
	now        buffer.Instant // the clock of the batches
}

func (h *hand) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *hand) stale(what string, err error) {
	h.t.Helper()
	if !errors.Is(err, buffer.ErrStale) {
		h.t.Errorf("%s: %v, want that the owner is stale", what, err)
	}
}

// attach stores spans of trace 1, each given as its id and its parent's, and returns the answer.
// One that is its own parent is a root, and so is 99.
func (h *hand) attach(pairs ...[2]byte) buffer.Attached {
	h.t.Helper()
	spans := make([]buffer.Span, len(pairs))
	for i, pair := range pairs {
		spans[i] = buffer.Span{
			TraceKey: buffer.TraceKey{Project: 1, Trace: buffer.TraceID{1}},
			ID:       buffer.SpanID{pair[0]}, Parent: buffer.SpanID{pair[1]},
			Root: pair[0] == pair[1] || pair[0] == 99,
			Size: 10, Payload: []byte{pair[0]},
			Position: buffer.Position{Offset: int64(pair[0])},
		}
	}
	traces, _ := buffer.Group(spans)
	h.deliveries++
	answers, err := h.store.Attach(h.t.Context(), buffer.Delivery{
		Clock: h.now, ID: buffer.DeliveryID{Number: h.deliveries}}, traces)
	h.must(err)
	return answers[0]
}

// queue sets a deadline in a shard's queue.
func (h *hand) queue(shard buffer.Shard, g buffer.Generation, deadline buffer.Instant) {
	h.t.Helper()
	h.must(h.store.Enqueue(h.t.Context(), shard, buffer.QueueUpdate{
		Clock: 100, Wall: 100, Due: []buffer.Due{{Generation: g, Deadline: deadline}},
	}))
}

// one stores a root, queues it in shard 0, and returns its generation.
func (h *hand) one(id byte, deadline buffer.Instant) buffer.Generation {
	h.t.Helper()
	g := h.attach([2]byte{id, id}).Live[0].Generation
	h.queue(0, g, deadline)
	return g
}

func (h *hand) fence(shard buffer.Shard) buffer.Fenced {
	h.t.Helper()
	fenced, err := h.store.Fence(h.t.Context(), shard, buffer.AnyEpoch)
	h.must(err)
	return fenced
}

// lease expects to be handed these, in that order.
func (h *hand) lease(o buffer.Owner, now buffer.Instant, limit int, want ...buffer.Due) {
	h.t.Helper()
	leased, err := h.store.Lease(h.t.Context(), o, now, limit)
	h.must(err)
	if !slices.Equal(leased.Due, want) {
		h.t.Errorf("lease at %d: %v, want %v", now, leased.Due, want)
	}
}

func (h *hand) claim(o buffer.Owner, g buffer.Generation, want buffer.Claim) {
	h.t.Helper()
	claims, err := h.store.Claim(h.t.Context(), o, []buffer.Generation{g})
	h.must(err)
	want.Loaded = claims[0].Loaded
	if loaded := want.Loaded; loaded != nil && (!loaded.Owned || len(loaded.Spans) != want.Spans) {
		h.t.Errorf("claim of %v by %v has loaded %+v, want %d spans", g, o, *loaded, want.Spans)
	}
	if claims[0] != want {
		h.t.Errorf("claim of %v by %v: %+v, want %+v", g, o, claims[0], want)
	}
}

func (h *hand) load(o buffer.Owner, g buffer.Generation, want ...byte) {
	h.t.Helper()
	loaded, err := h.store.Load(h.t.Context(), o, []buffer.Generation{g})
	h.must(err)
	var got []byte
	for _, span := range loaded[0].Spans {
		got = append(got, span.ID[0])
	}
	if loaded[0].Owned != (len(want) > 0) || !slices.Equal(got, want) {
		h.t.Errorf("load of %v by %v: %v %v, want %v", g, o, loaded[0].Owned, got, want)
	}
}

func (h *hand) ack(o buffer.Owner, g buffer.Generation, want buffer.AckResult, spans ...byte) {
	h.t.Helper()
	flushed := buffer.Flushed{Generation: g, Along: true} // whether it was or not
	for _, id := range spans {
		flushed.Spans = append(flushed.Spans, buffer.SpanID{id})
	}
	results, err := h.store.Ack(h.t.Context(), o, []buffer.Flushed{flushed})
	h.must(err)
	if results[0] != want {
		h.t.Errorf("ack of %v by %v: %v, want %v", g, o, results[0], want)
	}
}

func due(g buffer.Generation, deadline buffer.Instant) buffer.Due {
	return buffer.Due{Generation: g, Deadline: deadline}
}

func owned(spans int) buffer.Claim {
	return buffer.Claim{State: buffer.ClaimOwned, Spans: spans, Bytes: 10 * int64(spans)}
}

// What was leased is due whatever the clock says, before all else, and keeps its own deadline, also
// when that happens twice.
func (h *hand) fenceMakesDue() {
	late, early := h.one(1, 9000), h.one(2, 1000)
	h.lease(h.fence(0).Owner, 9000, 9, due(early, 1000), due(late, 9000))
	o := h.fence(0).Owner
	h.must(h.store.Release(h.t.Context(), o, buffer.Release{})) // nothing is leased: nothing happens
	h.lease(o, 0, 9, due(early, 1000), due(late, 9000))
	h.must(h.store.Release(h.t.Context(), o, buffer.Release{Done: []buffer.Generation{early}}))
	other := h.one(3, 500)
	o = h.fence(0).Owner
	h.lease(o, 1000, 9, due(late, 9000), due(other, 500))
}

// A lease of none tells the clock, and moves neither that nor anything else.
func (h *hand) leasesNone() {
	g := h.one(1, 1000)
	for _, now := range []buffer.Instant{1000, 0} { // then it was leased before, and is due whatever the clock says
		fenced := h.fence(0)
		leased, err := h.store.Lease(h.t.Context(), fenced.Owner, 0, 0)
		h.must(err)
		if len(leased.Due) > 0 || leased.Outstanding > 0 || leased.Clock != fenced.Clock {
			h.t.Errorf("a lease of none is %+v, want the clock %+v", leased, fenced.Clock)
		}
		h.lease(fenced.Owner, now, 9, due(g, 1000))
	}
}

func (h *hand) fenceIsConditional() {
	first, second := h.fence(0).Owner, h.fence(0).Owner
	_, err := h.store.Fence(h.t.Context(), 0, first.Epoch)
	h.stale("fence of an old epoch", err)
	h.lease(second, 0, 9)
	third, err := h.store.Fence(h.t.Context(), 0, second.Epoch)
	h.must(err)
	if third.Owner.Epoch != second.Epoch+1 || second.Epoch != first.Epoch+1 {
		h.t.Errorf("epochs %v, %v, %v, want each the next", first, second, third.Owner)
	}
}

func (h *hand) oldOwners() {
	g := h.one(1, 1000)
	old := h.fence(0).Owner
	o := h.fence(0).Owner
	_, err := h.store.Lease(h.t.Context(), old, 1000, 9)
	h.stale("lease", err)
	h.lease(o, 1000, 9, due(g, 1000))
	h.stale("release", h.store.Release(h.t.Context(), old, buffer.Release{
		Back: []buffer.Due{due(g, 1000)}}))
	h.lease(o, 1000, 9)
}

// setBack: an owner that is ahead of the store knows of an epoch that the store has lost.
func (h *hand) setBack() {
	g := h.one(1, 1000)
	o := h.fence(0).Owner
	ahead := buffer.Owner{Shard: 0, Epoch: o.Epoch + 2}
	wants := func(step string, err error) {
		h.t.Helper()
		if !errors.Is(err, buffer.ErrSetBack) || !errors.Is(err, buffer.ErrStale) {
			h.t.Errorf("%s: %v, want that the store was set back, which makes the owner stale", step, err)
		}
	}
	_, err := h.store.Lease(h.t.Context(), ahead, 1000, 9)
	wants("lease", err)
	wants("release", h.store.Release(h.t.Context(), ahead, buffer.Release{Back: []buffer.Due{due(g, 1)}}))
	_, err = h.store.Fence(h.t.Context(), 0, ahead.Epoch)
	wants("fence", err)
	second := h.fence(0).Owner
	if _, err = h.store.Lease(h.t.Context(), o, 1000, 9); errors.Is(err, buffer.ErrSetBack) {
		h.t.Errorf("lease under the epoch before the last: %v, but nothing was lost", err)
	}
	h.lease(second, 1000, 9, due(g, 1000))
}

func (h *hand) beats() {
	began := time.Now()
	for i, witness := range []uint64{1, 1, 2, 1, 1 << 63, 1 << 63} {
		pulses, err := h.store.Beat(h.t.Context(), witness)
		h.must(err)
		want, witnesses := []uint64{1, 2, 1, 3, 1, 2}[i], []int{1, 0, 2, 0, 3, 0}[i]
		if len(pulses) == 0 {
			h.t.Fatal("no node counts beats")
		}
		for _, p := range pulses {
			if p.Beats != want || p.Node == "" {
				h.t.Errorf("%d beats of witness %d on node %q, want %d", p.Beats, witness, p.Node, want)
			}
			if soon := time.Since(began) < 5*time.Second; soon && p.Witnesses != witnesses { // they count for 10 s
				h.t.Errorf("beat %d of witness %d on node %q counts %d witnesses, want %d", p.Beats, witness, p.Node,
					p.Witnesses, witnesses)
			}
		}
	}
}

// sweep returns everything that the store holds, in order.
func (h *hand) sweep(limit int) (held []buffer.Held) {
	h.t.Helper()
	seen := make(map[buffer.Generation]buffer.Held)
	for from, rounds := "", 0; ; rounds++ {
		swept, err := h.store.Sweep(h.t.Context(), from, limit)
		h.must(err)
		for _, one := range swept.Held {
			seen[one.Generation] = one // a scan may meet one twice
		}
		if from = swept.Next; from == "" {
			break
		}
		if rounds > 1000 {
			h.t.Fatal("the sweep does not end")
		}
	}
	held = slices.Collect(maps.Values(seen))
	slices.SortFunc(held, func(a, b buffer.Held) int { return a.Generation.Compare(b.Generation) })
	return held
}

func (h *hand) sweeps() {
	if held := h.sweep(3); len(held) != 0 {
		h.t.Errorf("an empty store holds %v", held)
	}
	o := h.fence(0).Owner
	flying := h.one(1, 1000)
	h.lease(o, 1000, 9, due(flying, 1000))
	_, err := h.store.Claim(h.t.Context(), o, []buffer.Generation{flying})
	h.must(err)
	want := []buffer.Held{{Generation: flying, Owner: o, Spans: 1}}
	for _, g := range h.attach([2]byte{1, 1}, [2]byte{2, 2}, [2]byte{3, 9}, [2]byte{4, 9}).Live {
		spans := map[buffer.SpanID]int{{2}: 1, {9}: 2}[g.Segment]
		want = append(want, buffer.Held{Generation: g.Generation, Spans: spans})
	}
	for i := range byte(40) { // more than a page
		spans := []buffer.Span{{TraceKey: buffer.TraceKey{Project: 2, Trace: buffer.TraceID{i}},
			ID: buffer.SpanID{i}, Parent: buffer.SpanID{i}, Root: true, Size: 1}}
		for n := range i % 3 {
			spans = append(spans, buffer.Span{TraceKey: spans[0].TraceKey,
				ID: buffer.SpanID{i, n + 1}, Parent: buffer.SpanID{i}, Size: 1})
		}
		traces, _ := buffer.Group(spans)
		h.deliveries++
		answers, err := h.store.Attach(h.t.Context(),
			buffer.Delivery{ID: buffer.DeliveryID{Partition: 7, Number: h.deliveries}}, traces)
		h.must(err)
		want = append(want, buffer.Held{Generation: answers[0].Live[0].Generation, Spans: len(spans)})
	}
	slices.SortFunc(want, func(a, b buffer.Held) int { return a.Generation.Compare(b.Generation) })
	for _, limit := range []int{1, 10, 1000} {
		if got := h.sweep(limit); !slices.Equal(got, want) {
			h.t.Errorf("a sweep by %d meets %v, want %v", limit, got, want)
		}
	}
	if last := want[len(want)-1]; last.Shard() != 7 || want[0].Shard() != 0 {
		h.t.Errorf("%v belongs to shard %d, %v to %d, want 7 and 0", last, last.Shard(), want[0], want[0].Shard())
	}
}

// adopt expects these to be adopted.
func (h *hand) adopt(all []buffer.Generation, want ...buffer.Generation) {
	h.t.Helper()
	adopted, err := h.store.Adopt(h.t.Context(), 0, 5000, 2*time.Second, all)
	h.must(err)
	if !slices.Equal(adopted, want) {
		h.t.Errorf("adopted %v, want %v", adopted, want)
	}
}

func (h *hand) adopts() {
	queued, leased := h.one(1, 6000), h.one(2, 1000)
	lost := h.attach([2]byte{3, 3}).Live[0].Generation
	o := h.fence(0).Owner
	h.lease(o, 1000, 9, due(leased, 1000))
	all := []buffer.Generation{queued, leased, lost}
	h.adopt(all, lost)
	h.adopt(all)
	now := h.fence(0).Clock.Now
	h.lease(h.fence(0).Owner, now.Add(2*time.Second)-1, 9, due(leased, 1000))
	h.lease(h.fence(0).Owner, 1<<40, 9, due(leased, 1000), due(lost, now.Add(2*time.Second)), due(queued, 6000))
}

// adoptsLater: without input the shard has the wall clock's time.
func (h *hand) adoptsLater() {
	g := h.attach([2]byte{3, 3}).Live[0].Generation
	h.adopt([]buffer.Generation{g}, g)
	h.lease(h.fence(0).Owner, 6999, 9)
	h.lease(h.fence(0).Owner, 7000, 9, due(g, 7000))
}

// A write that comes while the generation is leased queues it again. It is handed out when it was
// released, and not before.
func (h *hand) leasedOnce() {
	g := h.one(1, 1000)
	o := h.fence(0).Owner
	h.lease(o, 1000, 9, due(g, 1000))
	h.queue(0, g, 2000)
	other := h.one(2, 3000)
	h.lease(o, 3000, 1, due(other, 3000))
	h.must(h.store.Release(h.t.Context(), o, buffer.Release{Done: []buffer.Generation{g}}))
	h.lease(o, 1999, 9)
	h.lease(o, 3000, 9, due(g, 2000))
}

// A deadline that was set while the generation was leased is not overwritten by its return.
func (h *hand) backKeepsLater() {
	g := h.one(1, 1000)
	o := h.fence(0).Owner
	h.lease(o, 1000, 9, due(g, 1000))
	h.queue(0, g, 5000)
	h.must(h.store.Release(h.t.Context(), o, buffer.Release{Back: []buffer.Due{due(g, 1000)}}))
	h.lease(o, 4999, 9)
	h.lease(o, 5000, 9, due(g, 5000))
	h.must(h.store.Release(h.t.Context(), o, buffer.Release{Back: []buffer.Due{due(g, 6000)}}))
	h.lease(o, 5999, 9)
	h.lease(o, 6000, 9, due(g, 6000))
}

func (h *hand) oldestFirst() {
	a, b, c := h.one(1, 3000), h.one(2, 1000), h.one(3, 2000)
	o := h.fence(0).Owner
	h.lease(o, 999, 9)
	h.lease(o, 3000, 2, due(b, 1000), due(c, 2000))
	h.lease(o, 3000, 2, due(a, 3000))
}

// What was queued again while it was leased takes its place by its deadline once it is released, before
// what was due at the lease before and beyond its limit.
func (h *hand) releasedFirst() {
	g := h.one(1, 1000)
	o := h.fence(0).Owner
	h.lease(o, 1000, 9, due(g, 1000))
	a, b, c := h.one(2, 2000), h.one(3, 2100), h.one(4, 2200)
	h.queue(0, g, 1500)
	h.lease(o, 3000, 1, due(a, 2000))
	h.must(h.store.Release(h.t.Context(), o, buffer.Release{Done: []buffer.Generation{g}}))
	h.lease(o, 3000, 1, due(g, 1500))
	h.lease(o, 3000, 2, due(b, 2100), due(c, 2200))
}

func (h *hand) claims() {
	g := h.one(1, 1000)
	o, other := h.fence(0).Owner, h.fence(1).Owner
	h.claim(o, buffer.Generation{TraceKey: g.TraceKey, Segment: g.Segment}, buffer.Claim{})
	h.claim(o, g, owned(1))
	h.claim(o, g, owned(1)) // again: its answer may have been lost
	h.claim(other, g, buffer.Claim{State: buffer.ClaimBusy})
	h.load(other, g)
	h.ack(other, g, buffer.AckStale, 1)
	next := h.attach([2]byte{2, 1}) // follows by itself
	if len(next.Live) != 1 || next.Live[0].Generation == g {
		h.t.Errorf("live %v beside what is in flight, want another generation", next.Live)
	}
	h.load(o, g, 1)
	h.ack(o, g, buffer.AckDone, 1)
	h.ack(o, g, buffer.AckGone, 1)
	h.load(o, g)
	h.claim(o, g, buffer.Claim{})
	h.claim(o, next.Live[0].Generation, owned(1))
}

func (h *hand) takeOver() {
	g := h.one(1, 1000)
	old, o := h.fence(0).Owner, h.fence(0).Owner
	h.claim(old, g, owned(1)) // it was leased before, and the claim comes late
	h.claim(o, g, owned(1))
	h.claim(old, g, buffer.Claim{State: buffer.ClaimStale})
	h.load(old, g)
	h.ack(old, g, buffer.AckStale, 1)
	h.load(o, g, 1)
	h.ack(o, g, buffer.AckDone, 1)
}

// What became part of another is dropped from the queue, and cannot be claimed.
func (h *hand) merged() {
	child := h.attach([2]byte{3, 2}).Live[0].Generation
	h.queue(0, child, 1000)
	answer := h.attach([2]byte{2, 1})
	if !slices.Equal(answer.Merged, []buffer.Generation{child}) {
		h.t.Fatalf("merged %v, want %v", answer.Merged, child)
	}
	h.must(h.store.Enqueue(h.t.Context(), 0, buffer.QueueUpdate{Clock: 100, Wall: 100,
		Merged: answer.Merged, Due: []buffer.Due{due(answer.Live[0].Generation, 1000)}}))
	o := h.fence(0).Owner
	h.lease(o, 1000, 9, due(answer.Live[0].Generation, 1000))
	h.claim(o, child, buffer.Claim{})
	h.claim(o, answer.Live[0].Generation, owned(2))
}

// What a segment has seen, a root, and since when there is something of it, is not forgotten when
// it becomes part of another.
func (h *hand) inherited() {
	h.now = 100
	h.attach([2]byte{99, 2}) // a root that names another segment
	h.now = 200
	live := h.attach([2]byte{2, 1}).Live
	if len(live) != 1 || !live[0].HasRoot || live[0].First != 100 {
		h.t.Errorf("live %+v, want one with a root, since 100", live)
	}
}

// Spans come out by attach, and those of one attach by offset, wherever they were in between.
func (h *hand) arrival() {
	h.attach([2]byte{9, 8})
	h.attach([2]byte{3, 1}, [2]byte{7, 8}, [2]byte{5, 1})
	h.attach([2]byte{8, 1})
	g := h.attach([2]byte{1, 1}).Live[0].Generation
	o := h.fence(0).Owner
	h.claim(o, g, owned(6))
	h.load(o, g, 9, 3, 5, 7, 8, 1)
}

// A long way is shortened when its beginning is delivered again: what comes below that later follows,
// though a span on the way is gone by then.
func (h *hand) longWay() {
	const last = buffer.WayMax + 2
	o := h.fence(0).Owner
	var third buffer.Generation
	for id := byte(1); id <= last; id++ { // child first, and no segment pulls in another
		g := h.attach([2]byte{id, id + 1}).Live[0].Generation
		h.claim(o, g, owned(1))
		if id == 3 {
			third = g
		}
	}
	if again := h.attach([2]byte{1, 2}); again.Duplicates != 1 || len(again.Live) > 0 {
		h.t.Errorf("a span in flight comes again: %+v", again)
	}
	h.ack(o, third, buffer.AckDone, 3)
	live := h.attach([2]byte{200, 1}).Live
	if want := (buffer.SpanID{last + 1}); len(live) != 1 || live[0].Segment != want {
		h.t.Errorf("live %+v, want a generation of segment %v", live, want)
	}
}
