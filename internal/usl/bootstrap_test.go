package usl

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// TestBootstrapCoverage: of the intervals on the curve and on the knee, about 95 % hold the truth, also
// with as few points as a search of capacity makes. With three degrees of freedom or less, a bound at
// 0 for kappa makes them a little wider.
func TestBootstrapCoverage(t *testing.T) {
	const sets, rounds = 200, 120
	truth := Fit{Lambda: Value{Value: 1000}, Sigma: Value{Value: 0.1}, Kappa: Value{Value: 0.004}}
	for name, c := range map[string]struct {
		counts []float64
		known  bool // the error is known beforehand
	}{
		"six counts":              {[]float64{1, 2, 4, 8, 16, 32}, false},
		"six counts, known error": {[]float64{1, 2, 4, 8, 16, 32}, true},
	} {
		source := rand.NewPCG(1, 2)
		random := rand.New(source)
		figures := []func(*Fit) float64{(*Fit).Knee,
			func(f *Fit) float64 { return f.At(1) }, func(f *Fit) float64 { return f.At(10) }}
		within := make([]int, len(figures))
		for range sets {
			var points []Point
			for _, n := range c.counts {
				p := Point{Processes: n, Throughput: truth.At(n) * (1 + 0.03*random.NormFloat64())}
				if p.Weight = 1 / (truth.At(n) * truth.At(n)); c.known {
					p.Error = 0.03 * truth.At(n)
				}
				points = append(points, p)
			}
			f, err := Of(points)
			if err != nil {
				t.Fatal(err)
			}
			b := f.Bootstrap(points, rounds, source)
			for i, figure := range figures {
				if v := b.Of(figure); v.Low <= figure(&truth) && figure(&truth) <= v.High {
					within[i]++
				}
			}
		}
		for i, n := range within {
			if share := float64(n) / sets; share < 0.91 || share > 0.995 {
				t.Errorf("%s: interval %d holds the truth in %.1f %% of the sets", name, i, 100*share)
			}
		}
	}
}

// TestBoundCoverage: where kappa is fitted as 0, its interval holds the truth in 95 % or more of the sets, whether
// that is 0 or as much above as the noise can hide; and it says something: it is no wider than what such noise
// would make of a kappa that was found.
func TestBoundCoverage(t *testing.T) {
	const sets, rounds = 120, 100
	for _, kappa := range []float64{0, 0.0002} {
		truth := Fit{Lambda: Value{Value: 1000}, Sigma: Value{Value: 0.05}, Kappa: Value{Value: kappa}}
		source := rand.NewPCG(3, 4)
		random := rand.New(source)
		bound, within, widest := 0, 0, 0.0
		for range sets {
			var points []Point
			for _, n := range []float64{1, 2, 4, 8, 16, 24} {
				points = append(points, Point{Processes: n, Throughput: truth.At(n) * (1 + 0.03*random.NormFloat64()),
					Weight: 1 / (truth.At(n) * truth.At(n))})
			}
			f, err := Of(points)
			if err != nil {
				t.Fatal(err)
			}
			if !f.Kappa.Bound {
				if f.Kappa.Low <= kappa && kappa <= f.Kappa.High {
					within++
				}
				continue
			}
			bound++
			f.Widen(f.Bootstrap(points, rounds, source))
			if f.Kappa.High >= kappa && f.Kappa.Low == 0 {
				within++
			}
			widest = max(widest, f.Kappa.High)
		}
		if share := float64(within) / sets; share < 0.92 || kappa == 0 && (bound < sets/4 || widest > 0.01) {
			t.Errorf("kappa %v: %d of %d at the bound, %.1f %% within, the widest to %v", kappa, bound, sets, 100*share, widest)
		}
	}
}

func TestKnee(t *testing.T) {
	for _, c := range []struct{ sigma, kappa, greatest, knee float64 }{
		{0.02, 0.02, 3.5714286, 3.5714286}, {0.05, 0, 20, 20}, {0, 0, math.Inf(1), math.Inf(1)},
	} {
		f := Fit{Lambda: Value{Value: 1}, Sigma: Value{Value: c.sigma}, Kappa: Value{Value: c.kappa}}
		if g, k := f.Greatest(), f.Knee(); !(math.Abs(g-c.greatest) < 1e-6 || g == c.greatest) ||
			!(math.Abs(k-c.knee) < 1e-6 || k == c.knee) {
			t.Errorf("%+v: greatest %v, knee %v", c, g, k)
		}
	}
}

// TestRefusal: six points of a known set predict a peak of 203, and the machine went on to 310; nothing
// is said beyond them. All eleven reach no knee either: throughput still grows at the last.
func TestRefusal(t *testing.T) {
	law := Fit{Lambda: Value{Value: 1000}, Sigma: Value{Value: 0.1}, Kappa: Value{Value: 0.01}}
	var exact []Point
	for _, n := range []float64{1, 2, 3, 4, 6, 8, 10, 12} {
		exact = append(exact, Point{Processes: n, Throughput: law.At(n)})
	}
	split := append([]Point(nil), exact...)
	split[5].Throughput *= 1.3
	for name, c := range map[string]struct {
		points []Point
		want   string
	}{
		"raytracer, first 6": {raytracer[:6], "do not reach the peak"},
		"four counts":        {exact[:4], "5 numbers of processes are needed"},
		"not the knee":       {exact[:5], "do not reach the peak"},
		"straight":           {series(10, 20, 30, 40, 50, 60), "do not reach the knee"},
		"poor":               {split, "the fit is poor: without the points where N is "},
		"exact":              {exact, ""},
	} {
		f, err := Of(c.points)
		if err != nil {
			t.Fatal(err)
		}
		if got := f.Refusal(HeldOut(c.points)); !strings.HasPrefix(got, c.want) && !strings.Contains(got, c.want) ||
			c.want == "" && got != "" {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// TestHeldOut: the error is that of a law that never saw the points.
func TestHeldOut(t *testing.T) {
	held := HeldOut(raytracer)
	if len(held) != len(raytracer) {
		t.Fatalf("%d of %d are held out", len(held), len(raytracer))
	}
	for i, h := range held {
		others := append(append([]Point(nil), raytracer[:i]...), raytracer[i+1:]...)
		f, err := Of(others)
		if err != nil || h.Predicted != f.At(h.Processes) || h.Measured != raytracer[i].Throughput ||
			h.Error != h.Predicted/h.Measured-1 {
			t.Errorf("%d: %+v, %v", i, h, err)
		}
	}
	if few := HeldOut(raytracer[:4]); few != nil {
		t.Errorf("of four: %v", few)
	}
}

// TestErrors: an error that is known widens the intervals of points that lie on the law by chance, and
// is known of all points or of none.
func TestErrors(t *testing.T) {
	points := pairs(1, 1, 2, 1.8868, 4, 3.0769, 6, 3.5294, 8, 3.5398, 10, 3.3557)
	for i := range points {
		points[i].Error = 0.05 * points[i].Throughput
	}
	f, err := Of(points)
	if err != nil || f.Lambda.High-f.Lambda.Low < 0.05 {
		t.Errorf("lambda is %+v, %v", f.Lambda, err)
	}
	points[2].Error = 0
	if _, err := Of(points); err == nil || !strings.Contains(err.Error(), "point 3: standard error 0") {
		t.Error(err)
	}
}
