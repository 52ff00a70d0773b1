package usl

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

func series(values ...float64) []Point {
	points := make([]Point, 0, len(values))
	for i, v := range values {
		points = append(points, Point{Processes: float64(i + 1), Throughput: v})
	}
	return points
}

func pairs(values ...float64) []Point {
	points := make([]Point, 0, len(values)/2)
	for i := 0; i < len(values); i += 2 {
		points = append(points, Point{Processes: values[i], Throughput: values[i+1]})
	}
	return points
}

var raytracer = pairs(1, 20, 4, 78, 8, 130, 12, 170, 16, 190, 20, 200, 24, 210, 28, 230, 32, 260, 48, 280,
	64, 310)

// TestKnownAnswers compares with the answers of two public packages (usl for R, codahale/usl for Go),
// intervals by Student's t with n-3 degrees of freedom.
func TestKnownAnswers(t *testing.T) {
	for _, c := range []struct {
		name                 string
		points               []Point
		lambda, sigma, kappa float64
		peak                 float64
		intervals            [3][2]float64 // 0, 0: not known
		bound                bool
	}{
		{name: "specsdm91", points: pairs(1, 64.9, 18, 995.9, 36, 1652.4, 72, 1853.2, 108, 1828.9, 144, 1775,
			216, 1702.2), lambda: 89.995, sigma: 0.0277284, kappa: 1.04366e-4, peak: 96.52,
			intervals: [3][2]float64{{50.5, 129.5}, {0.0024, 0.0531}, {0.49e-4, 1.60e-4}}},
		{name: "32 points", points: series(955.16, 1878.91, 2688.01, 3548.68, 4315.54, 5130.43, 5931.37,
			6531.08, 7219.8, 7867.61, 8278.71, 8646.7, 9047.84, 9426.55, 9645.37, 9897.24, 10097.6, 10240.5,
			10532.39, 10798.52, 11151.43, 11518.63, 11806, 12089.37, 12075.41, 12177.29, 12211.41, 12158.93,
			12155.27, 12118.04, 12140.4, 12074.39), lambda: 995.649, sigma: 0.0267159, kappa: 7.69094e-4,
			peak: 35.57, intervals: [3][2]float64{{937, 1054}, {0.0175, 0.0359}, {5.92e-4, 9.46e-4}}},
		{name: "raytracer, first 6", points: raytracer[:6], lambda: 20.856, sigma: 0.024444,
			kappa: 1.6268e-3, peak: 24.49,
			intervals: [3][2]float64{{18.3, 23.4}, {-0.0023, 0.0512}, {0.79e-3, 2.46e-3}}},
		{name: "raytracer", points: raytracer, lambda: 21.849, sigma: 0.05777, kappa: 0,
			peak: math.Inf(1), bound: true},
		{name: "exact", points: pairs(1, 1, 2, 1.8868, 4, 3.0769, 6, 3.5294, 8, 3.5398, 10, 3.3557),
			lambda: 1, sigma: 0.02, kappa: 0.02, peak: 7},
	} {
		f, err := Of(c.points)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		near := func(what string, got, want, within float64) {
			if !(math.Abs(got-want) <= within*math.Abs(want)) && got != want {
				t.Errorf("%s: %s is %v, want %v", c.name, what, got, want)
			}
		}
		near("lambda", f.Lambda.Value, c.lambda, 1e-3)
		near("sigma", f.Sigma.Value, c.sigma, 1e-3)
		near("kappa", f.Kappa.Value, c.kappa, 1e-3)
		near("peak", f.Peak(), c.peak, 1e-3)
		if f.Kappa.Bound != c.bound {
			t.Errorf("%s: kappa at its bound: %v", c.name, f.Kappa.Bound)
		}
		for i, v := range []Value{f.Lambda, f.Sigma, f.Kappa} {
			if want := c.intervals[i]; want != [2]float64{} {
				within := 0.01 * (want[1] - want[0]) // they are known to two or three digits
				if math.Abs(v.Low-want[0]) > within || math.Abs(v.High-want[1]) > within {
					t.Errorf("%s: interval %d is [%v, %v], want %v", c.name, i, v.Low, v.High, want)
				}
			}
		}
	}
}

// TestCoverage: of intervals of 95 %, 93 to 97 % hold the truth.
func TestCoverage(t *testing.T) {
	const sets = 1000
	random := rand.New(rand.NewPCG(1, 2))
	truth := [parameters]float64{1000, 0.03, 0.001}
	held := [parameters]int{}
	for range sets {
		var points []Point
		for _, n := range []float64{1, 2, 4, 6, 8, 12, 16, 24, 32} {
			points = append(points, Point{Processes: n, Throughput: law(truth, n) + 50*random.NormFloat64()})
		}
		f, err := Of(points)
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range []Value{f.Lambda, f.Sigma, f.Kappa} {
			if v.Low <= truth[i] && truth[i] <= v.High {
				held[i]++
			}
		}
	}
	for i, n := range held {
		if share := float64(n) / sets; share < 0.93 || share > 0.97 {
			t.Errorf("the interval of parameter %d holds the truth in %.1f %% of the sets", i, 100*share)
		}
	}
}

