package memstore_test

import (
	"runtime"
	"slices"
	"testing"
	"weak"

	"sluice/buffer"
	"sluice/buffer/codec"
	"sluice/buffer/memstore"
	"sluice/buffer/storetest"
	"sluice/flusher"
)

func open(_ testing.TB, options buffer.Options) storetest.Store { return memstore.New(options) }

func TestConformance(t *testing.T) {
	storetest.Conformance(t, storetest.Subject{
		Name:     "memstore",
		Open:     open,
		Codec:    func(limit buffer.Bytes) storetest.Codec { return codec.New(limit) },
		ShardMap: flusher.ShardMap,
	})
}

func TestSteps(t *testing.T) { storetest.Steps(t, open) }

// openAlong opens a store that answers a Claim with what is loaded.
func openAlong(_ testing.TB, options buffer.Options) storetest.Store {
	s := memstore.New(options)
	s.ReadAlong(200, 3)
	return s
}

// TestPropertyReadAlong: what comes with a claim is what a Load answers.
func TestPropertyReadAlong(t *testing.T) {
	storetest.Property(t, "read along", open, openAlong)
}

// TestReadAlong: it comes along of a trace that is one small generation, and of no other.
func TestReadAlong(t *testing.T) {
	span := func(trace, id byte, size int) buffer.TraceBatch {
		key := buffer.TraceKey{Trace: buffer.TraceID{trace}, Project: 1}
		s := buffer.Span{TraceKey: key, ID: buffer.SpanID{id}, Parent: buffer.SpanID{id}, Root: true, Size: size}
		return buffer.TraceBatch{TraceKey: key, Subtrees: []buffer.Subtree{
			{Parent: s.ID, Spans: []buffer.Span{s}}}}
	}
	s := openAlong(t, buffer.DefaultOptions())
	ctx := t.Context()
	var names []buffer.Generation
	for n, batch := range []buffer.TraceBatch{span(1, 1, 200), span(2, 2, 201), span(3, 3, 9), span(3, 4, 9)} {
		answers, err := s.Attach(ctx, buffer.Delivery{ID: buffer.DeliveryID{Number: int64(n + 1)}},
			[]buffer.TraceBatch{batch})
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, answers[0].Live[0].Generation)
	}
	fenced, err := s.Fence(ctx, 0, buffer.AnyEpoch)
	if err != nil {
		t.Fatal(err)
	}
	for _, store := range []storetest.Store{s.(*memstore.Store).Clone(), s} {
		claims, err := store.Claim(ctx, fenced.Owner, names)
		if err != nil {
			t.Fatal(err)
		}
		for n, claim := range claims {
			if along := claim.Loaded != nil; claim.State != buffer.ClaimOwned || along != (n == 0) {
				t.Errorf("generation %d: state %v, read along: %v", n, claim.State, along)
			}
		}
	}
}

// TestLetsGo: of what was acknowledged nothing is kept, also if a trace had many segments, so that a long
// run needs no more memory than a short one.
func TestLetsGo(t *testing.T) {
	s := memstore.New(buffer.DefaultOptions())
	ctx, key := t.Context(), buffer.TraceKey{Project: 1, Trace: buffer.TraceID{1}}
	const segments = 20
	var payloads []weak.Pointer[byte]
	var trace buffer.TraceBatch
	trace.TraceKey = key
	for i := range segments {
		id := buffer.SpanID{byte(i + 1)}
		payload := make([]byte, 1<<16)
		payloads = append(payloads, weak.Make(&payload[0]))
		trace.Subtrees = append(trace.Subtrees, buffer.Subtree{Parent: id, Spans: []buffer.Span{
			{TraceKey: key, ID: id, Parent: id, Size: 1, Payload: payload}}})
	}
	answers, err := s.Attach(ctx, buffer.Delivery{ID: buffer.DeliveryID{Number: 1}}, []buffer.TraceBatch{trace})
	if err != nil || len(answers[0].Live) != segments {
		t.Fatal(answers, err)
	}
	trace = buffer.TraceBatch{}
	fenced, err := s.Fence(ctx, 0, buffer.AnyEpoch)
	if err != nil {
		t.Fatal(err)
	}
	for _, live := range answers[0].Live {
		name := []buffer.Generation{live.Generation}
		if _, err := s.Claim(ctx, fenced.Owner, name); err != nil {
			t.Fatal(err)
		}
		done := []buffer.Flushed{{Generation: live.Generation, Spans: []buffer.SpanID{live.Generation.Segment}}}
		if results, err := s.Ack(ctx, fenced.Owner, done); err != nil || results[0] != buffer.AckDone {
			t.Fatal(results, err)
		}
	}
	runtime.GC()
	kept := 0
	for _, p := range payloads {
		if p.Value() != nil {
			kept++
		}
	}
	if kept > 0 {
		t.Errorf("of %d spans that were acknowledged the store keeps %d", len(payloads), kept)
	}
	runtime.KeepAlive(s)
}

// TestLoadsByPosition: what came with one call is loaded by position, in whatever order it came, and
// behind what came before.
func TestLoadsByPosition(t *testing.T) {
	s := memstore.New(buffer.DefaultOptions())
	ctx, key, root := t.Context(), buffer.TraceKey{Project: 1, Trace: buffer.TraceID{1}}, buffer.SpanID{1}
	var name []buffer.Generation
	for call, offsets := range [][]int64{{7, 3}, {5, 4, 6}, {1, 2}, {9}} {
		subtree := buffer.Subtree{Parent: root}
		for _, offset := range offsets {
			subtree.Spans = append(subtree.Spans, buffer.Span{TraceKey: key, ID: buffer.SpanID{2, byte(offset)},
				Parent: root, Size: 1, Position: buffer.Position{Offset: offset}})
		}
		answers, err := s.Attach(ctx, buffer.Delivery{ID: buffer.DeliveryID{Number: int64(call + 1)}},
			[]buffer.TraceBatch{{TraceKey: key, Subtrees: []buffer.Subtree{subtree}}})
		if err != nil {
			t.Fatal(err)
		}
		name = []buffer.Generation{answers[0].Live[0].Generation}
	}
	fenced, err := s.Fence(ctx, 0, buffer.AnyEpoch)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Claim(ctx, fenced.Owner, name); err != nil {
		t.Fatal(err)
	}
	loaded, err := s.Load(ctx, fenced.Owner, name)
	if err != nil {
		t.Fatal(err)
	}
	var got []int64
	for i := range loaded[0].Spans {
		got = append(got, loaded[0].Spans[i].Position.Offset)
	}
	if want := []int64{3, 7, 4, 5, 6, 1, 2, 9}; !slices.Equal(got, want) {
		t.Errorf("loaded are %v, want %v", got, want)
	}
}
