package judge

import (
	"slices"

	"sluice/internal/ledger"
	"sluice/internal/options"
	"sluice/internal/portfault"
	"sluice/reports"
	"sluice/scenarios"
)

// Life is what a consumer said of what it had read, when it ended.
type Life struct {
	T float64
	// Drained is true if it ended in good order.
	Drained bool
	// Messages were read and stored, in Batches; of them Spans were spans, Letters dead letters. Refused
	// counts the tries of a batch that failed and were made again.
	// Duplicates counts the spans that were known. Deleted messages were deleted before they were read.
	Deleted, Refused                              int64
	Messages, Spans, Letters, Duplicates, Batches int64
}

// reading: what consumers say they have read is what was sent, and no batch is larger than it may be.
// As long as nothing happens to a consumer, to Redis or Kafka, each message is read once, also when
// partitions change hands and consumers are stopped, and no more is called known than came twice.
var reading = invariant{"reading", ExitSafety, judgeReading, nil}

func judgeReading(e *Evidence) (reports.Verdict, string) {
	var sum Life
	for _, l := range e.Lives {
		if most := l.Batches * int64(e.BatchMax); l.Spans > most {
			return violated("the consumer that ended at %.1fs says that it had %s in %s, of which each may "+
				"have %d", l.T, options.FormatCount(l.Spans, "span"), options.FormatCount(l.Batches, "batch"),
				e.BatchMax)
		}
		sum.Messages += l.Messages
		sum.Spans += l.Spans
		sum.Letters += l.Letters
		sum.Duplicates += l.Duplicates
		sum.Deleted += l.Deleted
	}
	b := &e.Balance
	switch {
	case len(e.Lives) == 0 || slices.ContainsFunc(e.Lives, func(l Life) bool { return !l.Drained }):
		return passed("a consumer did not end in good order, and takes what it knew along")
	case !e.Drained || !e.whole():
		return passed("not all was read")
	case sum.Messages+sum.Deleted+b.Unsaid < int64(b.Messages):
		return violated("consumers say that they have read %d of %s, and that %d had been deleted",
			sum.Messages, options.FormatCount(b.Messages, "message"), sum.Deleted)
	}
	again := max(0, sum.Messages+sum.Deleted-int64(b.Messages))
	words := options.FormatCount(again, "message") + " read again"
	for _, f := range reports.FaultsOf(e.Events) {
		if rereads(f) {
			return passed("%s, for which there can be a reason: %s", words, f.Fault)
		}
	}
	switch {
	case e.Slacks.Rereads:
		return passed("%s; this world has reasons that are not seen", words)
	case again > 0:
		return violated("%s, though nothing happened to a consumer, to Redis or Kafka", words)
	case sum.Letters != b.BadSent-b.BadDeleted:
		return violated("consumers say that they made %s, but the messages that are no spans are %d",
			options.FormatCount(sum.Letters, "dead letter"), b.BadSent-b.BadDeleted)
	case sum.Duplicates > sum.Spans-(b.Sent-b.Dropped[ledger.DeletedUnread]):
		return violated("consumers say that they read %s and knew %d of them, but %d are distinct",
			options.FormatCount(sum.Spans, "span"), sum.Duplicates, b.Sent)
	}
	return passed("%s, each once; spans that were known: %d", options.FormatCount(b.Messages, "message"), sum.Duplicates)
}

// rereads tells whether a fault is a reason to read messages again: all are but those of workers,
// clocks and the group, a consumer that is stopped in good order, and a port that is slow or no matter of
// who reads.
func rereads(f reports.FaultSummary) bool {
	var fault scenarios.Fault
	if fault.UnmarshalText([]byte(f.Fault)) != nil {
		return failsOnWayIn(f.Fault)
	}
	switch fault.Verb {
	case scenarios.VerbRebalance, scenarios.VerbJump, scenarios.VerbDelete:
		return false
	case scenarios.VerbStop:
		return fault.Target.Kind != scenarios.TargetConsumer
	}
	return !hitsWorkers(fault)
}

// failsOnWayIn tells whether faults at ports make calls on the way in fail; a text that is none does, too.
func failsOnWayIn(text string) bool {
	list, err := portfault.Parse(text)
	return err != nil || slices.ContainsFunc(list, func(f portfault.Fault) bool {
		return f.Kind != portfault.Slow && slices.Contains(wayIn, f.Port)
	})
}

// hitsWorkers tells whether a fault happens to workers alone, be it all of them. Their consumer reads on,
// commits, and stays in its group: if they do not keep up it reads less, but nothing again. (Not even if
// they let Redis run full, which no model does by itself: where it does, messages that were not stored are
// read again for a reason that is not seen, see Slacks.Rereads.)
func hitsWorkers(f scenarios.Fault) bool {
	return f.Target.Kind == scenarios.TargetWorker || f.Target.Kind == scenarios.TargetAllWorkers
}

// wayIn are the ports whose calls a message waits for on its way from the input into the store, until it is
// committed. The others are those of workers, which hitsWorkers is about as well, and those by which a
// supervisor keeps workers: nobody who reads hears their answers.
var wayIn = []portfault.Port{
	portfault.StoreAttach, portfault.StoreEnqueue, portfault.DeadLetter, portfault.SourcePoll,
	portfault.SourceCommit,
}
