package reports

import "gonum.org/v1/plot/vg"

// Measures of the lanes, in points.
const (
	laneHeight = 20
	laneGap    = 5
)

// lanesStrip draws one lane per worker, with the states in their colours.
func (t Timeline) lanesStrip() strip {
	const name = "workers"
	if len(t.Lanes) == 0 {
		return silent(name, "none seen")
	}
	s := strip{name: name, height: vg.Length(len(t.Lanes))*(laneHeight+laneGap) - laneGap}
	for _, state := range States() {
		s.below = append(s.below, legendEntry{stateColors[state], string(state)})
	}
	several := t.several()
	s.paint = func(p panel) {
		for i, lane := range t.Lanes {
			lane.paint(p, p.high-vg.Length(i)*(laneHeight+laneGap), several)
		}
	}
	return s
}

// paint draws the lane below y. That of a consumer is named in bold, and half as high.
func (l Lane) paint(p panel, y vg.Length, several bool) {
	low := y - laneHeight
	if l.Worker == NoWorker {
		y -= laneHeight / 2
	}
	p.rectangle(laneBack, p.left, p.right, low, y)
	for _, bar := range l.Bars {
		x0, x1 := p.x(bar.From), p.x(bar.To)
		// What lasts less than a dot must still be visible.
		p.rectangle(stateColors[bar.State], x0, max(x1, x0+0.8), low, y)
	}
	style := textStyle(9, ink, l.Worker == NoWorker, alignment{1, 0})
	p.text(style, p.left-6, (y+low)/2, who(l.Consumer, l.Worker, several))
}
