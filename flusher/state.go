package flusher

import (
	"fmt"
	"slices"
	"time"

	"sluice/buffer"
)

// State is what a worker is to whoever looks at the supervisor.
type State uint8

// The states of a worker.
const (
	// StateStopped means that no worker of this index runs, nor is one wanted.
	StateStopped State = iota
	// StateStarting means that it was started, or is about to be.
	StateStarting
	// StateHealthy means that it gives signs of life and keeps up.
	StateHealthy
	// StateBackpressure means that it gives signs of life and its leases return all they may.
	StateBackpressure
	// StateHung means that it gave no sign of life, or did not start, and is being killed.
	StateHung
	// StateDead means that it has ended and was not asked to, or that no successor comes, because a fault ends
	// the supervisor.
	StateDead
	// StateRestarting means that it is proven stopped and its successor is not started yet.
	StateRestarting
	// StateStopping means that it was asked to finish what is in flight and end.
	StateStopping
)

var stateNames = [...]string{
	"stopped", "starting", "healthy", "backpressure", "hung", "dead", "restarting", "stopping",
}

// String returns the state's name, as it stands in metrics, results and charts.
func (s State) String() string { return nameOf(stateNames[:], int(s)) }

// nameOf returns the name of a value, which may come from a program that knows more of them.
func nameOf(names []string, value int) string {
	if value < len(names) {
		return names[value]
	}
	return "unknown"
}

// MarshalText returns the state's name.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (s *State) UnmarshalText(text []byte) error {
	at := slices.Index(stateNames[:], string(text))
	if at < 0 {
		return fmt.Errorf("worker state %q is not one of %q", text, stateNames)
	}
	*s = State(at)
	return nil
}

// WorkerState is what a supervisor knows of a worker at one moment.
type WorkerState struct {
	Worker int            `json:"worker"`
	Shards []buffer.Shard `json:"shards"`
	State  State          `json:"state"`
	// Starts counts all starts, Restarts those that cost budget. Causes has a line for each
	// failure, also for the one that the budget did not allow any more.
	Starts   int      `json:"starts"`
	Restarts int      `json:"restarts"`
	Causes   []string `json:"causes"`
	// Strays counts earlier workers of this index that cannot be killed and have not ended.
	Strays int `json:"strays"`
	// HealthySince is zero unless the worker is healthy or under backpressure.
	HealthySince time.Time `json:"healthy_since,omitzero"`
	// Beat is when the last sign of life arrived; Status is what it said, zero if no worker runs.
	Beat   time.Time `json:"beat,omitzero"`
	Status Status    `json:"status"`
	// Totals are summed over all starts, as far as was reported: what a killed worker did after its
	// last report is not in them.
	Totals Totals `json:"totals"`
}

// Workers returns the state of every worker there ever was, by index.
func (s *Supervisor) Workers() []WorkerState {
	s.mu.Lock()
	defer s.mu.Unlock()
	states := make([]WorkerState, len(s.keepers))
	for i, k := range s.keepers {
		states[i] = WorkerState{
			Worker:       k.worker,
			Shards:       slices.Clone(k.job.shards),
			State:        k.state,
			Starts:       k.starts,
			Restarts:     k.budget.Restarts(),
			Causes:       slices.Clone(k.causes),
			Strays:       len(k.strays),
			HealthySince: k.healthySince,
			Beat:         k.beat,
			Status:       k.status,
			Totals:       k.totals.Plus(k.status.Totals),
		}
	}
	return states
}
