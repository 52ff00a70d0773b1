// Package latency keeps distributions of times over a run, such as how long spans took.
package latency

import (
	"sync"
	"time"

	"sluice/reports"
)

// Spread is the distribution of how long after it was due to be sent a span came out. It counts
// from the time that the load gives a span, not from when it was really sent: what the system, or
// the harness, holds up at the door shows as well.
type Spread struct {
	mu       sync.Mutex
	start    time.Time
	received time.Time
	all      Histogram
}

// New returns an empty Spread.
func New() *Spread { return &Spread{all: NewHistogram()} }

// Begin says when the load starts.
func (l *Spread) Begin(start time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.start = start
}

// Reading says when the records were received whose spans are entered from now on.
func (l *Spread) Reading(at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.received = at
}

// Out enters spans that were due then and have come out for the first time.
func (l *Spread) Out(dues ...time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.received.Sub(l.start)
	for _, due := range dues {
		l.all.Record(now - due)
	}
}

// Quantiles returns the distribution over all spans that have come out.
func (l *Spread) Quantiles() reports.Quantiles {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.Quantiles()
}
