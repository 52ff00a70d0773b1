package pipeline

import (
	"sync"
	"time"
)

// FreshnessBounds are the upper bounds of the freshness histogram's buckets.
var FreshnessBounds = []time.Duration{
	10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond,
	250 * time.Millisecond, 500 * time.Millisecond, time.Second, 2500 * time.Millisecond,
	5 * time.Second, 10 * time.Second, 30 * time.Second, time.Minute, 5 * time.Minute,
}

// Freshness counts flushed segments of a worker by how late they were: the time from their
// deadline, in the shard's clock, to their acknowledged record.
type Freshness struct {
	Worker int
	// Buckets counts, per bound of FreshnessBounds, the segments that were not later.
	Buckets []uint64
	Count   uint64
	Sum     time.Duration
}

// freshness sums up what the workers report.
type freshness struct {
	mu      sync.Mutex
	workers []Freshness
}

// add is the supervisor's port.
func (f *freshness) add(worker int, samples []time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for len(f.workers) <= worker {
		f.workers = append(f.workers, Freshness{
			Worker: len(f.workers), Buckets: make([]uint64, len(FreshnessBounds)),
		})
	}
	w := &f.workers[worker]
	for _, sample := range samples {
		w.Count++
		w.Sum += sample
		for i := len(FreshnessBounds) - 1; i >= 0 && sample <= FreshnessBounds[i]; i-- {
			w.Buckets[i]++
		}
	}
}

// Freshness returns the histogram of every worker so far.
func (p *Pipeline) Freshness() []Freshness {
	p.freshness.mu.Lock()
	defer p.freshness.mu.Unlock()
	out := make([]Freshness, len(p.freshness.workers))
	for i, w := range p.freshness.workers {
		w.Buckets = append([]uint64(nil), w.Buckets...)
		out[i] = w
	}
	return out
}
