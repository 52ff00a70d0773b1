package diff

import (
	"math"
	"slices"

	"sluice/reports"
)

// Finding is what was found of one figure.
type Finding string

// The findings.
const (
	// FoundSame: the interval of the change lies within the least effect, or the values are equal.
	FoundSame Finding = "same"
	// FoundWorse, FoundBetter and FoundOther (of figures that are neither): a difference that is
	// certain, and by all of its interval one that matters.
	FoundWorse  Finding = "worse"
	FoundBetter Finding = "better"
	FoundOther  Finding = "differs"
	// FoundSmall: a difference that is certain, and by its estimate does not matter.
	FoundSmall Finding = "differs little"
	// FoundUnclear: no difference that matters is certain, and none can be excluded.
	FoundUnclear Finding = "unclear"
	// FoundBounds: on neither side was a rate too high, so that only how much is carried at least is known.
	FoundBounds Finding = "only bounds"
	// FoundTooFew: there are so few values that no difference could be certain.
	FoundTooFew Finding = "too few values"
	// FoundNone: rules are given, and none is about a change of this figure; or it only says what was
	// asked for.
	FoundNone Finding = "not judged"
)

// Side is a figure of one set.
type Side struct {
	N      int       `json:"n"`
	Median float64   `json:"median"`
	Values []float64 `json:"values"`
	// Failed are, of rates that were searched, the lowest that were not carried, one for each value; 0 if
	// none failed. AtLeast is true if of most none did: the true rate may be any above.
	Failed  []float64 `json:"failed,omitempty"`
	AtLeast bool      `json:"at_least,omitempty"`
}

// searched adds the lowest rates that failed to a side whose values are the highest that were carried.
func (s *Side) searched(failed []float64) {
	none := 0
	for _, rate := range failed {
		if rate == 0 {
			none++
		}
	}
	s.Failed, s.AtLeast = failed, 2*none > len(failed)
}

// above are the values that the true ones are surely below, +Inf where nothing says that; the values
// themselves if they were not searched.
func (s *Side) above() []float64 {
	if s.Failed == nil {
		return s.Values
	}
	list := slices.Clone(s.Failed)
	for i, rate := range list {
		if rate == 0 {
			list[i] = math.Inf(1)
		}
	}
	return list
}

// Row is a figure of both sets.
type Row struct {
	Group string `json:"group,omitempty"`
	Metric
	A Side `json:"a"`
	B Side `json:"b"`
	// Batch is how long the batches of a single run are, in seconds; 0 if each value is a run's.
	Batch float64 `json:"batch_seconds,omitempty"`
	// Shift is by how much B is greater, in the metric's unit, with its interval of 95 %: nil if there
	// are too few values for one. Of rates that were searched, it includes what the searches leave open.
	Shift    float64   `json:"shift"`
	Interval *Interval `json:"interval"`
	// Up and Down are how far B's quantiles lie above and below A's, on average.
	Up   float64 `json:"up"`
	Down float64 `json:"down"`
	// Ranks and Shape are the corrected p of both tests; 1 if they were not made.
	Ranks float64 `json:"p_rank"`
	Shape float64 `json:"p_shape"`
	// Certain is true if a test found a difference, or if both sets are constant, and differ.
	Certain bool    `json:"certain"`
	Finding Finding `json:"finding"`
	// level is what B's runs have as a whole, also where the values are those of batches.
	level float64
	// judged is false if rules are given, and none is about a change of this. tested is true if the tests
	// were made.
	judged, tested bool
	// split is true if the test of the shape found the difference. leastUp and leastDown are the near ends
	// of the intervals of Up and Down then.
	split              bool
	leastUp, leastDown float64
	// unsure is true if by the estimate the change goes beyond what a rule allows, but not for certain.
	unsure bool
}

// named is the name of something that is said of the row, with its group.
func (r *Row) named(name string) string {
	if r.Group == "" {
		return name
	}
	return r.Group + ": " + name
}

// constantMin is how many equal values make a set constant.
const constantMin = 3

// equal tells whether both sets have the same values, of which none stands for whatever is above it.
func (r *Row) equal() bool {
	if r.A.AtLeast || r.B.AtLeast {
		return false
	}
	return slices.Equal(slices.Sorted(slices.Values(r.A.Values)), slices.Sorted(slices.Values(r.B.Values))) ||
		constant(slices.Concat(r.A.Values, r.B.Values))
}

