package flusher_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"sluice/buffer"
)

// A segment that another shard's owner has in flight goes behind what is due, else it would be
// leased first again and again.
func TestWorkerIsNotHeldUpByABusySegment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.cfg.MaxFlushSegments = 1
		b.feed.put(t, 5, 10)
		owners := fence(t, b.store, 0, 5)
		busy := []buffer.Generation{leftovers(t, b.store).Shards[0].Queued[0].Generation}
		if _, err := b.store.Claim(t.Context(), owners[1].Owner, busy); err != nil {
			t.Fatal(err)
		}
		now := buffer.InstantOf(time.Now())
		if err := b.store.Enqueue(t.Context(), 0, buffer.QueueUpdate{
			Clock: now, Wall: now, Due: []buffer.Due{{Generation: busy[0], Deadline: now}},
		}); err != nil {
			t.Fatal(err)
		}
		b.feed.put(t, 0, 20)
		b.start(owners[0])
		time.Sleep(5 * time.Second)
		if status, _ := b.inbox.last(); status.Segments != 1 {
			t.Errorf("%d segments flushed beside the busy one, want 1", status.Segments)
		}
		if err := b.join(); err != nil {
			t.Fatal(err)
		}
	})
}

// While its input is not seen, a shard's clock runs on for UnseenMax only.
func TestWorkerWaitsForAnInputThatIsNotSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.cfg.UnseenMax = 300 * time.Millisecond
		tick := func() {
			if err := b.store.Enqueue(t.Context(), 0, buffer.QueueUpdate{
				Tick: true, Wall: buffer.InstantOf(time.Now()),
			}); err != nil {
				t.Fatal(err)
			}
		}
		tick()
		b.feed.put(t, 0, 10) // due in a second
		b.start(fence(t, b.store, 0)...)
		time.Sleep(10 * time.Second)
		if n := len(b.broker.all()); n > 0 {
			t.Errorf("flushed %d records though spans may be waiting to be read", n)
		}
		for range 15 {
			tick()
			time.Sleep(100 * time.Millisecond)
		}
		if !b.empty() {
			t.Error("not flushed though the input is seen again")
		}
		if err := b.join(); err != nil {
			t.Fatal(err)
		}
	})
}

// ackStore notes the spans that are acknowledged.
type ackStore struct {
	buffer.Store
	spans []buffer.SpanID
}

func (a *ackStore) Ack(
	ctx context.Context, owner buffer.Owner, flushed []buffer.Flushed,
) ([]buffer.AckResult, error) {
	for _, f := range flushed {
		a.spans = append(a.spans, f.Spans...)
	}
	return a.Store.Ack(ctx, owner, flushed)
}

// Without their names the store would take the spans for stored as long as there is a trace.
func TestWorkerAcknowledgesTheSpans(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		acks := &ackStore{Store: b.store}
		b.faulty.Store = acks
		b.feed.put(t, 0, 10, 11, 12)
		b.start(fence(t, b.store, 0)...)
		eventually(t, 3*time.Second, "store is empty", b.empty)
		if err := b.join(); err != nil {
			t.Fatal(err)
		}
		if want := []buffer.SpanID{spanID(10), spanID(11), spanID(12)}; !slices.Equal(acks.spans, want) {
			t.Errorf("acknowledged %v, want %v", acks.spans, want)
		}
	})
}

// What came with the claim is not asked for again.
func TestWorkerFlushesWhatTheClaimHasLoaded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		along := &alongStore{Store: b.store, odd: spanID(20)}
		b.faulty.Store = along
		b.feed.put(t, 0, 10, 11)
		b.feed.put(t, 0, 20, 21)
		b.feed.put(t, 0, 30, 31)
		b.start(fence(t, b.store, 0)...)
		eventually(t, 3*time.Second, "store is empty", b.empty)
		if err := b.join(); err != nil {
			t.Fatal(err)
		}
		if records := b.broker.all(); len(records) != 3 {
			t.Errorf("%d records, want 3", len(records))
		}
		if want := []buffer.SpanID{spanID(20)}; !slices.Equal(along.asked, want) {
			t.Errorf("loaded %v, want %v: the others came along", along.asked, want)
		}
		for _, f := range along.acked {
			if f.Along == (f.Segment == along.odd) {
				t.Errorf("segment %v is acknowledged as one that came along: %v", f.Segment, f.Along)
			}
		}
	})
}

// alongStore loads all segments but one along with their claims.
type alongStore struct {
	buffer.Store
	odd   buffer.SpanID
	asked []buffer.SpanID // of which segments Load was asked
	acked []buffer.Flushed
}

func (s *alongStore) Ack(
	ctx context.Context, owner buffer.Owner, flushed []buffer.Flushed,
) ([]buffer.AckResult, error) {
	s.acked = append(s.acked, flushed...)
	return s.Store.Ack(ctx, owner, flushed)
}

func (s *alongStore) Claim(
	ctx context.Context, owner buffer.Owner, names []buffer.Generation,
) ([]buffer.Claim, error) {
	claims, err := s.Store.Claim(ctx, owner, names)
	if err != nil {
		return nil, err
	}
	loaded, err := s.Store.Load(ctx, owner, names)
	for i := range loaded {
		if names[i].Segment != s.odd {
			claims[i].Loaded = &loaded[i]
		}
	}
	return claims, err
}

func (s *alongStore) Load(
	ctx context.Context, owner buffer.Owner, names []buffer.Generation,
) ([]buffer.Loaded, error) {
	for _, name := range names {
		s.asked = append(s.asked, name.Segment)
	}
	return s.Store.Load(ctx, owner, names)
}
