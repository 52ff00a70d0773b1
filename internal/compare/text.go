package compare

import (
	"fmt"
	"io"
	"math"
	"strings"
	"text/tabwriter"

	"sluice/internal/options"
)

// Headline says in a sentence how good the prediction is, and before that whether all runs were safe.
func (r *Report) Headline() string {
	if n := len(r.Unsafe); n > 0 {
		return "Safety was violated in " + options.FormatCount(n, "run") + ". " + r.accuracy()
	}
	return r.accuracy()
}

func (r *Report) accuracy() string {
	median, worst, n := r.Errors(Throughput)
	text := "The throughput says nothing of the prediction: the load was the limit."
	if n > 0 {
		text = fmt.Sprintf("The throughput is predicted with an error of %s (worst %s).", share(median), share(worst))
	}
	if inside, of := r.Covered(); of > 0 {
		text += fmt.Sprintf(" %d of %s within the 90 %% intervals.", inside,
			options.FormatCount(of, "figure"))
	}
	if len(r.Beyond) == 0 {
		return text + " All within the tolerance."
	}
	return text + " Beyond the tolerance: " + strings.Join(r.Beyond, "; ") + "."
}

// share writes an error without sign, which may have no bound.
func share(v float64) string {
	if math.IsInf(v, 1) {
		return "no bound, as nothing came out"
	}
	return fmt.Sprintf("%.0f %%", 100*v)
}

// WriteText writes the report for a reader.
func (r *Report) WriteText(w io.Writer) error {
	fmt.Fprintf(w, "%s\n\n", r.Headline())
	for _, what := range r.Unsafe {
		fmt.Fprintf(w, "Safety was violated %s.\n\n", what)
	}
	if r.Unfinished != "" {
		fmt.Fprintf(w, "Not all was compared: %s\n\n", r.Unfinished)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(t, "processes\tfigure\t%s\t%s\t%s\tspread\terror\t\n", r.Predicting, r.rangeName(), r.Measuring)
	for _, row := range r.Rows {
		for _, p := range row.Pairs {
			note := ""
			switch {
			case p.Figure == Throughput && !row.Limited:
				note = " (the load's)"
			case p.Interval != nil && !p.Interval.Inside:
				note = " (outside)"
			}
			fmt.Fprintf(t, "%d\t%s %s\t%s\t%s\t%s\t%s\t%s%s\t\n", row.Processes, p.Figure, p.Figure.Unit(),
				number(p.Predicted.Median), p.predictedRange(), number(p.Measured.Median),
				p.Measured.spread(), p.error(), note)
		}
	}
	fmt.Fprintf(t, "\nprocesses\tverdict\trestarts\tpauses\torder of events\t\n")
	for _, row := range r.Rows {
		fmt.Fprintf(t, "%d\t%s\t%s\t%s\t%s\t\n", row.Processes, agrees(row.Same.Verdict),
			agrees(row.Same.Restarts), agrees(row.Same.Pauses), agrees(row.Same.Order))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, row := range r.Rows {
		if row.Same.First != "" {
			fmt.Fprintf(w, "first difference with %s: %s\n", options.FormatCount(row.Processes, "process"),
				row.Same.First)
		}
	}
	if r.Machine > 0 {
		fmt.Fprintf(w, "by the yardstick, work takes %.2f times as long here and now as when the costs were "+
			"measured\n", r.Machine)
	}
	return nil
}

// rangeName heads the ranges of what is predicted.
func (r *Report) rangeName() string {
	if _, of := r.Covered(); of > 0 {
		return "90 %"
	}
	return "spread"
}

// predictedRange writes the interval, or the spread if there is none.
func (p Pair) predictedRange() string {
	if p.Interval == nil {
		return p.Predicted.spread()
	}
	return Value{Least: p.Interval.Low, Greatest: p.Interval.High, N: 2}.spread()
}

func agrees(same bool) string {
	if same {
		return "agree"
	}
	return "differ"
}

// spread writes the least and the greatest.
func (v Value) spread() string {
	if v.N < 2 {
		return ""
	}
	return "[" + number(v.Least) + ".." + number(v.Greatest) + "]"
}

// number writes three digits, or all of a large number.
func number(v float64) string {
	switch size := math.Abs(v); {
	case size >= 100:
		return fmt.Sprintf("%.0f", v)
	case size >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

// wrong says how wrong a prediction is.
func (p Pair) wrong() string {
	if p.Error == nil {
		return fmt.Sprintf("as %s %s and measured as 0", number(p.Predicted.Median), p.Figure.Unit())
	}
	return fmt.Sprintf("%+.0f %% wrong", 100**p.Error)
}

// error writes the error.
func (p Pair) error() string {
	if p.Error == nil {
		return "-"
	}
	return fmt.Sprintf("%+.0f %%", 100**p.Error)
}

// gravestText is the gravest verdict of runs, and of how many, if not of all.
func gravestText(runs []Run) string {
	worst, n := gravest(runs), 0
	for _, r := range runs {
		if r.Verdict == worst.Verdict {
			n++
		}
	}
	text := fmt.Sprintf("%q", worst.verdict())
	if n < len(runs) {
		text += fmt.Sprintf(" in %d of %d runs", n, len(runs))
	}
	return text
}

// verdict is that with its reason.
func (r Run) verdict() string {
	if r.Reason == "" {
		return r.Verdict
	}
	return r.Verdict + " (" + r.Reason + ")"
}
