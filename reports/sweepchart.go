package reports

import (
	"fmt"
	"image/color"
	"math"
	"strconv"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"sluice/internal/options"
)

// Measures of the sweep chart, in points.
const (
	sweepWidth  = 620
	ratesHeight = 276 // of the panel of throughput
	coresHeight = 96  // of the panel of cores
	coresSpace  = 40  // above it, for its name
	sweepBottom = 34  // for the axis
	noteRow     = 14
	barMax      = 28 // width of a bar of cores
)

// Chart draws throughput against the number of processes: the median of the repeats as a line, the
// spread from the least to the greatest as a band, and each repeat as a dot, hollow if it shows no
// limit of the flushers. The line across is the rate that was offered; the dashed one scales the
// first count linearly. Below stands who used how many cores, where that is known, and what cannot
// be told apart.
func (s Sweep) Chart() Chart {
	notes := s.Notes()
	users, missing := coreUsersIn(s.cores())
	if len(users) == 0 {
		notes = append(notes, "cores used: not known in this world")
	}
	low := vg.Length(sweepBottom + len(notes)*noteRow)
	rates := panel{left: marginLeft, right: sweepWidth - marginRight, low: low, xMax: 1}
	if len(users) > 0 {
		rates.low += coresHeight + coresSpace
	}
	rates.high = rates.low + ratesHeight
	for _, row := range s.Rows {
		rates.xMax = max(rates.xMax, float64(row.Processes))
	}
	rates.xMax += 0.5
	return Chart{width: sweepWidth, height: rates.high + titleHeight, paint: func(c draw.Canvas) {
		rates.c = c
		s.paintRates(rates)
		last := rates
		if len(users) > 0 {
			last.low, last.high = low, low+coresHeight
			s.paintCores(last, users, missing)
		}
		last.text(textStyle(9, faint, false, alignment{1, -1}), last.right, low-18, "flusher processes")
		for i, note := range notes {
			style := textStyle(9, ink, false, alignment{-1, -1})
			y := low - sweepBottom - vg.Length(i*noteRow)
			last.text(style, last.left, y, clip(style, note, last.right-last.left))
		}
	}}
}

func (s Sweep) paintRates(p panel) {
	var xs, low, mid, high []float64
	top, offered := 0.0, []float64(nil)
	for _, row := range s.Rows {
		xs = append(xs, float64(row.Processes))
		low, mid, high = append(low, row.Least), append(mid, row.Median), append(high, row.Greatest)
		offered = append(offered, row.Offered)
		top = max(top, row.Greatest, row.Offered)
	}
	p.fitY(top, 1)
	title := p.high + titleHeight
	p.text(textStyle(15, ink, true, alignment{-1, -1}), p.left, title-12,
		fmt.Sprintf("%s: throughput by flusher processes", s.Scenario))
	p.text(textStyle(9.5, faint, false, alignment{-1, -1}), p.left, title-32, s.subtitle())
	p.gridY()
	p.heading("spans per second")
	s.paintIdeal(p)
	p.band(xs, low, high)
	legend := legend{{rateIn, "median"}, {bandColor, "least to greatest"}, {faultInk, "not passed"}}
	if load := Median(offered); load > 0 {
		p.c.StrokeLine2(line(rateOut, 1.6), p.left, p.y(load), p.right, p.y(load))
		legend = append(legend, legendEntry{rateOut, "offered: " + short(math.Round(load))})
	}
	p.curve(line(rateIn, 2), xs, mid)
	for _, run := range s.Runs {
		p.dot(run)
	}
	s.ticks(p)
	legend.paint(p, p.right-legend.width(), p.high+10)
}

// ticks draws the process counts below a panel.
func (s Sweep) ticks(p panel) {
	for _, row := range s.Rows {
		x := p.x(float64(row.Processes))
		p.c.StrokeLine2(line(faint, 0.75), x, p.low, x, p.low-3)
		p.text(textStyle(9, faint, false, alignment{0, -1}), x, p.low-5, strconv.Itoa(row.Processes))
	}
}

// coresName is the name of the panel of cores.
const coresName = "cores used until all was out"

// paintCores draws a bar for each count, those who used cores stacked in the order of the legend.
func (s Sweep) paintCores(p panel, users []coreUser, missing string) {
	top, width := 0.0, vg.Length(barMax)
	for i, row := range s.Rows {
		sum := 0.0
		for _, user := range users {
			sum += user.of(row.Cores)
		}
		top = max(top, sum)
		if i > 0 {
			gap := p.x(float64(row.Processes)) - p.x(float64(s.Rows[i-1].Processes))
			width = min(width, gap*0.7)
		}
	}
	p.fitY(top, 0.2)
	p.gridY()
	p.heading(coresName)
	note := textStyle(9, faint, false, alignment{-1, 1})
	p.text(note, p.left+nameStyle().Width(coresName)+legendSpace/2, p.high+5, missing)
	var legend legend
	for _, user := range users {
		legend = append(legend, legendEntry{user.color, user.name})
	}
	legend.paint(p, p.right-legend.width(), p.high+10)
	for _, row := range s.Rows {
		x, sum := p.x(float64(row.Processes)), 0.0
		for _, user := range users {
			from := sum
			sum += user.of(row.Cores)
			p.rectangle(user.color, x-width/2, x+width/2, p.y(from), p.y(sum))
		}
	}
	s.ticks(p)
}

func (s Sweep) subtitle() string {
	repeats := 0
	for _, row := range s.Rows {
		repeats = max(repeats, row.Repeats)
	}
	text := fmt.Sprintf("world %s, %s each; hollow: the load was the limit, not the flushers", s.World,
		options.FormatCount(repeats, "repeat"))
	if len(s.Rows) > 1 {
		text += "; dashed: linear scaling from the first"
	}
	return text
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
	p.circle(p.x(float64(run.Processes)), p.y(run.SpansPerSecond), radius, c)
}

func (p panel) circle(x, y, radius vg.Length, c color.Color) {
	var path vg.Path
	path.Move(vg.Point{X: x + radius, Y: y})
	path.Arc(vg.Point{X: x, Y: y}, radius, 0, 2*math.Pi)
	path.Close()
	p.c.SetColor(c)
	p.c.Fill(path)
}
