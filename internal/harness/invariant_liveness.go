package harness

import (
	"strings"

	"sluice/reports"
	"sluice/scenarios"
)

// drains: when the load and the faults are over, everything comes out within drain_max, and the
// pipeline stops when it is told to. If not, the reason is named.
var drains = invariant{"liveness", liveness, judgeDrains}

func judgeDrains(e *evidence) (reports.Verdict, string) {
	exhausted := e.exhausted()
	switch {
	case e.scenario.Expectations.End == scenarios.EndBudget && !exhausted && !e.interrupted:
		return violated("the consumer should have ended since a worker's restart budget is used up, " +
			"and did not")
	case e.endedEarly && !(exhausted && e.scenario.Expectations.End == scenarios.EndBudget):
		return violated("the consumer ended by itself: %v", e.endedErr)
	case e.healErr != nil:
		return unknown("not every fault could be ended: %v", e.healErr)
	case e.interrupted:
		return unknown("the run was interrupted")
	case e.sendErr != nil:
		return unknown("the load could not be sent: %v", e.sendErr)
	case !e.drained:
		missing := e.balance.Sent - e.balance.Flushed
		reason := "nothing says why"
		if len(e.stuck) > 0 {
			reason = strings.Join(e.stuck, "; ")
		}
		if e.left.hopeless() {
			reason = "none is left in the input or the store that could"
		}
		return violated("%.1fs after the load %d spans had not come out: %s",
			e.drainSeconds, missing, reason)
	case e.stopTooLong:
		return violated("a consumer did not stop within %v", shutdownMax)
	case e.pipelineErr != nil:
		return violated("a consumer ended with an error: %v", e.pipelineErr)
	}
	return passed("all spans were out %.1fs after the load", max(0, e.lastSeconds-e.loadSeconds))
}
