package reports

import "gonum.org/v1/plot/vg"

// Figure is a chart of a document.
type Figure struct {
	// Name is that of its files, Heading what it shows.
	Name, Heading string
	// File is the chart by itself, with its heading; Wide is for a page on a desk, Narrow for one on a
	// telephone.
	File, Wide, Narrow Chart
}

// Widths of a figure, in points.
const (
	figureWidth  = 760
	figureNarrow = 380
)

// drawFigure draws a chart in every width. Only what is a file by itself has a title.
func drawFigure(name, heading string, chart func(width vg.Length, title string) Chart) Figure {
	return Figure{Name: name, Heading: heading, File: chart(figureWidth, heading),
		Wide: chart(figureWidth, ""), Narrow: chart(figureNarrow, "")}
}

// head is what the chart of a figure has above its panel: a title, or none, and the rows of a legend.
type head struct {
	title string
	rows  []legend
}

func (h head) height() vg.Length {
	height := vg.Length(len(h.rows)*legendRow) + 30
	if h.title != "" {
		height += 26
	}
	return height
}

func (h head) paint(p panel) {
	if h.title != "" {
		p.text(textStyle(13, ink, true, alignment{-1, -1}), 12, p.high+h.height()-8, h.title)
	}
	paintAbove(p, h.rows, 28)
}

// paintAbove paints the rows of a legend above a panel, the last of them that far from it.
func paintAbove(p panel, rows []legend, away vg.Length) {
	for i, row := range rows {
		row.paint(p, p.left, p.high+away+vg.Length((len(rows)-1-i)*legendRow))
	}
}
