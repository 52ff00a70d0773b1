package capacity

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/stat"

	"sluice/internal/usl"
)

// Law is the law that fits the points, with what follows from it. Intervals are of 95 %.
type Law struct {
	usl.Fit
	// Knee is the count from which on processes mostly wait for one another, Peak the one with the
	// greatest throughput, and Greatest that of any count. They are null, with their intervals, where there
	// is none, or beyond what was measured; Greatest only if nothing is said of more.
	Knee     Estimate `json:"knee"`
	Peak     Estimate `json:"peak"`
	Greatest Estimate `json:"greatest"`
	// Curve has a point for each count up to the greatest that was measured; or further, if
	// NoExtrapolation is empty, which says why nothing is said of more.
	Curve           []CurvePoint `json:"curve"`
	NoExtrapolation string       `json:"no_extrapolation"`
	// HeldOut is what the law says of each count when it is fitted without it.
	HeldOut []usl.Held `json:"held_out"`
}

// Estimate is a figure with its interval.
type Estimate struct {
	Value Number `json:"value"`
	Low   Number `json:"low"`
	High  Number `json:"high"`
}

// CurvePoint is the throughput of a count by the law.
type CurvePoint struct {
	Processes float64 `json:"processes"`
	Estimate
}

// newSource is the source of a bootstrap, always the same.
func newSource() rand.Source { return rand.NewPCG(bootstrapSeed, 0) }

// LawOf fits the law to points.
func LawOf(points []usl.Point) (*Law, error) {
	fit, err := usl.Of(points)
	if err != nil {
		return nil, err
	}
	l := &Law{Fit: *fit, HeldOut: usl.HeldOut(points)}
	drawn := fit.Bootstrap(points, bootstraps, newSource())
	l.Widen(drawn)
	estimate := func(of func(*usl.Fit) float64) Estimate {
		v := drawn.Of(of)
		return Estimate{Number(of(fit)), Number(v.Low), Number(v.High)}
	}
	l.Knee, l.Greatest = estimate((*usl.Fit).Knee), estimate((*usl.Fit).Greatest)
	l.Peak = estimate((*usl.Fit).Peak)
	nothing := Number(math.NaN())
	none := Estimate{nothing, nothing, nothing}
	if l.Fit.Knee() > fit.Most {
		l.Knee, l.Greatest = none, none
	}
	l.NoExtrapolation = fit.Refusal(l.HeldOut)
	if l.Fit.Peak() > fit.Most {
		l.Peak = none
		if l.NoExtrapolation != "" { // else it is what ever more processes go towards
			l.Greatest = none
		}
	}
	last := fit.Most
	if l.NoExtrapolation == "" {
		const further = 1.5
		last = math.Floor(further * fit.Most)
	}
	const steps = 64 // of a curve
	for n, step := 1.0, max(1, math.Ceil((last-1)/steps)); ; n = min(n+step, last) {
		l.Curve = append(l.Curve, CurvePoint{n, estimate(func(f *usl.Fit) float64 { return f.At(n) })})
		if n >= last {
			return l, nil
		}
	}
}

// heldOutError is the greatest error of a held-out prediction; nil if there is none.
func (l *Law) heldOutError() *float64 {
	if len(l.HeldOut) == 0 {
		return nil
	}
	worst := 0.0
	for _, h := range l.HeldOut {
		worst = max(worst, math.Abs(h.Error))
	}
	return &worst
}

// inRepeat names the repeat of a point where it is not the only one.
func (r *Report) inRepeat(p Point) string {
	if !slices.ContainsFunc(r.Points, func(q Point) bool { return q.Processes == p.Processes && q.Repeat != p.Repeat }) {
		return ""
	}
	return fmt.Sprintf(" in repeat %d", p.Repeat)
}

// fit fits the law to the points, each weighted by its standard error.
func (r *Report) fit() {
	for _, p := range r.Points {
		if p.Failed == 0 {
			r.NoFit = fmt.Sprintf("with %s, no rate was too high%s: the search ended at %s spans/s",
				processes(p.Processes), r.inRepeat(p), grouped(p.Throughput))
			return
		}
		if p.Throughput == 0 {
			r.NoFit = fmt.Sprintf("with %s, no rate was sustained", processes(p.Processes))
			return
		}
	}
	law, err := LawOf(r.weighed())
	if err != nil {
		r.NoFit = err.Error()
		return
	}
	r.USL, r.HeldOutError = law, law.heldOutError()
}

// weighed are the points with their standard errors. A point is off by where its search happened to
// end, which is even between the rate that was sustained and the one that was not, and by the spread
// of its repeats. A few repeats know their spread badly: that of all counts together is mixed in, as
// if it came from shrink repeats more (G. K. Smyth, Linear models and empirical Bayes methods, 2004).
func (r *Report) weighed() []usl.Point {
	const shrink = 4
	type group struct{ n, squares float64 }
	groups, all := map[int]group{}, group{}
	for _, c := range r.Counts {
		var logs []float64
		for _, p := range r.Points {
			if p.Processes == c.Processes && p.Throughput > 0 {
				logs = append(logs, math.Log(p.Throughput))
			}
		}
		if len(logs) > 1 {
			g := group{float64(len(logs) - 1), float64(len(logs)-1) * stat.Variance(logs, nil)}
			groups[c.Processes], all = g, group{all.n + g.n, all.squares + g.squares}
		}
	}
	var points []usl.Point
	for _, p := range r.Points {
		variance := 0.0
		if all.n > 0 {
			g := groups[p.Processes]
			variance = (shrink*all.squares/all.n + g.squares) / (shrink + g.n)
		}
		bracket := p.Failed/p.Throughput - 1
		points = append(points, usl.Point{Processes: float64(p.Processes), Throughput: p.Throughput,
			Error: p.Throughput * math.Sqrt(variance+bracket*bracket/12)})
	}
	return points
}
