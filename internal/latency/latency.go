// Package latency keeps the distribution of how long spans took, over a run.
package latency

import (
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"sluice/reports"
)

// Spread is the distribution of how long after it was due to be sent a span came out. It counts
// from the time that the load gives a span, not from when it was really sent: what the system, or
// the harness, holds up at the door shows as well.
type Spread struct {
	mu       sync.Mutex
	start    time.Time
	received time.Time
	all      *hdrhistogram.Histogram
}

// greatest is the value beyond which none is told apart from others.
const greatest = time.Hour

// New returns an empty Spread.
func New() *Spread {
	return &Spread{all: hdrhistogram.New(1, greatest.Microseconds(), 3)}
}

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
		late := min(max(now-due, time.Microsecond), greatest)
		_ = l.all.RecordValue(late.Microseconds()) // it is inside of the bounds
	}
}

// Quantiles returns the distribution over all spans that have come out.
func (l *Spread) Quantiles() reports.Quantiles {
	l.mu.Lock()
	defer l.mu.Unlock()
	return QuantilesOf(l.all)
}

// QuantilesOf returns the quantiles of microseconds, in seconds.
func QuantilesOf(h *hdrhistogram.Histogram) reports.Quantiles {
	if h.TotalCount() == 0 {
		return reports.Quantiles{}
	}
	// The greatest is the last percentile: Histogram.Max takes much longer.
	return reports.Quantiles{P50: secondsAt(h, 50), P90: secondsAt(h, 90), P99: secondsAt(h, 99),
		Max: secondsAt(h, 100), Count: h.TotalCount()}
}

func secondsAt(h *hdrhistogram.Histogram, percent float64) float64 {
	return float64(h.ValueAtQuantile(percent)) / 1e6
}
