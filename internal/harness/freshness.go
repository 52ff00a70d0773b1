package harness

import (
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"sluice/buffer"
	"sluice/internal/judge"
	"sluice/internal/latency"
	"sluice/reports"
)

// freshness is the distribution of how long after its deadline a segment was acknowledged: by what
// workers say, and by what was seen from outside.
type freshness struct {
	mu     sync.Mutex
	hist   *hdrhistogram.Histogram
	recent *hdrhistogram.Histogram // since that time
	since  time.Time
	shown  reports.Quantiles
	seen   *hdrhistogram.Histogram
	ahead  judge.Ahead
	lags   []judge.Lag
	lag    map[buffer.Shard]int // the index of a shard's last one
}

// freshnessMax is the greatest value that is told apart from greater ones.
const freshnessMax = time.Hour

func newFreshness() *freshness {
	histogram := func() *hdrhistogram.Histogram {
		return hdrhistogram.New(1, freshnessMax.Microseconds(), 3)
	}
	return &freshness{hist: histogram(), recent: histogram(), seen: histogram(),
		lag: map[buffer.Shard]int{}}
}

// add enters what a worker of a consumer says, so many seconds after the start of the load. A
// segment that was acknowledged before its deadline is evidence, and no sample.
func (f *freshness) add(t float64, consumer, worker int, samples []time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, sample := range samples {
		if sample < 0 {
			f.ahead.Add(t, consumer, worker, sample.Seconds())
			continue
		}
		record(f.hist, sample)
		record(f.recent, sample)
	}
}

// see enters a segment that was read so long after what must have been its deadline.
func (f *freshness) see(sample time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	record(f.seen, sample)
}

func record(h *hdrhistogram.Histogram, sample time.Duration) {
	sample = min(max(sample, time.Microsecond), freshnessMax)
	_ = h.RecordValue(sample.Microseconds()) // it is inside of the bounds
}

// lagged enters that a shard's segment was read by seconds after its deadline.
func (f *freshness) lagged(shard buffer.Shard, t, by float64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if at, is := f.lag[shard]; is && f.lags[at].To >= t-by {
		f.lags[at].To, f.lags[at].By = t, max(f.lags[at].By, by)
		return
	}
	f.lag[shard] = len(f.lags)
	f.lags = append(f.lags, judge.Lag{Shard: shard, From: t - by, To: t, By: by})
}

// tell adds to the evidence the distribution by what workers say, that by what was seen, and what
// cannot be.
func (f *freshness) tell(e *judge.Evidence) {
	f.mu.Lock()
	defer f.mu.Unlock()
	e.Freshness, e.FreshnessSeen = latency.QuantilesOf(f.hist), latency.QuantilesOf(f.seen)
	e.Ahead, e.Lags = f.ahead, f.lags
}

// latelyWindow is how far back lately looks.
const latelyWindow = time.Second

// lately returns the distribution of what came in within the last second or so: it begins anew each
// time that a window is full, and says the same until the next one is.
func (f *freshness) lately(now time.Time) reports.Quantiles {
	f.mu.Lock()
	defer f.mu.Unlock()
	if now.Sub(f.since) >= latelyWindow {
		f.shown, f.since = latency.QuantilesOf(f.recent), now
		f.recent.Reset()
	}
	return f.shown
}
