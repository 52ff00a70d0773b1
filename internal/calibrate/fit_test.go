package calibrate

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"sluice/sim"
)

// TestSolve finds the costs that data was made of: exactly without noise, near with it, none below 0.
func TestSolve(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	measured := func(costs []float64, noise float64) (list []equation) {
		for range 40 {
			e := equation{}
			sum := 0.0
			for _, cost := range costs {
				n := float64(10 + random.IntN(2000))
				e.counts = append(e.counts, n)
				sum += n * cost
			}
			e.took = time.Duration(sum * (1 + noise*random.NormFloat64()))
			e.whole = e.took
			list = append(list, e)
		}
		return list
	}
	for _, c := range []struct {
		costs      []float64
		noise, off float64
	}{
		{[]float64{10_000, 22_000, 5_000}, 0, 0.001},
		{[]float64{70_000, 300, 15_000, 800, 1_000, 90_000, 40_000}, 0, 0.01},
		{[]float64{10_000, 22_000, 5_000}, 0.03, 0.1},
		{[]float64{10_000, 0, 5_000}, 0.03, 0.1},
	} {
		got, err := solve(measured(c.costs, c.noise))
		if err != nil {
			t.Fatal(err)
		}
		for k, want := range c.costs {
			if off := float64(got[k]) - want; off > c.off*max(want, 3000) || off < -c.off*max(want, 3000) {
				t.Errorf("of %v, with noise %v: %v", c.costs, c.noise, got)
			}
			if got[k] < 0 {
				t.Errorf("a cost is %v", got[k])
			}
		}
	}
}

// TestSolveHoldsAtZero: what would be below 0 is 0, and the others are the best with that.
func TestSolveHoldsAtZero(t *testing.T) {
	// 10 a + b = 90, 20 a + b = 190: b would be -10.
	got, err := solve([]equation{says(90, 10, 1), says(190, 20, 1)})
	if err != nil || got[1] != 0 || got[0] < 8 || got[0] > 10 {
		t.Errorf("%v, %v", got, err)
	}
}

// TestSolveRefuses what the equations do not tell.
func TestSolveRefuses(t *testing.T) {
	for name, list := range map[string][]equation{
		"nothing": nil,
		"no time": {says(0, 1)},
	} {
		if got, err := solve(list); err == nil {
			t.Errorf("%s: %v", name, got)
		}
	}
	if got, err := solve([]equation{says(100, 10, 0)}); err != nil || got[0] != 10 || got[1] != 0 {
		t.Errorf("of a kind that there is none of: %v, %v", got, err)
	}
	// Two kinds that always come together are one: which of them takes the time is not known.
	got, err := solve([]equation{says(100, 10, 20), says(200, 20, 40), says(300, 30, 60)})
	if err != nil || got[0] != 0 && got[1] != 0 || got[0]+got[1] == 0 {
		t.Errorf("of twins: %v, %v", got, err)
	}
	var near []equation // as good as twins: the least noise would decide
	for n := range 3 {
		one, other := 100_000_000*(n+1), 100_000_000*(n+1)+n*n
		near = append(near, says(time.Duration(one+other), one, other))
	}
	if got, err := solve(near); err != nil || got[0] != 0 && got[1] != 0 || got[0]+got[1] != 2 {
		t.Errorf("of near twins: %v, %v", got, err)
	}
}

// TestSolveFrom holds what would be too little at the least.
func TestSolveFrom(t *testing.T) {
	run := func(took time.Duration, counts ...float64) equation {
		return equation{counts: counts, took: took, whole: took}
	}
	for _, c := range []struct {
		list []equation
		want [2]float64
	}{
		// 1.2 of what was predicted, and 0.05 a second.
		{[]equation{run(620*time.Millisecond, 0.1, 10), run(1700*time.Millisecond, 1, 10)}, [2]float64{1.2, 0.05}},
		// Always the same, whatever was predicted: the factor stays at its least.
		{[]equation{run(time.Second, 0.1, 10), run(time.Second, 0.2, 10)}, [2]float64{0.5, 0.0925}},
	} {
		got, err := solveFrom([]float64{0.5, 0}, c.list)
		if err != nil || math.Abs(got[0]-c.want[0]) > 1e-3 || math.Abs(got[1]-c.want[1]) > 1e-3 {
			t.Errorf("%v, %v; want %v", got, err, c.want)
		}
	}
}

// What is repeated gives the factor, and its spread is that of the repeats: a run of little load, in which
// something else was computed, too, says nothing of how the runs of much load differ.
func TestFactorsOfRepeats(t *testing.T) {
	run := func(predicted, factor, idle float64) equation {
		took := time.Duration((predicted*factor + idle) * float64(time.Second))
		return equation{took: took, whole: took, counts: []float64{predicted, 4}}
	}
	once := []equation{run(0.1, 1, 0.2), run(1, 1, 0.2)}
	costs := sim.DefaultCosts()
	costs.Calibration = &sim.Calibration{}
	p := part{name: "program", factor: &costs.Together.Program, idle: &costs.Program.Idle}
	repeated := []equation{run(100, 1.2, 0.2), run(100, 0.9, 0.2), run(100, 1, 0.2)}
	if _, err := p.find(&costs, once, repeated); err != nil {
		t.Fatal(err)
	}
	got := costs.Calibration.Factors[0]
	near := func(x, want float64) bool { return math.Abs(x-want) < 0.02 }
	if !near(costs.Together.Program, 1) || !near(got.Value, 1) || !near(got.Least, 0.9) ||
		!near(got.Greatest, 1.2) || got.N != 3 {
		t.Errorf("factor %v, %+v, want 1 from 0.9 to 1.2 of 3", costs.Together.Program, got)
	}
	idle := costs.Calibration.Measured[0]
	if idle.Cost != "program.idle" || idle.N != 3 || costs.Program.Idle != idle.Median ||
		!near(idle.Median.Seconds(), 0.05) {
		t.Errorf("idle %+v, want 50ms of 3", idle)
	}
	if low, _ := costs.Quantile(0.05); low.Together.Program < 0.4 {
		t.Errorf("at its 5 %% the factor is %v, which is nonsense", low.Together.Program)
	}
}
