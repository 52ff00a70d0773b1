package inject

import (
	"context"
	"slices"

	"sluice/flusher"
	"sluice/internal/portfault"
)

// spawner starts workers, which it tells later what it is slow to tell them.
type spawner struct {
	flusher.Spawner
	*injector
	tasks flusher.Tasks
}

// Start implements flusher.Spawner.
func (s spawner) Start(ctx context.Context, spec flusher.WorkerSpec) (flusher.Handle, error) {
	worker, err := call(ctx, s.injector, portfault.SpawnerStart, func() (flusher.Handle, error) {
		return s.Spawner.Start(ctx, spec)
	})
	if err != nil {
		return nil, err
	}
	return &handle{worker, s.injector, s.tasks}, nil
}

type handle struct {
	flusher.Handle
	*injector
	tasks flusher.Tasks
}

// Stop implements flusher.Handle.
func (h *handle) Stop() { h.tell(portfault.SpawnerStop, h.Handle.Stop) }

// Kill implements flusher.Handle.
func (h *handle) Kill() { h.tell(portfault.SpawnerKill, h.Handle.Kill) }

// tell makes a call that never waits: if it is slow, the worker hears of it later, and the caller goes on.
func (h *handle) tell(port portfault.Port, do func()) {
	hits := h.count(port)
	made := func() {
		if h.before(context.Background(), hits) == nil {
			do()
			_ = h.after(hits) // nobody waits for an answer
		}
	}
	if slices.ContainsFunc(hits, func(f portfault.Fault) bool { return f.Kind == portfault.Slow }) {
		h.tasks.Go("slow "+string(port), made)
		return
	}
	made()
}
