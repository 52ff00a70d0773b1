package usl

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat/distuv"
)

// Point is a measured throughput.
type Point struct {
	// Processes is above 0, Throughput in any unit per second.
	Processes, Throughput float64
	// Weight is how much the point counts: 1 over the variance of its throughput; 0 counts as 1.
	Weight float64
	// Error is the standard error of the throughput where that is known from elsewhere, which takes
	// the place of a weight: the intervals are then at least as wide as it says. 0 if it is not known;
	// it is known of all points or of none.
	Error float64
}

// Value is an estimate with its 95 % interval. Bound is true if it is held at 0, the least it may be; its
// interval ends there, too, until Widen finds the upper end.
type Value struct {
	Value float64 `json:"value"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
	Bound bool    `json:"bound"`
}

// Fit is a fitted law.
type Fit struct {
	Lambda Value `json:"lambda"`
	Sigma  Value `json:"sigma"`
	Kappa  Value `json:"kappa"`
	// ResidualError is the residual standard error, in the unit of the throughput. Points with weights
	// or errors count by them.
	ResidualError float64 `json:"residual_error"`
	// Most is the greatest measured number of processes: nothing is known of more.
	Most float64 `json:"most"`

	left     int     // degrees of freedom
	variance float64 // of a point with weight 1, by the residuals
	least    float64 // that it has at least, by the points' errors
}

// parameters are lambda, sigma and kappa.
const parameters = 3

// PointsMin is how many points, of different numbers of processes, a fit needs.
const PointsMin = parameters + 1

// confidence is that of the intervals, by Student's t, two sides.
const confidence = 0.95

// At returns the throughput of a number of processes.
func (f *Fit) At(n float64) float64 {
	return law([parameters]float64{f.Lambda.Value, f.Sigma.Value, f.Kappa.Value}, n)
}

// Peak returns the number of processes with the greatest throughput: 1 if each more makes it less, and
// +Inf if more processes are always better.
func (f *Fit) Peak() float64 {
	const near = 1e-6 // to 1: no more processes carry more, by rounding alone
	switch {
	case f.Sigma.Value >= 1-near:
		return 1
	case f.Kappa.Value <= 0:
		return math.Inf(1)
	}
	return max(1, math.Sqrt((1-f.Sigma.Value)/f.Kappa.Value))
}

// Limit returns the throughput that infinitely many processes would have if they cost nothing to keep
// in step; +Inf without contention.
func (f *Fit) Limit() float64 {
	if f.Sigma.Value <= 0 {
		return math.Inf(1)
	}
	return f.Lambda.Value / f.Sigma.Value
}

func law(p [parameters]float64, n float64) float64 { return p[0] * n / denominator(p, n) }

func denominator(p [parameters]float64, n float64) float64 {
	return 1 + p[1]*(n-1) + p[2]*n*(n-1)
}

// slope returns the derivatives of the law by its parameters.
func slope(p [parameters]float64, n float64) [parameters]float64 {
	d := denominator(p, n)
	by := -p[0] * n / (d * d)
	return [parameters]float64{n / d, by * (n - 1), by * n * (n - 1)}
}

// Of fits the law to points by least squares, with sigma and kappa not below 0. The error says what
// points are missing or make no sense.
func Of(points []Point) (*Fit, error) {
	if err := check(points); err != nil {
		return nil, err
	}
	s := best(points)
	if s == nil {
		return nil, errors.New("no law with positive parameters fits the points")
	}
	return s.fit(points)
}

// rounding is how much of the squares of all throughputs the residuals' may be by rounding alone.
const rounding = 1e-12

// best is the best fit inside of the bounds, with some parameters held at 0 or none. Of those that are as
// good but for rounding, it is the one with most of them held: a kappa of 1e-18 is no finding, and its peak
// would be none.
func best(points []Point) *solution {
	noise := 0.0
	for _, p := range points {
		noise += rounding * weight(p) * p.Throughput * p.Throughput
	}
	var best *solution
	for held := range 4 { // in the order of how many are held
		if best != nil && best.held == ([parameters]bool{}) && !best.idle(points, noise) {
			break
		}
		s := solve(points, [parameters]bool{1: held&1 != 0, 2: held&2 != 0})
		if s.p[1] >= 0 && s.p[2] >= 0 && (best == nil || s.squares <= best.squares+noise) {
			best = s
		}
	}
	return best
}

// What is neither 0 nor between these is no figure of a system, and its squares are more than can be
// computed with.
const (
	ValueMin = 1e-15
	ValueMax = 1e15
)

// beyond tells whether a figure makes no sense for its size.
func beyond(v float64) bool { return v != 0 && (v < ValueMin || v > ValueMax) }

func check(points []Point) error {
	var errs []error
	counts := map[float64]bool{}
	weighed := slices.ContainsFunc(points, func(p Point) bool { return p.Error > 0 })
	for i, p := range points {
		switch {
		case !(p.Processes > 0) || math.IsInf(p.Processes, 0):
			errs = append(errs, fmt.Errorf("point %d: %v processes, want more than 0", i+1, p.Processes))
		case !(p.Throughput > 0) || math.IsInf(p.Throughput, 0):
			errs = append(errs, fmt.Errorf("point %d: throughput %v, want more than 0", i+1, p.Throughput))
		case !(p.Weight >= 0) || math.IsInf(p.Weight, 0):
			errs = append(errs, fmt.Errorf("point %d: weight %v, want at least 0", i+1, p.Weight))
		case !(p.Error >= 0) || math.IsInf(p.Error, 0) || (p.Error > 0) != weighed:
			errs = append(errs, fmt.Errorf("point %d: standard error %v, want above 0 for all points or none",
				i+1, p.Error))
		case beyond(p.Processes) || beyond(p.Throughput) || beyond(p.Weight) || beyond(p.Error):
			errs = append(errs, fmt.Errorf("point %d: %v is beyond sense: want %v to %v of everything", i+1, p,
				ValueMin, ValueMax))
		}
		counts[p.Processes] = true
	}
	if len(counts) < PointsMin {
		errs = append(errs, fmt.Errorf("different process counts: %d, want at least %d for three parameters and "+
			"their error", len(counts), PointsMin))
	}
	return errors.Join(errs...)
}

// solution is a law with some parameters held at 0.
type solution struct {
	p       [parameters]float64
	held    [parameters]bool
	squares float64 // the weighted sum of squared residuals
}

func weight(p Point) float64 {
	switch {
	case p.Error > 0:
		return 1 / (p.Error * p.Error)
	case p.Weight == 0:
		return 1
	}
	return p.Weight
}

func squares(points []Point, p [parameters]float64) float64 {
	sum := 0.0
	for _, point := range points {
		d := denominator(p, point.Processes)
		if d <= 0 {
			return math.Inf(1) // the law has no meaning there
		}
		r := point.Throughput - law(p, point.Processes)
		sum += weight(point) * r * r
	}
	return sum
}

// idle tells whether the law is hardly another without one of its parameters, by far more than rounding.
func (s *solution) idle(points []Point, noise float64) bool {
	const far = 1e6
	for i := 1; i < parameters; i++ {
		without := s.p
		without[i] = 0
		if squares(points, without) <= s.squares+far*noise {
			return true
		}
	}
	return false
}

// solve finds the least squares by the method of Levenberg and Marquardt.
func solve(points []Point, held [parameters]bool) *solution {
	s := &solution{p: [parameters]float64{0, 0.01, 1e-5}, held: held}
	for i := range s.p {
		if held[i] {
			s.p[i] = 0
		}
	}
	for _, point := range points {
		s.p[0] = max(s.p[0], point.Throughput/point.Processes)
	}
	s.squares = squares(points, s.p)
	const rounds, dampingMax = 1000, 1e20
	for damping, n := 1e-3, 0; n < rounds && damping < dampingMax; n++ {
		normal, right, units := s.equations(points)
		for i := range parameters {
			normal.SetSym(i, i, 1+damping)
		}
		var step mat.VecDense
		if err := step.SolveVec(normal, right); err != nil {
			damping *= 10
			continue
		}
		next := s.p
		for i := range next {
			next[i] += step.AtVec(i) * units[i]
		}
		if sum := squares(points, next); sum < s.squares {
			done := s.squares-sum <= 1e-15*s.squares
			s.p, s.squares, damping = next, sum, max(damping/10, 1e-12)
			if done {
				break
			}
			continue
		}
		damping *= 10
	}
	return s
}

// equations are the normal equations at the solution; those of parameters that are held do nothing.
// Each parameter is counted in a unit of its own, in which the diagonal is 1: lambda and kappa are
// otherwise so many orders of magnitude apart that rounding makes the equations singular.
func (s *solution) equations(points []Point) (
	normal *mat.SymDense, right *mat.VecDense, units [parameters]float64,
) {
	normal, right = mat.NewSymDense(parameters, nil), mat.NewVecDense(parameters, nil)
	for _, point := range points {
		d, w := slope(s.p, point.Processes), weight(point)
		r := point.Throughput - law(s.p, point.Processes)
		for i := range parameters {
			if s.held[i] {
				continue
			}
			right.SetVec(i, right.AtVec(i)+w*d[i]*r)
			for j := i; j < parameters; j++ {
				if !s.held[j] {
					normal.SetSym(i, j, normal.At(i, j)+w*d[i]*d[j])
				}
			}
		}
	}
	for i := range parameters {
		units[i] = 1
		if at := normal.At(i, i); at > 0 {
			units[i] = 1 / math.Sqrt(at)
		}
	}
	for i := range parameters {
		right.SetVec(i, right.AtVec(i)*units[i])
		for j := i + 1; j < parameters; j++ {
			normal.SetSym(i, j, normal.At(i, j)*units[i]*units[j])
		}
		normal.SetSym(i, i, 1)
	}
	return normal, right, units
}

// values is the law alone.
func (s *solution) values(points []Point) *Fit {
	f := &Fit{}
	for i, v := range []*Value{&f.Lambda, &f.Sigma, &f.Kappa} {
		*v = Value{Value: s.p[i], Low: s.p[i], High: s.p[i], Bound: s.held[i]}
	}
	for _, point := range points {
		f.Most = max(f.Most, point.Processes)
	}
	return f
}

// fit adds the intervals.
func (s *solution) fit(points []Point) (*Fit, error) {
	f := s.values(points)
	f.left = len(points)
	for _, held := range s.held {
		if !held {
			f.left--
		}
	}
	if f.left > 0 {
		f.variance = s.squares / float64(f.left)
	}
	weights := 0.0
	for _, point := range points {
		weights += weight(point) / float64(len(points))
	}
	f.ResidualError = math.Sqrt(f.variance / weights)
	if points[0].Error > 0 { // points may lie nearer to the law than their errors by chance alone
		f.least = 1
	}
	const upper = (1 + confidence) / 2
	quantile := distuv.StudentsT{Sigma: 1, Nu: float64(max(1, f.left))}.Quantile(upper)
	deviation := max(quantile*math.Sqrt(f.variance), distuv.UnitNormal.Quantile(upper)*math.Sqrt(f.least))
	normal, _, units := s.equations(points)
	var inverse mat.Dense
	if err := inverse.Inverse(normal); err != nil {
		return nil, fmt.Errorf("the points do not tell the law's parameters apart: %w", err)
	}
	for i, v := range []*Value{&f.Lambda, &f.Sigma, &f.Kappa} {
		if s.held[i] {
			continue
		}
		apart := deviation * math.Sqrt(inverse.At(i, i)) * units[i]
		if v.Low, v.High = s.p[i]-apart, s.p[i]+apart; math.IsNaN(apart) || math.IsInf(apart, 0) {
			return nil, errors.New("the points do not tell the law's parameters apart")
		}
	}
	return f, nil
}
