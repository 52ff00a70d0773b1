package reports

import (
	"fmt"
	"image/color"
	"math"
	"slices"
	"strconv"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Scaling is how throughput grows with the number of processes, as a chart shows it.
type Scaling struct {
	// Points are what was measured, Curve is the law that fits, with its interval; it may be empty.
	Points []ScalingPoint
	Curve  []CurvePoint
	// Target is the rate that is wanted and Need that with its headroom, in spans per second; 0 for
	// none.
	Target, Need float64
	// Recommended is the count that carries it; 0 for none. Low and High are its interval.
	Recommended, Low, High int
	// Other are the points of another report, with its name.
	Other     []ScalingPoint
	OtherName string
	// Busy is how busy each resource was beyond the limit, as a share, by name and count.
	Busy []Busyness
}

// ScalingPoint is a measured count: Sustained was, Failed was not, in spans per second. Failed is 0 if
// no rate was too high.
type ScalingPoint struct {
	Processes         int
	Sustained, Failed float64
}

// CurvePoint is a place of a curve with its interval, in spans per second.
type CurvePoint struct{ Processes, Value, Low, High float64 }

// Busyness is how busy a resource was with each count.
type Busyness struct {
	Name string
	// ByCount has 1 for all that it has.
	ByCount map[int]float64
}

// Measures of the chart, in points.
const (
	scalingHeight = 260 // of the panel of throughput
	busyHeight    = 90  // of the panel of resources
	busySpace     = 58  // above it, for the axis, its name and its legend
)

// busyColors are of the resources, told apart by lightness: a bar that is missing leaves no gap to count by.
var busyColors = []color.NRGBA{tone(0x8E1F33, 0xA83A4C), tone(0x2F9A92, 0x3FA39B), tone(0xF0C878, 0xF2CE8A),
	tone(0x97A0AC, 0xA0AAB8), tone(0x101B30, 0xF4F7FC)}

// Figure draws throughput against processes, with how busy what was below it.
func (s Scaling) Figure(name, heading string) Figure {
	return drawFigure(name, heading, s.chart)
}

func (s Scaling) chart(width vg.Length, title string) Chart {
	left, right := vg.Length(marginLeft), width-marginRight
	above := head{title, s.legend().wrap(right - left)}
	p := panel{left: left, right: right, low: sweepBottom, xMin: 0, xMax: s.most() + 0.6}
	busy := p
	busyKey := s.busyLegend().wrap(right - left)
	if len(s.Busy) > 0 {
		busy.high = busy.low + busyHeight
		p.low = busy.high + busySpace + vg.Length((len(busyKey)-1)*legendRow)
	}
	p.high = p.low + scalingHeight
	return Chart{width: width, height: p.high + above.height(), paint: func(c draw.Canvas) {
		p.c, busy.c = c, c
		above.paint(p)
		s.paintCurves(p)
		if len(s.Busy) > 0 {
			s.paintBusy(busy, busyKey)
		}
		last := p
		if len(s.Busy) > 0 {
			last = busy
		}
		last.text(textStyle(9, faint, false, alignment{1, -1}), right, last.low-18, "flusher processes")
	}}
}

// most is the greatest count of the chart.
func (s Scaling) most() float64 {
	most := 1.0
	for _, p := range slices.Concat(s.Points, s.Other) {
		most = max(most, float64(p.Processes))
	}
	for _, p := range s.Curve {
		most = max(most, p.Processes)
	}
	return most
}

func (s Scaling) legend() legend {
	l := legend{{rateIn, "sustained, up to what was not"}}
	if len(s.Curve) > 0 {
		l = append(l, legendEntry{bufferInk, "scalability law"}, legendEntry{bufferSet, "95 % of the law"})
	}
	if s.Target > 0 {
		l = append(l, legendEntry{rateOut, "target, and with headroom (dashed)"})
	}
	if s.Recommended > 0 {
		l = append(l, legendEntry{memorySet, "recommended"})
	}
	if len(s.Other) > 0 {
		l = append(l, legendEntry{cpuHarness, s.OtherName})
	}
	return l
}

func (s Scaling) paintCurves(p panel) {
	top := s.Need
	for _, point := range slices.Concat(s.Points, s.Other) {
		top = max(top, point.Sustained, point.Failed)
	}
	room := top * 1.6 // an interval that is much wider is cut
	for _, point := range s.Curve {
		top = max(top, min(point.High, room))
	}
	p.fitY(top, 1)
	if s.Recommended > 0 {
		const half = 0.3
		p.rectangle(memorySet, p.x(float64(s.Low)-half), p.x(float64(s.High)+half), p.low, p.high)
	}
	p.gridY()
	p.heading("spans per second")
	s.paintBand(p)
	for _, across := range []struct {
		rate  float64
		style draw.LineStyle
	}{{s.Target, line(rateOut, 1.6)}, {s.Need, line(rateOut, 1.6, 5, 3)}} {
		if across.rate > 0 {
			p.c.StrokeLine2(across.style, p.left, p.y(across.rate), p.right, p.y(across.rate))
		}
	}
	for _, point := range s.Other {
		p.circle(p.x(float64(point.Processes)), p.y(point.Sustained), 4.5, cpuHarness)
	}
	for _, point := range s.Points {
		x := p.x(float64(point.Processes))
		if point.Failed > 0 {
			p.c.StrokeLine2(line(rateIn, 2), x, p.y(point.Sustained), x, p.y(point.Failed))
			p.c.StrokeLine2(line(rateIn, 1.5), x-4, p.y(point.Failed), x+4, p.y(point.Failed))
		}
		p.circle(x, p.y(point.Sustained), 4, rateIn)
		if point.Processes == s.Recommended {
			p.circle(x, p.y(point.Sustained), 2, paper)
		}
	}
	s.ticks(p)
}

// paintBand draws the law and its interval.
func (s Scaling) paintBand(p panel) {
	if len(s.Curve) == 0 {
		return
	}
	var xs, ys []float64
	var outline []vg.Point
	within := func(v float64) vg.Length { return p.y(min(max(v, p.yMin), p.yMax)) }
	for _, point := range s.Curve {
		xs, ys = append(xs, point.Processes), append(ys, point.Value)
		outline = append(outline, vg.Point{X: p.x(point.Processes), Y: within(point.High)})
	}
	for i := len(s.Curve) - 1; i >= 0; i-- {
		outline = append(outline, vg.Point{X: p.x(s.Curve[i].Processes), Y: within(s.Curve[i].Low)})
	}
	p.c.FillPolygon(bufferSet, outline)
	p.curve(line(bufferInk, 1.6), xs, ys)
}

// counts are those that were measured, in their order.
func (s Scaling) counts() []int {
	counts := column(s.Points, func(p ScalingPoint) int { return p.Processes })
	slices.Sort(counts)
	return slices.Compact(counts)
}

// ticks draws the counts that were measured below a panel, as far as there is room.
func (s Scaling) ticks(p panel) {
	last := vg.Length(math.Inf(-1))
	style := textStyle(9, faint, false, alignment{0, -1})
	for _, n := range s.counts() {
		x, text := p.x(float64(n)), strconv.Itoa(n)
		p.c.StrokeLine2(line(faint, 0.75), x, p.low, x, p.low-3)
		if half := style.Width(text) / 2; x-half > last+3 {
			p.text(style, x, p.low-5, text)
			last = x + half
		}
	}
}

func (s Scaling) busyLegend() legend {
	var l legend
	for i, b := range s.Busy {
		l = append(l, legendEntry{busyColors[i%len(busyColors)], b.Name})
	}
	return l
}

// busyHeading says at which rate they were so busy: with each count, the lowest that was too much.
func (s Scaling) busyHeading() string {
	never := 0
	for _, p := range s.Points {
		if p.Failed == 0 {
			never++
		}
	}
	switch never {
	case 0:
		return "busy when it was too much"
	case len(s.Points):
		return "busy at the highest rate that was tried"
	}
	return "busy when it was too much, or at the highest rate tried"
}

// paintBusy draws bars beside each other for each count.
func (s Scaling) paintBusy(p panel, key []legend) {
	p.yMax = 1
	counts := s.counts()
	const gap = 0.8 // of the space between two counts
	width := vg.Length(barMax)
	for i := 1; i < len(counts); i++ {
		width = min(width, gap*(p.x(float64(counts[i]))-p.x(float64(counts[i-1]))))
	}
	for _, v := range []float64{0, 0.5, 1} {
		p.c.StrokeLine2(line(rule, 0.75), p.left, p.y(v), p.right, p.y(v))
		p.text(textStyle(9, faint, false, alignment{1, 0}), p.left-6, p.y(v), fmt.Sprintf("%.0f %%", 100*v))
	}
	p.heading(s.busyHeading())
	paintAbove(p, key, 24)
	bar := width / vg.Length(max(len(s.Busy), 1))
	for _, n := range counts {
		for i, b := range s.Busy {
			x := p.x(float64(n)) - width/2 + vg.Length(i)*bar
			p.rectangle(busyColors[i%len(busyColors)], x, x+bar, p.y(0), p.y(min(b.ByCount[n], 1)))
		}
	}
	s.ticks(p)
}