// TestWeights: a point that counts for nothing does not bend the curve.
func TestWeights(t *testing.T) {
	points := pairs(1, 1, 2, 1.8868, 4, 3.0769, 6, 3.5294, 8, 3.5398, 10, 3.3557, 12, 30)
	points[6].Weight = 1e-12
	f, err := Of(points)
	if err != nil || math.Abs(f.Sigma.Value-0.02) > 1e-4 {
		t.Errorf("sigma is %v, %v; want 0.02", f, err)
	}
}

func TestBadPoints(t *testing.T) {
	for want, points := range map[string][]Point{
		"at least 4":                             series(1, 2, 3),
		"point 2: 0 processes":                   pairs(1, 1, 0, 2, 3, 3, 4, 4, 5, 5),
		"throughput -2":                          pairs(1, 1, 2, -2, 3, 3, 4, 4, 5, 5),
		"point 1: {1 1e+17 0 0} is beyond sense": pairs(1, 1e17, 2, 2, 3, 3, 4, 4, 5, 5),
		"throughput NaN":                         pairs(1, 1, 2, math.NaN(), 3, 3, 4, 4, 5, 5),
	} {
		if _, err := Of(points); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error is %v, want %q", err, want)
		}
	}
}

// TestPeakIsAtOneProcess where each more makes less: fewer there are not, whatever the law says of them.
func TestPeakIsAtOneProcess(t *testing.T) {
	for _, p := range [][parameters]float64{{1, 0.9, 1}, {1, 1, 0}, {1, 1.5, 0}, {1, 2, 0.1}, {1, 1 - 1e-9, 0}} {
		f := (&solution{p: p}).values(nil)
		if f.Peak() != 1 || f.Greatest() != f.At(1) {
			t.Errorf("%v: the peak is at %v, with %v", p, f.Peak(), f.Greatest())
		}
	}
}

// TestUnit: the unit of the throughput changes lambda alone, and the rest is as well known.
func TestUnit(t *testing.T) {
	truth := [parameters]float64{1, 0.02, 1e-4}
	fit := func(unit float64) *Fit {
		var points []Point
		for i := range 8 {
			n := float64(int(1) << i)
			points = append(points, Point{Processes: n, Throughput: unit * law(truth, n) * (1 + 0.02*float64(i%3-1))})
		}
		f, err := Of(points)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	want := fit(1)
	for _, unit := range []float64{1e-6, 1e5, 1e9} {
		got := fit(unit)
		for i, v := range [][2]Value{{got.Sigma, want.Sigma}, {got.Kappa, want.Kappa},
			{got.Lambda, {Value: unit * want.Lambda.Value, Low: unit * want.Lambda.Low, High: unit * want.Lambda.High}}} {
			width := v[1].High - v[1].Low
			if !(math.Abs(v[0].Value-v[1].Value) < 1e-3*width && math.Abs(v[0].Low-v[1].Low) < 1e-3*width &&
				math.Abs(v[0].High-v[1].High) < 1e-3*width) {
				t.Errorf("in units of %v, parameter %d is %+v, want %+v", 1/unit, i, v[0], v[1])
			}
		}
	}
}

// TestRoundingIsNoFinding: of points that lie on a law but for rounding, what is 0 is held there, whatever
// their unit and weights.
func TestRoundingIsNoFinding(t *testing.T) {
	for _, c := range []struct {
		points []Point
		sigma  float64
		peak   float64
	}{
		{series(20, 20, 20, 20, 20), 1, 1},
		{pairs(1, 60000, 2, 60000, 4, 60000, 8, 60000, 16, 60000), 1, 1},
		{pairs(1, 0.3, 2, 0.3, 3, 0.3, 5, 0.3, 7, 0.3, 64, 0.3), 1, 1},
		{series(10, 20, 30, 40, 50), 0, math.Inf(1)},
		{series(0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7), 0, math.Inf(1)},
		{pairs(1, 1000, 3, 3000/1.2, 7, 7000/1.6, 11, 11000/2.), 0.1, math.Inf(1)},
	} {
		for _, weight := range []float64{1, 1e-9, 1e6} {
			for i := range c.points {
				c.points[i].Weight = weight
			}
			f, err := Of(c.points)
			if err != nil {
				t.Errorf("%v: %v", c.points, err)
				continue
			}
			drawn := f.Bootstrap(c.points, 50, rand.NewPCG(1, 2))
			if peak := drawn.Of((*Fit).Peak); f.Peak() != c.peak || peak != (Interval{c.peak, c.peak}) {
				t.Errorf("%v: the peak is at %v %v, want %v", c.points, f.Peak(), peak, c.peak)
			}
			if math.Abs(f.Sigma.Value-c.sigma) > 1e-6 || !f.Kappa.Bound || f.Sigma.Bound != (c.sigma == 0) {
				t.Errorf("%v: sigma %+v, kappa %+v", c.points, f.Sigma, f.Kappa)
			}
		}
	}
}
