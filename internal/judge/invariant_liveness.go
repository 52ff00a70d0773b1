package judge

import (
	"strings"

	"sluice/reports"
	"sluice/scenarios"
)

// drains: when the load and the faults are over, everything comes out, and the pipeline stops when it
// is asked to. If not, the reason is named. Spans that still come out when drain_max is over violate
// nothing: that is an expectation, and whether they all would have is not known.
var drains = invariant{"liveness", ExitLiveness, judgeDrains}

func judgeDrains(e *Evidence) (reports.Verdict, string) {
	exhausted := e.exhausted()
	switch {
	case e.Scenario.Expectations.End == scenarios.EndBudget && !exhausted && !e.Interrupted:
		return violated("the consumer should have ended because a worker's restart budget is used up, " +
			"but did not")
	case e.EndedEarly && !(exhausted && e.Scenario.Expectations.End == scenarios.EndBudget):
		return violated("the consumer ended by itself: %v", e.EndedErr)
	case e.HealErr != nil:
		return unknown("not every fault could be ended: %v", e.HealErr)
	case e.Interrupted:
		return unknown("the run was interrupted")
	case e.SendErr != nil:
		return unknown("the load could not be sent: %v", e.SendErr)
	case !e.Drained:
		if p, ok := e.moving(); ok {
			return unknown("%s", e.overloaded(p))
		}
		missing := e.Balance.Sent - e.Balance.Flushed
		reason := "nothing says why"
		if len(e.Stuck) > 0 {
			reason = strings.Join(e.Stuck, "; ")
		}
		if e.Left.Hopeless() {
			reason = "none is left in the input or the store that could"
		}
		return violated("%.1fs after the load %d spans had not come out: %s",
			e.DrainSeconds, missing, reason)
	case e.Balance.Messages == 0:
		return unknown("nothing was sent")
	case e.ForcedAfter > 0:
		return violated("a consumer did not stop within %vs", e.ForcedAfter)
	case e.PipelineErr != nil:
		return violated("a consumer ended with an error: %v", e.PipelineErr)
	}
	return passed("all spans were out %.1fs after the load", max(0, e.LastSeconds-e.LoadSeconds))
}
