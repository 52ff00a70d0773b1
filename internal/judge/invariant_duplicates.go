package judge

import (
	"cmp"
	"fmt"
	"slices"

	"sluice/internal/ledger"
	"sluice/internal/options"
	"sluice/reports"
)

// duplicates: a span that comes out again does so in a record that repeats one that came before,
// byte by byte and under the same flush_id, so that a reader can tell; and only what was in flight
// on a shard whose owner changed, or while Kafka was away, does. Each repeat must have such a
// cause.
// What was flushed is forgotten, though. So a span that was sent twice comes out under two flush
// ids if the second arrives after the first was flushed; and so does one whose message is delivered
// again then, since the partition has got a new owner before it was committed. How many of these
// may be, the scenario says.
var duplicates = invariant{"duplicates", ExitSafety, judgeDuplicates, nil}

func judgeDuplicates(e *Evidence) (reports.Verdict, string) {
	b := e.Balance
	if found := b.Of(ledger.Differing); found.Count > 0 {
		return violated("%v: %v", ledger.Differing, found)
	}
	note, again := "", slices.Concat(redelivered(e), flushedAgain(e), attachedAgain(e))
	if found := b.Of(ledger.Duplicated); found.Count > 0 {
		if !e.Scenario.Expectations.DuplicatedSpansMax.Allows(found.Count) {
			why := ""
			left, what := unexcused(e, ledger.Duplicated, again)
			if o, ousted := e.ousted(); ousted && left == nil {
				return unknown("%v: %v: at %.1fs the consumer lost its partitions without a fault, since its "+
					"session with the group had ended, as on a machine that is too busy", ledger.Duplicated, found, o.T)
			}
			if left == nil && what != "" {
				why = fmt.Sprintf(explained+"%q: expectations.duplicated_spans_max says how many may be, and is %v",
					what, e.Scenario.Expectations.DuplicatedSpansMax)
			}
			return violated("%v: %v%s", ledger.Duplicated, found, why)
		}
		note = fmt.Sprintf("; %d came out under two flush ids, as duplicated_spans_max allows",
			found.Count)
	}
	for _, c := range []struct {
		kind   ledger.Finding
		causes []cause
	}{
		{ledger.Duplicated, again},
		{ledger.Resent, slices.Concat(cameLate(e), flushedEarly(e), redelivered(e), flushedAgain(e),
			attachedAgain(e))},
		{ledger.Repeated, inFlight(e)},
		{ledger.RepeatedLetter, inFlight(e)},
	} {
		count := b.Of(c.kind).Count
		found, what := unexcused(e, c.kind, c.causes)
		switch more := b.Uncounted[c.kind]; {
		case found != nil:
			return violated("nothing that happened to shard %d explains it; %v: %d, among them: %s%s",
				found.Shard, c.kind, count, found.First, e.before(found.To.Seconds()))
		case more > 0:
			return unknown("%v: %d more than can be looked into", c.kind, more)
		case c.kind == ledger.Resent && count > 0:
			note += fmt.Sprintf("; %d that were sent twice came out under two flush ids: %s", count,
				cmp.Or(what, "they came late"))
		case c.kind == ledger.Duplicated && what != "":
			note += ": " + what
		}
	}
	if e.silent() {
		return unknown("no span came out")
	}
	return passed("%s came out again in an exact repeat%s",
		options.FormatCount(b.Of(ledger.Repeated).Count, "span"), note)
}
