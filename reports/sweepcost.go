package reports

import (
	"fmt"

	"gonum.org/v1/plot/vg/draw"
)

// Measures of the chart of costs, in points.
const (
	costHeight = 220
	// costSlack is how much more than the first a value may cost and still be called flat.
	costSlack = 0.2
)

// cores are the costs as a chart stacks them.
func (c SpanCosts) cores() Cores {
	return Cores{Redis: c.RedisTime, Kafka: c.KafkaTime, Workers: c.WorkerTime,
		Consumer: c.ConsumerTime}
}

// costUsers are those whose processor time per span is known.
func (s Sweep) costUsers() []coreUser {
	users, _ := coreUsersIn(column(s.Rows, func(r SweepRow) Cores { return r.SpanCosts.cores() }))
	return users
}

// CostChart draws the processor time that a span takes, stacked by who takes it, for each value: flat
// where a larger system costs no more for the same work. The dashed line is a fifth above the first.
// False in a world that does not know it.
func (s Sweep) CostChart() (Chart, bool) {
	users := s.costUsers()
	if len(users) == 0 {
		return Chart{}, false
	}
	p := panel{left: marginLeft, right: sweepWidth - marginRight, low: sweepBottom,
		high: sweepBottom + costHeight, xMax: s.xMax()}
	return Chart{width: sweepWidth, height: p.high + titleHeight, paint: func(c draw.Canvas) {
		p := p
		p.c = c
		title := p.high + titleHeight
		p.text(textStyle(15, ink, true, alignment{-1, -1}), p.left, title-12,
			fmt.Sprintf("%s: cost per span by %s", s.Scenario, s.axisName()))
		p.text(textStyle(9.5, faint, false, alignment{-1, -1}), p.left, title-32,
			s.subtitle(fmt.Sprintf("medians; dashed: %.0f %% more than the first", costSlack*100)))
		rows := column(s.Rows, func(r SweepRow) Cores { return r.SpanCosts.cores() })
		sums := column(s.Rows, func(r SweepRow) float64 { return r.Sum() })
		bound := sums[0] * (1 + costSlack)
		top := max(bound, greatest(sums)) * 1.08 // room for the figures above
		p.fitY(top, 0.2)
		s.paintBars(p, users, rows, top, "processor time per span, us", "")
		p.c.StrokeLine2(line(faint, 1, 4, 3), p.left, p.y(bound), p.right, p.y(bound))
		style := textStyle(9, ink, false, alignment{0, 1})
		for i, sum := range sums {
			text, x, y := fmt.Sprintf("%.3g", sum), p.x(s.x(i)), p.y(sum)+3
			half := style.Width(text)/2 + 2
			p.rectangle(paper, x-half, x+half, y-1, y+style.Height(text)) // the line ends at it
			p.text(style, x, y, text)
		}
		s.axis(p)
	}}, true
}
