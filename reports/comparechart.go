package reports

import (
	"fmt"
	"strconv"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Compared is what two worlds show of one figure, by process count.
type Compared struct {
	// Name and unit of the figure.
	Name string
	Rows []ComparedRow
}

// ComparedRow is a figure of both worlds with a number of processes: the median, and the least and
// greatest of the repeats.
type ComparedRow struct {
	Processes           int
	Predicted, Measured Range
}

// Range is a median within what was seen.
type Range struct{ Low, Mid, High float64 }

// Measures of the chart, in points.
const (
	compareWidth   = 410 // of a panel, with its margins
	compareAbreast = 2   // panels
	compareHeight  = 130 // of a panel
	compareSpace   = 44  // above it
	compareDot     = 3.5
	compareRoom    = 1.2  // above the highest dot, for its error
	compareShift   = 0.08 // of a process, to each side: dots at the same place would hide each other
)

// CompareChart draws what was predicted beside what was measured, a panel for each figure: predicted
// hollow, measured filled. The legend has the name of each world, and what its bars are.
func CompareChart(scenario string, worlds [2]string, figures []Compared) Chart {
	rows := (len(figures) + compareAbreast - 1) / compareAbreast
	height := vg.Length(sweepBottom+titleHeight) + vg.Length(rows*(compareHeight+compareSpace))
	const width = compareAbreast * compareWidth
	return Chart{width: width, height: height, paint: func(c draw.Canvas) {
		title := textStyle(15, ink, true, alignment{-1, -1})
		p := panel{c: c, left: marginLeft, right: width - marginRight}
		p.text(title, p.left, height-12, scenario+": predicted beside measured")
		legend := legend{{rateOut, "predicted (" + worlds[0] + ")"}, {rateIn, "measured (" + worlds[1] + ")"}}
		legend.paint(p, p.left, height-38)
		for i, f := range figures {
			row, column := i/compareAbreast, vg.Length(i%compareAbreast)
			p.left, p.right = column*compareWidth+marginLeft, (column+1)*compareWidth-marginRight
			p.high = height - titleHeight - vg.Length(row*(compareHeight+compareSpace)) - compareSpace
			p.low = p.high - compareHeight
			f.paint(p)
			if i+compareAbreast >= len(figures) { // none is below it
				p.text(textStyle(9, faint, false, alignment{1, -1}), p.right, p.low-18, "flusher processes")
			}
		}
	}}
}

func (f Compared) paint(p panel) {
	most, greatest := 0, 0.0
	for _, row := range f.Rows {
		most = max(most, row.Processes)
		greatest = max(greatest, row.Predicted.High, row.Measured.High)
	}
	p.xMax = float64(most) + 0.5
	p.fitY(greatest*compareRoom, 1e-6)
	p.gridY()
	p.heading(f.Name)
	for _, row := range f.Rows {
		x := float64(row.Processes)
		p.mark(x-compareShift, row.Predicted, true)
		p.mark(x+compareShift, row.Measured, false)
		p.text(textStyle(9, faint, false, alignment{0, -1}), p.x(x), p.low-5, strconv.Itoa(row.Processes))
		if row.Measured.Mid != 0 {
			off := 100 * (row.Predicted.Mid - row.Measured.Mid) / row.Measured.Mid
			top := max(row.Predicted.High, row.Measured.High)
			p.text(textStyle(9, ink, false, alignment{0, 1}), p.x(x), p.y(top)+6, fmt.Sprintf("%+.0f %%", off))
		}
	}
}

// mark draws a range with a dot at its middle.
func (p panel) mark(x float64, r Range, hollow bool) {
	c := rateIn
	if hollow {
		c = rateOut
	}
	p.c.StrokeLine2(line(c, 1.6), p.x(x), p.y(r.Low), p.x(x), p.y(r.High))
	p.circle(p.x(x), p.y(r.Mid), compareDot, c)
	if hollow {
		p.circle(p.x(x), p.y(r.Mid), compareDot-1.5, paper)
	}
}
