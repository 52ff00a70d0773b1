package compare

import (
	"fmt"
	"math"
	"slices"

	"sluice/internal/judge"
	"sluice/internal/options"
	"sluice/reports"
)

// Tolerance is how far a prediction may be off.
type Tolerance struct {
	// Throughput is the greatest relative error of one that the system limits in a world; Freshness the
	// factor by which the 99th percentile may be too high or too low.
	Throughput float64 `json:"throughput"`
	Freshness  float64 `json:"freshness"`
	// Recovery is the greatest relative error of the time to recover; a second is always allowed, since
	// samples are looked at by the second.
	Recovery float64 `json:"recovery"`
}

// Row is what both worlds show with a number of processes.
type Row struct {
	Processes int   `json:"processes"`
	Predicted []Run `json:"predicted"`
	Measured  []Run `json:"measured"`
	// Bounds are predicted with the costs at both ends of what one more calibration would find in 90 of
	// 100 cases; none if nobody knows how the costs spread.
	Bounds []Run    `json:"bounds,omitempty"`
	Pairs  []Pair   `json:"pairs"`
	Same   Sameness `json:"same"`
	// Limited is false if in both worlds most runs kept up with the load: the throughput is the load's
	// then, and says nothing of the prediction. If only one did, that is what is wrong with it.
	Limited bool `json:"limited"`
}

// Pair is a figure of both worlds.
type Pair struct {
	Figure    Figure `json:"figure"`
	Predicted Value  `json:"predicted"`
	Measured  Value  `json:"measured"`
	// Error is (predicted - measured) / measured, of the medians; nil if something is predicted and
	// nothing was measured, which no error of that kind says.
	Error *float64 `json:"error"`
	// Interval is what the bounds and all repeats span, and as much wider as the model has been found to
	// leave out; nil without bounds.
	Interval *Interval `json:"interval,omitempty"`
}

// Interval is where a figure is predicted to be in 90 of 100 cases.
type Interval struct {
	Low  float64 `json:"low"`
	High float64 `json:"high"`
	// Inside tells whether the median of what was measured is.
	Inside bool `json:"inside"`
}

// Sameness tells whether the same happened. What runs of one world do not agree on is no difference, but
// for safety and liveness: the gravest run of a world says what may happen in it.
type Sameness struct {
	Verdict  bool `json:"verdict"`
	Restarts bool `json:"restarts"`
	Pauses   bool `json:"pauses"`
	Order    bool `json:"order"`
	// First is the first difference of the order, in words.
	First string `json:"first,omitempty"`
}

// Report is a comparison.
type Report struct {
	Scenario string `json:"scenario"`
	// Predicting and Measuring are the worlds.
	Predicting string    `json:"predicting"`
	Measuring  string    `json:"measuring"`
	Tolerance  Tolerance `json:"tolerance"`
	Rows       []Row     `json:"rows"`
	// Machine is how much slower the machine is than when the costs were measured, by the yardstick; 0
	// if that is not known.
	Machine float64 `json:"machine,omitempty"`
	// Unsafe are the runs in which safety was violated, in words, whatever they were made for.
	Unsafe []string `json:"unsafe,omitempty"`
	// Unfinished says why not every count was compared, or not with all repeats; empty if all were.
	Unfinished string `json:"unfinished,omitempty"`
	// Beyond says what is beyond the tolerance, in words.
	Beyond []string `json:"beyond"`
}

