package judge

import (
	"sluice/flusher"
	"sluice/internal/options"
	"sluice/reports"
)

// restartBudget: in each life of a consumer each worker is restarted at most as often as its budget
// says, each restart follows a failure, and the budget is given as used up only when it is.
var restartBudget = invariant{"restart budget", ExitSafety, judgeRestartBudget, nil}

func judgeRestartBudget(e *Evidence) (reports.Verdict, string) {
	budget := e.Scenario.Pipeline.RestartBudget
	failures, restarts := map[slot]int{}, map[slot]int{}
	total := 0
	var found violations
	for _, m := range e.Moves {
		at := m.slot()
		switch m.Kind {
		case flusher.EventFailed:
			failures[at]++
		case flusher.EventRestart:
			restarts[at]++
			total++
			if restarts[at] > budget {
				found.add(m.T, "at %.1fs worker %d was restarted for the %dth time, its budget is %d",
					m.T, m.Worker, restarts[at], budget)
			}
			if restarts[at] > failures[at] {
				found.add(m.T, "at %.1fs worker %d was restarted without a failure", m.T, m.Worker)
			}
		case flusher.EventExhausted:
			if restarts[at] != budget {
				found.add(m.T, "at %.1fs the budget of worker %d was used up after %d of %s",
					m.T, m.Worker, restarts[at], options.FormatCount(budget, "restart"))
			}
		}
	}
	for _, l := range e.Looks {
		for _, c := range l.Consumers {
			for _, w := range c.States {
				if w.Restarts > budget {
					found.add(l.T, "at %.1fs worker %d had %s, its budget is %d",
						l.T, w.Worker, options.FormatCount(w.Restarts, "restart"), budget)
				}
			}
		}
	}
	if first, is := found.first(); is {
		return violated("%s", first.reason)
	}
	return passed("%s, %d allowed per worker", options.FormatCount(total, "restart"), budget)
}
