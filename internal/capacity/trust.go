package capacity

import (
	"fmt"
	"math"

	"sluice/internal/options"
	"sluice/reports"
)

// CostsFrom says where the costs of the virtual world are from.
type CostsFrom struct {
	// File is empty for the built-in ones, and Changed true if some were changed for the report.
	File    string `json:"file,omitempty"`
	Changed bool   `json:"changed,omitempty"`
	// Date is when those of the file were measured, Redis and Kafka the servers' versions, and
	// YardstickSeconds how long a fixed piece of work took then; empty, and 0, if the file does not say.
	Date             string  `json:"date,omitempty"`
	Redis            string  `json:"redis,omitempty"`
	Kafka            string  `json:"kafka,omitempty"`
	YardstickSeconds float64 `json:"yardstick_seconds,omitempty"`
	// Cores of each host, and whether all are on one.
	Cores  int  `json:"cores"`
	Shared bool `json:"shared"`
}

// Compared is how far off the predictions of the virtual world were in a comparison.
type Compared struct {
	// Dir has the comparison, of which Headline is the answer, of a scenario that was measured in a world.
	Dir      string `json:"dir"`
	Scenario string `json:"scenario"`
	Measured string `json:"measured_in"`
	Headline string `json:"headline"`
	// Unfinished says why not all of it was compared; empty if it was.
	Unfinished string `json:"unfinished,omitempty"`
	// Errors has each figure that was compared.
	Errors []FigureError `json:"errors"`
}

// FigureError is how far off the predictions of a figure were, as shares without sign: the median of so
// many counts, and the worst. Null where there is no bound, as nothing was measured.
type FigureError struct {
	Figure string `json:"figure"`
	Median Number `json:"median"`
	Worst  Number `json:"worst"`
	Counts int    `json:"counts"`
}

// name is what the costs are called.
func (c *CostsFrom) name() string {
	name := "the built-in costs"
	if c.File != "" {
		name = "the costs of " + c.File
	}
	if c.Changed {
		name += " with changes"
	}
	return name
}

// words say where the costs are from.
func (c *CostsFrom) words() string {
	hosts := fmt.Sprintf("%s for all", options.FormatCount(c.Cores, "core"))
	if !c.Shared {
		hosts = fmt.Sprintf("hosts of %s, the servers on their own", options.FormatCount(c.Cores, "core"))
	}
	text := sentence(c.name())
	switch {
	case c.File == "":
		text += " are those of one kind of machine (2 virtual cores of 2026), here with " + hosts +
			": simulate calibrate measures yours, and --costs reads that"
	case c.Date == "":
		text += fmt.Sprintf(" do not say where they are from; they have %s", hosts)
	default:
		text += fmt.Sprintf(" were calibrated on %s with Redis %s and Kafka %s: %s", c.Date, c.Redis, c.Kafka, hosts)
		if c.YardstickSeconds > 0 {
			text += fmt.Sprintf("; the yardstick took %.3g ms there", 1000*c.YardstickSeconds)
		}
	}
	return text + "."
}

// trust says how far the virtual world is from a real one, as far as that is known; nothing in another
// world.
func (r *Report) trust() []string {
	if r.Costs == nil {
		return nil
	}
	lines := []string{r.Costs.words()}
	if c := r.Compared; c != nil {
		lines = append(lines, fmt.Sprintf("Its predictions beside what was measured, of %s in world %s (%s): %s", c.Scenario,
			c.Measured, c.Dir, c.Headline))
		if c.Unfinished != "" {
			lines = append(lines, "Not all was compared: "+c.Unfinished+".")
		}
		return lines
	}
	return append(lines, "How far off its predictions are is not in this report: simulate compare measures that, and "+
		"--compared DIR shows it here.")
}

// trustSection shows that, with the error of each figure.
func (r *Report) trustSection() reports.Section {
	s := reports.Section{Heading: "How far off the virtual world is", Text: r.trust()}
	if r.Compared == nil {
		return s
	}
	s.Table = &reports.Table{Columns: append(reports.Words("figure"), reports.Numbers("error, median", "worst", "counts")...)}
	share := func(n Number) string {
		if math.IsInf(float64(n), 0) {
			return "no bound"
		}
		return percent(float64(n))
	}
	for _, e := range r.Compared.Errors {
		s.Table.Rows = append(s.Table.Rows, []string{e.Figure, share(e.Median), share(e.Worst), fmt.Sprint(e.Counts)})
	}
	s.Notes = []string{"Errors are without sign, as shares of what was measured. A comparison is of its own scenario, rates " +
		"and costs: see that they are like these."}
	return s
}
