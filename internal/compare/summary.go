package compare

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"text/tabwriter"

	"sluice/internal/options"
	"sluice/reports"
)

// Limits are how far predictions may be off, over several comparisons: the median and the worst relative
// error of throughputs that a system limits, the worst factor of a freshness p99, and the worst relative
// error of a recovery, of which a second is always allowed.
type Limits struct {
	Median    float64 `json:"median"`
	Worst     float64 `json:"worst"`
	Freshness float64 `json:"freshness"`
	Recovery  float64 `json:"recovery"`
}

// Summary is what several comparisons say of the predictions.
type Summary struct {
	// Predicting and Measuring are the worlds.
	Predicting  string   `json:"predicting"`
	Measuring   string   `json:"measuring"`
	Comparisons []Source `json:"comparisons"`
	Limits      Limits   `json:"limits"`
	Figures     []Sum    `json:"figures"`
	// Inside are those of so many Intervals in which was measured what they predict.
	Inside    int `json:"inside"`
	Intervals int `json:"intervals"`
	// Unsafe are the runs that violated safety, Beyond what is beyond the limits, in words.
	Unsafe []string `json:"unsafe"`
	Beyond []string `json:"beyond"`
}

// Source is a comparison, and where it is.
type Source struct {
	Dir      string  `json:"directory"`
	Scenario string  `json:"scenario"`
	Points   int     `json:"points"` // process counts
	Report   *Report `json:"-"`
}

// Sum is what is said of a figure by N points, each a process count of a comparison.
type Sum struct {
	Figure Figure `json:"figure"`
	// Factor is true if Median and Worst are factors, from 1 on, else they are relative errors without sign.
	Factor bool `json:"factor"`
	N      int  `json:"n"`
	// Median and Worst are null if they have no bound: something was predicted, and 0 measured.
	Median *float64 `json:"median"`
	Worst  *float64 `json:"worst"`
	// At is the point of the worst, in words.
	At string `json:"worst_at"`
	// Inside are those of so many Intervals in which was measured what they predict.
	Inside    int `json:"inside"`
	Intervals int `json:"intervals"`
}

// point is a pair, and where it is.
type point struct {
	Pair
	at string
}

// Summarize sums up comparisons of the same two worlds, of which there is one at least.
func Summarize(of []Source, limits Limits) *Summary {
	s := &Summary{Predicting: of[0].Report.Predicting, Measuring: of[0].Report.Measuring, Comparisons: of,
		Limits: limits, Unsafe: []string{}, Beyond: []string{}}
	points := map[Figure][]point{}
	for _, source := range of {
		for _, what := range source.Report.Unsafe {
			s.Unsafe = append(s.Unsafe, source.Dir+": "+what)
		}
		for _, row := range source.Report.Rows {
			at := fmt.Sprintf("%s with %s, %s", source.Scenario, options.FormatCount(row.Processes, "process"), source.Dir)
			if !row.Same.Verdict {
				s.Beyond = append(s.Beyond, "other verdicts than predicted: "+at)
			}
			for _, what := range row.onOneSide() {
				s.Beyond = append(s.Beyond, what+": "+at)
			}
			for _, p := range row.Pairs {
				if p.Figure == Recovery && p.recoversWrong(limits.Recovery) {
					s.Beyond = append(s.Beyond, fmt.Sprintf("the recovery is predicted %s, the limit is %.0f %%: %s", p.wrong(),
						100*limits.Recovery, at))
				}
				if p.Figure != Throughput || row.Limited {
					points[p.Figure] = append(points[p.Figure], point{p, at})
				}
			}
		}
	}
	for _, f := range figures {
		if list := points[f.Figure]; len(list) > 0 {
			sum := sumOf(f.Figure, list)
			s.Inside, s.Intervals = s.Inside+sum.Inside, s.Intervals+sum.Intervals
			s.Figures = append(s.Figures, sum)
			s.Beyond = append(s.Beyond, limits.broken(sum)...)
		}
	}
	return s
}

// sumOf sums up the points of a figure.
func sumOf(f Figure, list []point) Sum {
	sum := Sum{Figure: f, Factor: f == FreshnessP50 || f == FreshnessP99, N: len(list)}
	var all []float64
	worst := math.Inf(-1)
	for _, p := range list {
		off := p.off()
		if sum.Factor {
			off = factor(p.Pair)
		}
		if all = append(all, off); off > worst {
			worst, sum.At = off, fmt.Sprintf("%s (%s, measured %s %s)", p.at, number(p.Predicted.Median),
				number(p.Measured.Median), f.Unit())
		}
		if p.Interval != nil {
			sum.Intervals++
			if p.Interval.Inside {
				sum.Inside++
			}
		}
	}
	sum.Median, sum.Worst = bounded(reports.Median(all)), bounded(worst)
	return sum
}

