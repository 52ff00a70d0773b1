package diff

import (
	"testing"

	"sluice/reports"
)

// TestNothingThatCameOutWasNotQuick: a run of a sweep from which nothing came out has no freshness.
func TestNothingThatCameOutWasNotQuick(t *testing.T) {
	r := reports.SweepRun{FreshnessP50: 0.1, FreshnessP99: 0.2, LatencyP99: 0.3}
	for _, name := range []string{FreshnessP50, FreshnessP99, LatencyP99} {
		r.SpansPerSecond = 0
		if _, has := FiguresOfSweep(r)[name]; has {
			t.Errorf("%s of nothing", name)
		}
		r.SpansPerSecond = 1
		if _, has := FiguresOfSweep(r)[name]; !has {
			t.Errorf("no %s", name)
		}
	}
}
