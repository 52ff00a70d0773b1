package judge

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"sluice/flusher"
	"sluice/internal/ledger"
	"sluice/reports"
	"sluice/scenarios"
)

// Evidence is everything that is known of a run when it is over. Judging reads it and nothing
// else. Its times are seconds since the start of the load, negative before it, and its durations
// are in seconds.
type Evidence struct {
	Scenario scenarios.Scenario
	// World is where the run was made, for the result.
	World string
	// Slacks are what that world grants.
	Slacks Slacks
	// Unmeasured says of what that world cannot measure why not. What is not in it and was not
	// measured all the same makes a verdict unknown.
	Unmeasured map[Measure]string

	Events []reports.Event
	Moves  []Move
	Looks  []Look
	// Changes are looks beside those, each right after something that may have changed whose shards are whose;
	// none where nobody sees when that happens.
	Changes []Look
	Samples []reports.Sample
	Balance ledger.Balance
	// Lives are those of consumers that have ended.
	Lives []Life
	// Losses are those of the store that consumers have said.
	Losses []Loss
	// Ousters are when consumers lost their partitions with their session.
	Ousters []Ouster
	// CommitsFail is true if faults at ports are there that make commits fail: a drain may give them up then.
	CommitsFail bool
	// BatchMax is the largest number of messages in a batch.
	BatchMax int
	// LostDue is when the first of the spans that are lost was due to be sent.
	LostDue float64
	// Freshness is how long after its deadline a segment was acknowledged, as workers say;
	// FreshnessSeen how long after what must have been its deadline it was read; Latency how long
	// after it was due to be sent a span came out.
	Freshness, FreshnessSeen, Latency reports.Quantiles
	// Lags are times in which segments of a shard came out late, in the order of their begins.
	Lags []Lag
	// Crowds is how many messages were among neighbours of which most had wrong timestamps, so that nobody
	// could tell which were right.
	Crowds int64
	// Ahead are segments that were acknowledged before their deadline, as workers say.
	Ahead Ahead
	// Breaches are calls of the store that consumers or workers should not have made, or owed it.
	Breaches ledger.Found
	// Withheld is input that consumers held back for no reason, in a world that sees that.
	Withheld []Withheld

	// LoadSeconds is how long sending took, FirstSeconds and LastSeconds when the first and the
	// last span came out.
	LoadSeconds, FirstSeconds, LastSeconds float64
	// Seconds is how long the whole run took by the world's clock.
	Seconds float64
	// Digest stands for all that happened; "" if the run cannot be had again.
	Digest string
	// Behind is how late the generator was at most: an open loop that lags is not open.
	Behind float64
	// Limit says why it was late, if it was; Limited is true if the harness was the limit.
	Limit   string
	Limited bool
	SendErr error
	// HealErr says what of the faults could not be ended when the load was over.
	HealErr error
	// Drained is true if every span had come out before drain_max. If not, Stuck says what the consumers
	// know of why, and Held what the store and the input held then, before anybody was asked to stop.
	// DrainSeconds is how long that was waited for.
	Drained      bool
	Stuck        []string
	Held         Remains
	DrainSeconds float64
	// EndedEarly is true if a consumer ended though nobody had ended it, EndedErr is why.
	EndedEarly bool
	EndedErr   error
	// PipelineErr is what a consumer said that did not drain in good order at the end of the run;
	// ForcedAfter is after how many seconds one that did not stop was ended by force, 0 if none was.
	PipelineErr error
	ForcedAfter float64
	// Interrupted is true if somebody ended the run before its end.
	Interrupted bool
	// Survivors is how many processes of the run were left when all consumers had ended.
	Survivors int
	// Left is what the store and the input held then.
	Left Remains
	// FinishErr means that not all of the output could be read.
	FinishErr error
	// MissedFaults did not happen, each with the reason; nor did LateFaults, for which the run had no
	// time, and SkippedFaults, which are those that chance led to nobody whom they could hit.
	MissedFaults, LateFaults, SkippedFaults []string
	// UndrawnFaults are random ones for which the seed drew no time.
	UndrawnFaults []scenarios.Fault
	// IdlePorts are faults at ports that hit no call.
	IdlePorts []string
	// Turns is how often who injects faults could look whether their moment had come, as a share of how
	// often it should have: 1 on a machine that is idle, and always in virtual time.
	Turns float64
	// Coverage is which stages the faults hit.
	Coverage reports.Coverage
}

