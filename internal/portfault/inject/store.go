package inject

import (
	"context"

	"sluice/buffer"
	"sluice/internal/portfault"
)

type store struct {
	buffer.Store
	*injector
}

// Attach implements buffer.Store.
func (s store) Attach(
	ctx context.Context, delivery buffer.Delivery, traces []buffer.TraceBatch,
) ([]buffer.Attached, error) {
	return call(ctx, s.injector, portfault.StoreAttach, func() ([]buffer.Attached, error) {
		return s.Store.Attach(ctx, delivery, traces)
	})
}

// Enqueue implements buffer.Store.
func (s store) Enqueue(
	ctx context.Context, shard buffer.Shard, entries buffer.QueueUpdate,
) error {
	return run(ctx, s.injector, portfault.StoreEnqueue, func() error {
		return s.Store.Enqueue(ctx, shard, entries)
	})
}

// Fence implements buffer.Store.
func (s store) Fence(
	ctx context.Context, shard buffer.Shard, last buffer.Epoch,
) (buffer.Fenced, error) {
	return call(ctx, s.injector, portfault.StoreFence, func() (buffer.Fenced, error) {
		return s.Store.Fence(ctx, shard, last)
	})
}

// Lease implements buffer.Store.
func (s store) Lease(
	ctx context.Context, owner buffer.Owner, now buffer.Instant, limit int,
) (buffer.Leased, error) {
	return call(ctx, s.injector, portfault.StoreLease, func() (buffer.Leased, error) {
		return s.Store.Lease(ctx, owner, now, limit)
	})
}

// Claim implements buffer.Store. It reads nothing along, so that faults of StoreLoad meet every segment.
func (s store) Claim(
	ctx context.Context, owner buffer.Owner, generations []buffer.Generation,
) ([]buffer.Claim, error) {
	return call(ctx, s.injector, portfault.StoreClaim, func() ([]buffer.Claim, error) {
		claims, err := s.Store.Claim(ctx, owner, generations)
		for i := range claims {
			claims[i].Loaded = nil
		}
		return claims, err
	})
}

// Load implements buffer.Store.
func (s store) Load(
	ctx context.Context, owner buffer.Owner, generations []buffer.Generation,
) ([]buffer.Loaded, error) {
	return call(ctx, s.injector, portfault.StoreLoad, func() ([]buffer.Loaded, error) {
		return s.Store.Load(ctx, owner, generations)
	})
}

// Ack implements buffer.Store.
func (s store) Ack(
	ctx context.Context, owner buffer.Owner, flushed []buffer.Flushed,
) ([]buffer.AckResult, error) {
	return call(ctx, s.injector, portfault.StoreAck, func() ([]buffer.AckResult, error) {
		return s.Store.Ack(ctx, owner, flushed)
	})
}

// Release implements buffer.Store.
func (s store) Release(ctx context.Context, owner buffer.Owner, release buffer.Release) error {
	return run(ctx, s.injector, portfault.StoreRelease, func() error {
		return s.Store.Release(ctx, owner, release)
	})
}
