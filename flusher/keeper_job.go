package flusher

import (
	"context"

	"sluice/buffer"
)

// current tells whether a job is still the one to do.
func (k *keeper) current(ctx context.Context, j job) bool {
	k.sup.mu.Lock()
	defer k.sup.mu.Unlock()
	return ctx.Err() == nil && k.sup.fatal == nil && k.job.revision == j.revision
}

// assignment waits until the worker has shards. It returns false when the supervisor ends.
func (k *keeper) assignment(ctx context.Context) (job, bool) {
	for {
		k.sup.mu.Lock()
		j := k.job
		k.sup.mu.Unlock()
		if fault := k.sup.Fault(); ctx.Err() != nil || fault != nil {
			if fault != nil && len(j.shards) > 0 && !k.leaves {
				k.set(StateDead) // the shards are without a worker until another process has them
			} else {
				k.set(StateStopped)
			}
			return job{}, false
		}
		if len(j.shards) > 0 {
			return j, true
		}
		k.set(StateStopped)
		k.dropEndedStrays()
		k.nap(ctx)
	}
}

// reserve takes shards for a worker that is about to start, unless the worker of another keeper
// may still live on one of them.
func (k *keeper) reserve(shards []buffer.Shard) bool {
	k.sup.mu.Lock()
	defer k.sup.mu.Unlock()
	for _, other := range k.sup.keepers {
		if other != k && overlap(other.reserved, shards) {
			return false
		}
	}
	k.reserved = shards
	return true
}

func (k *keeper) unreserve() {
	k.sup.mu.Lock()
	defer k.sup.mu.Unlock()
	k.reserved = nil
}
