package judge

import (
	"errors"
	"strings"
	"testing"

	"sluice/flusher"
	"sluice/reports"
	"sluice/scenarios"
)

// gaveUp makes the consumer use up a restart budget at 6 s, as expected, end at 6.1 s, and start again
// when the load is over.
func gaveUp(e *Evidence) {
	e.Scenario.Expectations.End = scenarios.EndBudget
	e.EndedEarly, e.EndedErr = true, errors.New("planted: used up")
	e.Moves = append(e.Moves, moveOf(6, flusher.EventExhausted, 1, 1, 3))
	e.Lives[0].Drained = false
	for n := range e.Looks {
		switch l := &e.Looks[n]; {
		case l.T > 6.1 && l.T < 10:
			l.Consumers = nil
		case l.T >= 10:
			l.Consumers[0].Life = 2
		}
	}
}

func nobody(l *Look) {
	for n := range l.Consumers[0].States {
		l.Consumers[0].States[n].Shards = nil
	}
}

// TestAnExpectedEndTakesNoVerdictAway: a consumer that gives up as expected is started again, and must
// owe nobody anything.
func TestAnExpectedEndTakesNoVerdictAway(t *testing.T) {
	for name, c := range map[string]struct {
		plant    func(e *Evidence)
		judge    func(e *Evidence) (reports.Verdict, string)
		want     reports.Verdict
		says     string
		unwanted reports.Verdict // if the scenario does not expect that end
	}{
		"nothing": {func(*Evidence) {}, judgeConservation, reports.Passed, "", reports.Passed},
		"lost": {func(e *Evidence) {
			e.Drained, e.Balance.Flushed, e.Balance.Lost = false, 990, 10
		}, judgeConservation, reports.Violated, "10 spans lost", reports.Unknown},
		"overloaded": {func(e *Evidence) { drainedUntil(e, 2, 23) }, judgeDrains, reports.Unknown,
			"some still did", reports.Violated},
		"nobody had a shard while it was down": {func(*Evidence) {}, judgeShardCoverage, reports.Passed, "", reports.Passed},
		"nor later": {each(10, 13, nobody), judgeShardCoverage,
			reports.Violated, "belonged to no worker", reports.Passed},
		"nor before": {each(2, 5, nobody), judgeShardCoverage,
			reports.Violated, "belonged to no worker", reports.Passed},
	} {
		e := clean()
		e.Slacks.Uncovered = 1
		gaveUp(e)
		c.plant(e)
		if verdict, detail := c.judge(e); verdict != c.want || !strings.Contains(detail, c.says) {
			t.Errorf("%s: %s: %s", name, verdict, detail)
		}
		e.Scenario.Expectations.End = scenarios.EndDrained
		if verdict, detail := c.judge(e); verdict != c.unwanted {
			t.Errorf("%s, unexpected: %s: %s", name, verdict, detail)
		}
	}
	e := clean()
	gaveUp(e)
	e.LateFaults = []string{"b"}
	if j := e.judgeInjected(); j.Verdict != reports.Violated {
		t.Errorf("a fault that did not happen in virtual time: %+v", j)
	}
}

// TestWhatIsExcusedIsNotAwaited: spans that went with a wipe are not among those to come.
func TestWhatIsExcusedIsNotAwaited(t *testing.T) {
	for name, until := range map[string]float64{"some still did": 23, "nothing says why": 0} {
		e := clean()
		drainedUntil(e, 2, until)
		e.Balance.Lost, e.Balance.Buffered, e.Balance.Dropped = 0, 40, map[string]int64{"wiped": 560}
		_, detail := judgeDrains(e)
		if !strings.Contains(detail, "load 40 spans had not come out") || !strings.Contains(detail, name) ||
			until > 0 && !strings.Contains(detail, "all would be out 14s after the load") {
			t.Errorf("%s: %s", name, detail)
		}
	}
}
