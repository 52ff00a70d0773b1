package harness

import (
	"fmt"
	"strings"

	"sluice/internal/ledger"
	"sluice/reports"
)

// conservation: sent = flushed + buffered + dropped by reason, span by span; and what came out is
// what was sent. When all has come out, the store is empty.
var conservation = invariant{"conservation", safety, judgeConservation}

func judgeConservation(e *evidence) (reports.Verdict, string) {
	b := e.balance
	for _, kind := range []ledger.Finding{ledger.Malformed, ledger.Unknown, ledger.Altered} {
		if found := b.Of(kind); found.Count > 0 {
			return violated("%v: %v", kind, found)
		}
	}
	switch {
	case e.finishErr != nil:
		return unknown("%v", e.finishErr)
	case b.Lost > 0 && e.drained:
		// Each span had come out before the end; this cannot be.
		return violated("%d spans are lost: %s", b.Lost, strings.Join(b.Losses, "; "))
	case b.Lost > 0 && e.leftoversErr == nil && len(e.leftovers) == 0 && e.sendErr == nil &&
		!e.interrupted && !e.endedEarly && !e.stopTooLong:
		return violated("%d of %d spans are lost: they did not come out in time, and the store is "+
			"empty: %s", b.Lost, b.Sent, strings.Join(b.Losses, "; "))
	case b.Lost > 0 || b.Buffered > 0:
		return unknown("%d spans did not come out; the store still holds %s", b.Lost+b.Buffered,
			describe(e.leftovers))
	case e.leftoversErr != nil:
		return unknown("what is left in the store cannot be read: %v", e.leftoversErr)
	case len(e.leftovers) > 0:
		return violated("everything came out, but the store still holds %s", describe(e.leftovers))
	}
	return passed("%d spans sent, %d flushed, %d dropped", b.Sent, b.Flushed, b.Sent-b.Flushed)
}

// describe names the first few of a list.
func describe(list []string) string {
	const few = 3
	if len(list) == 0 {
		return "nothing"
	}
	text := fmt.Sprintf("%d things: %s", len(list), strings.Join(list[:min(few, len(list))], ", "))
	if len(list) > few {
		text += ", ..."
	}
	return text
}
