package judge

import (
	"fmt"

	"sluice/internal/options"
	"sluice/reports"
	"sluice/scenarios"
)

// processLimit: a consumer never has more worker processes than were asked for, by the count of the
// operating system, or of who starts them, where every start is seen; those whose consumer is gone end by themselves, as soon as they are not frozen;
// and no process is left at the end.
var processLimit = invariant{"process limit", ExitSafety, judgeProcessLimit, nil}

func judgeProcessLimit(e *Evidence) (reports.Verdict, string) {
	if why, not := e.Unmeasured[Processes]; not {
		return reports.NotMeasured, why
	}
	limit := e.Scenario.Topology.Workers()
	if e.Scenario.Topology.FlusherMode == scenarios.ModeGoroutine {
		limit = 0
	}
	most, orphaned := 0, spell{}
	for at, l := range e.Looks {
		orphaned.from += stoodStill(e.Looks, at)
		if l.Unknown {
			return unknown("at %.1fs the processes could not be counted", l.T)
		}
		for _, p := range l.Peaks {
			if p.Live > limit {
				at := l.T - p.Ago
				return violated("at %.3fs %s had %d worker processes, the limit is %d%s", at,
					nameConsumer(p.Consumer), p.Live, limit, e.before(at))
			}
			most = max(most, p.Live)
		}
		for _, c := range l.Consumers {
			if c.Live > limit {
				return violated("at %.1fs %s had %d worker processes, the limit is %d%s", l.T,
					nameConsumer(c.Consumer), c.Live, limit, e.before(l.T))
			}
			most = max(most, c.Live)
		}
		if orphaned.lasts(l.Orphans > 0, l.T, e.Slacks.Orphan) {
			return violated("at %.1fs there was still %s of a consumer that is gone since %.1fs", l.T,
				options.FormatCount(l.Orphans, "worker process"), orphaned.from)
		}
	}
	if e.Survivors > 0 {
		return violated("every consumer had ended, and left %s", options.FormatCount(e.Survivors, "process"))
	}
	return passed("at most %s of a consumer at a time, limit %d, none left",
		options.FormatCount(most, "worker process"), limit)
}

func nameConsumer(index int) string {
	if index == FirstConsumer {
		return "the consumer"
	}
	return fmt.Sprintf("consumer %d", index)
}
