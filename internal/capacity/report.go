package capacity

import (
	"fmt"
	"io"
	"math"
	"slices"
	"text/tabwriter"

	"sluice/internal/options"
	"sluice/internal/usl"
)

// Report is the answer. It is written as capacity.json.
type Report struct {
	Scenario string `json:"scenario"`
	World    string `json:"world"`
	// Target is the rate that is wanted, in spans per second, Headroom the share on top of it.
	Target   float64 `json:"target"`
	Headroom float64 `json:"headroom"`
	// Recommended is nil if it is refused to name a count; Refused says why, and is empty otherwise.
	Recommended *Recommended `json:"recommended"`
	Refused     string       `json:"refused"`
	// Points are all that was measured, Counts what the repeats of each count have in common.
	Points []Point `json:"points"`
	Counts []Count `json:"limits"`
	// USL is the law that fits the points; nil with a reason in NoFit.
	USL   *usl.Fit `json:"usl"`
	NoFit string   `json:"no_fit,omitempty"`
	// Unfinished says why not every count was measured; empty if all were.
	Unfinished string `json:"unfinished,omitempty"`
}

// Recommended is how many processes carry the target with its headroom, and the least and the most
// that it can be, by the spread of the repeats.
type Recommended struct {
	Processes int `json:"processes"`
	Low       int `json:"low"`
	High      int `json:"high"`
}

// Count is what the repeats with one process count have in common.
type Count struct {
	Processes int `json:"processes"`
	// Least, Median and Greatest of the highest sustained rates, in spans per second.
	Least    float64 `json:"least"`
	Median   float64 `json:"median"`
	Greatest float64 `json:"greatest"`
	// Limit is what limits most repeats, Share how busy it was.
	Limit Resource `json:"resource"`
	Share float64  `json:"utilisation"`
	// Unbounded is true if no rate was tried that was too high: the search's bound was the limit.
	Unbounded bool `json:"unbounded"`
}

// NewReport derives the answer from the points.
func NewReport(scenario, world string, target, headroom float64, points []Point) *Report {
	r := &Report{Scenario: scenario, World: world, Target: target, Headroom: headroom, Points: points}
	r.count()
	r.fit()
	r.recommend()
	return r
}

func (r *Report) count() {
	by := map[int][]Point{}
	for _, p := range r.Points {
		by[p.Processes] = append(by[p.Processes], p)
	}
	for processes, repeats := range by { //order-free: sorted below
		slices.SortFunc(repeats, func(a, b Point) int { return compare(a.Throughput, b.Throughput) })
		middle := repeats[len(repeats)/2]
		c := Count{Processes: processes, Least: repeats[0].Throughput, Median: middle.Throughput,
			Greatest: repeats[len(repeats)-1].Throughput, Limit: middle.Limit, Share: middle.Share}
		if n := len(repeats); n%2 == 0 {
			c.Median = (c.Median + repeats[n/2-1].Throughput) / 2
		}
		for _, p := range repeats {
			c.Unbounded = c.Unbounded || p.Failed == 0
		}
		r.Counts = append(r.Counts, c)
	}
	slices.SortFunc(r.Counts, func(a, b Count) int { return a.Processes - b.Processes })
}

