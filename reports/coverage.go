package reports

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
)

// Coverage counts which stages processes were in when faults hit them: what a sweep has tried. Its
// order is that of fault, part and stage.
type Coverage []CoverageCell

// CoverageCell is a kind of fault, and a stage of a part of the pipeline that it hit.
type CoverageCell struct {
	// Fault is the verb and the kind of target: "crash worker".
	Fault string `json:"fault"`
	// Part is PartWorker or PartConsumer.
	Part  string `json:"part"`
	Stage string `json:"stage"`
	// Count is how often; a fault that hits several workers counts once for each.
	Count int64 `json:"count"`
	// Waived says why it may be 0; empty if it may not.
	Waived string `json:"waived,omitempty"`
}

// The parts of the pipeline that have stages.
const (
	PartWorker   = "worker"
	PartConsumer = "consumer"
)

func (c *CoverageCell) compare(other *CoverageCell) int {
	return cmp.Or(cmp.Compare(c.Fault, other.Fault), cmp.Compare(c.Part, other.Part),
		cmp.Compare(c.Stage, other.Stage))
}

// Add counts a cell.
func (c *Coverage) Add(cell CoverageCell) {
	at, known := slices.BinarySearchFunc(*c, &cell, func(a CoverageCell, b *CoverageCell) int {
		return a.compare(b)
	})
	if !known {
		*c = slices.Insert(*c, at, cell)
		return
	}
	(*c)[at].Count += cell.Count
}

// AddAll counts those of another run.
func (c *Coverage) AddAll(other Coverage) {
	for _, cell := range other {
		c.Add(cell)
	}
}

// Of returns the count of a cell.
func (c Coverage) Of(fault, part, stage string) CoverageCell {
	for _, cell := range c {
		if cell.Fault == fault && cell.Part == part && cell.Stage == stage {
			return cell
		}
	}
	return CoverageCell{Fault: fault, Part: part, Stage: stage}
}

// Empty returns the cells that were never hit and are not waived.
func (c Coverage) Empty() []CoverageCell {
	return slices.DeleteFunc(slices.Clone(c), func(cell CoverageCell) bool {
		return cell.Count > 0 || cell.Waived != ""
	})
}

// Faults returns the kinds of fault of a part, sorted.
func (c Coverage) Faults(part string) []string {
	var list []string
	for _, cell := range c {
		if cell.Part == part && !slices.Contains(list, cell.Fault) {
			list = append(list, cell.Fault)
		}
	}
	return list
}

// WriteText prints a table per part that has stages, each in the order that is given: 80 columns. A
// cell that is empty is a dot if it is waived, and else a 0.
func (c Coverage) WriteText(w io.Writer, parts []CoverageStages) error {
	for _, p := range parts {
		faults := c.Faults(p.Part)
		if len(faults) == 0 {
			continue
		}
		t := tabwriter.NewWriter(w, 0, 0, 1, ' ', tabwriter.AlignRight)
		fmt.Fprintf(t, "%-17s", p.Part)
		for _, stage := range p.Stages {
			fmt.Fprintf(t, "\t%s", heading(stage))
		}
		fmt.Fprint(t, "\t\n")
		for _, fault := range faults {
			fmt.Fprintf(t, "%-17s", fault)
			for _, stage := range p.Stages {
				fmt.Fprintf(t, "\t%s", c.Of(fault, p.Part, stage).text())
			}
			fmt.Fprint(t, "\t\n")
		}
		if err := t.Flush(); err != nil {
			return err
		}
	}
	return nil
}

// CoverageStages are the stages of a part, in their order.
type CoverageStages struct {
	Part   string
	Stages []string
}

// text is the count in five columns at most.
func (c CoverageCell) text() string {
	switch {
	case c.Count >= 1_000_000:
		return fmt.Sprintf("%dM", c.Count/1_000_000)
	case c.Count >= 10_000:
		return fmt.Sprintf("%dk", c.Count/1000)
	case c.Count == 0 && c.Waived != "":
		return "."
	}
	return fmt.Sprint(c.Count)
}

// heading is the name of a stage in five letters at most.
func heading(stage string) string {
	short := map[string]string{"starting": "start", "produce": "prod", "release": "rel", "attach": "attch",
		"enqueue": "enq", "commit": "commt"}
	return cmp.Or(short[stage], stage)
}
