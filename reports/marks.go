package reports

import (
	"fmt"
	"strconv"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// mark is the label of a fault, in the rows above the first panel.
type mark struct {
	text string
	// x is the begin of the fault, x0 and x1 the sides of the text.
	x, x0, x1 vg.Length
	// row counts from the lowest, which touches the panel.
	row int
}

// Measures of the labels, in points.
const (
	markRows      = 4
	markRowHeight = 12
	markGap       = 4 // between the lowest row and the panel
	// markMax is the width of the longest text; longer ones are cut.
	markMax = 300
	// markSpace is left between the labels of a row.
	markSpace = 5
)

func markStyle() draw.TextStyle { return textStyle(8.5, faultInk, false, alignment{-1, 0}) }

// placeMarks labels faults as long as there is room, so that no label covers another, nor the line
// from another down to its fault. If not all texts have room, each label has its fault's number,
// and a text without room is cut to the number, or left out.
func placeMarks(faults []FaultBar, p panel) []mark {
	marks, all := tryMarks(faults, p, false)
	if !all {
		marks, _ = tryMarks(faults, p, true)
	}
	return marks
}

// tryMarks returns false if a text had no room. With numbers the lowest row is theirs.
func tryMarks(faults []FaultBar, p panel, numbers bool) (marks []mark, all bool) {
	all = true
	lowest := 0
	if numbers {
		lowest = 1
	}
	for i := 0; i < len(faults); {
		same := 1 // one fault that hits several workers at once has one label
		for i+same < len(faults) && faults[i+same].Fault == faults[i].Fault &&
			p.x(faults[i+same].From)-p.x(faults[i].From) < 1 {
			same++
		}
		number, text := strconv.Itoa(i+1), faults[i].Fault
		if same > 1 {
			text = fmt.Sprintf("%s (%d hit)", text, same)
		}
		if numbers {
			text = number + " " + text
		}
		x := p.x(max(faults[i].From, p.xMin))
		m, ok := placeMark(marks, p, clip(markStyle(), text, markMax), x, lowest)
		if !ok && numbers {
			all = false
			m, ok = placeMark(marks, p, number, x, 0)
		}
		if ok {
			marks = append(marks, m)
		} else {
			all = false
		}
		i += same
	}
	return marks, all
}

// placeMark finds the highest row that has room for a text, which begins at x or ends at the right
// edge: a later label then finds room below.
func placeMark(marks []mark, p panel, text string, x vg.Length, lowest int) (mark, bool) {
	width := markStyle().Width(text)
	m := mark{text: text, x: x, x0: max(p.left-40, min(x+3, p.right-width))}
	m.x1 = m.x0 + width
	for m.row = markRows - 1; m.row >= lowest; m.row-- {
		free := true
		for _, other := range marks {
			free = free && !m.hides(other) && !other.hides(m)
		}
		if free {
			return m, true
		}
	}
	return mark{}, false
}

// hides says whether one label covers the other, or the line that leads down from it.
func (m mark) hides(other mark) bool {
	if m.row == other.row {
		return m.x0 < other.x1+markSpace && other.x0 < m.x1+markSpace
	}
	return other.row > m.row && m.x0-2 < other.x && other.x < m.x1+2
}

// rowsOf returns how many rows the labels need.
func rowsOf(marks []mark) int {
	lowest := markRows
	for _, m := range marks {
		lowest = min(lowest, m.row)
	}
	return markRows - lowest
}

func marksHeight(marks []mark) vg.Length {
	if len(marks) == 0 {
		return 0
	}
	return markGap + vg.Length(rowsOf(marks)*markRowHeight)
}

// paintMarks draws the labels above the panel whose upper edge is at y, each with a line down to
// it.
func paintMarks(p panel, marks []mark, y vg.Length) {
	lowest := markRows - rowsOf(marks)
	for _, m := range marks {
		middle := y + markGap + (vg.Length(m.row-lowest)+0.5)*markRowHeight
		top := middle + markRowHeight/2 - 2
		if m.x0 < m.x { // the text is above its line, not beside it
			top = middle - markRowHeight/2 + 1
		}
		p.c.StrokeLine2(line(faultInk, 0.9, 3, 2), m.x, y, m.x, top)
		p.text(markStyle(), m.x0, middle, m.text)
	}
}

// paintFaults shades the faults in a panel, below everything else.
func paintFaults(p panel, faults []FaultBar) {
	for _, fault := range faults {
		x0, x1 := p.x(max(fault.From, p.xMin)), p.x(fault.To)
		p.rectangle(faultSet, x0, max(x1, x0+1), p.low, p.high)
	}
}

// paintFaultLines draws what lies over the curves: a line at each begin, and how long the fault
// lasted along the upper edge.
func paintFaultLines(p panel, faults []FaultBar) {
	for _, fault := range faults {
		x0, x1 := p.x(max(fault.From, p.xMin)), p.x(fault.To)
		p.c.StrokeLine2(line(faultLine, 0.7, 3, 2), x0, p.low, x0, p.high)
		p.rectangle(faultInk, x0, max(x1, x0+1), p.high, p.high+2)
	}
}

// clip cuts a text that is wider.
func clip(style draw.TextStyle, text string, width vg.Length) string {
	runes := []rune(text)
	if style.Width(text) <= width {
		return text
	}
	for len(runes) > 0 && style.Width(string(runes)+"…") > width {
		runes = runes[:len(runes)-1]
	}
	return string(runes) + "…"
}
