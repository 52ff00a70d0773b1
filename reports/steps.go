package reports

import (
	"fmt"
	"strings"

	"sluice/internal/options"
)

// Says returns an event in words; "" if it says nothing to a reader of the story: how a worker is
// follows from what was done to it.
func (e Event) Says() string {
	text := ""
	switch e.Kind {
	case EventFaultBegin:
		text = "fault: " + e.Fault
	case EventFaultEnd:
		text = "fault ended: " + e.Fault
	case EventRestart:
		text = fmt.Sprintf("replacing worker %d: %s", e.Worker, e.Text)
	case EventGateClosed:
		text = fmt.Sprintf("input of shards [%s] paused: %s", options.FormatNumbers(e.Shards, " "), e.Text)
	case EventGateOpened:
		text = fmt.Sprintf("input of shards [%s] resumed", options.FormatNumbers(e.Shards, " "))
	case EventConsumer:
		text = strings.TrimSuffix(fmt.Sprintf("consumer %d is %s: %s", e.Consumer, e.State, e.Text), ": ")
	case EventNote:
		text = e.Text
	}
	// A reason may be several errors, one per line.
	return strings.ReplaceAll(text, "\n", "; ")
}

// Steps tells the story of a run: what was done to it and what followed, a line each with its time,
// from the begin of the load to its end and the violation of that name.
func Steps(events []Event, result Result, violated string) []string {
	var lines []string
	for _, e := range events {
		text := e.Says()
		if e.Kind == EventPhase {
			text = map[string]string{PhaseLoad: "load begins", PhaseDrain: "load ends, faults are over",
				PhaseStop: "the consumer is asked to stop"}[e.Text]
		}
		if text != "" && e.T >= 0 && !(e.Kind == EventConsumer && e.T == 0) {
			lines = append(lines, fmt.Sprintf("%6.1f s  %s", e.T, text))
		}
	}
	for _, list := range [][]Judgement{result.Invariants, result.Expectations} {
		for _, j := range list {
			if j.Name == violated {
				lines = append(lines, fmt.Sprintf("%s is %s: %s", j.Name, j.Verdict, j.Detail))
			}
		}
	}
	return lines
}
