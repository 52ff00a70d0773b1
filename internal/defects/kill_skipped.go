package defects

import (
	"context"
	"sync/atomic"

	"sluice/consumer"
	"sluice/flusher"
)

// killSkipped: the kill before a restart is skipped and taken for done, so a hung worker lives on
// beside its successor on the same shards.
var killSkipped = Defect{
	Name:      "kill-skipped",
	Wrong:     "a hung worker is replaced without being killed",
	Caught:    "process limit",
	Shown:     "hang",
	Explored:  "supervisor",
	OnServers: true,
	Changes: []string{
		"duration=6s", "faults=[at 1s hang worker 1]",
	},
	consumer: func(p *consumer.Ports) { p.Spawner = careless{p.Spawner} },
}

// careless is a Spawner whose workers are never killed.
type careless struct{ flusher.Spawner }

// Start starts a worker that cannot be killed.
func (c careless) Start(ctx context.Context, spec flusher.WorkerSpec) (flusher.Handle, error) {
	h, err := c.Spawner.Start(ctx, spec)
	if err != nil {
		return nil, err
	}
	return &spared{Handle: h}, nil
}

type spared struct {
	flusher.Handle
	killed atomic.Bool
}

// Kill does nothing but remember that it was asked.
func (s *spared) Kill() { s.killed.Store(true) }

// Exited claims that a kill has worked.
func (s *spared) Exited() (flusher.Exit, bool) {
	exit, ok := s.Handle.Exited()
	if !ok && s.killed.Load() {
		return flusher.Exit{Code: -1, Signal: "SIGKILL"}, true
	}
	return exit, ok
}
