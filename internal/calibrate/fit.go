package calibrate

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"gonum.org/v1/gonum/mat"
)

// equation says that so many of each kind took so much time. Its weight goes by whole, which is more
// than took if what is known already was taken off.
type equation struct {
	counts      []float64
	took, whole time.Duration
}

// weight is the root of that of the equation's error.
func (e equation) weight() float64 { return 1 / math.Sqrt(float64(e.whole)) }

// solve returns what one of each kind takes, none below 0, by least squares with the weight 1/whole: what
// takes long counts more than what does not, but not by its square. A kind of which no equation has
// any takes 0. The error says that the equations do not tell the kinds apart.
func solve(equations []equation) ([]time.Duration, error) {
	if len(equations) == 0 {
		return nil, errors.New("nothing was measured")
	}
	kinds := len(equations[0].counts)
	for _, e := range equations {
		if e.whole <= 0 {
			return nil, fmt.Errorf("a stage with counts %v took no time", e.counts)
		}
	}
	// The best solution within the bounds is the best of those with some kinds held at 0.
	var best []float64
	least := 0.0
	for held := range 1 << kinds {
		var free []int
		for k := range kinds {
			if held&(1<<k) == 0 {
				free = append(free, k)
			}
		}
		costs, squares, ok := solveFor(equations, free, kinds)
		if ok && (best == nil || squares < least) {
			best, least = costs, squares
		}
	}
	if best == nil {
		return nil, fmt.Errorf("%d equations do not tell %d kinds apart", len(equations), kinds)
	}
	result := make([]time.Duration, kinds)
	for k, cost := range best {
		result[k] = time.Duration(cost + 0.5)
	}
	return result, nil
}

// conditionMax is how near to each other two kinds may be before the equations do not tell them apart.
const conditionMax = 1e6

// solveFor solves for the free kinds, with the others at 0. ok is false if the equations do not tell
// them, or one of them would be below 0.
func solveFor(equations []equation, free []int, kinds int) (costs []float64, squares float64, ok bool) {
	costs = make([]float64, kinds)
	if len(free) > len(equations) {
		return nil, 0, false
	}
	if len(free) > 0 {
		a, b := mat.NewDense(len(equations), len(free), nil), mat.NewVecDense(len(equations), nil)
		scale := make([]float64, len(free)) // so that the condition says something of kinds of any size
		for i, e := range equations {
			for j, k := range free {
				scale[j] = max(scale[j], e.counts[k]*e.weight())
			}
			b.SetVec(i, float64(e.took)*e.weight())
		}
		for j := range free {
			if scale[j] == 0 {
				return nil, 0, false
			}
		}
		for i, e := range equations {
			for j, k := range free {
				a.Set(i, j, e.counts[k]*e.weight()/scale[j])
			}
		}
		var qr mat.QR
		qr.Factorize(a)
		var x mat.VecDense
		if qr.Cond() > conditionMax || qr.SolveVecTo(&x, false, b) != nil {
			return nil, 0, false
		}
		for j, k := range free {
			if costs[k] = x.AtVec(j) / scale[j]; costs[k] < 0 {
				return nil, 0, false
			}
		}
	}
	for _, e := range equations {
		sum := 0.0
		for k, cost := range costs {
			sum += e.counts[k] * cost
		}
		off := (float64(e.took) - sum) * e.weight()
		squares += off * off
	}
	return costs, squares, true
}

// solveFrom is solve with a least value, in seconds, for each kind instead of 0.
func solveFrom(least []float64, equations []equation) ([]float64, error) {
	shifted := slices.Clone(equations)
	for i, e := range shifted {
		for k, n := range e.counts {
			shifted[i].took -= time.Duration(n * least[k] * float64(time.Second))
		}
	}
	values, err := solve(shifted)
	if err != nil {
		return nil, err
	}
	result := slices.Clone(least)
	for k, v := range values {
		result[k] += v.Seconds()
	}
	return result, nil
}
