package reports

import (
	"math"
	"testing"

	"gonum.org/v1/plot/vg"
)

func vgLength(n int) vg.Length { return vg.Length(n) }

// Thinning keeps the ends and each peak, and bounds the number of points by the width.
func TestThin(t *testing.T) {
	var points []vg.Point
	for i := range 100000 {
		y := vg.Length(math.Sin(float64(i)))
		switch i {
		case 31234:
			y = 50
		case 77777:
			y = -50
		}
		points = append(points, vg.Point{X: vg.Length(i) / 1000, Y: y})
	}
	got := thin(points)
	low, high := vg.Length(0), vg.Length(0)
	for i, p := range got {
		low, high = min(low, p.Y), max(high, p.Y)
		if i > 0 && p.X <= got[i-1].X {
			t.Fatalf("point %d goes back in time", i)
		}
	}
	if low != -50 || high != 50 || got[0] != points[0] || got[len(got)-1] != points[len(points)-1] {
		t.Errorf("peaks are %v and %v, ends %v and %v", low, high, got[0], got[len(got)-1])
	}
	if most := 4 * (100/thinStep + 1); float64(len(got)) > most {
		t.Errorf("%d points are left, want at most %v", len(got), most)
	}
	if apart := []vg.Point{points[0], points[900]}; len(thin(apart)) != 2 {
		t.Error("two points far apart are not both kept")
	}
}

// A curve is broken where nothing is known.
func TestRunsBreakAtGaps(t *testing.T) {
	p := panel{right: 100, high: 100, xMax: 10, yMax: 10}
	nan := math.NaN()
	runs := p.runs([]float64{0, 1, 2, 3, 4, 5}, []float64{nan, 1, 2, nan, 99, nan})
	if len(runs) != 2 || len(runs[0]) != 2 || len(runs[1]) != 1 {
		t.Fatalf("runs are %v", runs)
	}
	if runs[1][0].Y != 100 {
		t.Errorf("a value above the axis is drawn at %v, want its edge", runs[1][0].Y)
	}
}
