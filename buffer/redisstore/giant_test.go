package redisstore_test

import (
	"encoding/binary"
	"slices"
	"testing"

	"sluice/buffer"
	"sluice/buffer/redisstore"
)

func giantID(n int) (id buffer.SpanID) {
	binary.BigEndian.PutUint64(id[:], uint64(n)*0x9E3779B97F4A7C15+1)
	return id
}

// flushed leases, claims, loads, acknowledges and releases all there is, and returns the loaded
// generations.
func flushed(t *testing.T, store *redisstore.Store) (all []buffer.Loaded) {
	t.Helper()
	fenced, err := store.Fence(t.Context(), 0, buffer.AnyEpoch)
	must(t, err)
	for {
		leased, err := store.Lease(t.Context(), fenced.Owner, buffer.Seconds(10_000), 5000)
		must(t, err)
		if len(leased.Due) == 0 {
			return all
		}
		var names []buffer.Generation
		for _, due := range leased.Due {
			names = append(names, due.Generation)
		}
		_, err = store.Claim(t.Context(), fenced.Owner, names)
		must(t, err)
		loaded, err := store.Load(t.Context(), fenced.Owner, names)
		must(t, err)
		acks := make([]buffer.Flushed, len(names))
		for i := range names {
			acks[i].Generation = names[i]
			for _, span := range loaded[i].Spans {
				acks[i].Spans = append(acks[i].Spans, span.ID)
			}
		}
		results, err := store.Ack(t.Context(), fenced.Owner, acks)
		must(t, err)
		for i, result := range results {
			if result != buffer.AckDone {
				t.Fatalf("ack of %v is %v, want done", names[i], result)
			}
		}
		must(t, store.Release(t.Context(), fenced.Owner, buffer.Release{Done: names}))
		all = append(all, loaded...)
	}
}

// attachAll attaches and enqueues spans in batches of 1,000, and delivers every tenth batch twice.
func attachAll(t *testing.T, store *redisstore.Store, spans []buffer.Span) {
	t.Helper()
	clock := buffer.Seconds(1)
	for n := 0; n*1000 < len(spans); n++ {
		batch := spans[n*1000 : min(len(spans), (n+1)*1000)]
		for again := range 2 {
			if again == 1 && n%10 != 0 {
				continue
			}
			traces, _ := buffer.Group(batch)
			answers, err := store.Attach(t.Context(), delivery(2*n+again), traces)
			must(t, err)
			if want := len(batch) * (1 - again); answers[0].Stored != want {
				t.Fatalf("batch %d, delivery %d: %d stored, want %d", n, again, answers[0].Stored, want)
			}
			update := buffer.QueueUpdate{Clock: clock, Wall: clock, Merged: answers[0].Merged}
			for _, live := range answers[0].Live {
				update.Due = append(update.Due, buffer.Due{Generation: live.Generation, Deadline: clock})
			}
			must(t, store.Enqueue(t.Context(), 0, update))
		}
	}
}

func giantTrace(n int, parent func(i int) buffer.SpanID) []buffer.Span {
	spans := make([]buffer.Span, n)
	for i := range spans {
		spans[i] = buffer.Span{
			TraceKey: buffer.TraceKey{Project: 1, Trace: buffer.TraceID{7}},
			ID:       giantID(i), Parent: parent(i), Root: i == 0,
			Size: 500, Position: buffer.Position{Offset: int64(i)},
		}
	}
	return spans
}

func TestGiantTraces(t *testing.T) {
	for _, c := range []struct {
		name            string
		spans, segments int
		parent          func(i int) buffer.SpanID
	}{
		{"one segment", 100_000, 1, func(i int) buffer.SpanID { return giantID(i / 3) }},
		{"one chain, children first", 5_000, 1, func(i int) buffer.SpanID { return giantID(i + 1) }},
		{"headless segments", 10_000, 10_000, func(i int) buffer.SpanID { return giantID(-1 - i) }},
	} {
		for _, p := range []place{onRedis, onCluster} {
			t.Run(c.name+" on "+p.name, func(t *testing.T) {
				store := p.open(t).Fork(namespace(), buffer.NoSegmentLimit)
				wiped(t, store)
				attachAll(t, store, giantTrace(c.spans, c.parent))
				loaded := flushed(t, store)
				if len(loaded) != c.segments {
					t.Errorf("%d segments, want %d", len(loaded), c.segments)
				}
				total := 0
				for _, l := range loaded {
					total += len(l.Spans)
					for i, span := range l.Spans[1:] {
						if span.Position.Offset <= l.Spans[i].Position.Offset {
							t.Fatalf("span %v comes after %v", span.Position, l.Spans[i].Position)
						}
					}
				}
				if total != c.spans {
					t.Errorf("%d spans flushed, want %d", total, c.spans)
				}
				if left, err := store.Leftovers(t.Context()); err != nil || !left.Empty() {
					t.Errorf("left over: %v, %v", left, err)
				}
			})
		}
	}
}

