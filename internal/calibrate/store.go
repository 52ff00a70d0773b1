package calibrate

import (
	"context"
	"sync/atomic"

	"sluice/buffer"
)

// counted is a store that counts its calls.
type counted struct {
	buffer.Store
	calls atomic.Int64
}

// Attach implements buffer.Store.
func (c *counted) Attach(
	ctx context.Context, delivery buffer.Delivery, traces []buffer.TraceBatch,
) ([]buffer.Attached, error) {
	c.calls.Add(1)
	return c.Store.Attach(ctx, delivery, traces)
}

// Enqueue implements buffer.Store.
func (c *counted) Enqueue(ctx context.Context, n buffer.Shard, update buffer.QueueUpdate) error {
	c.calls.Add(1)
	return c.Store.Enqueue(ctx, n, update)
}

// Lease implements buffer.Store.
func (c *counted) Lease(
	ctx context.Context, owner buffer.Owner, now buffer.Instant, limit int,
) (buffer.Leased, error) {
	c.calls.Add(1)
	return c.Store.Lease(ctx, owner, now, limit)
}

// Claim implements buffer.Store.
func (c *counted) Claim(
	ctx context.Context, owner buffer.Owner, list []buffer.Generation,
) ([]buffer.Claim, error) {
	c.calls.Add(1)
	return c.Store.Claim(ctx, owner, list)
}

// Load implements buffer.Store.
func (c *counted) Load(
	ctx context.Context, owner buffer.Owner, list []buffer.Generation,
) ([]buffer.Loaded, error) {
	c.calls.Add(1)
	return c.Store.Load(ctx, owner, list)
}

// Ack implements buffer.Store.
func (c *counted) Ack(
	ctx context.Context, owner buffer.Owner, flushed []buffer.Flushed,
) ([]buffer.AckResult, error) {
	c.calls.Add(1)
	return c.Store.Ack(ctx, owner, flushed)
}

// Release implements buffer.Store.
func (c *counted) Release(ctx context.Context, owner buffer.Owner, release buffer.Release) error {
	c.calls.Add(1)
	return c.Store.Release(ctx, owner, release)
}
