package reports

import (
	"fmt"
	"image/color"
	"math"

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

// Chart draws throughput against the number of processes, or whatever else differs: the median of the
// repeats as a line, the spread from the least to the greatest as a band, and each repeat as a dot,
// hollow if it shows no limit of the flushers. The line across is the rate that was offered; the dashed
// one scales the first count linearly. Below stands who used how many cores, where that is known, and what cannot
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
	rates.xMax = s.xMax()
	return Chart{width: sweepWidth, height: rates.high + titleHeight, paint: func(c draw.Canvas) {
		rates.c = c
		s.paintRates(rates)
		last := rates
		if len(users) > 0 {
			last.low, last.high = low, low+coresHeight
			s.paintBars(last, users, s.cores(), 0, coresName, missing)
		}
		s.axis(last)
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
	for i, row := range s.Rows {
		xs = append(xs, s.x(i))
		low, mid, high = append(low, row.Least), append(mid, row.Median), append(high, row.Greatest)
		offered = append(offered, row.Offered)
		top = max(top, row.Greatest, row.Offered)
	}
	p.fitY(top, 1)
	title := p.high + titleHeight
	p.text(textStyle(15, ink, true, alignment{-1, -1}), p.left, title-12,
		fmt.Sprintf("%s: throughput by %s", s.Scenario, s.axisName()))
	about := "hollow: the load was the limit, not the flushers"
	if len(s.Rows) > 1 && s.byProcesses() {
		about += "; dashed: linear scaling from the first"
	}
	p.text(textStyle(9.5, faint, false, alignment{-1, -1}), p.left, title-32, s.subtitle(about))
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
	for i, row := range s.Rows {
		for _, run := range s.Runs {
			if run.Value == row.Value {
				p.dot(s.x(i), run)
			}
		}
	}
	s.ticks(p)
	legend.paint(p, p.right-legend.width(), p.high+10)
}

// x is where a row stands: at its process count, or one after the other.
func (s Sweep) x(row int) float64 {
	if s.byProcesses() {
		return float64(s.Rows[row].Processes)
	}
	return float64(row + 1)
}

// xMax is the end of the axis.
func (s Sweep) xMax() float64 {
	end := 1.0
	for i := range s.Rows {
		end = max(end, s.x(i))
	}
	return end + 0.5
}

// axisName is what the axis shows.
func (s Sweep) axisName() string {
	if s.byProcesses() {
		return "flusher processes"
	}
	return s.Over
}

func (s Sweep) axis(p panel) {
	p.text(textStyle(9, faint, false, alignment{1, -1}), p.right, p.low-18, s.axisName())
}

// ticks draws the values below a panel, as far as there is room.
func (s Sweep) ticks(p panel) {
	style, free := textStyle(9, faint, false, alignment{0, -1}), p.left-legendSpace
	for i, row := range s.Rows {
		x, half := p.x(s.x(i)), style.Width(row.Value)/2
		p.c.StrokeLine2(line(faint, 0.75), x, p.low, x, p.low-3)
		if x-half > free {
			p.text(style, x, p.low-5, row.Value)
			free = x + half + 3
		}
	}
}

// coresName is the name of the panel of cores.
const coresName = "cores used until all was out"

// paintBars draws a bar for each row, what each of the users took stacked in the order of the legend, on
// an axis that reaches to top and beyond all of them.
func (s Sweep) paintBars(
	p panel, users []coreUser, rows []Cores, top float64, heading, missing string,
) {
	width := vg.Length(barMax)
	sums := make([]float64, len(rows))
	for i, row := range rows {
		for _, user := range users {
			sums[i] += user.of(row)
		}
		top = max(top, sums[i])
		if i > 0 {
			width = min(width, (p.x(s.x(i))-p.x(s.x(i-1)))*0.7)
		}
	}
	p.fitY(top, 0.2)
	p.gridY()
	p.heading(heading)
	note := textStyle(9, faint, false, alignment{-1, 1})
	p.text(note, p.left+nameStyle().Width(heading)+legendSpace/2, p.high+5, missing)
	var legend legend
	for _, user := range users {
		legend = append(legend, legendEntry{user.color, user.name})
	}
	legend.paint(p, p.right-legend.width(), p.high+10)
	for i, row := range rows {
		x, sum := p.x(s.x(i)), 0.0
		for _, user := range users {
			from := sum
			sum += user.of(row)
			p.rectangle(user.color, x-width/2, x+width/2, p.y(from), p.y(sum))
		}
	}
	s.ticks(p)
}

func (s Sweep) subtitle(more string) string {
	repeats := 0
	for _, row := range s.Rows {
		repeats = max(repeats, row.Repeats)
	}
	return fmt.Sprintf("world %s, %s each; %s", s.World, options.FormatCount(repeats, "repeat"), more)
}

var bandColor = tone(0xC9DCF0, 0x2A4361)

// paintIdeal draws the line through 0 and the first row, as far as it is inside of the panel.
func (s Sweep) paintIdeal(p panel) {
	if len(s.Rows) < 2 || s.Rows[0].Median <= 0 || !s.byProcesses() {
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
func (p panel) dot(x float64, run SweepRun) {
	c := rateIn
	if run.Verdict != string(Passed) {
		c = faultInk
	}
	p.disc(x, run, 3.5, c)
	if run.FlushersKeptUp {
		p.disc(x, run, 2.2, paper)
	}
}

func (p panel) disc(x float64, run SweepRun, radius vg.Length, c color.Color) {
	p.circle(p.x(x), p.y(run.SpansPerSecond), radius, c)
}

func (p panel) circle(x, y, radius vg.Length, c color.Color) {
	var path vg.Path
	path.Move(vg.Point{X: x + radius, Y: y})
	path.Arc(vg.Point{X: x, Y: y}, radius, 0, 2*math.Pi)
	path.Close()
	p.c.SetColor(c)
	p.c.Fill(path)
}
