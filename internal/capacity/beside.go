package capacity

import (
	"fmt"

	"sluice/reports"
)

// Beside compares with another report: the same, with something changed. Name is what that is called.
func (r *Report) Beside(other *Report, name string) { r.other, r.otherName = other, name }

// besideSection shows both.
func (r *Report) besideSection() reports.Section {
	o := r.other
	s := reports.Section{Heading: "Beside " + r.otherName, Text: []string{
		fmt.Sprintf("Here: %s", r.Headline), fmt.Sprintf("There: %s", o.Headline)}}
	s.Table = &reports.Table{Columns: append(reports.Words("figure"), reports.Numbers("here", "there", "here / there")...)}
	add := func(what string, here, there float64, text func(float64) string) {
		ratio := "-"
		if there > 0 {
			ratio = fmt.Sprintf("%.2f", here/there)
		}
		s.Table.Rows = append(s.Table.Rows, []string{what, text(here), text(there), ratio})
	}
	count := func(v float64) string { return fmt.Sprintf("%.0f", v) }
	if r.Recommended != nil && o.Recommended != nil {
		add("recommended processes", float64(r.Recommended.Processes), float64(o.Recommended.Processes), count)
	}
	for _, c := range r.Counts {
		if there := o.Count(c.Processes); there.Median > 0 {
			add(fmt.Sprintf("%s sustain/s", processes(c.Processes)), c.Median, there.Median, grouped)
		}
	}
	if a, b := r.Outlook, o.Outlook; a != nil && b != nil {
		add("spans that wait", a.Waiting, b.Waiting, grouped)
		add("Redis memory for them", a.RedisBytes, b.RedisBytes, size)
		for i := range min(len(a.Trials), len(b.Trials)) {
			if a.Trials[i].What == b.Trials[i].What && a.Trials[i].Recovered() && b.Trials[i].Recovered() {
				add("to recover when "+a.Trials[i].What, float64(a.Trials[i].RecoverySeconds),
					float64(b.Trials[i].RecoverySeconds), duration)
			}
		}
	}
	if a, b := r.Cost, o.Cost; a != nil && b != nil {
		add("a million spans cost", a.PerMillion, b.PerMillion, a.amount)
	}
	return s
}
