package compare

import (
	"fmt"

	"sluice/reports"
)

// Chart draws the figures that both worlds have, all that the table has.
func (r *Report) Chart() reports.Chart {
	var list []reports.Compared
	for _, f := range Figures() {
		c := reports.Compared{Name: fmt.Sprintf("%s, %s", f, f.Unit())}
		for _, row := range r.Rows {
			for _, p := range row.Pairs {
				if p.Figure == f {
					c.Rows = append(c.Rows, reports.ComparedRow{Processes: row.Processes,
						Predicted: p.drawn(), Measured: p.Measured.drawn()})
				}
			}
		}
		if len(c.Rows) > 0 {
			list = append(list, c)
		}
	}
	return reports.CompareChart(r.Scenario,
		[2]string{r.Predicting + ", " + r.rangeName(), r.Measuring + ", spread"}, list)
}

// drawn is what is predicted: the interval if there is one.
func (p Pair) drawn() reports.Range {
	r := p.Predicted.drawn()
	if p.Interval != nil {
		r.Low, r.High = p.Interval.Low, p.Interval.High
	}
	return r
}

func (v Value) drawn() reports.Range {
	return reports.Range{Low: v.Least, Mid: v.Median, High: v.Greatest}
}
