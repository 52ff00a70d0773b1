package judge

import (
	"cmp"
	"fmt"
	"slices"

	"sluice/reports"
)

// invariant is a property that every run must have, whatever is broken while it runs.
type invariant struct {
	name string
	// exit is the code of a violation: ExitSafety, or ExitLiveness.
	exit int
	// judge returns the verdict with its reason: the first violating event, or what is not known.
	judge func(*Evidence) (reports.Verdict, string)
	// found is all that violates it, of one that asks one thing after the other: its reason may begin with a
	// time at which all was right. Nil: the reason says when it was.
	found func(*Evidence) violations
}

// exitOf returns the exit code that goes with a verdict, of which a violation has this one.
func exitOf(verdict reports.Verdict, violation int) int {
	switch verdict {
	case reports.Violated:
		return violation
	case reports.Unknown:
		return ExitUnknown
	}
	return ExitPassed
}

// invariants are all of them, in the order in which they are reported.
func invariants() []invariant {
	return []invariant{
		conservation, reading, duplicates, segmentIntegrity, freshness, shardCoverage, processLimit, restartBudget,
		memoryBound, backpressure, drains, contract,
	}
}

func passed(format string, args ...any) (reports.Verdict, string) {
	return reports.Passed, fmt.Sprintf(format, args...)
}

func violated(format string, args ...any) (reports.Verdict, string) {
	return reports.Violated, fmt.Sprintf(format, args...)
}

func unknown(format string, args ...any) (reports.Verdict, string) {
	return reports.Unknown, fmt.Sprintf(format, args...)
}

// violations are what was found against an invariant by asking one thing after the other.
type violations []violation

// violation is one of them, with when it was one.
type violation struct {
	at     float64
	reason string
}

func (v *violations) add(at float64, format string, args ...any) {
	*v = append(*v, violation{at, fmt.Sprintf(format, args...)})
}

// first returns the one that happened first, if there is any: what was asked first need not be that.
func (v violations) first() (violation, bool) {
	if len(v) == 0 {
		return violation{}, false
	}
	return slices.MinFunc(v, func(a, b violation) int { return cmp.Compare(a.at, b.at) }), true
}
