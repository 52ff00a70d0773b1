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
	recent *hdrhistogram.Histogram // since that time
	since  time.Time
	shown  reports.Quantiles
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

// latelyWindow is how far back lately looks.
const latelyWindow = time.Second

// lately returns the distribution of what came in within the last second or so: it begins anew each
// time that a window is full, and says the same until the next one is.
func (f *freshness) lately(now time.Time) reports.Quantiles {
	f.mu.Lock()
	defer f.mu.Unlock()
	if now.Sub(f.since) >= latelyWindow {
		f.shown, f.since = quantilesOf(f.recent), now
		f.recent.Reset()
	}
	return f.shown
}