// TestAGiantIsAcknowledgedInFewRounds: one whose trace stays, since something else is in it.
func TestAGiantIsAcknowledgedInFewRounds(t *testing.T) {
	const parts = 40
	store := onRedis.open(t).Fork(namespace(), buffer.NoSegmentLimit)
	wiped(t, store)
	spans := giantTrace(parts*buffer.AttachSpansMax, func(i int) buffer.SpanID { return giantID(i / 3) })
	attachAll(t, store, spans)
	fenced, err := store.Fence(t.Context(), 0, buffer.AnyEpoch)
	must(t, err)
	leased, err := store.Lease(t.Context(), fenced.Owner, buffer.Seconds(10_000), 10)
	must(t, err)
	giant := []buffer.Generation{leased.Due[0].Generation}
	_, err = store.Claim(t.Context(), fenced.Owner, giant)
	must(t, err)
	late, _ := buffer.Group([]buffer.Span{{TraceKey: spans[0].TraceKey, ID: giantID(-1), Parent: giantID(0), Size: 500}})
	_, err = store.Attach(t.Context(), delivery(1000), late)
	must(t, err)
	acked := buffer.Flushed{Generation: giant[0]}
	for i := range spans {
		acked.Spans = append(acked.Spans, spans[i].ID)
	}
	rounds := 0
	results, err := store.Watched(func(round int) { rounds = round }).Ack(t.Context(), fenced.Owner, []buffer.Flushed{acked})
	must(t, err)
	if results[0] != buffer.AckDone {
		t.Errorf("ack is %v, want done", results[0])
	}
	if rounds < 2 || rounds > parts/8 {
		t.Errorf("%d parts in %d rounds", parts, rounds)
	}
}

// TestRedirectsLeaveTheFieldAfterSegments: a trace of many segments of one span, whose segments outgrow their
// field first. What comes again is known before and after, and what comes below a span joins its segment.
func TestRedirectsLeaveTheFieldAfterSegments(t *testing.T) {
	const alone = 79 // segments: 4,108 bytes of records, and 1,896 of redirects, which stay
	for name, then := range map[string][]int{
		"one by one":      slices.Repeat([]int{1}, 20),
		"by a large call": {30, 1, 1},
	} {
		for _, p := range []place{onMiniredis, onRedis} {
			t.Run(name+" on "+p.name, func(t *testing.T) {
				store, calls := p.open(t).Fork(namespace(), buffer.NoSegmentLimit), 0
				wiped(t, store)
				attach := func(spans []buffer.Span, stored int) buffer.Attached {
					t.Helper()
					traces, _ := buffer.Group(spans)
					calls++
					answers, err := store.Attach(t.Context(), delivery(calls), traces)
					must(t, err)
					if answers[0].Stored != stored || answers[0].Duplicates != len(spans)-stored {
						t.Fatalf("call %d stores %+v, want %d of %d spans", calls, answers[0], stored, len(spans))
					}
					return answers[0]
				}
				var batches [][]buffer.Span
				from := 0
				for _, n := range slices.Concat(slices.Repeat([]int{1}, alone), then) {
					headless := giantID(-1 - from)
					spans := giantTrace(from+n, func(int) buffer.SpanID { return headless })[from:]
					attach(spans, n)
					attach(spans, 0)
					batches = append(batches, spans)
					from += n
				}
				attach(slices.Concat(batches...), 0)
				update := buffer.QueueUpdate{Clock: buffer.Seconds(1), Wall: buffer.Seconds(1)}
				for i, spans := range batches {
					child := spans[0]
					child.ID, child.Parent, child.Root = giantID(10_000+i), spans[0].ID, false
					live := attach([]buffer.Span{child}, 1).Live
					if len(live) != 1 || live[0].Segment != spans[0].Parent {
						t.Fatalf("a child of span %d is in %+v, want segment %v", i, live, spans[0].Parent)
					}
					update.Due = append(update.Due, buffer.Due{Generation: live[0].Generation})
				}
				must(t, store.Enqueue(t.Context(), 0, update))
				total := 0
				for _, l := range flushed(t, store) {
					total += len(l.Spans)
				}
				if want := from + len(batches); total != want {
					t.Errorf("%d spans flushed, want %d", total, want)
				}
				if left, err := store.Leftovers(t.Context()); err != nil || !left.Empty() {
					t.Errorf("left over: %v, %v", left, err)
				}
			})
		}
	}
}
