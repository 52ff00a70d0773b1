package worker

import (
	"sync"
	"time"

	"sluice/flusher"
	"sluice/internal/process"
)

// freshSamplesMax bounds the freshness samples that wait to be fetched or sent; the oldest are
// dropped beyond it. They are a statistic: dropping some costs precision and nothing else.
const freshSamplesMax = 1 << 16

// inbox keeps the last report of a worker until it is asked for. It is a flusher.Reporter itself,
// for workers in the same process.
type inbox struct {
	now func() time.Time

	mu     sync.Mutex
	status flusher.Status
	at     time.Time
	fresh  []time.Duration
	usage  process.Usage
}

var _ flusher.Reporter = (*inbox)(nil)

func newInbox(now func() time.Time) *inbox { return &inbox{now: now, at: now()} }

// Report replaces the status.
func (b *inbox) Report(status flusher.Status) {
	now := b.now()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.status, b.at = status, now
}

// Fresh adds samples.
func (b *inbox) Fresh(samples []time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fresh = appendBounded(b.fresh, samples)
}

// Status is part of flusher.Handle.
func (b *inbox) Status() (flusher.Status, time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.status, b.at
}

// DrainFresh is part of flusher.Handle.
func (b *inbox) DrainFresh() []time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	fresh := b.fresh
	b.fresh = nil
	return fresh
}

// Usage returns what the worker process said it had used, with its last report.
func (b *inbox) Usage() process.Usage {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.usage
}

// take files a report that came through the pipe.
func (b *inbox) take(r report) {
	if r.Status != nil {
		b.Report(*r.Status)
	}
	if len(r.Fresh) > 0 {
		b.Fresh(r.Fresh)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.usage = r.Usage
}

// appendBounded appends and keeps the last freshSamplesMax.
func appendBounded(to, samples []time.Duration) []time.Duration {
	to = append(to, samples...)
	if over := len(to) - freshSamplesMax; over > 0 {
		to = append(to[:0], to[over:]...)
	}
	return to
}
