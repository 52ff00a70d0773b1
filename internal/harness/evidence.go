package harness

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"sluice/flusher"
	"sluice/internal/ledger"
	"sluice/reports"
	"sluice/scenarios"
)

// evidence is everything that is known of a run when it is over. Judging reads it and nothing
// else.
type evidence struct {
	scenario scenarios.Scenario

	events  []reports.Event
	moves   []move
	looks   []look
	samples []reports.Sample
	balance ledger.Balance
	// lostDue is when the first of the spans that are lost was due to be sent.
	lostDue time.Duration
	fresh   reports.Quantiles
	latency reports.Quantiles

	// loadSeconds is how long sending took, firstSeconds and lastSeconds when the first and the
	// last span came out, all since the start of the load.
	loadSeconds, firstSeconds, lastSeconds float64
	// behind is how late the generator was at most: an open loop that lags is none.
	behind time.Duration
	// limit says why it was late, if it was; limited is true if the harness was the limit.
	limit   string
	limited bool
	sendErr error
	// start is when the load began.
	start time.Time
	// healErr says what of the faults could not be ended when the load was over.
	healErr error
	// drained is true if every span had come out before drain_max; stuck says why not.
	// drainSeconds is how long that was waited for.
	drained      bool
	stuck        []string
	drainSeconds float64
	// endedEarly is true if a consumer ended though nobody had ended it, endedErr is why.
	endedEarly bool
	endedErr   error
	// pipelineErr is what a consumer said that did not drain in good order at the end of the run;
	// stopTooLong is true if one had to be ended by force.
	pipelineErr error
	stopTooLong bool
	// interrupted is true if somebody ended the run before its end.
	interrupted bool
	// survivors is how many processes of the run were left when all consumers had ended.
	survivors int
	// left is what the store and the input held then.
	left remains
	// finishErr means that not all of the output could be read.
	finishErr error
	// missedFaults did not happen, each with the reason; nor did skippedFaults, which are random ones
	// that did not find their target.
	missedFaults, skippedFaults []string
}

// exhausted tells whether a consumer gave up because a restart budget was used up.
func (e *evidence) exhausted() bool {
	return slices.ContainsFunc(e.moves, func(m move) bool { return m.Kind == flusher.EventExhausted })
}

// since names what happened from a moment on that may explain a violation: the first few faults,
// restarts and ends of consumers, each with its time.
func (e *evidence) since(t float64) string {
	const few = 3
	var list []string
	for _, event := range e.events {
		fell := event.Kind == reports.EventConsumer && event.State == reports.StateDead
		if event.T < t || event.Kind != reports.EventFaultBegin && event.Kind != reports.EventRestart &&
			!fell {
			continue
		}
		if len(list) == few {
			list = append(list, "...")
			break
		}
		list = append(list, fmt.Sprintf("at %.1fs %s: %s", event.T, event.Kind,
			strings.TrimSpace(event.Fault+" "+event.Text)))
	}
	if len(list) == 0 {
		return "; nothing was broken since then"
	}
	return "; since then: " + strings.Join(list, "; ")
}

// before is since for what happened last before a moment.
func (e *evidence) before(t float64) string {
	text := ""
	for _, event := range e.events {
		if event.T <= t &&
			(event.Kind == reports.EventFaultBegin || event.Kind == reports.EventRestart) {
			text = fmt.Sprintf("; before that, at %.1fs %s: %s", event.T, event.Kind,
				strings.TrimSpace(event.Fault+" "+event.Text))
		}
	}
	return text
}

// watched returns the looks from the start of the load until the pipeline was told to stop.
func (e *evidence) watched() []look {
	var looks []look
	for _, l := range e.looks {
		if l.Phase == PhaseLoad || l.Phase == PhaseDrain {
			looks = append(looks, l)
		}
	}
	return looks
}
