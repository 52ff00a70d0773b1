package judge

import (
	"fmt"

	"sluice/reports"
	"sluice/scenarios"
)

// processLimit: a consumer never has more worker processes than were asked for, by the count of the
// operating system; those whose consumer is gone end by themselves, as soon as they are not frozen;
// and no process is left at the end.
var processLimit = invariant{"process limit", safety, judgeProcessLimit}

// orphanMax is how long a worker may outlive its consumer, in seconds.
const orphanMax = 5.0

func judgeProcessLimit(e *Evidence) (reports.Verdict, string) {
	limit := e.Scenario.Topology.Workers()
	if e.Scenario.Topology.FlusherMode == scenarios.ModeGoroutine {
		limit = 0
	}
	most, orphansSince := 0, -1.0
	for _, l := range e.Looks {
		if l.Unknown {
			return unknown("processes cannot be counted on this system")
		}
		for _, c := range l.Consumers {
			if c.Live > limit {
				return violated("at %.1fs %s had %d worker processes, the limit is %d%s", l.T,
					nameConsumer(c.Consumer), c.Live, limit, e.before(l.T))
			}
			most = max(most, c.Live)
		}
		switch {
		case l.Orphans == 0:
			orphansSince = -1
		case orphansSince < 0:
			orphansSince = l.T
		case l.T-orphansSince > orphanMax:
			return violated("at %.1fs there were %d worker processes whose consumer is gone since %.1fs",
				l.T, l.Orphans, orphansSince)
		}
	}
	if e.Survivors > 0 {
		return violated("%d processes were left when every consumer had ended", e.Survivors)
	}
	return passed("at most %d worker processes of a consumer at a time, limit %d, none left", most, limit)
}

func nameConsumer(index int) string {
	if index == FirstConsumer {
		return "the consumer"
	}
	return fmt.Sprintf("consumer %d", index)
}
