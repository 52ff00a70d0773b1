package reports

import (
	"image/color"
	"math"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// curve draws a line through the points; where a y is NaN nothing is known, and the line is broken.
func (p panel) curve(style draw.LineStyle, xs, ys []float64) {
	for _, points := range p.runs(xs, ys) {
		if len(points) == 1 { // known for a moment only: a dash to be seen
			points = append(points, vg.Point{X: points[0].X + style.Width, Y: points[0].Y})
		}
		p.c.StrokeLines(style, points)
	}
}

// area fills what is below a curve.
func (p panel) area(c color.Color, xs, ys []float64) {
	for _, points := range p.runs(xs, ys) {
		first, last := points[0], points[len(points)-1]
		outline := append([]vg.Point{{X: first.X, Y: p.low}}, points...)
		p.c.FillPolygon(c, append(outline, vg.Point{X: last.X, Y: p.low}))
	}
}

// runs returns the places of the points that follow each other without a gap.
func (p panel) runs(xs, ys []float64) [][]vg.Point {
	var list [][]vg.Point
	var points []vg.Point
	for i := range xs {
		if math.IsNaN(ys[i]) {
			if len(points) > 0 {
				list = append(list, thin(points))
			}
			points = nil
			continue
		}
		points = append(points, vg.Point{X: p.x(xs[i]), Y: p.y(min(max(ys[i], p.yMin), p.yMax))})
	}
	if len(points) > 0 {
		list = append(list, thin(points))
	}
	return list
}

// thinStep is the width in points of a stripe in which thin leaves four points.
const thinStep = 0.5

// thin keeps of the points in each stripe the first, the lowest, the highest and the last: the
// picture is the same, and its size does not grow with the length of the run.
func thin(points []vg.Point) []vg.Point {
	kept := make([]vg.Point, 0, len(points))
	for from := 0; from < len(points); {
		to, low, high := from+1, from, from
		for ; to < len(points) && points[to].X < points[from].X+thinStep; to++ {
			if points[to].Y < points[low].Y {
				low = to
			}
			if points[to].Y > points[high].Y {
				high = to
			}
		}
		at := -1
		for _, i := range []int{from, min(low, high), max(low, high), to - 1} {
			if i > at {
				kept, at = append(kept, points[i]), i
			}
		}
		from = to
	}
	return kept
}
