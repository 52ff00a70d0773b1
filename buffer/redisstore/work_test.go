package redisstore_test

import (
	"encoding/binary"
	"slices"
	"testing"

	"sluice/buffer"
	"sluice/buffer/redisstore"
	"sluice/internal/servers/servertest"
)

// operationsMax is how many operations, see Counted, one script call may take: 1 to 3 ms.
const operationsMax = 6_000

// Whatever arrives, no script call does more work than that: it keeps everybody else waiting.
func TestNoCallWorksForLong(t *testing.T) {
	counted := open(t, config(servertest.RedisAddr(t))).Counted(operationsMax)
	wiped(t, counted)
	store := func(limit buffer.Bytes) *redisstore.Store { return counted.Fork(namespace(), limit) }
	for _, c := range []struct {
		name  string
		batch int
		limit buffer.Bytes
		spans []buffer.Span
	}{
		{"a giant", 4000, 0, giantTrace(20_000, func(i int) buffer.SpanID { return giantID(i / 3) })},
		{"a giant in small batches", 3, 0, giantTrace(6000, func(i int) buffer.SpanID { return giantID(i / 3) })},
		{"a giant that is cut off", 4000, 1_000_000,
			giantTrace(20_000, func(i int) buffer.SpanID { return giantID(i / 3) })},
		{"segments of one span", 4000, 0, giantTrace(8000, func(i int) buffer.SpanID { return giantID(-1 - i) })},
		{"a chain, parent first", 4000, 0, slices.Concat(chain(20_000, "parent-first", 4000)...)},
		{"a chain, child first", 4000, 0, slices.Concat(chain(20_000, "child-first", 4000)...)},
		{"a chain, child first, span by span", 1, 0, slices.Concat(chain(3000, "child-first", 1)...)},
		{"a chain, shuffled", 4000, 0, slices.Concat(chain(20_000, "shuffled", 4000)...)},
		{"a chain, shuffled, in small batches", 10, 0, slices.Concat(chain(5000, "shuffled", 10)...)},
		{"chains side by side, shuffled", 4000, 0, slices.Concat(chains(20, 20_000, "shuffled", 4000)...)},
		{"small traces", 4000, 0, tracesOf(1, 8000)},
		{"traces of 240 spans", 4000, 0, tracesOf(240, 8000)},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := store(c.limit)
			attachRounds(t, s, c.spans, c.batch)
			last := c.spans[max(0, len(c.spans)-4000):]
			attachRounds(t, s, c.spans[:min(4000, len(c.spans))], 4000) // some come again
			attachRounds(t, s, last, 4000)
			late := slices.Clone(last[len(last)-1:]) // and one comes late, of the far end
			late[0].Parent, late[0].ID = c.spans[0].ID, giantID(-1_000_000)
			attachRounds(t, s, late, 1)
			total := 0
			for _, l := range flushed(t, s) {
				total += len(l.Spans)
			}
			if want := len(c.spans) + 1; total != want {
				t.Errorf("%d spans flushed, want %d", total, want)
			}
			if left, err := s.Leftovers(t.Context()); err != nil || !left.Empty() {
				t.Errorf("left over: %v, %v", left, err)
			}
		})
	}
	t.Run("traces that outgrow their field at once", func(t *testing.T) { outgrown(t, store(0)) })
	t.Run("30,000 leased", func(t *testing.T) { manyLeased(t, store(0), 30_000) })
	t.Run("a giant beside another segment", func(t *testing.T) { giantBeside(t, store(0), 6000) })
}

// What a span costs does not grow with its trace, in whichever order the spans arrive: a trace of 50,000 is
// at most half as dear again, for each of them, as traces of 20 of which the same part has arrived.
func TestCostPerSpanIsFlat(t *testing.T) {
	const n, few, batch, most = 50_000, 20, 4000, 1.5
	server := servertest.RedisAddr(t)
	store := open(t, config(server)).Summed("operations")
	wiped(t, store)
	asker := newGauge(t, server)
	defer asker.client.Close()
	perSpan := func(t *testing.T, batches [][]buffer.Span) float64 {
		s := store.Fork(namespace(), 0)
		must(t, s.Do(t.Context(), "SET", "operations", "0"))
		for _, b := range batches {
			attachRounds(t, s, b, len(b))
		}
		total := 0
		for _, l := range flushed(t, s) {
			total += len(l.Spans)
		}
		if total != n {
			t.Fatalf("%d spans flushed, want %d", total, n)
		}
		operations, err := asker.client.Do(t.Context(),
			asker.client.B().Get().Key("operations").Build()).AsFloat64()
		must(t, err)
		return operations / n
	}
	flat := func(each int) [][]buffer.Span { return slices.Collect(slices.Chunk(tracesOf(each, n), batch)) }
	for name, shape := range map[string]func(each int) [][]buffer.Span{
		"flat":         flat,
		"parent-first": func(each int) [][]buffer.Span { return chains(each, n, "parent-first", batch) },
		"child-first":  func(each int) [][]buffer.Span { return chains(each, n, "child-first", batch) },
		"shuffled":     func(each int) [][]buffer.Span { return chains(each, n, "shuffled", batch) },
	} {
		t.Run(name, func(t *testing.T) {
			small, giant := perSpan(t, shape(few)), perSpan(t, shape(n))
			t.Logf("%.2f operations per span in traces of %d, %.2f in one of %d", small, few, giant, n)
			if giant > most*small {
				t.Errorf("a span of a trace of %d costs %.2f operations, one of %d costs %.2f", n, giant, few, small)
			}
		})
	}
}

