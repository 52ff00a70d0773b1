package sim

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// TestSquaredRange against the constants d2 and d3 of control charts.
func TestSquaredRange(t *testing.T) {
	//order-free: each is for itself
	for n, want := range map[int]float64{
		2: math.Hypot(1.128, 0.853), 3: math.Hypot(1.693, 0.888), 5: math.Hypot(2.326, 0.864),
		10: math.Hypot(3.078, 0.797), 25: math.Hypot(3.931, 0.708),
	} {
		if got := math.Sqrt(squaredRange(n)); math.Abs(got-want) > 0.001 {
			t.Errorf("%d values are %.4f apart, want %.4f", n, got, want)
		}
	}
}

// TestCostsQuantile covers one more measurement as often as it says, of costs that vary by a factor.
func TestCostsQuantile(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	const trials = 2000
	measure := func() time.Duration {
		return time.Duration(50_000 * math.Exp(0.2*rnd.NormFloat64()))
	}
	for _, n := range []int{2, 3, 5} {
		inside := 0
		for range trials {
			var values []time.Duration
			mean := 0.0
			for range n {
				values = append(values, measure())
				mean += math.Log(values[len(values)-1].Seconds()) / float64(n)
			}
			s := SpreadOf(values)
			c := DefaultCosts()
			c.Network.Hop = time.Duration(math.Exp(mean) * float64(time.Second))
			c.Calibration = &Calibration{Measured: []Measured{{Cost: "network.hop", N: n, Median: s.Median,
				Least: s.Least, Greatest: s.Greatest}}}
			low, ok := c.Quantile(0.05)
			high, _ := c.Quantile(0.95)
			if !ok {
				t.Fatal("a spread that is known is not used")
			}
			if again := measure(); again >= low.Network.Hop && again <= high.Network.Hop {
				inside++
			}
		}
		if share := float64(inside) / trials; share < 0.88 || share > 0.92 {
			t.Errorf("of %d measurements: %.1f %% of new ones are inside, want 90 %%", n, 100*share)
		}
	}
}

// TestCostsQuantileOfFactors: what is computed goes by the factor of its section alone, what is waited
// for and what is idle by its own spread.
func TestCostsQuantileOfFactors(t *testing.T) {
	c := DefaultCosts()
	c.Kafka.Idle = time.Millisecond
	c.Calibration = &Calibration{
		Factors: []Factor{{Of: "kafka", N: 3, Value: 1, Least: 0.9, Greatest: 1.1}},
		Measured: []Measured{
			{Cost: "kafka.kb", N: 3, Median: 8, Least: 4, Greatest: 16},
			{Cost: "kafka.idle", N: 3, Median: 8, Least: 4, Greatest: 16},
			{Cost: "kafka.fetch", N: 3, Median: 8, Least: 4, Greatest: 16},
			{Cost: "redis.call", N: 3, Median: 8, Least: 4, Greatest: 16},
			{Cost: "worker.call", N: 1, Median: 8, Least: 4, Greatest: 16},
		},
	}
	slow, ok := c.Quantile(0.95)
	fast, _ := c.Quantile(0.05)
	switch {
	case !ok:
		t.Error("no spread is known")
	case slow.Kafka.KB != c.Kafka.KB || !(slow.Together.Kafka > 1) || !(fast.Together.Kafka < 1):
		t.Error("what Kafka computes does not go by its factor alone")
	case !(slow.Kafka.Idle > c.Kafka.Idle) || !(slow.Kafka.Fetch > c.Kafka.Fetch):
		t.Error("what idles, and what is waited for, does not go by its own spread")
	case !(slow.Redis.Call > c.Redis.Call) || slow.Together.Redis != 1:
		t.Error("without a factor, a cost does not go by its own spread")
	case slow.Worker.Call != c.Worker.Call:
		t.Error("one measurement has no spread")
	}
	if mid, _ := c.Quantile(0.5); mid.Together != c.Together || mid.Redis != c.Redis {
		t.Error("the middle is not what was measured")
	}
	if _, ok := DefaultCosts().Quantile(0.9); ok {
		t.Error("the built-in costs have no spread")
	}
}
