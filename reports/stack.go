package reports

import (
	"cmp"
	"slices"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// strip is one panel of a stack, as high as it says.
type strip struct {
	// name of the axis, in words.
	name string
	// note stands beside the name: what of the panel is not known.
	note   string
	legend legend
	height vg.Length
	// paint draws what is inside of the panel; without it there is nothing but name and note.
	paint func(panel)
	// below explains the panel underneath the time axis.
	below legend
}

// Measures of a stack, in points.
const (
	wideWidth    = 900
	narrowWidth  = 330 // for a telephone, where a wide picture would be too small to read
	marginLeft   = 70
	narrowLeft   = 60
	marginRight  = 24
	titleHeight  = 72 // of the sweep's chart, with title, subtitle and legend
	headHeight   = 44 // title and subtitle
	topMargin    = 8
	bottomMargin = 6
	nameHeight   = 18
	legendRow    = 15
	stripGap     = 12
	axisHeight   = 34
)

// stack draws strips above each other over one time axis, with the faults shaded in each.
type stack struct {
	Timeline
	strips []strip
	width  vg.Length
}

func (s stack) chart() Chart {
	base := s.base()
	// What has no axis goes to the top, so that the time axis is below the last that has one.
	s.strips = slices.SortedStableFunc(slices.Values(s.strips), func(a, b strip) int {
		return cmp.Compare(a.order(), b.order())
	})
	marks := placeMarks(s.Faults, base)
	height := vg.Length(topMargin + bottomMargin)
	if s.Title != "" {
		height += headHeight
	}
	for _, strip := range s.strips {
		height += strip.headHeight(base) + strip.height + stripGap
		height += vg.Length(len(strip.below.wrap(base.right-base.left))) * legendRow
	}
	if s.drawn() {
		height += marksHeight(marks) + axisHeight - stripGap
	}
	return Chart{width: s.width, height: height, paint: func(c draw.Canvas) {
		base.c = c
		s.paint(base, marks, height)
	}}
}

// drawn says whether any strip has an axis.
func (s stack) drawn() bool {
	return slices.ContainsFunc(s.strips, func(s strip) bool { return s.paint != nil })
}

// order is the rank of a strip in its stack.
func (s strip) order() int { return min(int(s.height), 1) }

// base is the panel that all strips have in common, without its height.
func (s stack) base() panel {
	p := panel{left: marginLeft, right: s.width - marginRight, xMin: s.From, xMax: s.To}
	if s.width < wideWidth {
		p.left, p.right = narrowLeft, s.width-marginRight/2
	}
	if p.xMax <= p.xMin {
		p.xMax = p.xMin + 1
	}
	return p
}

func (s stack) paint(base panel, marks []mark, height vg.Length) {
	y := height - topMargin
	if s.Title != "" {
		title := textStyle(15, ink, true, alignment{-1, -1})
		subtitle := textStyle(9.5, faint, false, alignment{-1, -1})
		room := base.right - base.left
		base.text(title, base.left, height-12, clip(title, s.Title, room))
		base.text(subtitle, base.left, height-32, clip(subtitle, s.Subtitle, room))
		y -= headHeight
	}
	marked := false
	for _, strip := range s.strips {
		strip.paintHead(base, y)
		y -= strip.headHeight(base)
		if strip.paint != nil {
			p := base
			p.high = y
			if !marked {
				p.high -= marksHeight(marks)
				paintMarks(base, marks, p.high)
				marked = true
			}
			p.low = p.high - strip.height
			s.paintStrip(p, strip)
			y, base.low = p.low, p.low
		}
		y -= stripGap
	}
	if s.drawn() {
		s.paintAxis(base)
	}
}

func (s stack) paintStrip(p panel, strip strip) {
	paintFaults(p, s.Faults)
	strip.paint(p)
	paintFaultLines(p, s.Faults)
	if s.LoadEnds > 0 {
		x := p.x(s.LoadEnds)
		p.c.StrokeLine2(line(faint, 0.9, 1, 2), x, p.low, x, p.high)
	}
}

// paintAxis draws what is below the last panel: times, the name of the axis with the end of the
// load at its place, and what explains the colours of the panels.
func (s stack) paintAxis(p panel) {
	p.ticksX()
	const name, end = "seconds since the load began", "load ends"
	style := textStyle(9, faint, false, alignment{-1, -1})
	y, after := p.low-18, p.left+style.Width(name)+legendSpace
	p.text(style, p.left, y, name)
	if s.LoadEnds > 0 {
		width := style.Width(end)
		p.text(style, max(after, min(p.x(s.LoadEnds)-width/2, p.right-width)), y, end)
	}
	y = p.low - axisHeight
	for _, strip := range s.strips {
		for _, row := range strip.below.wrap(p.right - p.left) {
			row.paint(p, p.left, y-legendRow/2)
			y -= legendRow
		}
	}
}

// headHeight is that of name, note and legend.
func (s strip) headHeight(p panel) vg.Length {
	return vg.Length(nameHeight + len(s.legendRows(p))*legendRow)
}

// legendRows are the rows of the legend below the name; none if it fits beside name and note.
func (s strip) legendRows(p panel) []legend {
	used := nameStyle().Width(s.name) + noteStyle().Width(s.note) + 2*legendSpace
	if s.legend.width()+used <= p.right-p.left {
		return nil
	}
	return s.legend.wrap(p.right - p.left)
}

func nameStyle() draw.TextStyle { return textStyle(9.5, ink, true, alignment{-1, 0}) }
func noteStyle() draw.TextStyle { return textStyle(9, faint, false, alignment{-1, 0}) }

// paintHead draws what stands above a panel, from y downwards.
func (s strip) paintHead(p panel, y vg.Length) {
	middle := y - nameHeight/2
	p.text(nameStyle(), p.left, middle, s.name)
	x := p.left + nameStyle().Width(s.name) + legendSpace/2
	p.text(noteStyle(), x, middle, clip(noteStyle(), s.note, p.right-x))
	rows := s.legendRows(p)
	if rows == nil {
		s.legend.paint(p, p.right-s.legend.width(), middle)
	}
	for i, row := range rows {
		row.paint(p, p.left, y-nameHeight-(vg.Length(i)+0.5)*legendRow+2)
	}
}
