package diff

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"sluice/internal/options"
	"sluice/reports"
)

func count(n int, thing string) string { return options.FormatCount(n, thing) }

// list joins words, the first few of them.
func list(words []string) string {
	const shown = 4
	if more := len(words) - shown; more > 0 {
		return strings.Join(words[:shown], ", ") + fmt.Sprintf(" and %d more", more)
	}
	return strings.Join(words, ", ")
}

// seedText names seeds: "seed 1", "seeds 1 to 8", "8 seeds".
func seedText(seeds []uint64) string {
	first, last := seeds[0], seeds[len(seeds)-1]
	switch n := uint64(len(seeds)); {
	case n == 1:
		return fmt.Sprintf("seed %d", first)
	case last-first == n-1:
		return fmt.Sprintf("seeds %d to %d", first, last)
	default:
		return fmt.Sprintf("%d seeds", n)
	}
}

// shareText writes a share as a percentage, without more digits than it has.
func shareText(v float64) string {
	return strconv.FormatFloat(math.Round(v*1e6)/1e4, 'f', -1, 64) + "%"
}

// value writes a value of the metric without its unit.
func (m Metric) value(v float64) string {
	switch {
	case m.Unit == unitBytes || m.Unit == unitRate || math.Abs(v) >= 1e5:
		return options.FormatRate(v)
	case m.Unit == unitCost:
		return strconv.FormatFloat(v, 'f', 2, 64)
	case m.Unit == unitSeconds:
		return strconv.FormatFloat(v, 'f', 3, 64)
	}
	return strconv.FormatFloat(v, 'g', 4, 64)
}

// with writes a value of the metric with its unit.
func (m Metric) with(v float64) string { return strings.TrimSpace(m.value(v) + " " + m.Unit) }

// signed writes a change, of a share of A's median where there is one.
func (r *Row) signed(change float64) string {
	if share := r.share(change); !math.IsInf(share, 0) {
		return fmt.Sprintf("%+.1f %%", 100*share)
	}
	if change < 0 {
		return "-" + r.with(-change)
	}
	return "+" + r.with(change)
}

// change is the shift in words; "-" if nothing is known of it.
func (r *Row) change() string {
	if r.bounds() {
		return "-"
	}
	return r.signed(r.Shift)
}

// within is the interval of the shift in words.
func (r *Row) within() string {
	if r.Interval == nil {
		return "-"
	}
	switch low, high := math.IsInf(r.Interval.Low, 0), math.IsInf(r.Interval.High, 0); {
	case low && high:
		return "-"
	case low:
		return r.signed(r.Interval.High) + " or less"
	case high:
		return r.signed(r.Interval.Low) + " or more"
	}
	return r.signed(r.Interval.Low) + " to " + r.signed(r.Interval.High)
}

// median is that of a side in words, by how the metric writes a value.
func (s *Side) median(value func(float64) string) string {
	if s.AtLeast {
		return "at least " + value(s.Median)
	}
	return value(s.Median)
}

// p is the smaller corrected p, in words; "-" if there was no test.
func (r *Row) p() string {
	p := min(r.Ranks, r.Shape)
	switch {
	case r.constants():
		return "constant"
	case p >= 1 && (!r.tested || r.Finding == FoundTooFew):
		return "-"
	case p < 0.0001:
		return "< 0.0001"
	}
	return strconv.FormatFloat(p, 'f', 4, 64)
}

// finding is what was found, in words.
func (r *Row) finding() string {
	if r.split && r.Shape < r.Ranks && r.Finding != FoundSmall {
		return string(r.Finding) + " (in shape)"
	}
	return string(r.Finding)
}

// detail is the row in a sentence.
func (r *Row) detail() string {
	text := fmt.Sprintf("%s, and then %s: ", r.A.median(r.with), r.B.median(r.with))
	if r.bounds() {
		return text + "no rate was too high, so that is all that is known; raise --most"
	}
	text += r.change()
	if r.Interval != nil {
		text += fmt.Sprintf(" (95 %%: %s)", r.within())
	}
	if p := r.p(); p != "-" {
		text += ", p " + p
	}
	return text
}

// values says what the values of the rows are.
func (c *Comparison) values() string {
	text := "each value is that of a run"
	for _, r := range c.Rows {
		if r.Batch > 0 {
			text = "one run on each side: its values are means of batches, so long that they do not depend on " +
				"each other"
		}
	}
	return text
}

