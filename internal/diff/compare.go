package diff

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"sluice/reports"
)

// Comparison is what differs between two sets.
type Comparison struct {
	A Set `json:"a"`
	B Set `json:"b"`
	Options
	// Pairs is how many virtual runs both sets have of the same scenario and seed, Same how many of
	// them are the same, event by event, and First where the first parts that is not, and whose events
	// were kept; nil if there is none.
	Pairs int              `json:"pairs"`
	Same  int              `json:"same"`
	First *FirstDifference `json:"first_difference"`
	// FirstSeed is the seed of that run, or of the first that is not the same if no events were kept.
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
	a, b = forgetSums(a, b)
	c := &Comparison{A: a, B: b, Options: o, Rows: []Row{}, Judgements: []reports.Judgement{},
		Notes: append(append([]string{}, a.Notes...), b.Notes...)}
	if err := c.pair(); err != nil {
		return nil, err
	}
	for _, group := range a.groups() {
		if slices.Contains(b.groups(), group) {
			c.measure(group)
		}
	}
	if len(c.Rows) == 0 {
		if onlyA, onlyB := a.without(b), b.without(a); len(onlyA) == len(a.groups()) && a.Kind == b.Kind {
			return nil, fmt.Errorf("%w: %s has %s, and %s has %s", ErrNothingInCommon, a.Dir,
				strings.Join(onlyA, ", "), b.Dir, strings.Join(onlyB, ", "))
		}
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
		if c.Pairs == c.Same+1 {
			c.FirstSeed = a.Seed
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
		if m.Name == Sustained {
			row.A.searched(failures(runsA))
			row.B.searched(failures(runsB))
		}
		row.level = row.B.Median
		if whole := collect(runsB, m.Name); len(whole) > 0 {
			row.level = reports.Median(whole)
		}
		row.judged = len(c.Rules) == 0 && m.Better != Neither ||
			slices.ContainsFunc(c.Rules, func(r Rule) bool { return r.Metric == m && r.Kind != BoundLevel })
		row.Shift, row.Interval = shift(row.A.Values, row.B.Values)
		row.widen()
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

// failures returns the lowest rates that failed in the runs whose highest sustained rate is known.
func failures(runs []Run) []float64 {
	var rates []float64
	for _, r := range runs {
		if _, ok := r.Figures[Sustained]; ok {
			rates = append(rates, r.Failed)
		}
	}
	return rates
}

func sideOf(values []float64) Side {
	return Side{N: len(values), Median: reports.Median(values), Values: values}
}
