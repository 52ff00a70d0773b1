package flusher

import (
	"time"

	"sluice/internal/check"
)

// NoTimeout is the ShutdownTimeout that waits forever. (0 means at once.)
const NoTimeout time.Duration = -1

// Config is what a supervisor is made with.
type Config struct {
	// Processes is how many workers may live at a time: 1 or more, or PerShard. Default 1.
	Processes int
	// MaxUnhealthy is how long a worker may give no sign of life before it counts as hung; a
	// start may take twice that. Default 60 s.
	MaxUnhealthy time.Duration
	// BackpressureAfter is how long a worker may be under backpressure, or on its way up, before
	// the input of its shards pauses. Default 10 s.
	BackpressureAfter time.Duration
	// RestartBudget is exactly how many restarts each worker may have; the failure after the last
	// ends the supervisor with an error. 0 allows none. Default 10.
	RestartBudget int
	// RestartWindow is how long a restart counts. Default NoWindow: forever.
	RestartWindow time.Duration
	// RestartBackoff is how long the second of two restarts in a row waits if the worker did not
	// become healthy in between; it doubles with each further one, up to MaxUnhealthy. The first
	// restart never waits. 0 switches it off. Default 250 ms.
	RestartBackoff time.Duration
	// MaxMemory is the share of a Redis node's memory above which all input pauses. Default
	// MemoryOff.
	MaxMemory float64
	// MaxStrays is how many workers that cannot be killed and did not end are tolerated; one
	// more ends the supervisor with an error. Default 2.
	MaxStrays int
	// StrayAfter is how long a worker that cannot be killed may take to end after it was asked to,
	// before its successor is fenced in beside it. Default 5 s.
	StrayAfter time.Duration
	// LostAfter is how long a worker may continue after another owner has taken one of its shards, or
	// its shards go without one after another owner has taken them all, before they are taken back: a
	// rebalance is the usual reason, and brings an assignment without the shard within that time. It
	// doubles each time that they are lost again, up to MaxUnhealthy. Default 5 s.
	LostAfter time.Duration
	// StopTimeout is how long a worker whose shards changed may take to finish what is in flight.
	// NoTimeout waits forever. Default 30 s.
	StopTimeout time.Duration
	// ShutdownTimeout is how long workers may take to finish what is in flight at the end, before
	// they are killed: 0 kills them at once, NoTimeout waits forever, but for FaultTimeout if a fault ends it.
	// Default 30 s.
	ShutdownTimeout time.Duration
	// CheckEvery is how often workers are judged. Default 100 ms.
	CheckEvery time.Duration
	// MemoryEvery is how often the memory of the Redis nodes is read. Default 1 s.
	MemoryEvery time.Duration
}

// unhealthyMax is longer than anybody waits, and twice of it can be reckoned with.
const unhealthyMax = 100 * 365 * 24 * time.Hour

// DefaultConfig returns the defaults named at the fields.
func DefaultConfig() Config {
	return Config{
		Processes:         1,
		MaxUnhealthy:      60 * time.Second,
		BackpressureAfter: 10 * time.Second,
		RestartBudget:     10,
		RestartWindow:     NoWindow,
		RestartBackoff:    250 * time.Millisecond,
		MaxMemory:         MemoryOff,
		MaxStrays:         2,
		StrayAfter:        5 * time.Second,
		LostAfter:         5 * time.Second,
		StopTimeout:       30 * time.Second,
		ShutdownTimeout:   30 * time.Second,
		CheckEvery:        100 * time.Millisecond,
		MemoryEvery:       time.Second,
	}
}

// Validate returns every fault of the config, joined, or nil.
func (c Config) Validate() error {
	var f check.Faults
	f.When(c.Processes < 1 && c.Processes != PerShard,
		"flusher processes %d: want 1 or more, or one per shard", c.Processes)
	f.When(c.MaxUnhealthy <= 0 || c.MaxUnhealthy > unhealthyMax,
		"max_unhealthy %v must be positive, and no more than %v", c.MaxUnhealthy, unhealthyMax)
	f.When(c.BackpressureAfter < 0, "backpressure_after %v must not be negative",
		c.BackpressureAfter)
	f.When(c.RestartBudget < 0, "restart_budget %d must not be negative", c.RestartBudget)
	f.When(c.RestartWindow < 0, "restart window %v must not be negative (0: no window)",
		c.RestartWindow)
	f.When(c.RestartBackoff < 0, "restart backoff %v must not be negative (0: none)",
		c.RestartBackoff)
	f.When(!(c.MaxMemory > 0 && c.MaxMemory <= MemoryOff),
		"max_memory %v must be above 0 and at most 1.0 (off)", c.MaxMemory)
	f.When(c.MaxStrays < 0, "max strays %d must not be negative", c.MaxStrays)
	f.When(c.StrayAfter < 0, "stray after %v must not be negative", c.StrayAfter)
	f.When(c.LostAfter < 0, "lost after %v must not be negative", c.LostAfter)
	f.When(c.StopTimeout < 0 && c.StopTimeout != NoTimeout,
		"stop timeout %v must not be negative", c.StopTimeout)
	f.When(c.ShutdownTimeout < 0 && c.ShutdownTimeout != NoTimeout,
		"shutdown timeout %v must not be negative (0: at once)", c.ShutdownTimeout)
	f.When(c.CheckEvery <= 0, "check interval %v must be positive", c.CheckEvery)
	f.When(c.CheckEvery > c.MaxUnhealthy && c.MaxUnhealthy > 0,
		"check interval %v must not be above max_unhealthy %v", c.CheckEvery, c.MaxUnhealthy)
	f.When(c.MemoryEvery <= 0, "memory interval %v must be positive", c.MemoryEvery)
	return f.Err()
}
