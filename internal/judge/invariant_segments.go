package judge

import (
	"fmt"

	"sluice/internal/ledger"
	"sluice/reports"
)

// segmentIntegrity: a span comes out under the segment id of its root. Only a span that arrives
// after its segment was flushed may come out under another ancestor, so only if spans can have been
// that late; and never under anything else. Its record is on the partition of its trace's key,
// and holds its spans in the order in which they were delivered.
var segmentIntegrity = invariant{"segment integrity", ExitSafety, judgeSegmentIntegrity}

func judgeSegmentIntegrity(e *Evidence) (reports.Verdict, string) {
	for _, kind := range []ledger.Finding{ledger.Misplaced, ledger.Strayed, ledger.Disordered} {
		if found := e.Balance.Of(kind); found.Count > 0 {
			return violated("%v: %v", kind, found)
		}
	}
	split := e.Balance.Of(ledger.Split)
	if split.Count == 0 {
		return passed("%d spans, each under its root", e.Balance.Flushed)
	}
	if e.Scenario.Expectations.SplitSpansMax.Allows(split.Count) {
		return passed("%d spans under another ancestor than their root, as split_spans_max allows",
			split.Count)
	}
	if cause := cameLate(e); cause != "" {
		return passed("%d spans under another ancestor than their root: %s", split.Count, cause)
	}
	return violated("%v: %v", ledger.Split, split)
}

// clockStep is how coarse the input's clock is: a deadline may come by so much sooner than the
// time-out says.
const clockStep = 1.0

// cameLate returns why spans may have arrived after their segment was flushed, or "": the load
// holds some back for as long as a segment waits; or the way in was blocked for so long that what
// the system knew of the input's clock was out of date by a good part of that.
func cameLate(e *Evidence) string {
	s := e.Scenario
	timeout := min(s.Pipeline.RootTimeout, s.Pipeline.Timeout).Seconds()
	wait := timeout - clockStep
	if wait <= 0 {
		return fmt.Sprintf("clocks are cut to whole seconds, of which a time-out of %vs leaves nothing",
			timeout)
	}
	if s.Workload.Late.Share > 0 && s.Workload.Late.By.Seconds() >= wait {
		return "the load holds spans back for longer than a segment waits"
	}
	if e.Balance.Of(ledger.CutOff).Count > 0 {
		return "segments were cut off by size, and a segment that is full is flushed while spans of " +
			"its trace still come"
	}
	if s.Pipeline.MaxSegmentAge > 0 {
		return "max_segment_age cuts segments"
	}
	const blocked = 0.5 // of the wait
	for _, p := range pausesOf(e, watchedUntil(e)) {
		if lasted := p.to - p.from; lasted >= blocked*wait {
			return fmt.Sprintf("the input of shard %d was paused for %.1fs at %.1fs",
				p.shard, lasted, p.from)
		}
	}
	if e.Behind >= blocked*wait {
		return fmt.Sprintf("the load was %.1fs behind its time", e.Behind)
	}
	looks := e.watched()
	for i := 1; i < len(looks); i++ {
		if gap := looks[i].T - looks[i-1].T; gap >= blocked*wait {
			return fmt.Sprintf("the machine stood still for %.1fs at %.1fs", gap, looks[i-1].T)
		}
	}
	return ""
}
