package harness

import (
	"sluice/reports"
	"sluice/scenarios"
)

// processLimit: there are never more worker processes than were asked for, by the count of the
// operating system; and none is left at the end.
var processLimit = invariant{"process limit", safety, judgeProcessLimit}

func judgeProcessLimit(e *evidence) (reports.Verdict, string) {
	limit := e.scenario.Topology.Workers()
	if e.scenario.Topology.FlusherMode == scenarios.ModeGoroutine {
		limit = 0
	}
	most := 0
	for _, l := range e.looks {
		if l.Live == processesUnknown {
			return unknown("processes cannot be counted on this system")
		}
		if l.Live > limit {
			return violated("at %.1fs there were %d worker processes, the limit is %d", l.T, l.Live, limit)
		}
		most = max(most, l.Live)
	}
	if e.childrenLeft > 0 {
		return violated("%d worker processes were left when the pipeline had ended", e.childrenLeft)
	}
	return passed("at most %d worker processes at a time, limit %d, none left", most, limit)
}
