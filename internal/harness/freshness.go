package harness

import (
	"sync"
	"time"

	"sluice/buffer"
	"sluice/internal/judge"
	"sluice/internal/latency"
	"sluice/reports"
)

// freshness is the distribution of how long after its deadline a segment was acknowledged: by what
// workers say, and by what was seen from outside.
type freshness struct {
	mu     sync.Mutex
	all    latency.Histogram
	recent latency.Histogram // since that time
	since  time.Time
	shown  reports.Quantiles
	seen   latency.Histogram
	ahead  judge.Ahead
	lags   []judge.Lag
	lag    map[buffer.Shard]int // the index of a shard's last one
}

func newFreshness() *freshness {
	return &freshness{all: latency.NewHistogram(), recent: latency.NewHistogram(),
		seen: latency.NewHistogram(), lag: map[buffer.Shard]int{}}
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
		f.all.Record(sample)
		f.recent.Record(sample)
	}
}

// see enters a segment that was read so long after what must have been its deadline.
func (f *freshness) see(sample time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seen.Record(sample)
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
	e.Freshness, e.FreshnessSeen = f.all.Quantiles(), f.seen.Quantiles()
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
		f.shown, f.since = f.recent.Quantiles(), now
		f.recent.Reset()
	}
	return f.shown
}
