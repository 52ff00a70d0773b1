package explore

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"sluice/internal/options"
)

// Text is a size of the preset in words, with more words before the faults: only what takes part in it.
func (p Preset) Text(s Size, faults string) string {
	words := []string{options.FormatCount(s.Workers, "worker")}
	if p.Supervises {
		words = append(words, options.FormatCount(s.shards(), "shard"))
	} else {
		trace := "trace"
		if s.Scattered {
			trace = "scattered trace"
		}
		words = append(words, options.FormatCount(s.Traces, trace), options.FormatCount(s.Spans, "span"))
		if s.Lease > 1 {
			words = append(words, options.FormatCount(s.Lease, "segment")+" at a time")
		}
	}
	return strings.Join(append(words, faults+options.FormatCount(s.Faults, "fault")), ", ")
}

// System is the system in words in which the violation was found.
func (r Result) System() string { return r.Config.preset().Text(r.Smallest, "") }

// WriteText writes the result as text, but for the verdict, which took so long to find.
func (r Result) WriteText(to io.Writer, took time.Duration) error {
	var b strings.Builder
	fmt.Fprintf(&b, "explore %s: %s", r.Config.Preset, r.Config.preset().Text(r.Config.Size, "at most "))
	if r.Config.Defect != "" {
		fmt.Fprintf(&b, ", defect %s", r.Config.Defect)
	}
	fmt.Fprintf(&b, "\nstates: %d generated, %d distinct, %d steps deep", r.Generated, r.Distinct, r.Depth)
	if r.Exhausted {
		b.WriteString("; that is all of them")
	}
	fmt.Fprintf(&b, "\ntime: %v, %.0f distinct states/s; the code itself ran %d times\n",
		took.Round(time.Millisecond), float64(r.Distinct)/max(took.Seconds(), 1e-3), r.Executed)
	fmt.Fprintf(&b, "reduction: symmetry %s, independence %s\n", r.symmetry(),
		onOff(r.Config.Independence))
	if r.Config.Seeds > 0 && r.Exhausted {
		of := ""
		if r.Walked < r.Config.Seeds {
			of = fmt.Sprintf(" of %d", r.Config.Seeds)
		}
		fmt.Fprintf(&b, "seeds: %d%s random runs reach %d of %d states, %.1f %%\n", r.Walked, of, r.Reached,
			r.Distinct, 100*float64(r.Reached)/float64(r.Distinct))
	}
	b.WriteString("\nfaults by the stage of the process that they hit:\n")
	r.coverage(&b)
	if r.Wrong != "" {
		way := "the shortest way there"
		if !r.Shortest {
			way = "a way there, perhaps not the shortest"
		}
		if r.PassedOver > 0 {
			way += fmt.Sprintf(" (%s not searched to the end)", options.FormatCount(r.PassedOver, "smaller system"))
		}
		fmt.Fprintf(&b, "\nviolated: %s\n%s, with %s:\n", r.Wrong, way, r.System())
		for i, step := range r.Steps() {
			fmt.Fprintf(&b, "%4d  %s\n", i+1, step)
		}
	}
	b.WriteString("\n")
	_, err := io.WriteString(to, b.String())
	return err
}

// Coverage is how often a fault hit a stage of a process.
type Coverage struct {
	Fault string `json:"fault"`
	Stage string `json:"stage"`
	Count int    `json:"count"`
}

// Coverages are those of the result, by fault and stage.
func (r Result) Coverages() []Coverage {
	list := []Coverage{}
	for c, n := range r.Covered { //order-free: sorted below
		list = append(list, Coverage{c.Fault, c.Stage, n})
	}
	slices.SortFunc(list, func(a, b Coverage) int {
		return cmp.Or(cmp.Compare(a.Fault, b.Fault), cmp.Compare(a.Stage, b.Stage))
	})
	return list
}

func (r Result) symmetry() string {
	if !r.Config.Symmetry {
		return "off"
	}
	return fmt.Sprintf("on, each state stands for %.2f", float64(r.Symmetric)/float64(max(r.Distinct, 1)))
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

// coverage writes a row per fault, and a column per stage.
func (r Result) coverage(b *strings.Builder) {
	rows, columns := make(map[string]bool), make(map[string]bool)
	for c := range r.Covered { //order-free: into sets
		rows[c.Fault], columns[c.Stage] = true, true
	}
	stages := slices.Sorted(maps.Keys(columns))
	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(t, "\t%s\t\n", strings.Join(stages, "\t"))
	for _, fault := range slices.Sorted(maps.Keys(rows)) {
		fmt.Fprintf(t, "%s\t", fault)
		for _, stage := range stages {
			if n := r.Covered[Cell{fault, stage}]; n > 0 {
				fmt.Fprintf(t, "%d\t", n)
			} else {
				fmt.Fprint(t, "-\t")
			}
		}
		fmt.Fprintln(t)
	}
	_ = t.Flush() // into memory
}
