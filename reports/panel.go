package reports

import (
	"image/color"
	"math"
	"strconv"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// panel is a part of a picture with axes of its own. All panels of a picture share one left and
// one right edge, so that a moment is at the same place in each.
type panel struct {
	c                      draw.Canvas
	left, right, low, high vg.Length
	xMin, xMax, yMin, yMax float64
}

func (p panel) x(v float64) vg.Length {
	return p.left + vg.Length((v-p.xMin)/(p.xMax-p.xMin))*(p.right-p.left)
}

func (p panel) y(v float64) vg.Length {
	return p.low + vg.Length((v-p.yMin)/(p.yMax-p.yMin))*(p.high-p.low)
}

func (p panel) text(style draw.TextStyle, x, y vg.Length, text string) {
	p.c.FillText(style, vg.Point{X: x, Y: y}, text)
}

func (p panel) rectangle(c color.Color, x0, x1, y0, y1 vg.Length) {
	p.c.FillPolygon(c, []vg.Point{{X: x0, Y: y0}, {X: x1, Y: y0}, {X: x1, Y: y1}, {X: x0, Y: y1}})
}

// fitY makes the y axis run from 0 to a round number at or above the greatest value, or least if
// that is greater.
func (p *panel) fitY(greatest, least float64) {
	p.yMin = 0
	greatest = max(greatest, least)
	step := roundStep(greatest, 4)
	p.yMax = step * math.Ceil(greatest*1.02/step)
}

// gridY draws the horizontal rules with their labels.
func (p panel) gridY() {
	step := roundStep(p.yMax, 4)
	label := textStyle(9, faint, false, alignment{1, 0})
	for v := p.yMin; v <= p.yMax+step/1000; v += step {
		p.c.StrokeLine2(line(rule, 0.75), p.left, p.y(v), p.right, p.y(v))
		p.text(label, p.left-6, p.y(v), short(v))
	}
}

// ticksX draws the labels of the time axis below the panel.
func (p panel) ticksX() {
	const room = 50 // for a label and some space
	step := roundStep(p.xMax-p.xMin, min(int((p.right-p.left)/room), 10))
	label := textStyle(9, faint, false, alignment{0, -1})
	for v := math.Ceil(p.xMin/step) * step; v <= p.xMax+step/1000; v += step {
		p.c.StrokeLine2(line(faint, 0.75), p.x(v), p.low, p.x(v), p.low-3)
		p.text(label, p.x(v), p.low-5, short(v))
	}
}

// heading names the axis above the panel.
func (p panel) heading(name string) {
	p.text(textStyle(9.5, ink, true, alignment{-1, 1}), p.left, p.high+5, name)
}

// roundStep returns the least of 1, 2, 5 times a power of ten that divides a range into at most
// that many steps.
func roundStep(reach float64, steps int) float64 {
	rough := reach / float64(steps)
	power := math.Pow(10, math.Floor(math.Log10(rough)))
	for _, factor := range []float64{1, 2, 5} {
		if power*factor >= rough*0.999999 {
			return power * factor
		}
	}
	return power * 10
}

// short writes a number for an axis: 2.5k, 1.5M, 0.5.
func short(v float64) string {
	v = math.Round(v*1e6)/1e6 + 0 // a negative zero reads as 0
	switch size := math.Abs(v); {
	case size >= 1e9:
		return strconv.FormatFloat(v/1e9, 'g', 4, 64) + "G"
	case size >= 1e6:
		return strconv.FormatFloat(v/1e6, 'g', 4, 64) + "M"
	case size >= 1e3:
		return strconv.FormatFloat(v/1e3, 'g', 4, 64) + "k"
	}
	return strconv.FormatFloat(v, 'f', -1, 64)
}
