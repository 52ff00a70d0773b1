package reports

import (
	"fmt"
	"image/color"
	"math"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Measures of the sweep chart, in points.
const (
	sweepWidth  = 620
	sweepHeight = 400
	sweepBottom = 52
)

// Chart draws throughput against the number of processes: the median of the repeats as a line, the
// spread from the least to the greatest as a band, and each repeat as a dot, hollow if it shows no
// limit of the flushers. The dashed line scales the first count linearly.
func (s Sweep) Chart() Chart {
	return Chart{width: sweepWidth, height: sweepHeight, paint: s.paint}
}

func (s Sweep) paint(c draw.Canvas) {
	p := panel{c: c, left: marginLeft, right: sweepWidth - marginRight, low: sweepBottom,
		high: sweepHeight - titleHeight, xMin: 0, xMax: 1}
	var xs, low, mid, high []float64
	greatest := 0.0
	for _, row := range s.Rows {
		xs = append(xs, float64(row.Processes))
		low, mid, high = append(low, row.Least), append(mid, row.Median), append(high, row.Greatest)
		greatest = max(greatest, row.Greatest)
		p.xMax = max(p.xMax, float64(row.Processes))
	}
	p.xMax += 0.5
	p.fitY(greatest, 1)
	p.text(textStyle(15, ink, true, alignment{-1, -1}), p.left, sweepHeight-12,
		fmt.Sprintf("%s: throughput by flusher processes", s.Scenario))
	p.text(textStyle(9.5, faint, false, alignment{-1, -1}), p.left, sweepHeight-32, s.subtitle())
	p.gridY()
	p.heading("spans per second")
	s.paintIdeal(p)
	p.band(xs, low, high)
	p.curve(line(rateIn, 2), xs, mid)
	for _, run := range s.Runs {
		p.dot(run)
	}
	for _, x := range xs {
		p.c.StrokeLine2(line(faint, 0.75), p.x(x), p.low, p.x(x), p.low-3)
		p.text(textStyle(9, faint, false, alignment{0, -1}), p.x(x), p.low-5, short(x))
	}
	p.text(textStyle(9, faint, false, alignment{1, -1}), p.right, p.low-18, "flusher processes")
	legend := legend{{rateIn, "median"}, {bandColor, "least to greatest"}, {faultInk, "not passed"}}
	legend.paint(p, p.right-legend.width(), p.high+10)
}

func (s Sweep) subtitle() string {
	repeats := 0
	for _, row := range s.Rows {
		repeats = max(repeats, row.Repeats)
	}
	return fmt.Sprintf("world %s, %d repeats each; hollow: the load was the limit, not the flushers; "+
		"dashed: linear scaling from the first", s.World, repeats)
}

var bandColor = tone(0xC9DCF0, 0x2A4361)

// paintIdeal draws the line through 0 and the first row, as far as it is inside of the panel.
func (s Sweep) paintIdeal(p panel) {
	if len(s.Rows) < 2 || s.Rows[0].Median <= 0 {
		return
	}
	slope := s.Rows[0].Median / float64(s.Rows[0].Processes)
	end := min(p.xMax, p.yMax/slope)
	p.c.StrokeLine2(line(faint, 1, 4, 3), p.x(0), p.y(0), p.x(end), p.y(slope*end))
}

// band fills what is between two curves, with a stroke where the curves are a single point.
func (p panel) band(xs, low, high []float64) {
	var points []vg.Point
	for i := range xs {
		points = append(points, vg.Point{X: p.x(xs[i]), Y: p.y(high[i])})
		p.c.StrokeLine2(line(bandColor, 5), p.x(xs[i]), p.y(low[i]), p.x(xs[i]), p.y(high[i]))
	}
	for i := len(xs) - 1; i >= 0; i-- {
		points = append(points, vg.Point{X: p.x(xs[i]), Y: p.y(low[i])})
	}
	if len(xs) > 1 {
		p.c.FillPolygon(bandColor, points)
	}
}

// dot draws a run: hollow if the flushers were not the limit.
func (p panel) dot(run SweepRun) {
	c := rateIn
	if run.Verdict != string(Passed) {
		c = faultInk
	}
	p.disc(run, 3.5, c)
	if run.KeptUp {
		p.disc(run, 2.2, paper)
	}
}

func (p panel) disc(run SweepRun, radius vg.Length, c color.Color) {
	center := vg.Point{X: p.x(float64(run.Processes)), Y: p.y(run.SpansPerSecond)}
	var path vg.Path
	path.Move(vg.Point{X: center.X + radius, Y: center.Y})
	path.Arc(center, radius, 0, 2*math.Pi)
	path.Close()
	p.c.SetColor(c)
	p.c.Fill(path)
}