// tracesOf are n spans in traces of some each, one after the other.
func tracesOf(each, n int) []buffer.Span {
	spans := giantTrace(n, func(i int) buffer.SpanID { return giantID(i - i%each) })
	for i := range spans {
		spans[i].Trace = buffer.TraceID{}
		binary.BigEndian.PutUint32(spans[i].Trace[:], uint32(i/each))
	}
	return spans
}

// attachRounds attaches and enqueues spans as the ingest loop does.
func attachRounds(t *testing.T, store *redisstore.Store, spans []buffer.Span, batch int) {
	t.Helper()
	clock := buffer.Seconds(1)
	for len(spans) > 0 {
		n := min(batch, len(spans))
		traces, _ := buffer.Group(spans[:n])
		spans = spans[n:]
		update := buffer.QueueUpdate{Clock: clock, Wall: clock}
		for _, round := range buffer.Rounds(traces, buffer.AttachSpansMax, buffer.AttachBytesMax) {
			deliveries++
			answers, err := store.Attach(t.Context(), delivery(deliveries), round)
			must(t, err)
			for _, answer := range answers {
				for _, live := range answer.Live {
					update.Due = append(update.Due, buffer.Due{Generation: live.Generation, Deadline: clock})
				}
				update.Merged = append(update.Merged, answer.Merged...)
			}
		}
		must(t, store.Enqueue(t.Context(), 0, update))
	}
}

// deliveries counts those of attachRounds.
var deliveries = 1_000_000

// outgrown writes traces that grow side by side, so that the redirects of all are spilled by one batch.
func outgrown(t *testing.T, store *redisstore.Store) {
	const traces, each, batch = 60, 300, 5
	spans := tracesOf(each, traces*each)
	for from := 0; from < each; from += batch {
		var some []buffer.Span
		for trace := range traces {
			some = append(some, spans[trace*each+from:][:batch]...)
		}
		attachRounds(t, store, some, len(some))
	}
	total := 0
	for _, l := range flushed(t, store) {
		total += len(l.Spans)
	}
	if total != len(spans) {
		t.Errorf("%d spans flushed, want %d", total, len(spans))
	}
}

// manyLeased queues, leases, fences, leases and releases many.
func manyLeased(t *testing.T, store *redisstore.Store, n int) {
	ctx, clock := t.Context(), buffer.Seconds(1)
	update := buffer.QueueUpdate{Clock: clock, Wall: clock}
	for i := range n {
		g := buffer.Generation{Segment: giantID(i)}
		update.Due = append(update.Due, buffer.Due{Generation: g, Deadline: clock})
	}
	must(t, store.Enqueue(ctx, 0, update))
	for range 1 {
		fenced, err := store.Fence(ctx, 0, buffer.AnyEpoch)
		must(t, err)
		leased, err := store.Lease(ctx, fenced.Owner, clock, n+1)
		if must(t, err); len(leased.Due) != n {
			t.Fatalf("%d leased, want %d", len(leased.Due), n)
		}
		// All are written to again, so that a lease has to pass over them.
		must(t, store.Enqueue(ctx, 0, update))
		again, err := store.Lease(ctx, fenced.Owner, clock, n)
		if must(t, err); len(again.Due) != 0 {
			t.Fatalf("%d leased again, want none", len(again.Due))
		}
	}
	fenced, err := store.Fence(ctx, 0, buffer.AnyEpoch)
	must(t, err)
	leased, err := store.Lease(ctx, fenced.Owner, clock, n)
	must(t, err)
	release := buffer.Release{Back: leased.Due[:n/2]}
	for _, due := range leased.Due[n/2:] {
		release.Done = append(release.Done, due.Generation)
	}
	must(t, store.Release(ctx, fenced.Owner, release))
	leased, err = store.Lease(ctx, fenced.Owner, clock, n)
	if must(t, err); len(leased.Due) != n/2 {
		t.Errorf("%d leased, want the %d that came back", len(leased.Due), n/2)
	}
}