// fell tells whether a consumer ended though it should not have.
func (e *Evidence) fell() bool { return e.EndedEarly && !e.gaveUp() }

// gaveUp tells whether a consumer gave up as the scenario expects. It is started again when the load is
// over: the run has its end like any other.
func (e *Evidence) gaveUp() bool {
	return e.Scenario.Expectations.End == scenarios.EndBudget && e.exhausted()
}

// missing is how many spans neither came out nor have an excuse.
func (e *Evidence) missing() int64 {
	if open := e.Balance.Lost + e.Balance.Buffered; open > 0 {
		return open
	}
	return e.Balance.Sent - e.Balance.Flushed // what was excused may still be there
}

// allOut tells whether everything came out in the end, spans and dead letters.
func (e *Evidence) allOut() bool { return e.missing() == 0 && e.Balance.BadLost == 0 }

// whole tells whether the load was sent to its end.
func (e *Evidence) whole() bool { return !e.fell() && !e.Interrupted && e.SendErr == nil }

// turnsMin is the share of its turns below which the injector lacked time.
const turnsMin = 0.5

// busy says why the run lacked time, or "".
func (e *Evidence) busy() string {
	switch {
	case e.Turns < turnsMin:
		return fmt.Sprintf("the machine was busy: who injects faults had %.0f %% of its turns", 100*e.Turns)
	case e.Behind > e.Slacks.Behind:
		return fmt.Sprintf("the load was %.1fs behind its time", e.Behind)
	}
	return ""
}

// silent tells whether nothing came out that should have.
func (e *Evidence) silent() bool {
	return e.Balance.Flushed == 0 && !e.gaveUp()
}

// perMessage is how long it took on average to send a message, in seconds.
func (e *Evidence) perMessage() float64 {
	return e.LoadSeconds / float64(max(e.Balance.Messages, 1))
}

// exhausted tells whether a consumer gave up because a restart budget was used up.
func (e *Evidence) exhausted() bool {
	return slices.ContainsFunc(e.Moves, func(m Move) bool { return m.Kind == flusher.EventExhausted })
}

// since names what happened from a moment on that may explain a violation: the first few faults,
// restarts and ends of consumers, each with its time.
func (e *Evidence) since(t float64) string {
	const few = 3
	var list []string
	for _, event := range e.Events {
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
func (e *Evidence) before(t float64) string {
	text := ""
	for _, event := range e.Events {
		if event.T <= t &&
			(event.Kind == reports.EventFaultBegin || event.Kind == reports.EventRestart) {
			text = fmt.Sprintf("; before that, at %.1fs %s: %s", event.T, event.Kind,
				strings.TrimSpace(event.Fault+" "+event.Text))
		}
	}
	return text
}

// watched returns the looks from the start of the load until the pipeline was asked to stop.
func (e *Evidence) watched() []Look {
	var looks []Look
	for _, l := range e.Looks {
		if Watches(l.Phase) {
			looks = append(looks, l)
		}
	}
	return looks
}

// Watches tells whether the consumers are judged by how they stand in a phase: from the start of the load until
// they are asked to stop.
func Watches(phase string) bool { return phase == reports.PhaseLoad || phase == reports.PhaseDrain }

// standings returns the looks that are watched with the changes between them: what lasts for less than is
// between two looks is in the latter.
func (e *Evidence) standings() []Look {
	all := append(e.watched(), e.Changes...)
	slices.SortStableFunc(all, func(a, b Look) int { return cmp.Compare(a.T, b.T) })
	return all
}
