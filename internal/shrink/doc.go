// Package shrink makes the scenario of a failing run as small as it can be, so that what is left of
// it is what the failure needs: less load, fewer faults, rounder times, options at their defaults.
// It knows no world: a run is a function, which must give the same outcome for the same case.
//
// The search is greedy and has no chance in it: a smaller case that still fails takes the place of
// the last one, until none does, or as many runs as allowed were made.
package shrink

import (
	"context"
	"slices"
	"time"

	"sluice/internal/judge"
	"sluice/internal/portfault"
	"sluice/reports"
	"sluice/scenarios"
)

// Case is what a run is made with.
type Case struct {
	Scenario scenarios.Scenario
	Ports    portfault.List
}

// Config says what is to be found again, and how.
type Config struct {
	// Run makes a run, with the defect that was planted or without it.
	Run func(ctx context.Context, c Case, defect bool) (*judge.Outcome, error)
	// Violated is the invariant or expectation that must still be violated, in the way in which the whole
	// does: see [judge.Kind].
	Violated string
	// Defect is true if there was one: then what is left must pass without it, if the whole did.
	Defect bool
	// Restarts is what scenarios.Around says of the run that is made again from what is left: true if
	// something beside it may end workers, such as the defect, or if that is not asked, as of what was drawn.
	Restarts bool
	// RunsMax is how many runs are made at most, all together.
	RunsMax int
	// Progress hears of each smaller case that still fails, and after how many runs. Optional.
	Progress func(runs int, smaller string)
}

// Result is the smallest case that was found.
type Result struct {
	Case
	// Outcome is that of its run.
	Outcome *judge.Outcome
	// Runs were made to find it.
	Runs int
	// Done is true if nothing can be left out of it; false if the search was ended before.
	Done bool
	// Variants of it fail, too, as they did of the whole: the case itself is the first.
	Variants int
}

// What fails by one seed alone, or only if two faults meet to the millisecond, would not fail in
// another world. So variants must fail, too, if they did at the begin.
const (
	variantsMax = 3
	jitter      = 200 * time.Millisecond
)

// variant returns a variant of a case: the seeds differ, and one or the other half of the faults
// comes later, while the rest last less long: one that begins later ends later, too, so that what its
// length meets would still be met. The first is the case itself.
func variant(c Case, n int) Case {
	return with(c, func(s *scenarios.Scenario) {
		s.Seed += uint64(n)
		for i := range s.Faults {
			switch f := &s.Faults[i]; {
			case n == 0:
			case i%2 == n%2:
				if f.When.Kind == scenarios.MomentAt {
					f.When.At += jitter
				}
			case f.For > jitter:
				f.For -= jitter
			}
		}
	})
}

// Shrink returns the smallest case it finds. The second result is false if the case itself does not
// fail. What it has found when ctx is done is kept.
func Shrink(ctx context.Context, whole Case, cfg Config) (Result, bool) {
	s := &search{ctx: ctx, cfg: cfg}
	if s.best.Outcome = s.fails(whole, 1, false); s.best.Outcome == nil {
		return Result{Runs: s.runs}, false
	}
	s.best.Case, s.best.Variants = whole, 1
	s.kind = kindOf(s.best.Outcome, cfg.Violated)
	if s.fails(whole, variantsMax, false) != nil {
		s.best.Variants = variantsMax
	}
	s.control = cfg.Defect && s.fails(whole, 1, true) != nil
	for again := true; again && !s.over(); {
		again = false
		for _, step := range steps {
			again = s.take(step) || again
		}
	}
	s.best.Runs, s.best.Done = s.runs, !s.over()
	return s.best, true
}

type search struct {
	ctx     context.Context
	cfg     Config
	best    Result
	kind    string // of what the whole violates
	control bool
	runs    int
}

func (s *search) over() bool { return s.ctx.Err() != nil || s.runs >= s.cfg.RunsMax }

// take tries what a step offers, and again from what it has found, as long as it finds something.
func (s *search) take(step step) (found bool) {
	for smaller := true; smaller && !s.over(); found = found || smaller {
		smaller = false
		for _, c := range step.smaller(s.best.Case) {
			if s.over() {
				break
			}
			c.Scenario.Faults = slices.Clip(c.Scenario.Faults)
			if s.refused(c) || stricter(c.Scenario, s.best.Scenario) {
				continue
			}
			if outcome := s.fails(c, s.best.Variants, s.control); outcome != nil {
				s.best.Case, s.best.Outcome, smaller = c, outcome, true
				if s.cfg.Progress != nil {
					s.cfg.Progress(s.runs, step.name)
				}
				break
			}
		}
	}
	return found
}

// refused tells whether a run would not be made from the case's file. What fails because the fault is gone
// that it expects something of has another cause than the whole had.
func (s *search) refused(c Case) bool {
	whole := c.Scenario
	whole.PortFaults = c.Ports
	return scenarios.Around{Restarts: s.cfg.Restarts}.Validate(whole) != nil
}

// fails returns the outcome of the case if so many variants of it fail, and if it passes
// without the defect in case that is to be controlled; else nil.
func (s *search) fails(c Case, variants int, control bool) (first *judge.Outcome) {
	for n := range variants {
		outcome := s.run(variant(c, n), true)
		if outcome == nil || !s.same(outcome) {
			return nil
		}
		if n == 0 {
			first = outcome
		}
	}
	if control {
		if without := s.run(c, false); without == nil || without.Code != judge.ExitPassed {
			return nil
		}
	}
	return first
}

// same tells whether a run fails as the whole does. The same invariant may be violated by what a sound
// pipeline does as well: spans that never come out are one thing, and a budget that is not used up, since
// the fault that did it is gone, another; both violate liveness.
func (s *search) same(o *judge.Outcome) bool {
	return Violates(o, s.cfg.Violated) && (s.best.Outcome == nil || kindOf(o, s.cfg.Violated) == s.kind)
}

// run makes a run; nil if it may not, or is interrupted, as if it did not fail.
func (s *search) run(c Case, defect bool) *judge.Outcome {
	if s.over() {
		return nil
	}
	s.runs++
	outcome, err := s.cfg.Run(s.ctx, c, defect)
	if err != nil || outcome.Interrupted {
		return nil
	}
	return outcome
}

// Violates tells whether an invariant or expectation of that name is violated.
func Violates(o *judge.Outcome, name string) bool {
	_, is := violation(o, name)
	return is
}

// kindOf is the kind of what an outcome violates; empty if it is not violated.
func kindOf(o *judge.Outcome, name string) string {
	why, _ := violation(o, name)
	return judge.Kind(why)
}

func violation(o *judge.Outcome, name string) (why reports.Judgement, is bool) {
	list := slices.Concat(o.Result.Invariants, o.Result.Expectations)
	at := slices.IndexFunc(list, func(j reports.Judgement) bool { return j.Name == name && j.Verdict == reports.Violated })
	if at < 0 {
		return why, false
	}
	return list[at], true
}
