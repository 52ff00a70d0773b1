package storetest

import (
	"context"
	"fmt"
	"testing"

	"sluice/buffer"
	"sluice/buffer/memstore"
	"sluice/internal/proptest"
)

func openReference(_ testing.TB, options buffer.Options) Store { return memstore.New(options) }

// recorder takes a failure that is wanted.
type recorder struct {
	*testing.T
	failure string
}

func (r *recorder) Errorf(format string, args ...any) { r.failure = fmt.Sprintf(format, args...) }
func (r *recorder) Failed() bool                      { return r.failure != "" }

// Each defect leaves out one rule of the protocol, and the property must see it.
func TestPropertyCatchesDefects(t *testing.T) {
	defects := map[string]func(Store) Store{
		"no repair at redelivery":       func(s Store) Store { return forgetful{s} },
		"acknowledged by a stale owner": func(s Store) Store { return trusting{s} },
		"leased under a stale epoch":    func(s Store) Store { return unfenced{s, make(map[buffer.Shard]buffer.Epoch)} },
	}
	for name, defect := range defects {
		t.Run(name, func(t *testing.T) {
			open := func(tb testing.TB, options buffer.Options) Store {
				return defect(openReference(tb, options))
			}
			t.Setenv(proptest.SeedVariable, "1") // the same cases each time: this test must not flake
			caught := &recorder{T: t}
			proptest.Check(caught, name, differentialProp(t, openReference, open),
				proptest.Cases(2000), proptest.FailuresIn(t.TempDir()))
			if !caught.Failed() {
				t.Error("the property holds with the defect")
			}
		})
	}
}

// forgetful answers a redelivery with nothing.
type forgetful struct{ Store }

func (f forgetful) Attach(
	ctx context.Context, delivery buffer.Delivery, traces []buffer.TraceBatch,
) ([]buffer.Attached, error) {
	answers, err := f.Store.Attach(ctx, delivery, traces)
	for i := range answers {
		if answers[i].Stored == 0 {
			answers[i].Live = nil
		}
	}
	return answers, err
}

// trusting lets every owner of a shard acknowledge.
type trusting struct{ Store }

func (f trusting) Ack(
	ctx context.Context, owner buffer.Owner, flushed []buffer.Flushed,
) ([]buffer.AckResult, error) {
	results, err := f.Store.Ack(ctx, owner, flushed)
	for i := range results {
		if results[i] != buffer.AckStale {
			continue
		}
		for epoch := owner.Epoch + 1; results[i] == buffer.AckStale; epoch++ {
			if epoch > owner.Epoch+1000 {
				break // of another shard
			}
			later := buffer.Owner{Shard: owner.Shard, Epoch: epoch}
			again, err := f.Store.Ack(ctx, later, flushed[i:i+1])
			if err != nil {
				return results, err
			}
			results[i] = again[0]
		}
	}
	return results, err
}

// unfenced leases to whoever asks.
type unfenced struct {
	Store
	epochs map[buffer.Shard]buffer.Epoch
}

func (f unfenced) Fence(
	ctx context.Context, shard buffer.Shard, last buffer.Epoch,
) (buffer.Fenced, error) {
	fenced, err := f.Store.Fence(ctx, shard, last)
	if err == nil {
		f.epochs[shard] = fenced.Owner.Epoch
	}
	return fenced, err
}

func (f unfenced) Lease(
	ctx context.Context, owner buffer.Owner, now buffer.Instant, limit int,
) (buffer.Leased, error) {
	owner.Epoch = f.epochs[owner.Shard]
	return f.Store.Lease(ctx, owner, now, limit)
}

func TestPropertyOrderIndependence(t *testing.T) {
	OrderProperty(t, "order independence", openReference, proptest.Cases(2000))
}

// deaf never merges: it keeps each batch's segments apart.
type deaf struct {
	Store
	batches byte
}

func (d *deaf) Attach(
	ctx context.Context, delivery buffer.Delivery, traces []buffer.TraceBatch,
) ([]buffer.Attached, error) {
	d.batches++
	for i := range traces {
		traces[i].Trace[15] = d.batches
	}
	return d.Store.Attach(ctx, delivery, traces)
}

func TestPropertyOrderIndependenceCanFail(t *testing.T) {
	t.Setenv(proptest.SeedVariable, "1")
	caught := &recorder{T: t}
	open := func(tb testing.TB, options buffer.Options) Store {
		return &deaf{Store: openReference(tb, options)}
	}
	proptest.Check(caught, "order", orderProp(t, open), proptest.FailuresIn(t.TempDir()))
	if !caught.Failed() {
		t.Error("the property holds for a store that never merges")
	}
}

func TestPropertyReferenceLosesNothing(t *testing.T) {
	Property(t, "protocol", openReference, openReference, proptest.Cases(1000))
}