// Redis keeps what is leased as a table, and not as a list through all of which it looks for each entry; and
// what makes it a table is no part of a deadline, however often the entry changes hands.
func TestWhatIsLeasedIsATable(t *testing.T) {
	store := open(t, config(servertest.RedisAddr(t)))
	wiped(t, store)
	ctx, now := t.Context(), buffer.Seconds(100)
	const n = 20
	var want []buffer.Due
	for i := range n {
		want = append(want, buffer.Due{
			Generation: buffer.Generation{Segment: giantID(i)}, Deadline: buffer.Instant(1000 * i),
		})
	}
	must(t, store.Enqueue(ctx, 0, buffer.QueueUpdate{Clock: now, Wall: now, Due: want}))
	for range 3 {
		fenced, err := store.Fence(ctx, 0, buffer.AnyEpoch)
		must(t, err)
		leased, err := store.Lease(ctx, fenced.Owner, now, 100)
		if must(t, err); !slices.Equal(leased.Due, want) {
			t.Fatalf("leased %v, want %v", leased.Due, want)
		}
		if encoding := store.LeasedEncoding(ctx, t, 0); encoding != "hashtable" {
			t.Errorf("what is leased is a %s, want a hashtable", encoding)
		}
	}
}

// claimFirst leases and claims the first generation that is due after a second.
func claimFirst(t *testing.T, store *redisstore.Store, owner buffer.Owner) []buffer.Generation {
	leased, err := store.Lease(t.Context(), owner, buffer.Seconds(1), 1)
	must(t, err)
	names := []buffer.Generation{leased.Due[0].Generation}
	_, err = store.Claim(t.Context(), owner, names)
	must(t, err)
	return names
}

// giantBeside flushes a segment of many spans and blobs while its trace has another one, so that the
// trace is not deleted as a whole.
func giantBeside(t *testing.T, store *redisstore.Store, n int) {
	ctx := t.Context()
	attachRounds(t, store, giantTrace(n, func(i int) buffer.SpanID { return giantID(i / 3) }), 2)
	fenced, err := store.Fence(ctx, 0, buffer.AnyEpoch)
	must(t, err)
	names := claimFirst(t, store, fenced.Owner)
	other := giantTrace(1, func(int) buffer.SpanID { return giantID(1) }) // below the giant, late
	other[0].ID = giantID(-1)
	attachRounds(t, store, other, 1)
	loaded, err := store.Load(ctx, fenced.Owner, names)
	if must(t, err); len(loaded[0].Spans) != n {
		t.Fatalf("%d spans loaded, want %d", len(loaded[0].Spans), n)
	}
	flushed := buffer.Flushed{Generation: names[0]}
	for _, span := range loaded[0].Spans {
		flushed.Spans = append(flushed.Spans, span.ID)
	}
	results, err := store.Ack(ctx, fenced.Owner, []buffer.Flushed{flushed})
	if must(t, err); results[0] != buffer.AckDone {
		t.Fatalf("ack is %v, want done", results[0])
	}
	if fields := store.Fields(ctx, t, names[0].TraceKey); fields > 4 {
		t.Errorf("%d fields left in the trace, want those of one span", fields)
	}
}

// A Load of much is several answers: Redis makes each as a whole, and keeps it in memory until it is
// sent.
func TestLoadOfMuchIsSeveralAnswers(t *testing.T) {
	store := onMiniredis.open(t).Fork(namespace(), buffer.NoSegmentLimit)
	const n, size = 40, 512 << 10 // 20 MiB, where 4 are one answer
	spans := giantTrace(n, func(int) buffer.SpanID { return giantID(0) })
	for i := range spans {
		spans[i].Payload, spans[i].Size = make([]byte, size), size
	}
	attachRounds(t, store, spans, 4)
	fenced, err := store.Fence(t.Context(), 0, buffer.AnyEpoch)
	must(t, err)
	names := claimFirst(t, store, fenced.Owner)
	rounds := 0
	allOf(t, store.Watched(func(round int) { rounds = round }), fenced.Owner, names[0], n)
	if rounds < 1+20/4 {
		t.Errorf("loaded by %d questions, want one for the names and one for every 4 MiB", rounds)
	}
}
