package judge

import (
	"sluice/internal/ledger"
	"sluice/internal/options"
	"sluice/reports"
)

// segmentIntegrity: a span comes out under the segment id of its root. Only a span that arrives
// after its segment was flushed may come out under another ancestor, so only if spans can have been
// that late; and never under anything else. Its record is on the partition of its trace's key,
// and holds its spans in the order in which they were delivered.
var segmentIntegrity = invariant{"segment integrity", ExitSafety, judgeSegmentIntegrity, nil}

func judgeSegmentIntegrity(e *Evidence) (reports.Verdict, string) {
	for _, kind := range []ledger.Finding{ledger.Misplaced, ledger.Strayed, ledger.Disordered} {
		if found := e.Balance.Of(kind); found.Count > 0 {
			return violated("%v: %v", kind, found)
		}
	}
	split := e.Balance.Of(ledger.Split)
	if e.silent() {
		return unknown("no span came out")
	}
	if split.Count == 0 {
		return passed("%s, each under its root", options.FormatCount(e.Balance.Flushed, "span"))
	}
	spans := options.FormatCount(split.Count, "span")
	if e.Scenario.Expectations.SplitSpansMax.Allows(split.Count) {
		return passed("%s under another ancestor than the root, as split_spans_max allows", spans)
	}
	if found, _ := unexcused(e, ledger.Split, cameLate(e)); found != nil {
		return violated("%v: %d, among them: %s%s", ledger.Split, split.Count, found.First,
			e.before(found.To.Seconds()))
	}
	if more := e.Balance.Uncounted[ledger.Split]; more > 0 {
		return unknown("too many spans under another ancestor than their root to look for the cause of "+
			"each: %d more", more)
	}
	return passed("%s under another ancestor than the root, each of which has a cause", spans)
}
