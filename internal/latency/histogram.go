package latency

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"sluice/reports"
)

// Histogram is a distribution of times, in microseconds to three digits.
type Histogram struct{ h *hdrhistogram.Histogram }

// greatest is the value beyond which none is told apart from others.
const greatest = time.Hour

// NewHistogram returns an empty one.
func NewHistogram() Histogram {
	return Histogram{hdrhistogram.New(1, greatest.Microseconds(), 3)}
}

// Record enters a time: as a microsecond what is less, and as an hour what is more.
func (h Histogram) Record(d time.Duration) {
	d = min(max(d, time.Microsecond), greatest)
	_ = h.h.RecordValue(d.Microseconds()) // it is inside of the bounds
}

// Reset empties it.
func (h Histogram) Reset() { h.h.Reset() }

// Quantiles are in seconds; 0 of an empty one.
func (h Histogram) Quantiles() reports.Quantiles {
	if h.h.TotalCount() == 0 {
		return reports.Quantiles{}
	}
	// The greatest is the last percentile: Histogram.Max takes much longer.
	return reports.Quantiles{P50: h.at(50), P90: h.at(90), P99: h.at(99), Max: h.at(100),
		Count: h.h.TotalCount()}
}

func (h Histogram) at(percent float64) float64 {
	return float64(h.h.ValueAtQuantile(percent)) / 1e6
}
