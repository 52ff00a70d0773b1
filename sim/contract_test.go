package sim

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/buffer"
	"sluice/buffer/memstore"
	"sluice/flusher"
	"sluice/sim/kernel"
)

// breaches are those that somebody told of.
type breaches []string

func (b *breaches) tell(what string) { *b = append(*b, what) }

// want expects one breach that says so, or none if it is empty, and forgets it.
func (b *breaches) want(t *testing.T, what string) {
	t.Helper()
	if what == "" && len(*b) == 0 || len(*b) == 1 && what != "" && strings.Contains((*b)[0], what) {
		*b = nil
		return
	}
	t.Fatalf("breaches %q, want %q", *b, what)
}

// batch is a trace with spans at some offsets of partition 0.
func batch(offsets ...int64) []buffer.TraceBatch {
	trace := buffer.TraceBatch{TraceKey: buffer.TraceKey{Project: 1, Trace: buffer.TraceID{1}}}
	root := buffer.SpanID{1}
	subtree := buffer.Subtree{Parent: root}
	for _, offset := range offsets {
		s := buffer.Span{ID: buffer.SpanID{1, byte(offset)}, Position: buffer.Position{Offset: offset}}
		subtree.Spans = append(subtree.Spans, s)
	}
	trace.Subtrees = []buffer.Subtree{subtree}
	return []buffer.TraceBatch{trace}
}

