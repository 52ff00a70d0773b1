package diff

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"sluice/internal/judge"
	"sluice/internal/options"
	"sluice/reports"
)

// Options say what is a difference.
type Options struct {
	// Alpha is the probability of a false alarm, over all figures together.
	Alpha float64 `json:"alpha"`
	// LeastEffect is the share of A's median by which a figure may get worse, and how near to each
	// other two sets must be to be called the same.
	LeastEffect float64 `json:"least_effect"`
	// Rules decide, if there are any, instead of the least effect.
	Rules []Rule `json:"-"`
	// Steady is the part of a single run that is cut into batches.
	Steady Steady `json:"-"`
	// FiguresOnly lets one virtual run on each side, of the same scenario and seed, be another, event by
	// event.
	FiguresOnly bool `json:"figures_only"`
}

// Validate returns what is wrong with the options, joined, or nil.
func (o Options) Validate() error {
	var errs []error
	if !(o.Alpha > 0 && o.Alpha < 1) {
		errs = append(errs, fmt.Errorf("alpha %v must be above 0 and below 1", o.Alpha))
	}
	if !(o.LeastEffect >= 0) || math.IsInf(o.LeastEffect, 0) {
		errs = append(errs, fmt.Errorf("least effect %v must be 0 or more", o.LeastEffect))
	}
	return errors.Join(errs...)
}

// Finding is what was found of one figure.
type Finding string

// The findings.
const (
	// FoundSame: the interval of the change lies within the least effect, or the values are equal.
	FoundSame Finding = "same"
	// FoundWorse, FoundBetter and FoundOther (of figures that are neither): a difference that is
	// certain, and matters.
	FoundWorse  Finding = "worse"
	FoundBetter Finding = "better"
	FoundOther  Finding = "differs"
	// FoundSmall: a difference that is certain, and does not matter.
	FoundSmall Finding = "differs little"
	// FoundUnclear: no difference was found, but one that matters cannot be excluded.
	FoundUnclear Finding = "unclear"
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
	// are too few values for one.
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
	// judged is false if rules are given, and none is about a change of this.
	judged bool
	// split is true if the test of the shape found the difference.
	split bool
}

// constantMin is how many equal values make a set constant.
const constantMin = 3

// equal tells whether both sets have the same values.
func (r *Row) equal() bool {
	return slices.Equal(slices.Sorted(slices.Values(r.A.Values)), slices.Sorted(slices.Values(r.B.Values))) ||
		constant(slices.Concat(r.A.Values, r.B.Values))
}

