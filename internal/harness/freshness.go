package harness

import (
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"sluice/reports"
)

// freshness is the distribution of how long after its deadline a segment was acknowledged.
type freshness struct {
	mu   sync.Mutex
	hist *hdrhistogram.Histogram
}

// freshnessMax is the greatest value that is told apart from greater ones.
const freshnessMax = time.Hour

func newFreshness() *freshness {
	return &freshness{hist: hdrhistogram.New(1, freshnessMax.Microseconds(), 3)}
}

// add is called by the supervisor's tasks.
func (f *freshness) add(_ int, samples []time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, sample := range samples {
		sample = min(max(sample, time.Microsecond), freshnessMax)
		_ = f.hist.RecordValue(sample.Microseconds()) // it is inside of the bounds
	}
}

func (f *freshness) quantiles() reports.Quantiles {
	f.mu.Lock()
	defer f.mu.Unlock()
	return quantilesOf(f.hist)
}
