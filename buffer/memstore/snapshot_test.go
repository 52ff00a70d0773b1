package memstore

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice/buffer"
)

// TestCloneIsIndependent: what happens to a store does not happen to its copy, which goes on alike.
func TestCloneIsIndependent(t *testing.T) {
	ctx := t.Context()
	key := buffer.TraceKey{Project: 1, Trace: buffer.TraceID{1}}
	attach := func(s *Store, id, parent byte, number int64) buffer.Generation {
		t.Helper()
		span := buffer.Span{TraceKey: key, ID: buffer.SpanID{id}, Parent: buffer.SpanID{parent}, Size: 1}
		span.Root, span.Position.Offset = id == parent, number
		answers, err := s.Attach(ctx, buffer.Delivery{ID: buffer.DeliveryID{Number: number}},
			[]buffer.TraceBatch{{TraceKey: key, Subtrees: []buffer.Subtree{
				{Parent: span.Parent, Spans: []buffer.Span{span}},
			}}})
		if err != nil {
			t.Fatal(err)
		}
		g := answers[0].Live[0].Generation
		update := buffer.QueueUpdate{Due: []buffer.Due{{Generation: g}}, Merged: answers[0].Merged}
		if err := s.Enqueue(ctx, 0, update); err != nil {
			t.Fatal(err)
		}
		return g
	}
	flush := func(s *Store) []buffer.Loaded {
		t.Helper()
		fenced, err := s.Fence(ctx, 0, buffer.AnyEpoch)
		if err != nil {
			t.Fatal(err)
		}
		leased, err := s.Lease(ctx, fenced.Owner, 1, 1)
		if err != nil {
			t.Fatal(err)
		}
		names := []buffer.Generation{leased.Due[0].Generation}
		if _, err := s.Claim(ctx, fenced.Owner, names); err != nil {
			t.Fatal(err)
		}
		loaded, err := s.Load(ctx, fenced.Owner, names)
		if err != nil {
			t.Fatal(err)
		}
		return loaded
	}
	one := New(buffer.Options{})
	attach(one, 3, 2, 1)
	two := one.Clone()
	before := two.Snapshot()
	if diff := cmp.Diff(one.Snapshot(), before); diff != "" {
		t.Errorf("a copy differs: %s", diff)
	}
	attach(one, 2, 2, 2) // takes the first one's segment in
	got := flush(one)
	if diff := cmp.Diff(before, two.Snapshot()); diff != "" {
		t.Errorf("what happens to the store happens to its copy: %s", diff)
	}
	if cmp.Equal(before, one.Snapshot()) {
		t.Error("the snapshot does not tell a store in which something was flushed")
	}
	attach(two, 2, 2, 2)
	if diff := cmp.Diff(got, flush(two)); diff != "" {
		t.Errorf("the copy answers differently: %s", diff)
	}
	if diff := cmp.Diff(one.Snapshot(), two.Snapshot()); diff != "" {
		t.Errorf("the same done to both: %s", diff)
	}
}

// TestWipedStoreForgetsAllButThatItDid: it is empty, but no epoch comes again.
func TestWipedStoreForgetsAllButThatItDid(t *testing.T) {
	ctx := t.Context()
	s := New(buffer.Options{})
	last := buffer.Epoch(0)
	for range 3 {
		for range 4 {
			fenced, err := s.Fence(ctx, 7, buffer.AnyEpoch)
			if err != nil || fenced.Owner.Epoch <= last {
				t.Fatalf("epoch %d after %d (%v)", fenced.Owner.Epoch, last, err)
			}
			last = fenced.Owner.Epoch
		}
		if _, err := s.Beat(ctx, 1); err != nil {
			t.Fatal(err)
		}
		s = s.Wiped()
		if got := s.Clone().Snapshot(); len(got.Shards)+len(got.Traces) > 0 {
			t.Errorf("it still holds %v", got)
		}
		if pulses, err := s.Clone().Beat(ctx, 1); err != nil || pulses[0].Beats != 1 {
			t.Errorf("%v (%v), want one beat", pulses, err)
		}
	}
}

// TestTakeOverMakesNoEpochAgain: a later state than the one that takes over had made some.
func TestTakeOverMakesNoEpochAgain(t *testing.T) {
	s := New(buffer.DefaultOptions())
	fence := func(on *Store) buffer.Epoch {
		t.Helper()
		fenced, err := on.Fence(t.Context(), 0, buffer.AnyEpoch)
		if err != nil {
			t.Fatal(err)
		}
		return fenced.Owner.Epoch
	}
	fence(s)
	earlier := s.Clone()
	for range 3 {
		fence(s)
	}
	last := fence(s)
	earlier.TakeOver(s)
	if got := fence(earlier); got <= last {
		t.Errorf("epoch %d after %d", got, last)
	}
}
