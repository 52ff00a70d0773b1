package calibrate

import (
	"math/rand/v2"
	"testing"
	"time"
)

// TestSolve finds the costs that data was made of: exactly without noise, near with it, none below 0.
func TestSolve(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	make := func(costs []float64, noise float64) (list []equation) {
		for range 40 {
			e := equation{}
			sum := 0.0
			for _, cost := range costs {
				n := float64(10 + random.IntN(2000))
				e.counts = append(e.counts, n)
				sum += n * cost
			}
			e.took = time.Duration(sum * (1 + noise*random.NormFloat64()))
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
		got, err := solve(make(c.costs, c.noise))
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
		"nothing":   nil,
		"no time":   {says(0, 1)},
		"only zero": {says(10, 0)},
	} {
		if got, err := solve(list); err == nil && name != "only zero" {
			t.Errorf("%s: %v", name, got)
		}
	}
	// Two kinds that always come together are one: which of them takes the time is not known.
	got, err := solve([]equation{says(100, 10, 20), says(200, 20, 40), says(300, 30, 60)})
	if err == nil && got[0] != 0 && got[1] != 0 {
		t.Errorf("of twins: %v", got)
	}
}
