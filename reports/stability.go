package reports

import (
	"fmt"
	"image/color"
	"math"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// RecoveryMap is how long a system takes to recover, by load and by length of an outage, as a chart
// shows it.
type RecoveryMap struct {
	// Loads are in spans per second, with their names; Outages in seconds.
	Loads   []float64
	Names   []string
	Outages []float64
	// Seconds are those to recover, by load and outage: +Inf is never, NaN is not known, and none was not
	// tried. Estimated is true where the end was not seen.
	Seconds   [][]float64
	Estimated [][]bool
}

// tints are the tints of the times, the shortest first, and tintMax up to how many seconds each is for.
var (
	tints = []color.NRGBA{tone(0xEEF3F9, 0x1F2937), tone(0xD3E1F1, 0x243A55), tone(0xB4CBE6, 0x2B4A70),
		tone(0x97B6DA, 0x33598A), tone(0x7FA3CF, 0x3A629A)}
	tintMax  = []float64{1, 5, 20, 60, math.Inf(1)}
	tintName = []string{"1 s", "5 s", "20 s", "60 s", "longer"}
	never    = tone(0x9B1C2E, 0xF08A94)
)

// Measures of the map, in points.
const (
	recoveryRow  = 40
	recoveryLeft = 92
)

// Figure draws the map, its loads upwards.
func (m RecoveryMap) Figure(name, heading string) Figure {
	return drawFigure(name, heading, m.chart)
}

func (m RecoveryMap) chart(width vg.Length, title string) Chart {
	p := panel{left: recoveryLeft, right: width - marginRight, low: sweepBottom}
	p.high = p.low + vg.Length(recoveryRow*len(m.Loads))
	key := legend{}
	for i, name := range tintName {
		if i < len(tintName)-1 {
			name = "to " + name
		}
		key = append(key, legendEntry{tints[i], name})
	}
	above := head{title, append(key, legendEntry{never, "never"}).wrap(p.right - p.left)}
	return Chart{width: width, height: p.high + above.height(), paint: func(c draw.Canvas) {
		p.c = c
		above.paint(p)
		p.text(textStyle(9.5, ink, true, alignment{-1, 1}), 8, p.high+5, "load; time to recover")
		m.cells(p)
		p.text(textStyle(9, faint, false, alignment{1, -1}), p.right, p.low-18, "length of the outage")
	}}
}

func (m RecoveryMap) cells(p panel) {
	width := (p.right - p.left) / vg.Length(len(m.Outages))
	label := textStyle(9, faint, false, alignment{1, 0})
	for i, name := range m.Names {
		y := p.low + vg.Length(recoveryRow*i)
		p.text(label, p.left-6, y+recoveryRow/2+6, short(math.Round(m.Loads[i]/100)*100)+"/s")
		p.text(label, p.left-6, y+recoveryRow/2-6, name)
		for j := range m.Outages {
			x := p.left + vg.Length(j)*width
			fill, text, over := m.cell(i, j)
			p.rectangle(fill, x+1, x+width-1, y+1, y+recoveryRow-1)
			p.text(textStyle(11, over, false, alignment{0, 0}), x+width/2, y+recoveryRow/2, text)
		}
	}
	for j, outage := range m.Outages {
		x := p.left + (vg.Length(j)+0.5)*width
		p.text(textStyle(9, faint, false, alignment{0, -1}), x, p.low-5, fmt.Sprintf("%g s", outage))
	}
}

// cell returns how a cell is filled, its text, and the colour of that.
func (m RecoveryMap) cell(load, outage int) (fill color.Color, text string, over color.Color) {
	if outage >= len(m.Seconds[load]) {
		return laneBack, "not tried", faint
	}
	if math.IsNaN(m.Seconds[load][outage]) {
		return laneBack, "not known", faint
	}
	seconds := m.Seconds[load][outage]
	if math.IsInf(seconds, 1) {
		return never, "never", paper
	}
	text = fmt.Sprintf("%.1f s", seconds)
	if seconds < 1 {
		text = "at once"
	}
	if m.Estimated[load][outage] {
		text = fmt.Sprintf("about %.0f s", seconds)
	}
	for i, most := range tintMax {
		if seconds <= most {
			return tints[i], text, ink
		}
	}
	return tints[len(tints)-1], text, ink
}

// Portrait is where a system goes, by what waits outside and what it holds, as a chart shows it.
type Portrait struct {
	Paths []Path
}

// Path is one run of a portrait, a point for each second.
type Path struct {
	Name string
	// Unread are messages that wait in the input, Bytes the memory that is held.
	Unread, Bytes []float64
	// Begin is where it rested before, End where it came to rest: a fixed point; nil if it did not.
	Begin, End *[2]float64
}

// pathInks are told apart by lightness, the first the nearest to the page; the names beside the paths say
// the rest.
var pathInks = []color.NRGBA{tone(0x8FBCE8, 0x3A5478), tone(0xDA8426, 0xB0601A), tone(0x3D9188, 0x4FB0A6),
	tone(0x6A3FA8, 0xC0A8F0), tone(0x7A1428, 0xF6C8CE), tone(0x0E1626, 0xF6F8FC)}

// Figure draws arrows from second to second, and the fixed points.
func (m Portrait) Figure(name, heading string) Figure {
	return drawFigure(name, heading, m.chart)
}

func (m Portrait) chart(width vg.Length, title string) Chart {
	p := panel{left: marginLeft, right: width - marginRight, low: sweepBottom + 4, high: sweepBottom + 4 + scalingHeight}
	var key legend
	bytes, name := 0.0, vg.Length(0)
	for i, path := range m.Paths {
		key = append(key, legendEntry{pathInks[i%len(pathInks)], path.Name})
		name = max(name, pathNameStyle().Width(path.Name))
		p.xMax, bytes = max(p.xMax, greatest(path.Unread)), max(bytes, greatest(path.Bytes))
	}
	room := p.right - p.left // of which the name at the right end takes a part
	p.xMax = max(p.xMax, 1) * float64(room/(room-name-2*pathNameAway))
	p.fitY(bytes/mega, 1e-3)
	above := head{title, key.wrap(p.right - p.left)}
	return Chart{width: width, height: p.high + above.height(), paint: func(c draw.Canvas) {
		p.c = c
		above.paint(p)
		p.heading("MB of spans in Redis; a ring is a fixed point")
		p.gridY()
		p.ticksX()
		p.text(textStyle(9, faint, false, alignment{1, -1}), p.right, p.low-18, "messages unread in Kafka")
		for i, path := range m.Paths {
			path.paint(p, pathInks[i%len(pathInks)])
		}
		m.names(p)
	}}
}

// pathNameAway is how far a name is from its path, in points.
const pathNameAway = 6

func pathNameStyle() draw.TextStyle { return textStyle(9, ink, true, alignment{-1, 0}) }

// names writes the name of each path at its right end, where the least else is, above those of others that
// end there.
func (m Portrait) names(p panel) {
	const height = 11
	type box struct{ left, right, low vg.Length }
	var taken []box
	for _, path := range m.Paths {
		if len(path.Unread) == 0 {
			continue
		}
		x, y := path.rightmost(p)
		at := box{left: x + pathNameAway, right: x + pathNameAway + pathNameStyle().Width(path.Name), low: y}
		for n := 0; n < len(taken); n++ {
			other := taken[n]
			beside := at.left >= other.right || other.left >= at.right
			if !beside && at.low < other.low+height && other.low < at.low+height {
				at.low, n = other.low+height, -1 // above it, and whoever is there
			}
		}
		taken = append(taken, at)
		p.text(pathNameStyle(), at.left, at.low, path.Name)
	}
}

// rightmost is where a path has most unread.
func (m Path) rightmost(p panel) (x, y vg.Length) {
	most := 0
	for i, unread := range m.Unread {
		if unread > m.Unread[most] {
			most = i
		}
	}
	return p.x(m.Unread[most]), p.y(m.Bytes[most] / mega)
}

// mega is bytes in a MB.
const mega = 1e6

func (m Path) paint(p panel, c color.Color) {
	at := func(unread, bytes float64) vg.Point {
		return vg.Point{X: p.x(unread), Y: p.y(bytes / mega)}
	}
	for i := 1; i < len(m.Unread); i++ {
		p.arrow(c, at(m.Unread[i-1], m.Bytes[i-1]), at(m.Unread[i], m.Bytes[i]))
	}
	for _, point := range []*[2]float64{m.Begin, m.End} {
		if point != nil {
			place := at(point[0], point[1])
			p.circle(place.X, place.Y, 5.5, c)
			p.circle(place.X, place.Y, 3, paper)
		}
	}
}

// arrow draws a line with a head, which a short one does not have.
func (p panel) arrow(c color.Color, from, to vg.Point) {
	const size, spread = 6, 0.45 // of the head: its length, and half its angle
	p.c.StrokeLine2(line(c, 1.4), from.X, from.Y, to.X, to.Y)
	dx, dy := float64(to.X-from.X), float64(to.Y-from.Y)
	if math.Hypot(dx, dy) < size {
		return
	}
	angle := math.Atan2(dy, dx)
	head := []vg.Point{to}
	for _, side := range []float64{-spread, spread} {
		head = append(head, vg.Point{X: to.X - vg.Length(size*math.Cos(angle+side)),
			Y: to.Y - vg.Length(size*math.Sin(angle+side))})
	}
	p.c.FillPolygon(c, head)
}
