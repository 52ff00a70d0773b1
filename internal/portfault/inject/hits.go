package inject

import (
	"sync"
	"time"

	"sluice/internal/portfault"
)

// Hits says when the faults of a run begin and end: with the first call that each hits, but not before the
// load, and Settles after the last one. Its methods may be called side by side.
type Hits struct {
	// Note hears of it; begins is false for an end.
	Note func(f portfault.Fault, begins bool, at time.Time)

	mu    sync.Mutex
	start time.Time            // of the load; zero before it
	list  map[string]time.Time // by text: when it hit last
}

// Settles is how long the effect of a call that was hit lasts: who made it waits, and tries again.
const Settles = 2 * time.Second

// Add takes note that a fault hits a call now.
func (h *Hits) Add(f portfault.Fault, now time.Time) {
	h.mu.Lock()
	if h.list == nil {
		h.list = map[string]time.Time{}
	}
	_, hit := h.list[f.String()]
	h.list[f.String()] = now
	begins := !hit && !h.start.IsZero()
	h.mu.Unlock()
	if begins {
		h.Note(f, true, now)
	}
}

// Begin begins the load, and those faults with it that have hit before it. All do where nobody hears of
// hits.
func (h *Hits) Begin(list portfault.List, now time.Time, all bool) {
	h.mu.Lock()
	h.start = now
	h.mu.Unlock()
	for _, f := range list {
		if _, hit := h.of(f); hit || all {
			h.Note(f, true, now)
		}
	}
}

// End ends, at the end of the run, those that have hit, and returns the others.
func (h *Hits) End(list portfault.List, now time.Time) (idle []string) {
	for _, f := range list {
		last, hit := h.of(f)
		if !hit {
			idle = append(idle, f.String()+": it hit no call")
			continue
		}
		if last = last.Add(Settles); last.After(now) {
			last = now
		}
		h.Note(f, false, last)
	}
	return idle
}

// of returns when a fault hit a call last; false if it hit none.
func (h *Hits) of(f portfault.Fault) (last time.Time, hit bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	last, hit = h.list[f.String()]
	if last.Before(h.start) {
		last = h.start
	}
	return last, hit
}
