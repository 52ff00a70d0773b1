package reports

import (
	"fmt"
	"image/color"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Measures of the timeline chart, in points.
const (
	timelineWidth = 900
	marginLeft    = 70
	marginRight   = 24
	titleHeight   = 72
	rateHeight    = 170
	bufferHeight  = 80
	panelGap      = 34
	laneHeight    = 20
	laneGap       = 5
	legendHeight  = 62
)

// Chart draws the timeline: rates in and out, the buffered spans, and one lane per worker, above
// one time axis. Faults are shaded from top to bottom.
func (t Timeline) Chart() Chart {
	lanes := vg.Length(max(len(t.Lanes), 1)) * (laneHeight + laneGap)
	height := vg.Length(titleHeight + rateHeight + bufferHeight + 2*panelGap + legendHeight)
	return Chart{width: timelineWidth, height: height + lanes, paint: func(c draw.Canvas) {
		t.paint(c, height+lanes, lanes)
	}}
}

func (t Timeline) paint(c draw.Canvas, height, lanesHeight vg.Length) {
	base := panel{c: c, left: marginLeft, right: timelineWidth - marginRight, xMin: t.From, xMax: t.To}
	if base.xMax <= base.xMin {
		base.xMax = base.xMin + 1
	}
	rate, buffered, lanes := base, base, base
	rate.high = height - titleHeight
	rate.low = rate.high - rateHeight
	buffered.high = rate.low - panelGap
	buffered.low = buffered.high - bufferHeight
	lanes.high = buffered.low - panelGap
	lanes.low = lanes.high - lanesHeight

	base.text(textStyle(15, ink, true, alignment{-1, -1}), marginLeft, height-12, t.Title)
	base.text(textStyle(9.5, faint, false, alignment{-1, -1}), marginLeft, height-32, t.Subtitle)
	for _, fault := range t.Faults {
		x0, x1 := base.x(max(fault.From, t.From)), base.x(fault.To)
		base.rectangle(faultSet, x0, max(x1, x0+1), lanes.low, rate.high)
	}
	t.paintRates(rate)
	t.paintBuffered(buffered)
	t.paintLanes(lanes)
	t.paintMarks(base, rate.high, lanes.low)
	paintLegends(base, rate.high+16, lanes.low-34)
	lanes.ticksX("seconds since the load began")
}

func (t Timeline) paintRates(p panel) {
	var xs, in, out []float64
	greatest := 0.0
	for _, r := range t.Rates {
		xs, in, out = append(xs, r.T), append(in, r.In), append(out, r.Out)
		greatest = max(greatest, r.In, r.Out)
	}
	p.fitY(greatest)
	p.gridY("spans per second")
	p.curve(line(rateIn, 1.8), xs, in)
	p.curve(line(rateOut, 1.8), xs, out)
}

func (t Timeline) paintBuffered(p panel) {
	var xs, ys []float64
	greatest := 0.0
	for _, r := range t.Rates {
		xs, ys = append(xs, r.T), append(ys, r.Buffered)
		greatest = max(greatest, r.Buffered)
	}
	p.fitY(greatest)
	p.area(bufferSet, xs, ys)
	p.gridY("spans buffered")
	p.curve(line(bufferInk, 1.4), xs, ys)
	for i := 1; i < len(t.Rates); i++ {
		if t.Rates[i].Paused > 0 {
			p.rectangle(pauseSet, p.x(t.Rates[i-1].T), p.x(t.Rates[i].T), p.low, p.low+4)
		}
	}
}

func (t Timeline) paintLanes(p panel) {
	label := textStyle(9, ink, false, alignment{1, 0})
	for i, lane := range t.Lanes {
		top := p.high - vg.Length(i)*(laneHeight+laneGap)
		p.rectangle(laneBack, p.left, p.right, top-laneHeight, top)
		for _, bar := range lane.Bars {
			x0, x1 := p.x(bar.From), p.x(bar.To)
			// What lasts less than a dot is still to be seen.
			p.rectangle(stateColors[bar.State], x0, max(x1, x0+0.8), top-laneHeight, top)
		}
		p.text(label, p.left-6, top-laneHeight/2, fmt.Sprintf("worker %d", lane.Worker))
	}
}

// paintMarks draws the begin of each fault and the end of the load.
func (t Timeline) paintMarks(p panel, high, low vg.Length) {
	label := textStyle(8.5, faultInk, false, alignment{-1, -1})
	for i, fault := range t.Faults {
		x := p.x(max(fault.From, t.From))
		p.c.StrokeLine2(line(faultInk, 0.9, 3, 2), x, low, x, high)
		// Labels of faults that follow each other step down, so that none hides another.
		style, at := label, x+3
		if at+style.Width(fault.Fault) > p.right {
			style.XAlign, at = -1, x-3
		}
		p.text(style, at, high-3-vg.Length(i%4)*12, fault.Fault)
	}
	if t.LoadEnds > 0 {
		x := p.x(t.LoadEnds)
		p.c.StrokeLine2(line(faint, 0.9, 1, 2), x, low, x, high)
		const text = "load ends"
		style, top := textStyle(8.5, faint, false, alignment{-1, -1}), high-3-4*12
		p.rectangle(paper, x+2, x+4+style.Width(text), top-10, top+1)
		p.text(style, x+3, top, text)
	}
}

type legendEntry struct {
	color color.Color
	name  string
}

func paintLegends(p panel, top, bottom vg.Length) {
	paintLegend(p, top, alignment{1, 0}, []legendEntry{
		{rateIn, "in"}, {rateOut, "out"}, {faultInk, "fault"}, {pauseSet, "input paused"},
	})
	var states []legendEntry
	for _, state := range States() {
		states = append(states, legendEntry{stateColors[state], string(state)})
	}
	paintLegend(p, bottom, alignment{-1, 0}, states)
}

// paintLegend draws a row of coloured boxes with their names, at the left or the right edge.
func paintLegend(p panel, y vg.Length, at alignment, entries []legendEntry) {
	const box, gap, space = 9, 4, 16
	style := textStyle(9, ink, false, alignment{-1, 0})
	width := vg.Length(-space)
	for _, e := range entries {
		width += box + gap + style.Width(e.name) + space
	}
	x := p.left
	if at.x > 0 {
		x = p.right - width
	}
	for _, e := range entries {
		p.rectangle(e.color, x, x+box, y-box/2, y+box/2)
		p.text(style, x+box+gap, y, e.name)
		x += box + gap + style.Width(e.name) + space
	}
}
