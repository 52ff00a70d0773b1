package reports

import (
	"fmt"
	"image/color"
	"math"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Measures of the coverage chart, in points.
const (
	cellWidth    = 40
	cellHeight   = 17
	cellsLeft    = 116 // of the first column: the names of the faults are beside it
	cellsTop     = 58  // for the title and the names of the stages
	cellsBetween = 24  // parts
)

// Chart draws what was covered as a map: a row per kind of fault, a column per stage of each part, the
// darker the more often. What is empty is red, unless it is waived.
func (c Coverage) Chart(parts []CoverageStages) Chart {
	var faults []string
	columns := 0
	for _, p := range parts {
		if list := c.Faults(p.Part); len(list) > len(faults) {
			faults = list
		}
		columns += len(p.Stages)
	}
	most := int64(1)
	for _, cell := range c {
		most = max(most, cell.Count)
	}
	width := vg.Length(cellsLeft+columns*cellWidth+(len(parts)-1)*cellsBetween) + marginRight
	height := vg.Length(cellsTop + len(faults)*cellHeight + 12)
	return Chart{width: width, height: height, paint: func(canvas draw.Canvas) {
		p := panel{c: canvas, left: cellsLeft, right: width - marginRight, low: 0, high: height}
		p.text(textStyle(15, ink, true, alignment{-1, -1}), 12, height-24,
			"How often a kind of fault hit a stage")
		for i, fault := range faults {
			p.text(textStyle(9, ink, false, alignment{1, 0}), cellsLeft-6, rowAt(height, i), fault)
		}
		x := vg.Length(cellsLeft)
		for _, part := range parts {
			p.text(textStyle(9, faint, true, alignment{-1, -1}), x, height-cellsTop+18, part.Part)
			for _, stage := range part.Stages {
				p.text(textStyle(8, faint, false, alignment{0, -1}), x+cellWidth/2, height-cellsTop+5, stage)
				for i, fault := range faults {
					p.cell(c.Of(fault, part.Part, stage), most, x, rowAt(height, i))
				}
				x += cellWidth
			}
			x += cellsBetween
		}
	}}
}

func rowAt(height vg.Length, row int) vg.Length {
	return height - cellsTop - vg.Length(row*cellHeight) - cellHeight/2
}

// cell draws one, by the logarithm of its count.
func (p panel) cell(cell CoverageCell, most int64, x, y vg.Length) {
	fill, words := laneBack, ink
	switch {
	case cell.Count > 0:
		share := math.Log1p(float64(cell.Count)) / math.Log1p(float64(most))
		fill = heat[min(int(share*float64(len(heat))), len(heat)-1)]
		if share > 0.5 {
			words = paper
		}
	case cell.Waived == "":
		fill, words = faultSet, faultInk
	}
	p.rectangle(fill, x+1, x+cellWidth-1, y-cellHeight/2+1, y+cellHeight/2-1)
	p.text(textStyle(8, words, false, alignment{0, 0}), x+cellWidth/2, y, cell.text())
}

// heat are the colours of a count, from few to many.
var heat = []color.NRGBA{
	tone(0xDCE8F5, 0x22344A), tone(0xB4CFEA, 0x2B4D73), tone(0x7FAEDD, 0x3C72AB), rateIn,
	tone(0x143D74, 0xBBD8FB),
}

// String names the cell.
func (c *CoverageCell) String() string {
	return fmt.Sprintf("%s while a %s is in %s", c.Fault, c.Part, c.Stage)
}