func newKernel(t *testing.T) *kernel.Kernel {
	t.Helper()
	k, err := kernel.New(kernel.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	return k
}

func TestInputContract(t *testing.T) {
	var seen breaches
	k := newKernel(t)
	c := newInputContract(memstore.New(buffer.DefaultOptions()), k, 3, seen.tell)
	now := k.Now()
	attach := func(after time.Duration, want string, offsets ...int64) {
		t.Helper()
		d := buffer.Delivery{ID: buffer.DeliveryID{Number: now.Add(after).UnixMicro()}}
		if _, err := c.Attach(t.Context(), d, batch(offsets...)); err != nil {
			t.Fatal(err)
		}
		seen.want(t, want)
	}
	gate := func(kind flusher.EventKind, shards ...buffer.Shard) {
		c.gate(flusher.Event{Kind: kind, Shards: shards})
	}
	attach(0, "", 1, 2, 3)
	attach(0, "", 1, 2, 3) // its answer was lost
	attach(time.Microsecond, "", 4, 6)
	attach(time.Microsecond, "the number of an earlier one", 7)
	attach(time.Second, "has messages 7 to 10, and may have 3", 7, 10)
	gate(flusher.EventGateClosed, 0, 1)
	attach(time.Second+time.Microsecond, "begun 1.000001s after its input was to pause", 11)
	gate(flusher.EventGateOpened, 1)
	attach(2*time.Second, "was to pause", 12)
	gate(flusher.EventGateOpened, 0)
	attach(3*time.Second, "", 13)
}

func TestWorkerContract(t *testing.T) {
	ctx := t.Context()
	var seen breaches
	store := memstore.New(buffer.DefaultOptions())
	c := newWorkerContract(store, seen.tell)
	fenced, err := store.Fence(ctx, 0, buffer.AnyEpoch)
	if err != nil {
		t.Fatal(err)
	}
	owner := fenced.Owner
	attached, err := store.Attach(ctx, buffer.Delivery{ID: buffer.DeliveryID{Number: 1}}, batch(1, 2))
	if err != nil {
		t.Fatal(err)
	}
	g := attached[0].Live[0].Generation
	if err := store.Enqueue(ctx, 0, buffer.QueueUpdate{Due: []buffer.Due{{Generation: g}}}); err != nil {
		t.Fatal(err)
	}
	names, done := []buffer.Generation{g}, buffer.Release{Done: []buffer.Generation{g}}
	try := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	try(c.Claim(ctx, owner, names))
	seen.want(t, "claims 0-1, which it has not leased")
	try(c.Lease(ctx, owner, 1, 1))
	c.ended(nil)
	seen.want(t, "has ended, and holds 1 segment, among them 0-1")
	c.ended([]buffer.Shard{0})
	try(c.Load(ctx, owner, names))
	seen.want(t, "loads 0-1, which it has not claimed")
	try(c.Claim(ctx, owner, names))
	try(c.Load(ctx, owner, names))
	seen.want(t, "")
	_ = c.Release(ctx, buffer.Owner{}, done) // refused
	seen.want(t, "releases 0-1, which is neither flushed nor gone")
	try(c.Ack(ctx, owner, []buffer.Flushed{{Generation: g, Spans: []buffer.SpanID{{1, 1}}}}))
	seen.want(t, "acknowledges 1 span of 0-1")
	if err := c.Release(ctx, owner, done); err != nil {
		t.Fatal(err)
	}
	c.ended(nil)
	seen.want(t, "")
}

// TestAStoreThatWasSetBack leases once more what its worker has in flight: it does everything twice, and
// breaks nothing.
func TestAStoreThatWasSetBack(t *testing.T) {
	ctx := t.Context()
	var seen breaches
	store := memstore.New(buffer.DefaultOptions())
	fenced, err := store.Fence(ctx, 0, buffer.AnyEpoch)
	if err != nil {
		t.Fatal(err)
	}
	attached, err := store.Attach(ctx, buffer.Delivery{ID: buffer.DeliveryID{Number: 1}}, batch(1, 2))
	if err != nil {
		t.Fatal(err)
	}
	g := attached[0].Live[0].Generation
	if err := store.Enqueue(ctx, 0, buffer.QueueUpdate{Due: []buffer.Due{{Generation: g}}}); err != nil {
		t.Fatal(err)
	}
	c := newWorkerContract(store, seen.tell)
	names, owner := []buffer.Generation{g}, fenced.Owner
	read := func(before buffer.Store) (ids []buffer.SpanID) {
		c.Store = before
		if _, err := c.Lease(ctx, owner, 1, 1); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Claim(ctx, owner, names); err != nil {
			t.Fatal(err)
		}
		loaded, err := c.Load(ctx, owner, names)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range loaded[0].Spans {
			ids = append(ids, s.ID)
		}
		return ids
	}
	done := func(ids []buffer.SpanID) {
		if _, err := c.Ack(ctx, owner, []buffer.Flushed{{Generation: g, Spans: ids}}); err != nil {
			t.Fatal(err)
		}
		if err := c.Release(ctx, owner, buffer.Release{Done: names}); err != nil {
			t.Fatal(err)
		}
	}
	back := store.Clone()
	first := read(store)
	second := read(back)
	done(first)
	done(second)
	c.ended(nil)
	seen.want(t, "")
}

// sent is a producer, and what became of each of its records: nothing bad.
type sent struct{}

func (sent) Produce(context.Context, flusher.Record) flusher.Future { return sent{} }
func (sent) Flush(context.Context) error                            { return nil }
func (sent) Wait(context.Context) error                             { return nil }

func TestProducerContract(t *testing.T) {
	var seen breaches
	var lost []buffer.Shard
	c := producerContract{sent{}, func() []buffer.Shard { return lost }, seen.tell, nil}
	produce := func(generation string) flusher.Future {
		return c.Produce(t.Context(), flusher.Record{Headers: []flusher.Header{
			{Key: flusher.HeaderGeneration, Value: []byte(generation)}}})
	}
	mine, other := produce("3-1"), produce("2-1")
	wait := func(f flusher.Future, want string) {
		t.Helper()
		if err := f.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		seen.want(t, want)
	}
	wait(mine, "")
	lost = []buffer.Shard{1, 3}
	wait(other, "")
	wait(mine, "waits for 3-1, whose shard it has lost")
}

func TestEpochsLeaveOneFree(t *testing.T) {
	var seen breaches
	known := epochs{}
	begin := func(shard buffer.Shard, epoch buffer.Epoch) {
		known.begin([]buffer.Fenced{{Owner: buffer.Owner{Shard: shard, Epoch: epoch}}}, seen.tell)
	}
	for _, epoch := range []buffer.Epoch{1, 3, 5} {
		begin(1, epoch)
	}
	begin(2, 6)
	begin(1, 4) // of a supervisor that another has overtaken
	seen.want(t, "")
	begin(1, 6)
	seen.want(t, "begins on shard 1 with epoch 6, which the owner before it, of epoch 5, may take")
	if !slices.Equal([]buffer.Epoch{known[1], known[2]}, []buffer.Epoch{6, 6}) {
		t.Errorf("the last epochs are %v", known)
	}
}