// NewRow compares the runs of both worlds; bounds are Row.Bounds.
func NewRow(processes int, predicted, measured, bounds []Run) Row {
	r := Row{Processes: processes, Predicted: predicted, Measured: measured, Bounds: bounds}
	r.Limited = !mostCarried(predicted) || !mostCarried(measured)
	for _, f := range figures {
		p, ok1 := valueOf(predicted, f.Figure)
		m, ok2 := valueOf(measured, f.Figure)
		if ok1 && ok2 {
			pair := Pair{Figure: f.Figure, Predicted: p, Measured: m}
			switch {
			case m.Median != 0:
				pair.Error = new((p.Median - m.Median) / m.Median)
			case p.Median == 0:
				pair.Error = new(0.)
			}
			pair.Interval = intervalOf(pair, bounds)
			r.Pairs = append(r.Pairs, pair)
		}
	}
	r.Same = Sameness{
		Verdict:  sameVerdict(predicted, measured),
		Restarts: overlap(predicted, measured, func(r Run) int { return r.Restarts }),
		Pauses:   overlap(predicted, measured, func(r Run) bool { return r.Pauses > 0 }),
	}
	r.Same.Order, r.Same.First = sameOrder(predicted, measured)
	return r
}

// mostCarried tells whether more than half of the runs carried the load.
func mostCarried(runs []Run) bool {
	kept := 0
	for _, r := range runs {
		if r.LoadCarried {
			kept++
		}
	}
	return 2*kept > len(runs)
}

// intervalOf is the interval of a pair. Freshness below what is as good as none is that.
func intervalOf(p Pair, bounds []Run) *Interval {
	b, ok := valueOf(bounds, p.Figure)
	if !ok {
		return nil
	}
	beyond := math.Log(p.Figure.factor())
	i := &Interval{
		Low:  widened(p.Predicted.Median, min(b.Least, p.Predicted.Least), -beyond),
		High: widened(p.Predicted.Median, max(b.Greatest, p.Predicted.Greatest), beyond),
	}
	floor := 0.0
	if p.Figure == FreshnessP50 || p.Figure == FreshnessP99 {
		floor = freshFloor
	}
	measured := max(p.Measured.Median, floor)
	i.Inside = measured >= i.Low && measured <= max(i.High, floor)
	return i
}

// widened moves an end of an interval away from its middle, so that it also holds what has nothing to do
// with what made it so wide: both are distances of logarithms, the legs of a right triangle. What is 0
// has no logarithm, and stays.
func widened(middle, end, beyond float64) float64 {
	if middle <= 0 || end <= 0 {
		return end
	}
	return middle * math.Exp(math.Copysign(math.Hypot(math.Log(end/middle), beyond), beyond))
}

// Covered counts the figures that have an interval, and those of them that were measured inside it. A
// throughput that is the load's says nothing.
func (r *Report) Covered() (inside, of int) {
	for _, row := range r.Rows {
		for _, p := range row.Pairs {
			if p.Interval == nil || p.Figure == Throughput && !row.Limited {
				continue
			}
			of++
			if p.Interval.Inside {
				inside++
			}
		}
	}
	return inside, of
}

// overlap tells whether a run of the one side has what a run of the other has.
func overlap[T comparable](a, b []Run, of func(Run) T) bool {
	return slices.ContainsFunc(a, func(x Run) bool {
		return slices.ContainsFunc(b, func(y Run) bool { return of(x) == of(y) })
	})
}

// sameVerdict tells whether the runs of both sides came to the same. Safety or liveness that is violated in
// any run of the one must be so in a run of the other.
func sameVerdict(predicted, measured []Run) bool {
	p, m := gravest(predicted), gravest(measured)
	if p.violates() || m.violates() {
		return p.Verdict == m.Verdict
	}
	return overlap(predicted, measured, func(r Run) string { return r.Verdict })
}

// gravest is the first of the runs with the gravest verdict.
func gravest(runs []Run) Run {
	worst := runs[0]
	for _, r := range runs {
		if code := judge.CodeOf(worst.Verdict); judge.Graver(code, judge.CodeOf(r.Verdict)) != code {
			worst = r
		}
	}
	return worst
}

// violates tells whether the run violated safety or liveness.
func (r Run) violates() bool {
	code := judge.CodeOf(r.Verdict)
	return code == judge.ExitSafety || code == judge.ExitLiveness
}

