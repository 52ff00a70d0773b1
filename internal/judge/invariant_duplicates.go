package judge

import (
	"cmp"
	"fmt"

	"sluice/flusher"
	"sluice/internal/ledger"
	"sluice/reports"
)

// duplicates: a span that comes out again does so in a record that repeats one that came before,
// byte by byte and under the same flush_id, so that a reader can tell; and only faults cause that.
// What was flushed is forgotten, though. So a span that was sent twice comes out under two flush ids
// if the second arrives after the first was flushed; and so does one whose message is delivered again
// then, since the partition has got a new owner before it was committed. How many of these may be,
// the scenario says.
var duplicates = invariant{"duplicates", safety, judgeDuplicates}

func judgeDuplicates(e *Evidence) (reports.Verdict, string) {
	b := e.Balance
	if found := b.Of(ledger.Differing); found.Count > 0 {
		return violated("%v: %v", ledger.Differing, found)
	}
	note := ""
	if found := b.Of(ledger.Duplicated); found.Count > 0 {
		cause := deliveredAgain(e)
		if !e.Scenario.Expectations.DuplicatedSpansMax.Allows(found.Count) || cause == "" {
			return violated("%v: %v", ledger.Duplicated, found)
		}
		note = fmt.Sprintf("; %d came out under two flush ids, as duplicated_spans_max allows: %s",
			found.Count, cause)
	}
	if found := b.Of(ledger.Resent); found.Count > 0 {
		cause := cmp.Or(cameLate(e), deliveredAgain(e))
		if cause == "" {
			return violated("%v: %v", ledger.Resent, found)
		}
		note += fmt.Sprintf("; %d that were sent twice came out under two flush ids: %s", found.Count,
			cause)
	}
	repeated := b.Of(ledger.Repeated)
	if repeated.Count > 0 && !disturbed(e) {
		return violated("spans came out again though no worker failed: %v", repeated)
	}
	if found := b.Of(ledger.RepeatedLetter); found.Count > 0 && !disturbed(e) {
		return violated("%v though no worker failed: %v", ledger.RepeatedLetter, found)
	}
	return passed("%d spans came out again in an exact repeat%s", repeated.Count, note)
}

// deliveredAgain returns when a partition got a new owner while load came, or "": what the last one
// had not committed was delivered again.
func deliveredAgain(e *Evidence) string {
	for _, m := range e.Moves {
		if m.Kind == flusher.EventAssigned && m.T > 0 && len(m.Shards) > 0 {
			return fmt.Sprintf("shards %v were assigned anew at %.1fs", ShardNumbers(m.Shards), m.T)
		}
	}
	return ""
}

// disturbed tells whether anything happened that may repeat records: a fault, or a restart.
func disturbed(e *Evidence) bool {
	for _, event := range e.Events {
		if event.Kind == reports.EventFaultBegin || event.Kind == reports.EventRestart {
			return true
		}
	}
	return false
}
