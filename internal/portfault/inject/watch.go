package inject

import (
	"context"
	"time"

	"sluice/buffer"
	"sluice/flusher"
	"sluice/internal/portfault"
)

type memory struct {
	flusher.MemoryMeter
	*injector
}

// Memory implements flusher.MemoryMeter.
func (m memory) Memory(ctx context.Context) ([]buffer.NodeMemory, error) {
	return call(ctx, m.injector, portfault.StoreMemory, func() ([]buffer.NodeMemory, error) {
		return m.MemoryMeter.Memory(ctx)
	})
}

type auditor struct {
	buffer.Auditor
	*injector
}

// Beat implements buffer.Auditor.
func (a auditor) Beat(ctx context.Context, witness uint64) ([]buffer.Pulse, error) {
	return call(ctx, a.injector, portfault.StoreBeat, func() ([]buffer.Pulse, error) {
		return a.Auditor.Beat(ctx, witness)
	})
}

// Sweep implements buffer.Auditor.
func (a auditor) Sweep(ctx context.Context, from string, limit int) (buffer.Swept, error) {
	return call(ctx, a.injector, portfault.StoreSweep, func() (buffer.Swept, error) {
		return a.Auditor.Sweep(ctx, from, limit)
	})
}

// Adopt implements buffer.Auditor.
func (a auditor) Adopt(
	ctx context.Context, shard buffer.Shard, wall buffer.Instant, after time.Duration,
	generations []buffer.Generation,
) ([]buffer.Generation, error) {
	return call(ctx, a.injector, portfault.StoreAdopt, func() ([]buffer.Generation, error) {
		return a.Auditor.Adopt(ctx, shard, wall, after, generations)
	})
}