// constants tells whether each set has only one value, and they differ.
func (r *Row) constants() bool {
	return min(r.A.N, r.B.N) >= constantMin && constant(r.A.Values) && constant(r.B.Values) && !r.equal()
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

// Comparison is what differs between two sets.
type Comparison struct {
	A Set `json:"a"`
	B Set `json:"b"`
	Options
	// Pairs is how many virtual runs both sets have of the same scenario and seed, Same how many of
	// them are the same, event by event, and First where the first parts that is not.
	Pairs int              `json:"pairs"`
	Same  int              `json:"same"`
	First *FirstDifference `json:"first_difference"`
	// FirstSeed is the seed of that run.
	FirstSeed  uint64              `json:"first_seed"`
	Rows       []Row               `json:"metrics"`
	Judgements []reports.Judgement `json:"judgements"`
	Notes      []string            `json:"notes"`
	// Tests is how many tests were made, for which p is corrected.
	Tests int `json:"tests"`
	// Verdict in words, with its exit code.
	Verdict string `json:"verdict"`
	Code    int    `json:"exit_code"`
}

// ErrNothingInCommon means that no figure is known in both sets, of runs of the same group.
var ErrNothingInCommon = errors.New("the two have no figure in common")

// Compare says what differs. Its error is ErrNothingInCommon, or that of reading a run's events.
func Compare(a, b Set, o Options) (*Comparison, error) {
	c := &Comparison{A: a, B: b, Options: o, Rows: []Row{}, Judgements: []reports.Judgement{},
		Notes: slices.Concat([]string{}, a.Notes, b.Notes)}
	if err := c.pair(); err != nil {
		return nil, err
	}
	for _, group := range a.groups() {
		if slices.Contains(b.groups(), group) {
			c.measure(group)
		}
	}
	if len(c.Rows) == 0 {
		return nil, ErrNothingInCommon
	}
	c.test()
	c.find()
	c.note()
	c.judge()
	return c, nil
}

// pair compares the runs that must be the same.
func (c *Comparison) pair() error {
	if !c.A.Virtual || !c.B.Virtual || len(Differences(c.A, c.B)) > 0 {
		return nil
	}
	for _, a := range c.A.Runs {
		i := slices.IndexFunc(c.B.Runs, func(b Run) bool { return b.Seed == a.Seed && b.Group == a.Group })
		if i < 0 || a.Digest == "" || c.B.Runs[i].Digest == "" {
			continue
		}
		b := c.B.Runs[i]
		c.Pairs++
		if a.Digest == b.Digest {
			c.Same++
			continue
		}
		if c.First != nil || a.Events == nil || b.Events == nil {
			continue
		}
		first, err := firstOf(a, b)
		if err != nil {
			return err
		}
		c.First, c.FirstSeed = &first, a.Seed
	}
	return nil
}

func firstOf(a, b Run) (FirstDifference, error) {
	var lists [2][]reports.Event
	for i, r := range []Run{a, b} {
		var err error
		if lists[i], err = r.Events(); err != nil {
			return FirstDifference{}, err
		}
	}
	return FirstOf(lists[0], lists[1], a.Samples, b.Samples), nil
}

// single tells whether a group has one run on each side, so that there are only batches of them.
func single(a, b []Run) bool { return len(a) == 1 && len(b) == 1 }

// measure makes the rows of a group.
func (c *Comparison) measure(group string) {
	runsA, runsB := c.A.in(group), c.B.in(group)
	var inside map[string][2][]float64
	var seconds map[string]float64
	if single(runsA, runsB) {
		inside, seconds = batches(runsA[0], runsB[0], c.Steady)
	}
	for _, m := range Metrics() {
		values := [2][]float64{collect(runsA, m.Name), collect(runsB, m.Name)}
		long := 0.0
		if of, ok := inside[m.Name]; ok && len(of[0]) > 1 && len(of[1]) > 1 {
			values, long = of, seconds[m.Name]
		}
		if len(values[0]) == 0 || len(values[1]) == 0 {
			if len(values[0])+len(values[1]) > 0 {
				c.Notes = append(c.Notes, fmt.Sprintf("%s is known on one side only", m.Name))
			}
			continue
		}
		row := Row{Group: group, Metric: m, A: sideOf(values[0]), B: sideOf(values[1]), Batch: long,
			Ranks: 1, Shape: 1}
		row.judged = len(c.Rules) == 0 && m.Better != Neither ||
			slices.ContainsFunc(c.Rules, func(r Rule) bool { return r.Metric == m && r.Kind != BoundLevel })
		row.Shift, row.Interval = shift(row.A.Values, row.B.Values)
		row.Up, row.Down = moved(row.A.Values, row.B.Values)
		c.Rows = append(c.Rows, row)
	}
}

// collect returns the values of a figure of the runs in which it is known.
func collect(runs []Run, metric string) []float64 {
	var values []float64
	for _, r := range runs {
		if v, ok := r.Figures[metric]; ok {
			values = append(values, v)
		}
	}
	return values
}

func sideOf(values []float64) Side { return Side{len(values), median(values), values} }

// test makes the tests of all rows that are judged and can have a result, and corrects them for
// their number. A row that cannot, whatever its values are, costs the others nothing: Tarone, A
// Modified Bonferroni Method for Discrete Data, 1990.
func (c *Comparison) test() {
	var ps []float64
	var of []*float64
	for i := range c.Rows {
		row := &c.Rows[i]
		row.Certain = row.constants()
		if !row.judged || row.Certain || row.equal() || leastP(row.A.N, row.B.N) > c.Alpha {
			continue
		}
		row.Ranks, row.Shape = rankTest(row.A.Values, row.B.Values), shapeTest(row.A.Values, row.B.Values)
		ps = append(ps, row.Ranks, row.Shape)
		of = append(of, &row.Ranks, &row.Shape)
	}
	c.Tests = len(ps)
	for i, p := range correct(ps) {
		*of[i] = p
	}
	for i := range c.Rows {
		row := &c.Rows[i]
		row.split = row.Shape <= c.Alpha
		row.Certain = row.Certain || row.split || row.Ranks <= c.Alpha
	}
}

// needed is how many values each side must have for a difference of any row to be certain.
func (c *Comparison) needed() int {
	tests, n := 0, 2
	for i := range c.Rows {
		if row := &c.Rows[i]; row.judged && !row.constants() && !row.equal() {
			tests += 2
		}
	}
	for leastP(n, n)*float64(tests) > c.Alpha {
		n++
	}
	return n
}

// find says what was found of each row.
func (c *Comparison) find() {
	least := c.LeastEffect
	tests := float64(max(c.Tests, 1))
	for i := range c.Rows {
		row := &c.Rows[i]
		up := row.beyond(true, least, row.share)
		down := row.beyond(false, least, row.share)
		within := row.Interval != nil && max(row.share(row.Interval.High), -row.share(row.Interval.Low)) <= least
		switch {
		case row.equal():
			row.Finding = FoundSame
		case row.Certain && row.Better == Neither && (up || down):
			row.Finding = FoundOther
		case row.Certain && (up && row.Better == Lower || down && row.Better == Higher):
			row.Finding = FoundWorse
		case row.Certain && (up || down):
			row.Finding = FoundBetter
		case row.Certain:
			row.Finding = FoundSmall
		case within:
			row.Finding = FoundSame
		case !row.judged:
			row.Finding = FoundNone
		case leastP(row.A.N, row.B.N)*tests > c.Alpha:
			row.Finding = FoundTooFew
		default:
			row.Finding = FoundUnclear
		}
	}
}

// judge applies the rules and sums up.
func (c *Comparison) judge() {
	c.judgeEvents()
	c.judgeVerdicts()
	for i := range c.Rows {
		row := &c.Rows[i]
		if r, ok := implied(row.Metric, c.LeastEffect); ok && len(c.Rules) == 0 {
			if row.Finding == FoundTooFew {
				continue // the row says so
			}
			c.Judgements = append(c.Judgements, c.apply(r, row))
		}
	}
	for _, r := range c.Rules {
		applied := false
		for i := range c.Rows {
			if row := &c.Rows[i]; row.Metric == r.Metric {
				c.Judgements = append(c.Judgements, c.apply(r, row))
				applied = true
			}
		}
		if !applied {
			c.Judgements = append(c.Judgements, reports.Judgement{Name: r.Written,
				Verdict: reports.Unknown, Detail: "it is not known in both sets"})
		}
	}
	c.sumUp()
}

// apply judges a row by a rule.
func (c *Comparison) apply(r Rule, row *Row) reports.Judgement {
	j := reports.Judgement{Name: r.Written, Verdict: reports.Passed, Detail: row.detail()}
	if row.Group != "" {
		j.Name = row.Group + ": " + j.Name
	}
	switch r.Kind {
	case BoundLevel:
		if r.Most && row.B.Median > r.Value || !r.Most && row.B.Median < r.Value {
			j.Verdict = reports.Violated
		}
		return j
	case BoundChange:
		if row.Certain && row.beyond(r.Most, r.Value, func(v float64) float64 { return v }) {
			j.Verdict = reports.Violated
		}
	case BoundShare:
		if row.Certain && row.beyond(r.Most, r.Value, row.share) {
			j.Verdict = reports.Violated
		}
	}
	switch {
	case row.Finding == FoundTooFew:
		j.Verdict = reports.Unknown
		j.Detail += fmt.Sprintf("; to be certain, it takes %d values on each side", c.needed())
	case j.Verdict == reports.Violated && r.Implied && row.Batch > 0 && !(c.A.Virtual && c.B.Virtual):
		j.Verdict = reports.Unknown
		j.Detail += "; with one run on each side, nothing tells what the program did from what the machine did"
	}
	return j
}

// eventByEvent is the judgement that virtual runs of the same scenario and seed are the same.
const eventByEvent = "event by event"

// judgeEvents: of several runs, the figures decide; a single one that is not the same is another.
func (c *Comparison) judgeEvents() {
	if c.Pairs == 0 || c.FiguresOnly || !single(c.A.Runs, c.B.Runs) {
		return
	}
	j := reports.Judgement{Name: eventByEvent, Verdict: reports.Passed,
		Detail: fmt.Sprintf("%d of %s of the same seed the same", c.Same, count(c.Pairs, "pair"))}
	if c.First != nil {
		j.Verdict = reports.Violated
		j.Detail = fmt.Sprintf("seed %d: %s", c.FirstSeed, c.First.Brief())
	}
	c.Judgements = append(c.Judgements, j)
}

// judgeVerdicts: B may have no run that violates safety or liveness if A has none as grave, and some
// run of B must pass if all of A do, whatever the figures say. How many do not pass is a figure, too.
func (c *Comparison) judgeVerdicts() {
	gravest, passed := [2]int{}, [2]int{}
	reason, known := "", false
	for i, set := range []Set{c.A, c.B} {
		for _, r := range set.Runs {
			known = known || r.Verdict != ""
			code := codeOf(r.Verdict)
			if code == judge.ExitPassed {
				passed[i]++
			}
			if judge.Graver(gravest[i], code) != gravest[i] {
				gravest[i] = code
				if i == 1 {
					reason = r.Reason
				}
			}
		}
	}
	if !known {
		return
	}
	j := reports.Judgement{Name: "verdict of the runs", Verdict: reports.Passed,
		Detail: fmt.Sprintf("%d of %d passed, and then %d of %d", passed[0], len(c.A.Runs), passed[1],
			len(c.B.Runs))}
	violates := gravest[1] == judge.ExitSafety || gravest[1] == judge.ExitLiveness
	if violates && judge.Graver(gravest[0], gravest[1]) != gravest[0] ||
		passed[0] == len(c.A.Runs) && passed[1] == 0 {
		j.Verdict = reports.Violated
		j.Detail += "; " + judge.Verdicts[gravest[1]]
		if reason != "" {
			j.Detail += ": " + reason
		}
	}
	c.Judgements = append(c.Judgements, j)
}

// codeOf is the exit code of a run's verdict; that of unknown if it is no such verdict.
func codeOf(verdict string) int {
	for code, name := range judge.Verdicts { //order-free: names are different
		if name == verdict {
			return code
		}
	}
	return judge.ExitUnknown
}

func (c *Comparison) sumUp() {
	of := func(verdict reports.Verdict) []string {
		var names []string
		for _, j := range c.Judgements {
			if j.Verdict == verdict && j.Name != eventByEvent {
				names = append(names, j.Name)
			}
		}
		return names
	}
	parted := slices.ContainsFunc(c.Judgements, func(j reports.Judgement) bool {
		return j.Name == eventByEvent && j.Verdict == reports.Violated
	})
	switch violated, unknown := of(reports.Violated), of(reports.Unknown); {
	case len(violated) > 0:
		c.Code, c.Verdict = judge.ExitExpectation, "worse: "+list(violated)
	case parted:
		c.Code, c.Verdict = judge.ExitNotDeterministic, "not the same; "+c.First.where()
	case len(unknown) > 0:
		c.Code, c.Verdict = judge.ExitUnknown, "unknown: "+list(unknown)
	case c.blind():
		c.Code, c.Verdict = judge.ExitUnknown, fmt.Sprintf("unknown: there are too few values to be "+
			"certain of any difference; it takes %d on each side", c.needed())
	case c.identical():
		c.Verdict = "the same, event by event"
	default:
		c.Verdict = "no difference that matters"
		if n := c.unclear(); n > 0 {
			c.Verdict += fmt.Sprintf("; unclear of %s, see the intervals", options.FormatCount(n, "metric"))
		}
	}
}

// unclear counts the metrics of which a difference that matters may hide.
func (c *Comparison) unclear() (n int) {
	for _, row := range c.Rows {
		if row.Finding == FoundUnclear {
			n++
		}
	}
	return n
}

// identical tells whether every run of both sets is the same, event by event, as one of the other.
func (c *Comparison) identical() bool {
	return c.Pairs > 0 && c.Same == c.Pairs && c.Pairs == len(c.A.Runs) && c.Pairs == len(c.B.Runs)
}

// blind tells whether figures differ, and of none of them could the difference be certain.
func (c *Comparison) blind() bool {
	differ := false
	for i := range c.Rows {
		switch row := &c.Rows[i]; {
		case !row.judged || row.equal():
		case row.Finding == FoundTooFew:
			differ = true
		default:
			return false
		}
	}
	return differ
}
