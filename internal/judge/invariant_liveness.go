package judge

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"sluice/buffer"
	"sluice/flusher"
	"sluice/internal/options"
	"sluice/reports"
	"sluice/scenarios"
)

// drains: when the load and the faults are over, everything comes out, and the pipeline stops when it
// is asked to. If not, the reason is named. Spans that still come out when drain_max is over violate
// nothing: that is an expectation, and whether they all would have is not known.
var drains = invariant{"liveness", ExitLiveness, judgeDrains, nil}

func judgeDrains(e *Evidence) (reports.Verdict, string) {
	switch {
	case e.Scenario.Expectations.End == scenarios.EndBudget && !e.exhausted() && !e.Interrupted:
		return violated("the consumer should have ended because a worker's restart budget is used up, " +
			"but did not")
	case e.fell():
		return violated("the consumer ended by itself: %v", e.EndedErr)
	case e.HealErr != nil:
		return unknown("not every fault could be ended: %v", e.HealErr)
	case e.Interrupted:
		return unknown("the run was interrupted")
	case e.SendErr != nil:
		return unknown("the load could not be sent: %v", e.SendErr)
	case !e.Drained:
		if p, ok := e.moving(); ok {
			return unknown("%s", e.overloaded(p))
		}
		reason := strings.Join(append(slices.Clone(e.Stuck), e.held()...), "; ")
		switch {
		case e.allOut():
			return violated("%.1fs after the load not everything had come out, and nothing did any more; what was "+
				"left came when the consumers were asked to stop", e.DrainSeconds)
		case e.Left.Hopeless():
			reason = "none is left in the input or the store that could"
		}
		reason = cmp.Or(reason, "nothing says why")
		return violated("%.1fs after the load %s had not come out: %s", e.DrainSeconds,
			options.FormatCount(e.missing(), "span"), reason)
	case e.Balance.Messages == 0:
		return unknown("nothing was sent")
	case e.ForcedAfter > 0:
		return violated("a consumer did not stop within %vs", e.ForcedAfter)
	case e.PipelineErr != nil:
		return violated("a consumer ended with an error: %v", e.PipelineErr)
	}
	return passed("all spans were out %.1fs after the load", max(0, e.LastSeconds-e.LoadSeconds))
}

// held says where what did not come out was when the drain ended, and who should have brought it on:
// "shard 3: 12 segments queued, 2 leased by epoch 4, whose worker 1 is hung".
func (e *Evidence) held() (words []string) {
	const shardsMax = 4
	held := e.Held
	if held.Err != nil {
		return []string{fmt.Sprintf("what the input and the store hold is not known: %v", held.Err)}
	}
	if held.Waiting > 0 {
		words = append(words, options.FormatCount(held.Waiting, "message")+" of the input not committed")
	}
	for i, shard := range held.Store.Shards {
		if i == shardsMax {
			words = append(words, "and so on for "+options.FormatCount(len(held.Store.Shards)-i, "other shard"))
			break
		}
		words = append(words, fmt.Sprintf("shard %d: %s queued, %d leased by epoch %d, %s", shard.Shard,
			options.FormatCount(len(shard.Queued), "segment"), len(shard.Leased), shard.Epoch,
			e.ownerOf(shard.Shard, shard.Epoch)))
	}
	if held.Waiting == 0 && !held.Store.Named() && !held.Store.Empty() {
		words = append(words, options.FormatCount(len(held.Store.Held), "trace")+" stored that no queue names")
	}
	return words
}

// ownerOf says whose an epoch of a shard is and how that worker is. A worker that fences its shard itself
// goes on with the epochs after the one that it was started with.
func (e *Evidence) ownerOf(shard buffer.Shard, epoch buffer.Epoch) string {
	var owner, last *Move
	var since buffer.Epoch
	for i := range e.Moves {
		m := &e.Moves[i]
		at := slices.Index(m.Shards, shard)
		if m.Kind != flusher.EventFenced || at < 0 || at >= len(m.Epochs) {
			continue
		}
		last = m
		if m.Epochs[at] <= epoch && (owner == nil || m.Epochs[at] >= since) {
			owner, since = m, m.Epochs[at]
		}
	}
	switch {
	case last == nil:
		return "which no supervisor said it had made"
	case owner == nil:
		return fmt.Sprintf("which no worker has: worker %d of %s has a later one, and is %s", last.Worker,
			nameConsumer(last.Consumer), e.stateOf(last.slot()))
	}
	return fmt.Sprintf("whose worker %d of %s is %s", owner.Worker, nameConsumer(owner.Consumer),
		e.stateOf(owner.slot()))
}

// stateOf returns what a worker was when the run was watched last, in words.
func (e *Evidence) stateOf(at slot) string {
	looks := e.watched()
	if len(looks) == 0 {
		return "unknown"
	}
	for _, c := range looks[len(looks)-1].Consumers {
		if c.Consumer != at.consumer || c.Life != at.life {
			continue
		}
		for _, w := range c.States {
			if w.Worker == at.worker {
				return w.State.String()
			}
		}
	}
	return "down, with its consumer"
}
