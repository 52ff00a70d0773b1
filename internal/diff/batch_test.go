package diff

import (
	"math"
	"math/rand/v2"
	"testing"

	"sluice/reports"
)

// drifting is a series in which each value keeps a share of the one before: its integrated
// autocorrelation time is (1+share)/(1-share).
func drifting(r *rand.Rand, n int, share float64) []float64 {
	series := make([]float64, n)
	v := r.NormFloat64() / math.Sqrt(1-share*share)
	for i := range series {
		v = share*v + r.NormFloat64()
		series[i] = v
	}
	return series
}

func TestCorrelationTime(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, share := range []float64{-0.4, 0, 0.5, 0.8} {
		want := max(1, (1+share)/(1-share))
		got := correlationTime(drifting(r, 4000, share), drifting(r, 4000, share))
		if math.Abs(got-want) > want/4 {
			t.Errorf("of a series that keeps %v it is %v, want %v", share, got, want)
		}
	}
	if got := correlationTime([]float64{3, 3, 3, 3}, []float64{3, 3, 3, 3}); got != 1 {
		t.Errorf("of constant series it is %v, want 1", got)
	}
}

// ofMemory makes a run of a second-by-second series of what Redis holds.
func ofMemory(series []float64) Run {
	var run Run
	for i := range len(series)*10 + 1 {
		second := max(0, (i-1)/10)
		run.Samples = append(run.Samples, reports.Sample{T: float64(i) / 10, RedisBytes: int64(1e6 + 1e4*series[second])})
	}
	return run
}

// TestBatchesOfDrift: seconds that depend on each other are no repeats. Pairs of equal runs whose
// figure drifts are as rarely told apart by their batches as independent ones; by their seconds,
// often.
func TestBatchesOfDrift(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	const pairs, long, level = 300, 120, 0.05
	bySecond, byBatch := 0, 0
	for range pairs {
		a, b := drifting(r, long, 0.7), drifting(r, long, 0.7)
		if rankTest(a, b) <= level {
			bySecond++
		}
		of, seconds := batches(ofMemory(a), ofMemory(b), Steady{0, long})
		values := of[RedisMemory]
		if n := long / int(seconds[RedisMemory]); len(values[0]) != n || len(values[1]) != n {
			t.Fatalf("%d and %d batches of %v s in %d s", len(values[0]), len(values[1]),
				seconds[RedisMemory], long)
		}
		if rankTest(values[0], values[1]) <= level {
			byBatch++
		}
	}
	t.Logf("of %d pairs, %d differ by their seconds, %d by their batches", pairs, bySecond, byBatch)
	if byBatch > pairs/10 {
		t.Errorf("by batches, %d of %d equal pairs differ at a level of %v", byBatch, pairs, level)
	}
	if bySecond < pairs/4 {
		t.Errorf("by seconds, only %d of %d equal pairs differ: the series are too tame to show anything",
			bySecond, pairs)
	}
}

// TestCut: what is in a batch, and what is not.
func TestCut(t *testing.T) {
	var samples []reports.Sample
	for i := range 81 {
		at := float64(i) / 10
		s := reports.Sample{T: at, Sent: int64(10 * i), Flushed: int64(8 * i), CPURedis: at * at}
		s.FreshP50 = 1 + math.Floor(at-0.001) // that of the second before
		samples = append(samples, s)
	}
	got := cut(samples, Steady{1, 7.5}, 2)
	for name, want := range map[string][]float64{
		Offered: {100, 100, 100}, Throughput: {80, 80, 80},
		RedisTime: {8 * 1e6 / 160, 16 * 1e6 / 160, 24 * 1e6 / 160},
	} {
		if len(got[name]) != len(want) {
			t.Fatalf("%s is %v, want %v", name, got[name], want)
		}
		for i := range want {
			if math.Abs(got[name][i]-want[i]) > 1e-6*want[i] {
				t.Errorf("%s is %v, want %v", name, got[name], want)
			}
		}
	}
	// From 1 s to 3 s: the sample at 2 s has 2, the ten after it have 3; those before 2 s also show the
	// second before the batch.
	if f, want := got[FreshnessP50][0], (2+10*3)/11.0; math.Abs(f-want) > 1e-9 {
		t.Errorf("the first batch's freshness is %v, want %v", f, want)
	}
	if _, known := got[WorkerMemory]; known {
		t.Error("memory that nobody measured has values")
	}
	if got := cut(samples, Steady{9, 20}, 2); len(got) != 0 {
		t.Errorf("behind the end of the samples there are %v", got)
	}
}
