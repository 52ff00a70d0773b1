package harness

import (
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"sluice/reports"
)

// latency is the distribution of how long after it was due to be sent a span came out. It counts
// from the time that the load gives a span, not from when it was really sent: what the system, or
// the harness, holds up at the door shows as well.
type latency struct {
	mu       sync.Mutex
	start    time.Time
	received time.Time
	all      *hdrhistogram.Histogram
}

// latencyMax is the greatest value that is told apart from greater ones.
const latencyMax = time.Hour

func newLatency() *latency {
	return &latency{all: hdrhistogram.New(1, latencyMax.Microseconds(), 3)}
}

// begin says when the load starts.
func (l *latency) begin(start time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.start = start
}

// reading says when the records were received whose spans are entered from now on.
func (l *latency) reading(at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.received = at
}

// out enters spans that were due then and have come out for the first time.
func (l *latency) out(dues ...time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.received.Sub(l.start)
	for _, due := range dues {
		late := min(max(now-due, time.Microsecond), latencyMax)
		_ = l.all.RecordValue(late.Microseconds()) // it is inside of the bounds
	}
}

// quantiles returns the distribution over all spans that have come out.
func (l *latency) quantiles() reports.Quantiles {
	l.mu.Lock()
	defer l.mu.Unlock()
	return quantilesOf(l.all)
}

// quantilesOf returns the quantiles of microseconds, in seconds.
func quantilesOf(h *hdrhistogram.Histogram) reports.Quantiles {
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
