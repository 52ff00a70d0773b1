package capacity

import (
	"fmt"
	"strings"

	"sluice/internal/options"
	"sluice/reports"
)

// Against is another report, beside which this one is shown: the same, with something changed.
type Against struct {
	Dir      string `json:"dir"`
	Headline string `json:"headline"`
	// Differs is what was not the same, there and then here, in words; empty if all was.
	Differs string `json:"differs,omitempty"`
	// Notes are what else must be known of it.
	Notes []string     `json:"notes,omitempty"`
	Rows  []AgainstRow `json:"rows"`
}

// AgainstRow is a figure of both reports.
type AgainstRow struct {
	Figure string `json:"figure"`
	Here   Number `json:"here"`
	There  Number `json:"there"`
	// Unit is that of both, unless UnitThere says otherwise; may be empty.
	Unit      string `json:"unit"`
	UnitThere string `json:"unit_there,omitempty"`
	// Ratio is here / there; nil where there is none, as between two currencies, or if no rate was too high
	// for a count.
	Ratio *float64 `json:"ratio"`

	here, there string // with their units, for a reader
}

// ratio is that as text.
func (r AgainstRow) ratio() string {
	if r.Ratio == nil {
		return "-"
	}
	return fmt.Sprintf("%.2f", *r.Ratio)
}

// Beside compares with another report, from a directory. Changed is what is not the same in the scenarios
// and whatever else the reports do not show, in words; empty if nothing is.
func (r *Report) Beside(other *Report, dir, changed string, notes ...string) {
	r.other = other
	r.Against = &Against{Dir: dir, Headline: other.Headline, Differs: r.differs(other, changed), Notes: notes,
		Rows: r.rowsBeside(other)}
}

// differs is what is not the same, there and then here.
func (r *Report) differs(o *Report, changed string) string {
	var list []string
	add := func(what, there, here string) {
		list = append(list, fmt.Sprintf("%s (%s, and then %s)", what, there, here))
	}
	if o.World != r.World {
		add("world", o.World, r.World)
	}
	target := func(rate float64) string {
		if rate <= 0 {
			return "none"
		}
		return figure(rate, 4) + " spans/s"
	}
	if o.Target != r.Target {
		add("target", target(o.Target), target(r.Target))
	}
	if o.Headroom != r.Headroom {
		add("headroom", figure(100*o.Headroom, 4)+" %", figure(100*r.Headroom, 4)+" %")
	}
	if changed != "" {
		list = append(list, changed)
	}
	return strings.Join(list, ", ")
}

// rowsBeside are the figures that both know. What hangs on the target says nothing beside that of another.
func (r *Report) rowsBeside(o *Report) []AgainstRow {
	rows := []AgainstRow{}
	add := func(what, unit string, here, there float64, text func(float64) string) *AgainstRow {
		row := AgainstRow{Figure: what, Unit: unit, Here: Number(here), There: Number(there), here: text(here),
			there: text(there)}
		if there > 0 {
			row.Ratio = new(here / there)
		}
		rows = append(rows, row)
		return &rows[len(rows)-1]
	}
	sameTarget := r.Target == o.Target
	if a, b := r.Recommended, o.Recommended; a != nil && b != nil && sameTarget && r.Headroom == o.Headroom {
		add("recommended processes", "", float64(a.Processes), float64(b.Processes),
			func(v float64) string { return fmt.Sprintf("%.0f", v) })
	}
	for _, c := range r.Counts {
		if there := o.Count(c.Processes); there.Median > 0 {
			row := add(sustain(c.Processes)+" per second", "spans/s", c.Median, there.Median, grouped)
			if c.Unbounded || there.Unbounded { // where a search ended says nothing of the system
				row.Ratio, row.here, row.there = nil, c.rate(), there.rate()
			}
		}
	}
	if !sameTarget {
		return rows
	}
	if a, b := r.Outlook, o.Outlook; a != nil && b != nil {
		add("spans that wait", "", a.Waiting, b.Waiting, grouped)
		add("Redis memory for them", "B", a.RedisBytes, b.RedisBytes, options.FormatSizeAbout)
		for i := range min(len(a.Trials), len(b.Trials)) {
			if a.Trials[i].What == b.Trials[i].What && a.Trials[i].Recovered() && b.Trials[i].Recovered() {
				add("to recover when "+a.Trials[i].What, "s", float64(a.Trials[i].RecoverySeconds),
					float64(b.Trials[i].RecoverySeconds), duration)
			}
		}
	}
	if a, b := r.Cost, o.Cost; a != nil && b != nil {
		row := add("a million spans cost", a.Prices.Currency, a.PerMillion, b.PerMillion, a.amount)
		if row.there = b.amount(b.PerMillion); a.Prices.Currency != b.Prices.Currency {
			row.UnitThere, row.Ratio = b.Prices.Currency, nil
		}
	}
	return rows
}

// rate is what it sustains, in words.
func (c Count) rate() string {
	if c.Unbounded {
		return "at least " + grouped(c.Median)
	}
	return grouped(c.Median)
}

// differsText is a line of what is not the same; empty if all is.
func (r *Report) differsText() string {
	if r.Against.Differs == "" {
		return ""
	}
	text := "Not the same, there and then here: " + r.Against.Differs + "."
	if r.Target != r.other.Target {
		text += " What hangs on the target is left out."
	}
	return text
}

// besideSection shows both.
func (r *Report) besideSection() reports.Section {
	a := r.Against
	s := reports.Section{Heading: "Beside " + a.Dir, Notes: a.Notes}
	if text := r.differsText(); text != "" {
		s.Text = append(s.Text, text)
	}
	s.Text = append(s.Text, fmt.Sprintf("Here: %s", r.Headline), fmt.Sprintf("There: %s", a.Headline))
	s.Table = &reports.Table{Columns: append(reports.Words("figure"), reports.Numbers("here", "there", "here / there")...)}
	for _, row := range a.Rows {
		s.Table.Rows = append(s.Table.Rows, []string{row.Figure, row.here, row.there, row.ratio()})
	}
	return s
}

// besideText is the same for a terminal.
func (r *Report) besideText() string {
	a := r.Against
	lines := []string{"Beside " + a.Dir + ": " + a.Headline}
	if text := r.differsText(); text != "" {
		lines = append(lines, text)
	}
	lines = append(lines, a.Notes...)
	for _, row := range a.Rows {
		lines = append(lines, fmt.Sprintf("%s: %s, there %s; here / there: %s", row.Figure, row.here, row.there,
			row.ratio()))
	}
	return strings.Join(lines, "\n")
}
