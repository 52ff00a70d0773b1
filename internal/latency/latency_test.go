package latency

import (
	"math"
	"testing"
	"time"

	"sluice/reports"
)

func TestLatencyCountsFromWhenASpanWasDue(t *testing.T) {
	l := New()
	start := time.Now()
	l.Begin(start)
	if q := l.Quantiles(); q != (reports.Quantiles{}) {
		t.Errorf("without spans: %+v", q)
	}
	// A hundred spans, ten milliseconds apart; all come out at second 2.
	due := func(i int) time.Duration { return time.Duration(i) * 10 * time.Millisecond }
	l.Reading(start.Add(2 * time.Second))
	for i := range 50 {
		l.Out(due(i))
	}
	expectQuantiles(t, "the first half", l.Quantiles(), 1.755, 2, 50)
	for i := 50; i < 100; i++ {
		l.Out(due(i))
	}
	expectQuantiles(t, "all", l.Quantiles(), 1.505, 2, 100)
	l.Reading(start.Add(2 * greatest))
	l.Out(0)
	expectQuantiles(t, "and a very late one", l.Quantiles(), 1.505, greatest.Seconds(), 101)
}

func expectQuantiles(
	t *testing.T, what string, q reports.Quantiles, p50, most float64, count int64,
) {
	t.Helper()
	near := func(a, b float64) bool { return math.Abs(a-b) <= 0.01*b }
	if !near(q.P50, p50) || !near(q.Max, most) || q.Count != count {
		t.Errorf("%s: quantiles are %+v, want a median of %v and a greatest of %v of %d", what, q, p50,
			most, count)
	}
}
