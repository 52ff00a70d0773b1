package judge

import (
	"fmt"
	"strings"

	"sluice/internal/ledger"
	"sluice/internal/options"
	"sluice/reports"
	"sluice/scenarios"
)

// conservation: sent = flushed + buffered + dropped by reason, span by span; and what came out is
// what was sent. Every message that is not a span comes out as a dead letter, and nothing else
// does. When all has come out, the store is empty, and in virtual time the input is committed.
var conservation = invariant{"conservation", ExitSafety, judgeConservation, nil}

func judgeConservation(e *Evidence) (reports.Verdict, string) {
	b := e.Balance
	for _, kind := range []ledger.Finding{ledger.Malformed, ledger.Unknown, ledger.Altered,
		ledger.Leaked, ledger.Refused} {
		if found := b.Of(kind); found.Count > 0 {
			return violated("%v: %v", kind, found)
		}
	}
	lost, what := b.Lost+b.BadLost, spansAnd(b.Lost, b.BadLost)
	sent := ""
	if b.Lost+b.Buffered > 0 {
		sent = fmt.Sprintf("; the first was due to be sent at %.1fs%s", e.LostDue,
			e.since(e.LostDue))
	}
	switch {
	case e.FinishErr != nil:
		return unknown("%v", e.FinishErr)
	case b.Sent+b.BadSent == 0:
		return unknown("nothing was sent")
	case lost > 0 && e.Drained:
		// Each span had come out before the end; this cannot be.
		return violated("%s lost: %s%s", what, strings.Join(b.Losses, "; "), sent)
	case !e.toldOf(b.Dropped[ledger.SetBack]):
		return violated("%s went with what Redis lost when it was set back, but consumers say that it may "+
			"have lost %d", options.FormatCount(b.Dropped[ledger.SetBack], "span"), e.said())
	case lost > 0 && e.Left.Store.Empty() && e.final():
		of := fmt.Sprint(b.Sent)
		if b.BadSent > 0 {
			of = spansAnd(b.Sent, b.BadSent)
		}
		return violated("%s lost, of %s sent: all messages are committed and the store is empty, but not "+
			"all came out: %s%s", what, of, strings.Join(b.Losses, "; "), sent)
	case lost+b.Buffered > 0 && !e.Left.Store.Empty() && e.final():
		return violated("%s lost: the store still holds %v, but no queue names it, and all messages are "+
			"committed: nothing will ever bring it out: %s%s", spansAnd(b.Lost+b.Buffered, b.BadLost), e.Left.Store, strings.Join(b.Losses, "; "), sent)
	case e.Left.Err != nil:
		return unknown("what is left in the input and the store is not known: %v", e.Left.Err)
	case lost > 0 || b.Buffered > 0:
		return unknown("%s did not come out; not committed of the input: %d; the store still holds %v",
			options.FormatCount(lost+b.Buffered, "message"), e.Left.Waiting, e.Left.Store)
	case e.Interrupted && !e.Left.Store.Empty():
		return unknown("everything came out; the run was ended while the store still held %v", e.Left.Store)
	case !e.Left.Store.Empty():
		return violated("everything came out, but at its end the store still holds %v%s", e.Left.Store,
			e.before(watchedUntil(e)))
	case e.Left.Waiting > 0 && e.Drained && e.stopped():
		return violated("everything came out, but at its end the input still holds %s not committed: whoever reads on "+
			"from there brings them out again%s", options.FormatCount(e.Left.Waiting, "message"), e.before(watchedUntil(e)))
	}
	bad := ""
	if b.BadSent > 0 {
		bad = fmt.Sprintf("; %s sent: %s", options.FormatCount(b.BadSent, "bad message"),
			options.FormatCount(b.BadSent-b.BadDeleted, "dead letter"))
	}
	if b.BadDeleted > 0 {
		bad += fmt.Sprintf(", and %d that Kafka deleted unread", b.BadDeleted)
	}
	return passed("%s sent, %d flushed, %d dropped%s", options.FormatCount(b.Sent, "span"), b.Flushed,
		b.Sent-b.Flushed, bad)
}

// spansAnd counts spans, and the messages that are none if there are any.
func spansAnd(spans, bad int64) string {
	text := options.FormatCount(spans, "span")
	if bad > 0 {
		text += " and " + options.FormatCount(bad, "bad message")
	}
	return text
}

// final tells whether a run that ended in good order has left nothing that could still come out.
func (e *Evidence) final() bool {
	return !e.Drained && !e.Interrupted && !e.fell() && e.ForcedAfter == 0 && e.SendErr == nil &&
		e.Left.Hopeless()
}

// stopped tells whether the consumers ended in good order when they were asked to, and so have committed all. On
// the wall clock that is not known, nor where commits are made to fail: a drain gives up what failed three times.
func (e *Evidence) stopped() bool {
	_, onWall := e.Unmeasured[VirtualTime]
	return !onWall && !e.CommitsFail && !e.Interrupted && !e.fell() && e.SendErr == nil && e.ForcedAfter == 0 && e.PipelineErr == nil &&
		e.HealErr == nil
}

// Loss is what a consumer said that a node of the store may have lost, in spans.
type Loss struct {
	T        float64
	Consumer int
	Spans    int64
}

// said is how many spans may have been lost, by what consumers have said.
func (e *Evidence) said() (sum int64) {
	for _, l := range e.Losses {
		sum += l.Spans
	}
	return sum
}

// toldOf tells whether consumers have said of so many spans that Redis lost them when it was set back.
// One that ended knows no more what it stored, nor does one that was frozen or cut off.
func (e *Evidence) toldOf(spans int64) bool {
	if spans == 0 || len(e.Lives) > 1 || !isAloneBut(e, scenarios.VerbFailover) {
		return true
	}
	return e.said() >= spans
}
