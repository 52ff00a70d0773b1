package harness

import (
	"sluice/internal/ledger"
	"sluice/reports"
)

// duplicates: a span that comes out again does so in a record that repeats one that came before,
// byte by byte and under the same flush_id, so that a reader can tell; and only faults cause that.
// A span that arrives twice, the second time after its segment was flushed, comes out twice: what
// was flushed is forgotten.
var duplicates = invariant{"duplicates", safety, judgeDuplicates}

func judgeDuplicates(e *evidence) (reports.Verdict, string) {
	b := e.balance
	if found := b.Of(ledger.Differing); found.Count > 0 {
		return violated("%v: %v", ledger.Differing, found)
	}
	if found := b.Of(ledger.Duplicated); found.Count > 0 {
		cause := cameLate(e)
		if e.scenario.Workload.Duplicates == 0 || cause == "" {
			return violated("%v: %v", ledger.Duplicated, found)
		}
		return passed("%d spans that arrived twice came out twice: %s", found.Count, cause)
	}
	repeated := b.Of(ledger.Repeated)
	if repeated.Count > 0 && !disturbed(e) {
		return violated("spans came out again though no worker failed: %v", repeated)
	}
	if found := b.Of(ledger.RepeatedLetter); found.Count > 0 && !disturbed(e) {
		return violated("%v though no worker failed: %v", ledger.RepeatedLetter, found)
	}
	return passed("%d spans came out again, each in an exact repeat", repeated.Count)
}

// disturbed tells whether anything happened that may repeat records: a fault, or a restart.
func disturbed(e *evidence) bool {
	for _, event := range e.events {
		if event.Kind == reports.EventFaultBegin || event.Kind == reports.EventRestart {
			return true
		}
	}
	return false
}