// bounds tells whether all that is known of both sets is how much they carry at least.
func (r *Row) bounds() bool { return r.A.AtLeast && r.B.AtLeast }

// single tells whether each set has only one value.
func (r *Row) single() bool {
	return min(r.A.N, r.B.N) >= constantMin && constant(r.A.Values) && constant(r.B.Values)
}

// constants tells whether each set has only one value, and they differ: of rates that were searched, by
// more than the searches leave open.
func (r *Row) constants() bool {
	if !r.single() || r.equal() {
		return false
	}
	a, b, apart := r.nearest()
	return apart && (slices.Max(b) <= slices.Min(a) || slices.Max(a) <= slices.Min(b))
}

// overlap tells whether each set has only one rate that was searched, and the true rates may be the same.
// More repeats would say no more: they begin where the first one ended, and so find the same.
func (r *Row) overlap() bool {
	return r.single() && !r.equal() && !r.constants() && !r.bounds()
}

// nearest returns the values of both sides; of rates that were searched, those between what was carried and
// what failed at which the sides are nearest to each other: all repeats of a side may be off by the same
// step of the search, which no test sees in the values. Apart is false if the true ones may be the same by
// that.
func (r *Row) nearest() (a, b []float64, apart bool) {
	switch a, b = r.A.Values, r.B.Values; {
	case r.A.Failed == nil || r.B.Failed == nil:
		return a, b, true
	case r.B.Median < r.A.Median:
		b = r.B.above()
		return a, b, reports.Median(b) <= reports.Median(a)
	}
	a = r.A.above()
	return a, b, reports.Median(a) <= reports.Median(b)
}

// widen makes the interval of the shift that of true rates, which are between what was carried and what
// failed.
func (r *Row) widen() {
	if r.A.Failed == nil || r.B.Failed == nil {
		return
	}
	_, least := shift(r.A.above(), r.B.Values)
	_, most := shift(r.A.Values, r.B.above())
	switch {
	case least != nil:
		r.Interval = &Interval{least.Low, most.High}
	case r.single():
		r.Interval = &Interval{r.B.Values[0] - slices.Max(r.A.above()), slices.Max(r.B.above()) - r.A.Values[0]}
	}
}

// share is a change as a share of A's median: infinite if that is 0.
func (r *Row) share(change float64) float64 {
	if change == 0 {
		return 0
	}
	return change / math.Abs(r.A.Median)
}

// beyond tells whether the difference goes beyond a bound, up or down, of the change that of gives. A
// set that was split in two has moved on one side by what its tail has, though its median has not.
func (r *Row) beyond(up bool, bound float64, of func(change float64) float64) bool {
	sign, tail := 1.0, r.Up
	if !up {
		sign, tail = -1, r.Down
	}
	bound = math.Abs(bound)
	if of(sign*r.Shift) > bound {
		return true
	}
	return r.split && of(tail) > bound
}

// surely tells whether it goes beyond a bound by the near end of its interval, not only by the estimate:
// if the change were just the bound, every second estimate would be beyond it.
func (r *Row) surely(up bool, bound float64, of func(change float64) float64) bool {
	sign, least, tail := 1.0, r.Shift, r.leastUp
	if r.Interval != nil {
		least = r.Interval.Low
	}
	if !up {
		sign, least, tail = -1, r.Shift, r.leastDown
		if r.Interval != nil {
			least = r.Interval.High
		}
	}
	bound = math.Abs(bound)
	return of(sign*least) > bound || r.split && of(tail) > bound
}

// measure is how a rule measures a change.
func (r *Row) measure(rule Rule) func(change float64) float64 {
	if rule.Kind == BoundShare {
		return r.share
	}
	return func(change float64) float64 { return change }
}

// keeps tells whether all of the interval lies within what a rule allows.
func (r *Row) keeps(rule Rule) bool {
	of := r.measure(rule)
	switch {
	case r.Interval == nil:
		return false
	case rule.Most:
		return of(r.Interval.High) <= rule.Value
	}
	return of(r.Interval.Low) >= rule.Value
}