// tested says for how many tests p is corrected.
func (c *Comparison) tested() string {
	if c.Tests == 0 {
		return "nothing was tested"
	}
	return "p is corrected for " + count(c.Tests, "test")
}

// note says what else a reader must know.
func (c *Comparison) note() {
	if c.A.Version != c.B.Version {
		c.Notes = append(c.Notes, fmt.Sprintf("they were made by different versions: %s, and %s",
			orUnknown(c.A.Version), orUnknown(c.B.Version)))
	}
	if c.A.Kind == KindCapacity && c.B.Kind == KindCapacity { // of others they are named as a difference
		for _, side := range [][2]Set{{c.A, c.B}, {c.B, c.A}} {
			if only := side[0].without(side[1]); len(only) > 0 {
				c.Notes = append(c.Notes, fmt.Sprintf("only %s has %s", side[0].Dir, strings.Join(only, ", ")))
			}
		}
	}
	for i := range c.Rows {
		if r := &c.Rows[i]; r.Name == Offered && r.beyond(true, c.LeastEffect, r.share) ||
			r.Name == Offered && r.beyond(false, c.LeastEffect, r.share) {
			c.Notes = append(c.Notes, strings.TrimSpace(r.Group+" ")+"the load was not the same: "+r.detail())
		}
	}
}

func orUnknown(version string) string {
	if version == "" {
		return "one that did not write its version"
	}
	return version
}

// header are the columns of the table.
var header = []string{"figure", "unit", "n", "A", "B", "change", "95 % interval", "p", "found"}

// cells are those of a row, with a group as the start of its first.
func (r *Row) cells() []string {
	n := strconv.Itoa(r.A.N)
	if r.A.N != r.B.N {
		n += "+" + strconv.Itoa(r.B.N)
	}
	unit := r.Unit
	if unit == "" {
		unit = "-"
	}
	return []string{r.Name, unit, n, r.A.median(r.value), r.B.median(r.value), r.change(), r.within(), r.p(),
		r.finding()}
}

// WriteText writes the comparison for a reader.
func (c *Comparison) WriteText(w io.Writer) error {
	fmt.Fprintf(w, "A  %s\nB  %s\n", c.A.describe(), c.B.describe())
	for _, note := range c.Notes {
		fmt.Fprintln(w, "note:", note)
	}
	c.writeEvents(w)
	if c.identical() && c.Code == 0 { // else the figures say what is wrong with both
		_, err := fmt.Fprintf(w, "verdict: %s\n", c.Verdict)
		return err
	}
	for _, group := range c.A.groups() {
		if !slices.ContainsFunc(c.Rows, func(r Row) bool { return r.Group == group }) {
			continue // of one side only
		}
		if err := c.writeGroup(w, group); err != nil {
			return err
		}
	}
	fmt.Fprintf(w, "(%s; %s)\n\n", c.values(), c.tested())
	for _, j := range c.Judgements {
		if j.Verdict != reports.Passed && j.Name != eventByEvent {
			fmt.Fprintf(w, "%s: %s: %s\n", j.Verdict, j.Name, j.Detail)
		}
	}
	_, err := fmt.Fprintf(w, "verdict: %s\n", c.Verdict)
	return err
}

// writeGroup writes the table of a group.
func (c *Comparison) writeGroup(w io.Writer, group string) error {
	fmt.Fprintln(w)
	if group != "" {
		fmt.Fprintln(w, group)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, strings.Join(header, "\t"))
	for i := range c.Rows {
		if r := &c.Rows[i]; r.Group == group {
			fmt.Fprintln(t, strings.Join(r.cells(), "\t"))
		}
	}
	return t.Flush()
}

// writeEvents says whether runs that must be the same are, and where the first parts.
func (c *Comparison) writeEvents(w io.Writer) {
	if c.Pairs == 0 {
		return
	}
	fmt.Fprintf(w, "\n%d of %s of the same seed %s the same, event by event\n", c.Same,
		count(c.Pairs, "pair"), map[bool]string{true: "is", false: "are"}[c.Same == 1])
	if c.First == nil {
		return
	}
	fmt.Fprintf(w, "seed %d: %s\n", c.FirstSeed, c.First.where())
	if text := c.First.sampleText(); text != "" && c.First.Event >= 0 {
		fmt.Fprintln(w, text)
	}
	for _, line := range c.First.lines() {
		fmt.Fprintln(w, line)
	}
}
