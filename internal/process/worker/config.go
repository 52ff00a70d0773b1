package worker

import (
	"encoding/json"
	"log/slog"

	"sluice/buffer"
	"sluice/flusher"
	"sluice/internal/check"
)

// Config says how workers are started.
type Config struct {
	// Role is what a worker does.
	Role *Role
	// Settings are handed to every worker, as JSON.
	Settings json.RawMessage
	// Limits are each worker process's. They mean nothing for goroutines.
	Limits
	// Clock tells when reports arrived.
	Clock flusher.Clock
	// Log receives the workers' logs, each with the worker's number. Its level is theirs too.
	Log *slog.Logger
}

// validate returns every fault of what all workers need, joined, or nil.
func (c Config) validate() error {
	var f check.Faults
	f.When(c.Role == nil, "no role")
	f.When(c.Clock == nil, "no clock")
	f.When(c.Log == nil, "no log")
	return f.Err()
}

// Limits bound a worker process.
type Limits struct {
	// Threads is how many threads run Go code at a time (GOMAXPROCS). Default 1: a worker is a
	// sequence of stages, and the number of workers is what scales.
	Threads int
	// GCPercent is GOGC: higher costs memory and saves CPU. Default 100.
	GCPercent int
	// MemoryMax is where the collector works against further growth (GOMEMLIMIT). Default 512 MiB;
	// NoMemoryMax for none.
	MemoryMax buffer.Bytes
}

// ThreadsMax is how many threads a worker may have: each takes memory when the worker starts.
const ThreadsMax = 1024

// DefaultLimits returns the defaults named at the fields.
func DefaultLimits() Limits { return Limits{Threads: 1, GCPercent: 100, MemoryMax: 512 << 20} }

// Validate returns every fault of the limits, joined, or nil.
func (l Limits) Validate() error {
	var f check.Faults
	f.When(l.Threads < 1 || l.Threads > ThreadsMax, "worker threads %d must be from 1 to %d", l.Threads, ThreadsMax)
	f.When(l.GCPercent < 1, "worker GC percent %d must be 1 or more", l.GCPercent)
	f.When(l.MemoryMax < 0, "worker memory %d must not be negative (0: no limit)", l.MemoryMax)
	return f.Err()
}

// NoMemoryMax leaves a worker's memory to the machine.
const NoMemoryMax buffer.Bytes = 0
