package capacity

import (
	"math"
	"strings"
	"testing"
	"time"

	"gonum.org/v1/gonum/stat"

	"sluice/internal/load"
	"sluice/scenarios"
)

// loaded is a scenario with so many traces at once of such sizes, at a rate.
func loaded(t *testing.T, sizes string, places int, rate float64) scenarios.Scenario {
	t.Helper()
	s := scenarios.Default()
	s.Pipeline.Timeout, s.Pipeline.RootTimeout = 6*time.Second, 3*time.Second
	s.Workload.Rate, s.Workload.TracesAtOnce = scenarios.Constant(rate), places
	if err := s.Workload.SpansPerTrace.UnmarshalText([]byte(sizes)); err != nil {
		t.Fatal(err)
	}
	return s
}

// openOf returns how many spans of traces that are not whole had been sent by each second, as the load
// is really made.
func openOf(s scenarios.Scenario) []float64 {
	g := load.NewGenerator(s)
	sent := map[uint64]int{}
	open, list := 0, []float64{}
	var m load.Message
	for g.Next(&m) && m.At < s.Duration {
		for float64(len(list)) < math.Floor(m.At.Seconds()) {
			list = append(list, float64(open))
		}
		open++
		if sent[m.Root]++; sent[m.Root] == g.Size(m.Root) {
			open -= sent[m.Root]
			delete(sent, m.Root)
		}
	}
	return list
}

const (
	heavy = "mix 50% 1, 30% 2..10, 17% 11..100, 3% 101..1000"
	seeds = 12
)

// TestAges: how many spans of open traces there are on average at the start of a load is as the load is
// really made.
func TestAges(t *testing.T) {
	for _, sizes := range []string{"uniform 5..35", heavy, "40", "geometric mean 20 max 500"} {
		s := loaded(t, sizes, 400, 1000)
		s.Duration = 80 * time.Second
		mean := make([]float64, 39)
		for seed := range uint64(seeds) {
			s.Seed = seed + 1
			for i, open := range openOf(s)[:len(mean)] {
				mean[i] += open / seeds
			}
		}
		traces := tracesOf(s)
		step, ages := traces.ages()
		for i, want := range mean {
			at := float64(i+1) / (step * traces.unit)
			got := 400 * ages[min(int(math.Round(at)), len(ages)-1)]
			if math.Abs(got-want) > 0.12*400*ages[len(ages)-1] {
				t.Errorf("%s: %.0f spans are open after %d s, want %.0f", sizes, got, i+1, want)
			}
		}
	}
}

// TestWanders: by how much what is open seems to grow over a time, by chance alone.
func TestWanders(t *testing.T) {
	for sizes, warmup := range map[string]int{"uniform 5..35": 40, heavy: 150} {
		s := loaded(t, sizes, 60, 300)
		s.Duration = 2500 * time.Second
		open := openOf(s)[warmup:]
		for _, seconds := range []int{5, 20, 100} {
			var slopes []float64
			for from := 0; from+seconds <= len(open); from += seconds {
				xs := make([]float64, seconds)
				for i := range xs {
					xs[i] = float64(i)
				}
				_, slope := stat.LinearRegression(xs, open[from:from+seconds], nil, false)
				slopes = append(slopes, slope)
			}
			got, want := tracesOf(s).wanders(float64(seconds)), stat.StdDev(slopes, nil)
			if ratio := got / want; ratio < 0.8 || ratio > 2.5 {
				t.Errorf("%s over %d s: %.2f spans/s, want about %.2f", sizes, seconds, got, want)
			}
		}
	}
}

