package reports

import (
	"image/color"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

type legendEntry struct {
	color color.Color
	name  string
}

// legend is a row of coloured boxes with their names.
type legend []legendEntry

// Measures of a legend, in points.
const (
	legendBox   = 9
	legendGap   = 4
	legendSpace = 14
)

func legendStyle() draw.TextStyle { return textStyle(9, ink, false, alignment{-1, 0}) }

func (e legendEntry) width() vg.Length {
	return legendBox + legendGap + legendStyle().Width(e.name)
}

// width of the row; 0 if it is empty.
func (l legend) width() vg.Length {
	width := vg.Length(0)
	for i, e := range l {
		if i > 0 {
			width += legendSpace
		}
		width += e.width()
	}
	return width
}

// wrap breaks the legend into rows that are not wider than that, unless a single entry is.
func (l legend) wrap(width vg.Length) []legend {
	var rows []legend
	for _, e := range l {
		last := len(rows) - 1
		if last >= 0 && append(rows[last], e).width() <= width {
			rows[last] = append(rows[last], e)
			continue
		}
		rows = append(rows, legend{e})
	}
	return rows
}

// paint draws the row from x on, its middle at y.
func (l legend) paint(p panel, x, y vg.Length) {
	for _, e := range l {
		p.rectangle(e.color, x, x+legendBox, y-legendBox/2, y+legendBox/2)
		p.text(legendStyle(), x+legendBox+legendGap, y, e.name)
		x += e.width() + legendSpace
	}
}
