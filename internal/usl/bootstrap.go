package usl

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// Interval holds the truth with 95 %.
type Interval struct{ Low, High float64 }

// Bootstrap is what the noise of the points could have made of a law: laws fitted to points that
// scatter about it as the measured ones do.
type Bootstrap struct{ laws []Fit }

// Bootstrap fits that many laws to drawn points. Each round draws the variance of the noise as well,
// since few points know it badly, so that the intervals of few points are as wide as those by
// Student's t: a parametric bootstrap (Efron and Tibshirani, An Introduction to the Bootstrap, 1993,
// chapter 6). The same source gives the same laws.
func (f *Fit) Bootstrap(points []Point, rounds int, source rand.Source) *Bootstrap {
	chi := distuv.ChiSquared{K: float64(max(1, f.left)), Src: source}
	normal := distuv.Normal{Sigma: 1, Src: source}
	b := &Bootstrap{laws: make([]Fit, 0, rounds)}
	drawn := slices.Clone(points)
	for range rounds {
		variance := max(f.variance*float64(f.left)/chi.Rand(), f.least)
		for i, p := range points {
			noise := normal.Rand() * math.Sqrt(variance/weight(p))
			// A throughput is not below 0, however much it scatters.
			drawn[i].Throughput = max(f.At(p.Processes)+noise, f.At(p.Processes)/100)
		}
		if s := best(drawn); s != nil {
			b.laws = append(b.laws, *s.values(points))
		}
	}
	return b
}

// Of returns the interval of a figure of the law. It ends at +Inf if the figure has no bound.
func (b *Bootstrap) Of(figure func(*Fit) float64) Interval {
	if len(b.laws) == 0 {
		return Interval{math.Inf(-1), math.Inf(1)}
	}
	values := make([]float64, len(b.laws))
	for i := range b.laws {
		values[i] = figure(&b.laws[i])
	}
	slices.Sort(values)
	const tail = (1 - confidence) / 2
	return Interval{stat.Quantile(tail, stat.Empirical, values, nil),
		stat.Quantile(1-tail, stat.Empirical, values, nil)}
}

// Widen gives parameters that are held at 0 the upper end of their intervals: what noise alone makes of a
// law in which they are 0. A truth above that would hardly have been fitted as 0. By Student's t they have
// no interval, since the law does not bend at its bound.
func (f *Fit) Widen(b *Bootstrap) {
	for _, p := range []struct {
		of   *Value
		from func(*Fit) float64
	}{
		{&f.Sigma, func(f *Fit) float64 { return f.Sigma.Value }},
		{&f.Kappa, func(f *Fit) float64 { return f.Kappa.Value }},
	} {
		if high := b.Of(p.from).High; p.of.Bound && !math.IsInf(high, 1) {
			p.of.High = high
		}
	}
}

// Greatest returns the greatest throughput that any number of processes has; +Inf if there is none.
func (f *Fit) Greatest() float64 {
	if peak := f.Peak(); !math.IsInf(peak, 1) {
		return f.At(max(peak, 1))
	}
	return f.Limit()
}

// Knee returns where the law bends: the number of processes that would have its greatest throughput
// if each added as much as the first one. More than that mostly wait for one another (Kleinrock, On
// flow control in computer networks, 1978). +Inf if the law is a straight line.
func (f *Fit) Knee() float64 { return f.Greatest() / f.Lambda.Value }

// Held is what a law says of a number of processes whose points it was fitted without.
type Held struct {
	Processes float64 `json:"processes"`
	Measured  float64 `json:"measured"`
	Predicted float64 `json:"predicted"`
	// Error is how far the prediction is above what was measured, as a share of it.
	Error float64 `json:"error"`
}

// HeldOut leaves out each number of processes in turn, and predicts it from the others. It needs one
// number of processes more than a fit; without, it returns nothing.
func HeldOut(points []Point) []Held {
	byCount := map[float64][]float64{}
	for _, p := range points {
		byCount[p.Processes] = append(byCount[p.Processes], p.Throughput)
	}
	if len(byCount) <= PointsMin {
		return nil
	}
	var list []Held
	for n, measured := range byCount { //order-free: sorted below
		others := slices.DeleteFunc(slices.Clone(points), func(p Point) bool { return p.Processes == n })
		f, err := Of(others)
		if err != nil {
			continue
		}
		h := Held{Processes: n, Measured: stat.Mean(measured, nil), Predicted: f.At(n)}
		h.Error = h.Predicted/h.Measured - 1
		list = append(list, h)
	}
	slices.SortFunc(list, func(a, b Held) int { return cmp.Compare(a.Processes, b.Processes) })
	return list
}

// poorMin is the error of a held-out prediction from which on a fit is poor.
const poorMin = 0.1

// Refusal returns why a law says nothing of more processes than were measured, in words, or "". It
// needs the points to show that the law holds (each number of processes predicted from the others)
// and to reach its knee, and its peak if it has one: what bends the curve is seen only there.
func (f *Fit) Refusal(held []Held) string {
	if len(held) == 0 {
		return fmt.Sprintf("%d numbers of processes are needed to test the law, one more than to fit it",
			PointsMin+1)
	}
	worst := slices.MaxFunc(held, func(a, b Held) int {
		return cmp.Compare(math.Abs(a.Error), math.Abs(b.Error))
	})
	if math.Abs(worst.Error) >= poorMin {
		return fmt.Sprintf("the fit is poor: without the points where N is %v, the law is off by %+.0f %% "+
			"there", worst.Processes, 100*worst.Error)
	}
	if knee := f.Knee(); knee > f.Most {
		return fmt.Sprintf("the points do not reach the knee: it would be beyond %v processes", f.Most)
	}
	if peak := f.Peak(); !math.IsInf(peak, 1) && peak > f.Most {
		return fmt.Sprintf("the points do not reach the peak: it would be beyond %v processes", f.Most)
	}
	return ""
}