// TestWarmup: a run is steady when as much is due as comes in, which takes as long as the traces last
// at its rate, and then as long as the latest of their spans wait.
func TestWarmup(t *testing.T) {
	const quickly = 1e6 // spans per second: traces last no time
	for _, c := range []struct {
		name, sizes string
		places      int
		rate        float64
		change      func(*scenarios.Scenario)
		least, most float64
	}{
		{"plain", "20", 50, quickly, func(*scenarios.Scenario) {}, 4, 4.1},
		{"no root", "20", 50, quickly, func(s *scenarios.Scenario) { s.Workload.Headless = 0.1 }, 7, 7.1},
		{"a little late", "20", 50, quickly,
			func(s *scenarios.Scenario) { s.Workload.Late = scenarios.Late{Share: 0.01, By: time.Second} }, 5, 5.1},
		// The root is gone by then.
		{"late", "20", 50, quickly,
			func(s *scenarios.Scenario) { s.Workload.Late = scenarios.Late{Share: 0.01, By: 4 * time.Second} }, 11, 11.1},
		{"long traces", "uniform 5..35", 5000, 26000, func(*scenarios.Scenario) {}, 9, 13},
		{"at a lower rate", "uniform 5..35", 5000, 2600, func(*scenarios.Scenario) {}, 50, 90},
		{"heavy tails", heavy, 60, 3000, func(*scenarios.Scenario) {}, 14, 25},
		// Spans of a trace come 50 s apart, so that each is a segment, which waits for its time-out.
		{"far apart", "20", 50, 1, func(*scenarios.Scenario) {}, 7, 110},
		{"in step", "40", 2000, 3000, func(*scenarios.Scenario) {}, 40, 120},
		{"cut by age", "40", 2000, 3000, func(s *scenarios.Scenario) { s.Pipeline.MaxSegmentAge = 2 * time.Second }, 5, 5},
		{"cut by size", "4000", 3, 2500, func(s *scenarios.Scenario) { s.Pipeline.MaxSegmentBytes = 5000 }, 4, 4.1},
	} {
		s := loaded(t, c.sizes, c.places, c.rate)
		c.change(&s)
		n := NeedsOf(s)
		if n.Warmup < c.least || n.Warmup > c.most {
			t.Errorf("%s: the warm-up takes %v s, want %v to %v", c.name, n.Warmup, c.least, c.most)
		}
		if got := n.Wanders(n.Steady); n.Steady < 5 || got > 0.02/3*c.rate*1.0001 {
			t.Errorf("%s: over the %v s of its steady part it wanders by %v of %v", c.name, n.Steady, got, c.rate)
		}
	}
}

// TestCycle: batches and looks are as far apart as they really are, whatever was asked for.
func TestCycle(t *testing.T) {
	for _, c := range []struct {
		rate           float64
		asked, timeout time.Duration
		want           float64
	}{
		{1000, 50 * time.Millisecond, 3 * time.Second, 0.15},
		{1000, time.Second, 3 * time.Second, 0.25},
		{1e6, time.Second, 3 * time.Second, 0.108}, // batches are full before
		{1000, time.Second, 200 * time.Millisecond, 0.035},
	} {
		s := loaded(t, "20", 50, c.rate)
		s.Pipeline.MaxBatchWait, s.Pipeline.RootTimeout = c.asked, c.timeout
		if got := Cycle(s, c.rate); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("%+v: %v s", c, got)
		}
	}
}

// TestTimed: a run is as long as its rate needs, and if it may not be, that is said with what to set.
func TestTimed(t *testing.T) {
	s := loaded(t, "uniform 5..35", 5000, 26000)
	s.Pipeline.Timeout, s.Pipeline.RootTimeout = time.Minute, time.Minute
	if got, err := Timed(s, false); err != nil || got.Duration < 70*time.Second || got.Duration > 90*time.Second {
		t.Errorf("%v, %v", got.Duration, err)
	}
	s.Duration = 80 * time.Second
	if got, err := Timed(s, true); err != nil || got.Duration != s.Duration {
		t.Errorf("%v, %v", got.Duration, err)
	}
	for rate, want := range map[float64]string{1300: "and lasts 1m20s: set --duration 6m", 200: "and lasts 1m20s: set --duration"} {
		s.Workload.Rate = scenarios.Constant(rate)
		if _, err := Timed(s, true); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v/s: %v, want %q", rate, err, want)
		}
	}
	s.Workload.Rate = scenarios.Constant(200)
	if _, err := Timed(s, false); err == nil || !strings.Contains(err.Error(), "200 spans/s cannot be judged: the traces go "+
		"on for so long") || !strings.Contains(err.Error(), "lower workload.traces_at_once") {
		t.Error(err)
	}
}