func compare(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func (r *Report) fit() {
	var points []usl.Point
	for _, p := range r.Points {
		if p.Failed == 0 {
			r.NoFit = fmt.Sprintf("with %s, no rate was too high: the search ended at %.0f spans/s",
				processes(p.Processes), p.Throughput)
			return
		}
		points = append(points, usl.Point{Processes: float64(p.Processes), Throughput: p.Throughput})
	}
	fit, err := usl.Of(points)
	if err != nil {
		r.NoFit = err.Error()
		return
	}
	r.USL = fit
}

// recommend names the least measured count that carries the target. Nothing is said of counts that
// were not measured: a law that fits the first points can be wrong behind them.
func (r *Report) recommend() {
	need := r.Target * (1 + r.Headroom)
	if r.Target <= 0 {
		return
	}
	first := func(of func(Count) float64) int {
		at := slices.IndexFunc(r.Counts, func(c Count) bool { return of(c) >= need })
		if at < 0 {
			return 0
		}
		return r.Counts[at].Processes
	}
	median := first(func(c Count) float64 { return c.Median })
	if median == 0 {
		best := slices.MaxFunc(r.Counts, func(a, b Count) int { return compare(a.Median, b.Median) })
		r.Refused = fmt.Sprintf("no measured count carries %s spans/s: the best is %s with %s, limited by %s; %s",
			grouped(need), grouped(best.Median), processes(best.Processes), best.Limit, r.next(best))
		return
	}
	r.Recommended = &Recommended{
		Processes: median,
		Low:       first(func(c Count) float64 { return c.Greatest }),
		High:      first(func(c Count) float64 { return c.Least }),
	}
	if r.Recommended.High == 0 {
		r.Recommended.High = r.Counts[len(r.Counts)-1].Processes
	}
}

// next says what to do when no count carries the target.
func (r *Report) next(best Count) string {
	last := r.Counts[len(r.Counts)-1]
	switch {
	case best.Limit == RedisThread:
		return "more processes do not help; a cluster does, or less work for Redis (larger batches)"
	case best.Limit == Cores:
		return "more processes do not help; more cores do"
	case best.Processes == last.Processes:
		return "measure more processes"
	}
	return "more processes make it worse"
}

func grouped(v float64) string { return options.FormatGrouped(int64(math.Round(v)), ",") }

func processes(n int) string { return options.FormatCount(n, "process") }

// Headline is the answer in a sentence or two.
func (r *Report) Headline() string {
	if r.Refused != "" {
		return "No recommendation: " + r.Refused + "."
	}
	text := ""
	if rec := r.Recommended; rec != nil {
		carry := "carry"
		if rec.Processes == 1 {
			carry = "carries"
		}
		text = fmt.Sprintf("%s %s %s spans/s with %.0f %% headroom", processes(rec.Processes), carry,
			grouped(r.Target), 100*r.Headroom)
		if rec.Low != rec.High {
			text += fmt.Sprintf(" (by the spread: %d to %d)", rec.Low, rec.High)
		}
		text += "; "
	}
	return text + r.limits() + "."
}

// limits says what limits from which count on.
func (r *Report) limits() string {
	last := r.Counts[len(r.Counts)-1]
	from := last.Processes
	for i := len(r.Counts) - 1; i >= 0 && r.Counts[i].Limit == last.Limit; i-- {
		from = r.Counts[i].Processes
	}
	if last.Unbounded {
		return fmt.Sprintf("with %s no rate was too high", processes(last.Processes))
	}
	return fmt.Sprintf("%s limits from %d on", last.Limit, from)
}

// WriteText writes the report for a reader.
func (r *Report) WriteText(w io.Writer) error {
	fmt.Fprintf(w, "%s\n\n", r.Headline())
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "processes\tleast/s\tmedian/s\tgreatest/s\tfit/s\tlimit\tbusy\t")
	for _, c := range r.Counts {
		fit := "-"
		if r.USL != nil {
			fit = fmt.Sprintf("%.0f", r.USL.At(float64(c.Processes)))
		}
		limit, share := string(c.Limit), fmt.Sprintf("%.0f %%", 100*c.Share)
		if c.Unbounded {
			limit, share = "none found", "-"
		}
		fmt.Fprintf(t, "%d\t%.0f\t%.0f\t%.0f\t%s\t%s\t%s\t\n", c.Processes, c.Least, c.Median, c.Greatest, fit,
			limit, share)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if r.Unfinished != "" {
		fmt.Fprintf(w, "\nNot all was measured: %s.\n", r.Unfinished)
	}
	if r.USL == nil {
		_, err := fmt.Fprintf(w, "\nNo law fitted: %s.\n", r.NoFit)
		return err
	}
	_, err := fmt.Fprintf(w, "\n%s", FitText(r.USL, "spans/s"))
	return err
}

// FitText is a fitted law for a reader; unit is that of the throughput.
func FitText(f *usl.Fit, unit string) string {
	line := func(name string, v usl.Value, what string) string {
		if v.Bound {
			return fmt.Sprintf("%-8s 0 (at its bound)  %s\n", name, what)
		}
		return fmt.Sprintf("%-8s %.6g [%.4g, %.4g]  %s\n", name, v.Value, v.Low, v.High, what)
	}
	text := "Universal Scalability Law, with intervals of 95 %:\n" +
		line("lambda", f.Lambda, unit+" of one process") +
		line("sigma", f.Sigma, "contention: the share of work done one after the other") +
		line("kappa", f.Kappa, "coherency: what each pair of processes costs")
	switch peak := f.Peak(); {
	case math.IsInf(peak, 1) && math.IsInf(f.Limit(), 1):
		text += "peak     none: throughput grows with each process\n"
	case math.IsInf(peak, 1):
		text += fmt.Sprintf("peak     none: throughput goes towards %.6g %s\n", f.Limit(), unit)
	case peak > f.Most:
		text += fmt.Sprintf("peak     refused: it would be at %.4g processes, and nothing beyond %.4g was "+
			"measured\n", peak, f.Most)
	default:
		text += fmt.Sprintf("peak     %.6g %s at %.4g processes\n", f.At(peak), unit, peak)
	}
	return text + fmt.Sprintf("error    %.4g %s (residual standard error)\n", f.ResidualError, unit)
}
