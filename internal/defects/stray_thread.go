package defects

import (
	"context"

	"sluice/consumer"
	"sluice/flusher"
)

// strayThread: a hung worker is taken for a thread, which nobody can kill: its successor starts beside
// it, and when it goes on two of them flush.
var strayThread = Defect{
	Name:       "stray-thread",
	Wrong:      "a hung worker is replaced as a thread would be: nobody stops it, and it lives on",
	Caught:     "process limit",
	Shown:      "hang",
	Unexplored: byTime,
	Changes: []string{
		"duration=12s", "faults=[at 1s hang worker 1]", "workload.rate=constant 400/s",
	},
	consumer: func(p *consumer.Ports) { p.Spawner = threads{p.Spawner} },
}

// threads is a Spawner that takes its processes for threads.
type threads struct{ flusher.Spawner }

// Start starts a worker.
func (t threads) Start(ctx context.Context, spec flusher.WorkerSpec) (flusher.Handle, error) {
	h, err := t.Spawner.Start(ctx, spec)
	if err != nil {
		return nil, err
	}
	return thread{h}, nil
}

type thread struct{ flusher.Handle }

// Kill does nothing.
func (thread) Kill() {}

// CanKill says so.
func (thread) CanKill() bool { return false }
