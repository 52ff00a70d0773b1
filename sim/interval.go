package sim

import (
	"math"
	"strings"
	"time"

	"gonum.org/v1/gonum/integrate/quad"
	"gonum.org/v1/gonum/stat/distuv"
)

// Quantile returns the costs of a machine and a day that is faster (p below 0.5) or slower (above) than
// what was measured: with probability p, each cost measured once more would be at most what it is
// here. All costs move together, since what makes a machine slow makes everything slow. A cost whose
// spread is not known stays; ok is false if none is.
//
// What is computed at once with everything else has the spread of its factor of Together, which was
// found from whole runs and has those of the single costs in it; all else has its own.
func (c Costs) Quantile(p float64) (at Costs, ok bool) {
	at = c
	if c.Calibration == nil {
		return at, false
	}
	hasFactor := map[string]bool{}
	for _, f := range c.Calibration.Factors {
		if f.N < 2 || !(f.Least > 0) {
			continue
		}
		*at.Together.of(f.Of) *= math.Exp(quantile(p, f.N, math.Log(f.Greatest/f.Least)))
		hasFactor[f.Of], ok = true, true
	}
	for _, m := range c.Calibration.Measured {
		section, _, _ := strings.Cut(m.Cost, ".")
		if m.N < 2 || m.Least <= 0 || multiplied(m.Cost) && hasFactor[section] {
			continue
		}
		cost := at.Cost(m.Cost)
		*cost = time.Duration(float64(*cost) *
			math.Exp(quantile(p, m.N, math.Log(m.Greatest.Seconds()/m.Least.Seconds()))))
		ok = true
	}
	return at, ok
}

// quantile is how far from their middle one more normal value would be, with probability p at most, of
// which n were so far apart: by Student's t with n-1 degrees of freedom, the variance being the square
// of the range by its expected value (Patnaik 1950).
func quantile(p float64, n int, apart float64) float64 {
	t := distuv.StudentsT{Sigma: 1, Nu: float64(n - 1)}.Quantile(p)
	return t * apart / math.Sqrt(squaredRange(n)) * math.Sqrt(1+1/float64(n))
}

// squaredRange is the expected square of how far apart n standard normal values are. The square is the
// area of all (x, y) between the least and the greatest: so it is twice the integral, over x < y, of
// the probability that the least is below x and the greatest above y.
func squaredRange(n int) float64 {
	const end, points = 7, 32
	power := func(x float64) float64 { return math.Pow(x, float64(n)) }
	return 2 * quad.Fixed(func(y float64) float64 {
		below := distuv.UnitNormal.CDF(y)
		return quad.Fixed(func(x float64) float64 {
			f := distuv.UnitNormal.CDF(x)
			return 1 - power(below) - power(1-f) + power(below-f)
		}, -end, y, points, nil, 0)
	}, -end, end, points, nil, 0)
}