// bounded is a number that JSON has, nil if it has no bound.
func bounded(v float64) *float64 {
	if math.IsInf(v, 0) || math.IsNaN(v) {
		return nil
	}
	return &v
}

// broken says which limits a figure breaks.
func (l Limits) broken(sum Sum) (list []string) {
	check := func(what string, value *float64, limit float64) {
		if value == nil || *value > limit {
			list = append(list, fmt.Sprintf("the %s of the %s is %s, the limit is %s", what, sum.Figure,
				sum.text(value), sum.text(&limit)))
		}
	}
	switch sum.Figure {
	case Throughput:
		check("median error", sum.Median, l.Median)
		check("worst error", sum.Worst, l.Worst)
	case FreshnessP99:
		check("worst factor", sum.Worst, l.Freshness)
	}
	return list
}

// text writes an error.
func (s Sum) text(v *float64) string {
	switch {
	case v == nil:
		return "without bound"
	case s.Factor:
		return fmt.Sprintf("x %.2f", *v)
	}
	return fmt.Sprintf("%.1f %%", 100**v)
}

// covered writes how many intervals held what was measured.
func covered(inside, of int) string {
	if of == 0 {
		return "-"
	}
	return fmt.Sprintf("%d of %d", inside, of)
}

// Judged tells whether a throughput says something of the predictions: without one there is no answer.
func (s *Summary) Judged() bool {
	return slices.ContainsFunc(s.Figures, func(sum Sum) bool { return sum.Figure == Throughput })
}

// Headline says in words how good the predictions are.
func (s *Summary) Headline() string {
	text := "No throughput says anything of the predictions: the load was the limit."
	for _, sum := range s.Figures {
		if sum.Figure == Throughput {
			text = fmt.Sprintf("The throughput of %s is predicted with a median error of %s, the worst %s.",
				options.FormatCount(sum.N, "point"), sum.text(sum.Median), sum.text(sum.Worst))
		}
	}
	if s.Intervals > 0 {
		text += fmt.Sprintf(" %s figures within the 90 %% intervals (%.0f %%).", covered(s.Inside, s.Intervals),
			100*float64(s.Inside)/float64(s.Intervals))
	}
	if n := len(s.Unsafe); n > 0 {
		text = "Safety was violated in " + options.FormatCount(n, "run") + ". " + text
	}
	switch {
	case len(s.Beyond) == 0 && !s.Judged():
		return text
	case len(s.Beyond) == 0:
		return text + " All within the limits."
	}
	return text + " Beyond the limits: " + strings.Join(s.Beyond, "; ") + "."
}

// table has a row for each figure.
func (s *Summary) table() *reports.Table {
	t := &reports.Table{Columns: slices.Concat(reports.Words("figure"),
		reports.Numbers("points", "median error", "worst", "in 90 %"), reports.Words("where the worst is"))}
	for _, sum := range s.Figures {
		t.Rows = append(t.Rows, []string{string(sum.Figure), fmt.Sprint(sum.N), sum.text(sum.Median), sum.text(sum.Worst),
			covered(sum.Inside, sum.Intervals), sum.At})
	}
	return t
}

// WriteText writes the summary for a reader.
func (s *Summary) WriteText(w io.Writer) error {
	fmt.Fprintf(w, "%s\n\n", s.Headline())
	for _, what := range s.Unsafe {
		fmt.Fprintf(w, "Safety was violated in %s\n\n", what)
	}
	table := s.table()
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, c := range table.Columns {
		fmt.Fprintf(t, "%s\t", c.Name)
	}
	for _, row := range table.Rows {
		fmt.Fprintf(t, "\n%s", strings.Join(row, "\t"))
	}
	fmt.Fprintln(t)
	return t.Flush()
}

// summaryTitle heads the Markdown.
const summaryTitle = "How good the predictions are"

// SummaryMark is in what WriteMarkdown writes.
const SummaryMark = "# " + summaryTitle + "\n"

// WriteMarkdown writes it as Markdown.
func (s *Summary) WriteMarkdown(w io.Writer) error {
	d := reports.Document{Title: summaryTitle, Lead: s.Headline()}
	for _, what := range s.Unsafe {
		d.Next = append(d.Next, "Safety was violated in "+what)
	}
	var dirs []string
	for _, c := range s.Comparisons {
		dirs = append(dirs, c.Dir)
	}
	d.About = fmt.Sprintf("%s, of world %s predicted by world %s: %s.", options.FormatCount(len(dirs), "comparison"),
		s.Measuring, s.Predicting, strings.Join(dirs, ", "))
	d.Sections = []reports.Section{{Heading: "Figures", Table: s.table()}}
	return d.WriteMarkdown(w)
}
