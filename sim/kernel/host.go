package kernel

import (
	"context"
	"time"
)

// Host is a machine with some cores, which everything on it shares: work is done in the order in
// which it came, by the core that is free first, and is not interrupted. (For arrivals at random it
// is the M/G/c queue.)
type Host struct {
	k    *Kernel
	name string
	free []int64 // by core: the instant at which all that it was given is done
	busy int64
}

// NewHost returns a host that has nothing to do; reports say that somebody waits for its name. It
// has at least one core.
func (k *Kernel) NewHost(name string, cores int) *Host {
	return &Host{k: k, name: name, free: make([]int64, max(1, cores))}
}

// Work returns nil when the host has done work that takes cost of a core's time, or why the context
// has ended. Work that was given is done, whatever becomes of who gave it.
func (h *Host) Work(ctx context.Context, cost time.Duration) error {
	h.k.enter()
	if err := Err(ctx); err != nil {
		return err
	}
	return h.k.sleep(ctx, h.Take(cost), h)
}

// Take gives the host work, and returns how long from now it will take until it is done.
func (h *Host) Take(cost time.Duration) time.Duration {
	core := 0
	for c, free := range h.free {
		if free < h.free[core] {
			core = c
		}
	}
	took := max(0, int64(cost))
	h.busy += took
	h.free[core] = max(h.free[core], h.k.now) + took
	return time.Duration(h.free[core] - h.k.now)
}

// Cores returns how many cores the host has.
func (h *Host) Cores() int { return len(h.free) }

// Busy returns how much of its cores' time was used up to now.
func (h *Host) Busy() time.Duration {
	busy := h.busy
	for _, free := range h.free {
		busy -= max(0, free-h.k.now)
	}
	return time.Duration(busy)
}

// String returns the host's name.
func (h *Host) String() string { return h.name }
