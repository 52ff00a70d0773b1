package judge

import (
	"fmt"

	"sluice/reports"
)

// class is what a violation means for the run.
type class int

const (
	safety class = iota
	liveness
)

// invariant is a property that every run must have, whatever is broken on the way.
type invariant struct {
	name  string
	class class
	// judge returns the verdict with its reason: the first violating event, or what is not known.
	judge func(*Evidence) (reports.Verdict, string)
}

// code returns the exit code that goes with a verdict on the invariant.
func (i invariant) code(verdict reports.Verdict) int {
	switch {
	case verdict == reports.Unknown:
		return ExitUnknown
	case verdict == reports.Passed:
		return ExitPassed
	case i.class == liveness:
		return ExitLiveness
	}
	return ExitSafety
}

// invariants are all of them, in the order in which they are reported.
func invariants() []invariant {
	return []invariant{
		conservation, duplicates, segmentIntegrity, shardCoverage, processLimit, restartBudget,
		memoryBound, backpressure, drains,
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
