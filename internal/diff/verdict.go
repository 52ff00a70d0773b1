package diff

import (
	"fmt"
	"slices"

	"sluice/internal/judge"
	"sluice/internal/options"
	"sluice/reports"
)

// judge applies the rules and sums up.
func (c *Comparison) judge() {
	c.judgeEvents()
	c.judgeVerdicts()
	for i := range c.Rows {
		row := &c.Rows[i]
		if r, ok := implied(row.Metric, c.LeastEffect); ok && len(c.Rules) == 0 {
			if row.Finding == FoundTooFew {
				continue // the verdict says whether that matters
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
	j := reports.Judgement{Name: row.named(r.Written), Verdict: reports.Passed, Detail: row.detail()}
	if r.Kind == BoundLevel {
		beyond := r.Most && row.level > r.Value || !r.Most && row.level < r.Value
		switch {
		case row.B.AtLeast && beyond != r.Most: // the true rate may be any above
			j.Verdict = reports.Unknown
			j.Detail += "; it may be more than was tried"
		case beyond:
			j.Verdict = reports.Violated
		}
		if row.Batch > 0 {
			j.Detail += "; of the whole run it is " + row.with(row.level)
		}
		return j
	}
	switch of := row.measure(r); {
	case row.Certain && row.surely(r.Most, r.Value, of):
		j.Verdict = reports.Violated
	case row.Certain && row.beyond(r.Most, r.Value, of):
		row.unsure = true
		j.Detail += "; that it is more than the rule allows is not certain"
	}
	switch {
	case r.Implied && row.Finding == FoundTooFew,
		!r.Implied && !row.Certain && !row.equal() && c.few(row) && !row.keeps(r):
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

// noEvents says how runs differ of which nothing else was kept.
const noEvents = "the digests differ, and no events were kept that say where"

// judgeEvents: of several runs, the figures decide; a single one that is not the same is another.
func (c *Comparison) judgeEvents() {
	if c.Pairs == 0 || c.FiguresOnly || !single(c.A.Runs, c.B.Runs) {
		return
	}
	j := reports.Judgement{Name: eventByEvent, Verdict: reports.Passed,
		Detail: fmt.Sprintf("%d of %s of the same seed the same", c.Same, count(c.Pairs, "pair"))}
	if c.Same < c.Pairs {
		j.Verdict = reports.Violated
		j.Detail = fmt.Sprintf("seed %d: %s", c.FirstSeed, noEvents)
		if c.First != nil {
			j.Detail = fmt.Sprintf("seed %d: %s", c.FirstSeed, c.First.Brief())
		}
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
			code := judge.CodeOf(r.Verdict)
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
	blind, hidden := c.blind(), c.hidden()
	switch violated, unknown := of(reports.Violated), of(reports.Unknown); {
	case len(violated) > 0:
		c.Code, c.Verdict = judge.ExitExpectation, "worse: "+list(violated)
	case parted:
		c.Code, c.Verdict = judge.ExitNotDeterministic, "not the same; "+noEvents
		if c.First != nil {
			c.Verdict = "not the same; " + c.First.where()
		}
	case len(unknown) > 0:
		c.Code, c.Verdict = judge.ExitUnknown, "unknown: "+list(unknown)
	case len(blind) > 0:
		c.tooFew("any difference", blind)
	case len(hidden) > 0:
		var names []string
		for _, row := range hidden {
			names = append(names, row.named(row.Name))
		}
		c.tooFew(list(names), hidden)
	case c.identical():
		c.Verdict = "the same, event by event"
	default:
		c.Verdict = "no difference that matters"
		if n := c.unclear(); n > 0 {
			c.Verdict += fmt.Sprintf("; unclear of %s, see the intervals", options.FormatCount(n, "figure"))
		}
		if n := c.bounded(); n > 0 {
			c.Verdict += fmt.Sprintf("; of %s only lower bounds are known, raise --most", options.FormatCount(n, "figure"))
		}
	}
}

// unclear counts the metrics of which a difference that matters may hide.
func (c *Comparison) unclear() (n int) {
	for _, row := range c.Rows {
		if row.Finding == FoundUnclear || row.unsure {
			n++
		}
	}
	return n
}

// bounded counts the metrics of which nothing but lower bounds is known.
func (c *Comparison) bounded() (n int) {
	for _, row := range c.Rows {
		if row.Finding == FoundBounds {
			n++
		}
	}
	return n
}

// identical tells whether every run of both sets is the same, event by event, as one of the other.
func (c *Comparison) identical() bool {
	return c.Pairs > 0 && c.Same == c.Pairs && c.Pairs == len(c.A.Runs) && c.Pairs == len(c.B.Runs)
}

// tooFew makes the verdict unknown for want of values of these rows, each a judgement of its own: who reads
// only those must see it.
func (c *Comparison) tooFew(what string, rows []*Row) {
	c.Code, c.Verdict = judge.ExitUnknown, fmt.Sprintf("unknown: there are too few values to be "+
		"certain of %s; it takes %d on each side", what, c.needed())
	for _, row := range rows {
		if r, ok := implied(row.Metric, c.LeastEffect); ok {
			c.Judgements = append(c.Judgements, c.apply(r, row))
		}
	}
}

// blind returns the figures that differ, if of none of them the difference could be certain; none if rules
// decide, which say that themselves.
func (c *Comparison) blind() (rows []*Row) {
	if len(c.Rules) > 0 {
		return nil
	}
	for i := range c.Rows {
		switch row := &c.Rows[i]; {
		case !row.judged || row.equal() || row.bounds():
		case row.Finding == FoundTooFew:
			rows = append(rows, row)
		default:
			return nil
		}
	}
	return rows
}

// hidden returns the figures that differ by what would matter, if it could be certain; none if rules decide.
func (c *Comparison) hidden() (rows []*Row) {
	if len(c.Rules) > 0 {
		return nil
	}
	for i := range c.Rows {
		row := &c.Rows[i]
		if row.Finding == FoundTooFew &&
			(row.beyond(true, c.LeastEffect, row.share) || row.beyond(false, c.LeastEffect, row.share)) {
			rows = append(rows, row)
		}
	}
	return rows
}
