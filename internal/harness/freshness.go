package harness

import (
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"sluice/reports"
)

// freshness is the distribution of how long after its deadline a segment was acknowledged.
type freshness struct {
	mu     sync.Mutex
	hist   *hdrhistogram.Histogram
	recent *hdrhistogram.Histogram // since the last sample
}

// freshnessMax is the greatest value that is told apart from greater ones.
const freshnessMax = time.Hour

func newFreshness() *freshness {
	histogram := func() *hdrhistogram.Histogram {
		return hdrhistogram.New(1, freshnessMax.Microseconds(), 3)
	}
	return &freshness{hist: histogram(), recent: histogram()}
}

// add enters what a worker of any consumer reports.
func (f *freshness) add(samples []time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, sample := range samples {
		sample = min(max(sample, time.Microsecond), freshnessMax)
		_ = f.hist.RecordValue(sample.Microseconds()) // it is inside of the bounds
		_ = f.recent.RecordValue(sample.Microseconds())
	}
}

func (f *freshness) quantiles() reports.Quantiles {
	f.mu.Lock()
	defer f.mu.Unlock()
	return quantilesOf(f.hist)
}

// sample returns the distribution of what came in since it was called last.
func (f *freshness) sample() reports.Quantiles {
	f.mu.Lock()
	defer f.mu.Unlock()
	defer f.recent.Reset()
	return quantilesOf(f.recent)
}
