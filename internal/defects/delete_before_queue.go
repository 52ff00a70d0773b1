package defects

import (
	"context"

	"sluice/buffer"
	"sluice/flusher"
)

// deleteBeforeQueue: what a worker leases leaves the shard for good before it was flushed, so a
// worker that dies on the way leaves segments behind that nobody names.
var deleteBeforeQueue = Defect{
	Name:     "delete-before-queue",
	Wrong:    "a worker removes a segment from its queue before it deletes the segment",
	Caught:   "conservation",
	Shown:    "crash",
	Explored: "protocol",
	// While Kafka takes nothing, each worker has segments on the way.
	Changes: []string{
		"workload.rate=constant 400/s", "workload.traces_at_once=10",
		"duration=10s", "expectations.drain_max=45s",
		"pipeline.timeout=2s", "pipeline.root_timeout=1s",
		"faults=[at 3s fail kafka for 6s, at 8s crash all workers]",
	},
	worker: func(p *flusher.WorkerPorts) { p.Store = forgetful{p.Store} },
}

// forgetful is a Store whose leases are over as soon as they begin.
type forgetful struct{ buffer.Store }

// Lease releases what it leases.
func (f forgetful) Lease(
	ctx context.Context, owner buffer.Owner, now buffer.Instant, limit int,
) (buffer.Leased, error) {
	leased, err := f.Store.Lease(ctx, owner, now, limit)
	if err != nil || len(leased.Due) == 0 {
		return leased, err
	}
	var gone buffer.Release
	for _, due := range leased.Due {
		gone.Done = append(gone.Done, due.Generation)
	}
	return leased, f.Release(ctx, owner, gone)
}
