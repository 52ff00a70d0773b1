package compare

import (
	"errors"
	"math"
	"testing"
	"time"

	"sluice/scenarios"
)

// TestWarmUpOf is valid whatever the scenario asks of certain times, and has its mean rate.
func TestWarmUpOf(t *testing.T) {
	sets := map[string][]string{
		"a step":           {"duration=20s", "workload.rate=step 1000/s, 5000/s at 15s"},
		"late":             {"duration=20s", "workload.late=0.1 by 12s", "pipeline.timeout=20s"},
		"burst":            {"duration=30s", "workload.rate=burst 10/s to 9000/s for 1s every 12s"},
		"nothing at first": {"duration=1m", "workload.rate=step 0/s, 5000/s at 50s"},
		"few":              {"duration=10m", "workload.rate=constant 0.1/s"},
		"short":            {"duration=100ms", "workload.rate=ramp 0/s to 30/s"},
		"many open traces": {"duration=30m", "workload.traces_at_once=100000", "workload.rate=constant 1500/s"},
		"long traces": {"duration=30m", "workload.spans_per_trace=400000", "workload.traces_at_once=1",
			"workload.rate=constant 1000/s", "workload.headless=0.1"},
		"long traces, many open": {"duration=10h", "workload.spans_per_trace=12000", "workload.traces_at_once=2900",
			"workload.rate=constant 1000/s"},
		"faults": {"duration=1m", "faults=[at 30s crash worker 0]", "expectations.restarts_min=1",
			"expectations.repeated_spans_max=unlimited"},
		"budget": {"duration=1m", "faults=[at 30s crash-loop worker 0 for 30s]", "expectations.end=budget"},
		"much comes out": {"duration=1m", "workload.rate=step 5000/s, 0/s at 5s", "expectations.throughput_min=4000/s",
			"expectations.figures=[throughput.spans_per_second >= 3000]"},
		"without roots": {"workload.headless=0.1", "pipeline.timeout=1m", "expectations.drain_max=90s"},
	}
	for _, name := range scenarios.List() {
		sets["library: "+name] = nil
	}
	for name, set := range sets {
		from := "steady"
		if set == nil {
			from = name[len("library: "):]
		} else {
			set = append([]string{"expectations.throughput_min=0/s", "expectations.worker_restarts_max=unlimited",
				"workload.late=never"}, set...)
		}
		s, _, err := scenarios.LoadWith(from, nil, set...)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		warm := WarmUpOf(s)
		if err := warm.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		mean, got := float64(s.Pacer().Total())/s.Duration.Seconds(), float64(warm.Workload.Rate.From)
		if least := max(mean, 1/warm.Duration.Seconds()); got < least || got > math.Ceil(least) {
			t.Errorf("%s: %v/s, want %v/s", name, got, least)
		}
		if warm.Duration > 10*time.Second || len(warm.Faults) > 0 || warm.Pacer().Total() == 0 {
			t.Errorf("%s: %v", name, warm)
		}
	}
}

func TestWarmUpEndsWhenTheBrokerIsWarm(t *testing.T) {
	broken := errors.New("broken")
	for _, c := range []struct {
		name string
		took []float64 // by the broker, in each run; 0: not seen
		err  error     // of the run after these
		runs int
	}{
		{"gets quicker twice", []float64{40, 20, 15, 14, 1}, nil, 4},
		{"is warm", []float64{14, 14.5, 1}, nil, 2},
		{"elsewhere", []float64{0, 1}, nil, 1},
		{"gets quicker for ever", []float64{64, 32, 16, 8, 4, 2, 1}, nil, 5},
		{"fails", []float64{40, 20}, broken, 2},
	} {
		runs := 0
		err := WarmUp(func() (Run, error) {
			if runs == len(c.took) {
				return Run{}, c.err
			}
			runs++
			one := Run{Figures: map[Figure]float64{}}
			if took := c.took[runs-1]; took > 0 {
				one.Figures[KafkaTime] = took
			}
			return one, nil
		})
		if runs != c.runs || !errors.Is(err, c.err) {
			t.Errorf("%s: %d runs and %v, want %d and %v", c.name, runs, err, c.runs, c.err)
		}
	}
}
