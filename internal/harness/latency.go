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
	recent   *hdrhistogram.Histogram // since the last sample
}

// latencyMax is the greatest value that is told apart from greater ones.
const latencyMax = time.Hour

func newLatency() *latency {
	histogram := func() *hdrhistogram.Histogram {
		return hdrhistogram.New(1, latencyMax.Microseconds(), 3)
	}
	return &latency{all: histogram(), recent: histogram()}
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

// receivedAt returns what reading was told last.
func (l *latency) receivedAt() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.received
}

// out enters a span that was due then and has come out for the first time.
func (l *latency) out(due time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	late := min(max(l.received.Sub(l.start)-due, time.Microsecond), latencyMax)
	_ = l.all.RecordValue(late.Microseconds()) // it is inside of the bounds
	_ = l.recent.RecordValue(late.Microseconds())
}

// quantiles returns the distribution over all spans that have come out.
func (l *latency) quantiles() reports.Quantiles {
	l.mu.Lock()
	defer l.mu.Unlock()
	return quantilesOf(l.all)
}

// sample returns the distribution over the spans that have come out since it was called last.
func (l *latency) sample() reports.Quantiles {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.recent.Reset()
	return quantilesOf(l.recent)
}

// quantilesOf returns the quantiles of microseconds, in seconds.
func quantilesOf(h *hdrhistogram.Histogram) reports.Quantiles {
	if h.TotalCount() == 0 {
		return reports.Quantiles{}
	}
	at := func(percent float64) float64 { return float64(h.ValueAtQuantile(percent)) / 1e6 }
	return reports.Quantiles{P50: at(50), P90: at(90), P99: at(99), Max: float64(h.Max()) / 1e6,
		Count: h.TotalCount()}
}