// sameOrder tells whether in a run of each the same happened in the same order; if not, how the first
// two differ.
func sameOrder(predicted, measured []Run) (same bool, first string) {
	for i, p := range predicted {
		for k, m := range measured {
			differ := p.Sequence.Differ(m.Sequence)
			if differ == "" {
				return true, ""
			}
			if i == 0 && k == 0 {
				first = differ
			}
		}
	}
	return false, first
}

// NewReport judges the rows.
func NewReport(scenario string, worlds [2]string, tolerance Tolerance, rows []Row) *Report {
	r := &Report{Scenario: scenario, Predicting: worlds[0], Measuring: worlds[1], Tolerance: tolerance,
		Rows: rows, Beyond: []string{}}
	for _, row := range rows {
		beyond := func(format string, args ...any) {
			r.Beyond = append(r.Beyond, fmt.Sprintf("with %s %s",
				options.FormatCount(row.Processes, "process"), fmt.Sprintf(format, args...)))
		}
		if !row.Same.Verdict {
			beyond("the verdict is %s, predicted was %s", gravestText(row.Measured), gravestText(row.Predicted))
		}
		for _, what := range row.onOneSide() {
			beyond("%s", what)
		}
		for _, p := range row.Pairs {
			switch {
			case p.Figure == Throughput && row.Limited && p.off() > tolerance.Throughput:
				beyond("the throughput is predicted %s, the tolerance is %.0f %%", p.wrong(), 100*tolerance.Throughput)
			case p.Figure == FreshnessP99 && factor(p) > tolerance.Freshness:
				beyond("the freshness p99 is predicted by a factor of %.1f wrong, the tolerance is %.1f",
					factor(p), tolerance.Freshness)
			case p.Figure == Recovery && p.recoversWrong(tolerance.Recovery):
				beyond("the recovery is predicted %s, the tolerance is %.0f %%", p.wrong(), 100*tolerance.Recovery)
			}
		}
	}
	return r
}

// onOneSide says which of the figures that are judged only one world has, in words: they have no pair, and
// so no error.
func (r Row) onOneSide() (list []string) {
	for _, f := range []struct {
		Figure
		what string
	}{{FreshnessP99, "there is a freshness p99"}, {Recovery, "the recovery ends while the load lasts"}} {
		_, predicted := valueOf(r.Predicted, f.Figure)
		if _, measured := valueOf(r.Measured, f.Figure); predicted != measured {
			list = append(list, fmt.Sprintf("it is predicted that %s: %v; measured: %v", f.what, predicted, measured))
		}
	}
	return list
}

// recoversWrong tells whether a recovery is off by more than a share of what was measured, and a second.
func (p Pair) recoversWrong(tolerance float64) bool {
	return math.Abs(p.Predicted.Median-p.Measured.Median) > max(recoveryFloor, tolerance*p.Measured.Median)
}

// off is the error without sign; without bound where there is none.
func (p Pair) off() float64 {
	if p.Error == nil {
		return math.Inf(1)
	}
	return math.Abs(*p.Error)
}

// freshFloor is below what a freshness is as good as none, in seconds: the deadlines are whole
// seconds, and workers sleep for a tenth of one.
const freshFloor = 0.1

// recoveryFloor is how far off a recovery always may be, in seconds.
const recoveryFloor = 1

// factor is by how much a time is predicted too long or too short, at least 1.
func factor(p Pair) float64 {
	a, b := max(p.Predicted.Median, freshFloor), max(p.Measured.Median, freshFloor)
	return max(a, b) / min(a, b)
}

// Errors are the relative errors of a figure, without sign, over all rows: the median and the worst.
// What has no error is off without bound.
// For the throughput only rows count in which the system was the limit in a world; n is how many there are.
func (r *Report) Errors(f Figure) (median, worst float64, n int) {
	var list []float64
	for _, row := range r.Rows {
		for _, p := range row.Pairs {
			if p.Figure == f && (f != Throughput || row.Limited) {
				list = append(list, p.off())
			}
		}
	}
	if len(list) == 0 {
		return 0, 0, 0
	}
	return reports.Median(list), slices.Max(list), len(list)
}
