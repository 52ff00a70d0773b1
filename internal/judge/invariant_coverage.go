package judge

import (
	"slices"
	"strings"
	"time"

	"sluice/buffer"
	"sluice/flusher"
	"sluice/internal/options"
	"sluice/internal/portfault"
	"sluice/reports"
	"sluice/scenarios"
)

// shardCoverage: within a consumer each shard belongs to one worker, and loads differ by one at
// most; over all consumers each shard belongs to some worker, but for the time that a consumer
// which was ended, or joined, takes to come or to hand over; a worker is started only when the one
// before it is proven stopped and its shards are fenced, so no shard has two owners that count; and
// a worker that has died, or is frozen for too long, is soon missed.
var shardCoverage = invariant{"shard coverage", ExitSafety, judgeShardCoverage, uncovered}

func uncovered(e *Evidence) violations {
	looks, faults := e.standings(), reports.FaultsOf(e.Events)
	return slices.Concat(miscovered(e, looks, faults), succession(e.Moves), unnoticed(e, faults))
}

func judgeShardCoverage(e *Evidence) (reports.Verdict, string) {
	if first, is := uncovered(e).first(); is {
		return violated("%s", first.reason)
	}
	looks := e.watched()
	if len(looks) == 0 {
		return unknown("the run was over before anybody looked")
	}
	between := ""
	if n := len(e.Changes); n > 0 {
		between = ", and " + options.FormatCount(n, "time") + " in between"
	}
	return passed("%s, looked at %s%s", options.FormatCount(e.Scenario.Topology.Partitions, "shard"),
		options.FormatCount(len(looks), "time"), between)
}

// miscovered returns the first look at which a shard has too many owners or none, or a consumer deals its
// shards unevenly.
func miscovered(e *Evidence, looks []Look, faults []reports.FaultSummary) (found violations) {
	partitions := e.Scenario.Topology.Partitions
	shared, lacking := make([]spell, partitions), make([]spell, partitions)
	allowed := e.Slacks.Uncovered
	if _, ousted := e.ousted(); isAlone(e) && !ousted {
		allowed = 0
	}
	for at, l := range looks {
		spared := e.fell() || e.givesUp(l)
		if suffers(faults, l.T) {
			clear(lacking)
		}
		still := stoodStill(looks, at)
		for shard := range partitions {
			lacking[shard].from += still
			shared[shard].from += still
		}
		owners := map[buffer.Shard]int{}
		for _, c := range l.Consumers {
			of := owners
			if c.Heard > e.Slacks.Silence {
				of = map[buffer.Shard]int{} // it is frozen, and may have lost them all meanwhile
			}
			if found = covers(e, l, c, of); len(found) > 0 {
				return found
			}
		}
		for shard := range buffer.Shard(partitions) {
			if shared[shard].lasts(owners[shard] > 1, l.T, e.Slacks.Handover) {
				found.add(l.T, "at %.3fs shard %d belonged to workers of %d consumers, since %.3fs",
					l.T, shard, owners[shard], shared[shard].from)
				return found
			}
			if lacking[shard].lasts(owners[shard] == 0 && !spared, l.T, allowed) &&
				!waitsForSlow(e, faults, lacking[shard].from, l.T-allowed) {
				found.add(l.T, "at %.3fs shard %d belonged to no worker, since %.3fs", l.T, shard,
					lacking[shard].from)
				return found
			}
		}
	}
	return found
}

// unnoticed returns the workers that died, or froze for long, of which their supervisor did not know
// in time, though the consumer could have.
func unnoticed(e *Evidence, faults []reports.FaultSummary) (found violations) {
	for at, f := range faults {
		var fault scenarios.Fault
		if fault.UnmarshalText([]byte(f.Fault)) != nil ||
			fault.Verb != scenarios.VerbCrash && fault.Verb != scenarios.VerbHang {
			continue // one at a port has another form
		}
		within, became := e.Slacks.Gate, "died"
		if fault.Verb == scenarios.VerbHang {
			within, became = within+e.Scenario.Pipeline.MaxUnhealthy.Seconds(), "froze"
		}
		by := dueAfter(e.Looks, f.From, within)
		if by > watchedUntil(e) || !awake(e, f.From, by) || fault.Verb == scenarios.VerbHang && f.To < by {
			continue
		}
		for worker := range e.Scenario.Topology.Workers() {
			struck := fault.Target.Kind == scenarios.TargetAllWorkers ||
				fault.Target.Kind == scenarios.TargetWorker && fault.Target.N == worker
			if !struck || !wasWell(e.Moves, worker, f.From) || noticed(e.Moves, worker, f.From, by) ||
				fault.Verb == scenarios.VerbHang && mayBeWoken(faults, at, worker, by) {
				continue
			}
			found.add(by, "worker %d %s at %.1fs (%s), and at %.1fs its supervisor had not noticed",
				worker, became, f.From, f.Fault, by)
		}
	}
	return found
}

// noticed tells whether the first consumer's supervisor did something about a worker.
func noticed(moves []Move, worker int, from, to float64) bool {
	return slices.ContainsFunc(moves, func(m Move) bool {
		if m.Consumer != FirstConsumer || m.Worker != worker || m.T < from || m.T > to {
			return false
		}
		switch m.Kind {
		case flusher.EventGateClosed, flusher.EventGateOpened, flusher.EventBackpressureOn,
			flusher.EventBackpressureOff:
			return false // it may not have come far, but is taken for well
		}
		return true
	})
}

// mayBeWoken tells whether another fault than the one at an index may let a frozen worker go on: the end of
// each that freezes it, or its consumer, wakes it.
func mayBeWoken(faults []reports.FaultSummary, frozen, worker int, until float64) bool {
	itself := scenarios.Target{Kind: scenarios.TargetWorker, N: worker}
	for at, f := range faults {
		var fault scenarios.Fault
		if at == frozen || f.To < faults[frozen].From || f.From > until ||
			fault.UnmarshalText([]byte(f.Fault)) != nil {
			continue
		}
		whole := fault.Target.Kind == scenarios.TargetConsumer || fault.Target.Kind == scenarios.TargetHost
		if !whole && !fault.Target.Covers(itself) {
			continue
		}
		switch fault.Verb {
		case scenarios.VerbHang, scenarios.VerbResume, scenarios.VerbSlowStart:
			return true
		}
	}
	return false
}

// stillMin is how long nobody looked if the machine stood still, in seconds: what is granted for something to
// happen does not pass meanwhile.
const stillMin = 1

// stoodStill returns for how long the machine did, between a look and the one before it.
func stoodStill(looks []Look, at int) float64 {
	if at == 0 || looks[at].T-looks[at-1].T <= stillMin {
		return 0
	}
	return looks[at].T - looks[at-1].T
}

// dueAfter returns when so many seconds have passed since a moment, without those in which the machine stood
// still.
func dueAfter(looks []Look, from, seconds float64) float64 {
	end := from + seconds
	for at := range looks {
		if still := stoodStill(looks, at); looks[at].T > from && looks[at].T-still <= end {
			end += still
		}
	}
	return end
}

// awake tells whether the first consumer ran all the time.
func awake(e *Evidence, from, to float64) bool {
	for _, l := range e.Looks {
		if l.T < from || l.T > to {
			continue
		}
		at := slices.IndexFunc(l.Consumers, func(c ConsumerLook) bool {
			return c.Consumer == FirstConsumer && !c.Ending && c.Heard <= e.Slacks.Silence
		})
		if at < 0 {
			return false
		}
	}
	return true
}

// wasWell tells whether a worker of the first consumer was up at a time, as far as was said.
func wasWell(moves []Move, worker int, t float64) (well bool) {
	for _, m := range moves {
		if m.T > t || m.Consumer != FirstConsumer || m.Worker != worker {
			continue
		}
		switch m.Kind {
		case flusher.EventHealthy:
			well = true
		case flusher.EventFailed, flusher.EventStopping, flusher.EventStopped, flusher.EventStarted:
			well = false
		}
	}
	return well
}

// isAlone tells whether the one consumer had all partitions all the time: nothing happened to it,
// or to its way to Kafka.
func isAlone(e *Evidence) bool { return isAloneBut(e, "") }

// isAloneBut is isAlone with faults of a kind.
func isAloneBut(e *Evidence, but scenarios.Verb) bool {
	for _, l := range e.Looks {
		for _, c := range l.Consumers {
			if c.Consumer != FirstConsumer || c.Life > 1 || c.Heard > e.Slacks.Silence {
				return false
			}
		}
	}
	for _, event := range e.Events {
		if event.Kind == reports.EventFaultBegin && event.Worker == reports.NoWorker &&
			(but == "" || !strings.Contains(event.Fault, " "+string(but)+" ")) {
			return false
		}
	}
	return true
}

// Ouster is when a consumer lost its partitions, since its session with its group had ended.
type Ouster struct {
	T        float64
	Consumer int
}

// ousted returns the first ouster of a consumer to which nothing happened. That is a fault of its own but
// where it may not get to its heartbeats in time.
func (e *Evidence) ousted() (Ouster, bool) {
	if !e.Slacks.Rereads || len(e.Ousters) == 0 || !isAlone(e) {
		return Ouster{}, false
	}
	return e.Ousters[0], true
}

// givesUp tells whether a consumer had used up a restart budget when somebody looked, and was not
// started again since.
func (e *Evidence) givesUp(l Look) bool {
	at := -1
	for n := 0; n < len(e.Moves) && e.Scenario.Expectations.End == scenarios.EndBudget; n++ {
		if e.Moves[n].Kind == flusher.EventExhausted && e.Moves[n].T <= l.T {
			at = n
		}
	}
	return at >= 0 && !slices.ContainsFunc(l.Consumers, func(c ConsumerLook) bool {
		return c.Consumer == e.Moves[at].Consumer && c.Life > e.Moves[at].Life
	})
}

// suffers tells whether a fault lasts at a moment that may keep shards from every worker.
func suffers(faults []reports.FaultSummary, t float64) bool {
	return slices.ContainsFunc(faults, func(f reports.FaultSummary) bool {
		return f.From <= t && t <= f.To && takesShards(f.Fault)
	})
}

// takesShards tells whether shards may belong to no worker for as long as a fault lasts. A worker has those
// that are assigned to its consumer, whether it runs or not. So what may take them is what ends or freezes
// consumers, keeps them from their group, or keeps those who are to let go of a shard from storing and
// committing what they have read of it; but not what is only slow, nor a full Redis, on which nobody waits
// who is to let go.
func takesShards(text string) bool {
	var fault scenarios.Fault
	if fault.UnmarshalText([]byte(text)) != nil {
		return failsOnWayIn(text)
	}
	switch fault.Verb {
	case scenarios.VerbSlow, scenarios.VerbFill, scenarios.VerbJump, scenarios.VerbDelete:
		return false
	}
	return !hitsWorkers(fault)
}

// waitsForSlow tells whether slow calls explain that a shard has no worker from one time to another: who is
// to let go of it waits for those that it has begun, each of which may be late on its way there and back.
func waitsForSlow(e *Evidence, faults []reports.FaultSummary, from, to float64) bool {
	late := 0.0
	for _, f := range faults {
		if f.From <= to && from <= f.To {
			late += 2 * slowBy(f.Fault).Seconds()
		}
	}
	// Two batches are on their way into the store, and then there are up to three commits.
	bytes := e.Balance.Bytes / max(e.Balance.Flushed, 1) * int64(e.BatchMax)
	rounds := buffer.RoundsMax(e.BatchMax, buffer.Bytes(bytes), buffer.AttachSpansMax, buffer.AttachBytesMax)
	calls := 2*(rounds+2) + 3
	return late > 0 && to-from <= float64(calls)*late
}

// slowBy is by how much calls on the way in are late in a fault.
func slowBy(text string) time.Duration {
	var fault scenarios.Fault
	if fault.UnmarshalText([]byte(text)) == nil {
		if fault.Verb != scenarios.VerbSlow {
			return 0
		}
		return fault.By
	}
	by := time.Duration(0)
	list, _ := portfault.Parse(text) // what is no such text is slow at none
	for _, f := range list {
		if slices.Contains(wayIn, f.Port) {
			by += f.By
		}
	}
	return by
}

// covers checks the shards of one consumer, and counts the owner of each.
func covers(
	e *Evidence, l Look, c ConsumerLook, owners map[buffer.Shard]int,
) (found violations) {
	owner := map[buffer.Shard]int{}
	least, greatest := e.Scenario.Topology.Partitions, 0
	for _, w := range c.States {
		for _, shard := range w.Shards {
			if other, taken := owner[shard]; taken {
				found.add(l.T, "at %.3fs shard %d belongs to worker %d and to worker %d of %s",
					l.T, shard, other, w.Worker, nameConsumer(c.Consumer))
				return found
			}
			owner[shard] = w.Worker
			owners[shard]++
		}
		least, greatest = min(least, len(w.Shards)), max(greatest, len(w.Shards))
	}
	// A consumer that has handed over all has idle workers; one with shards spreads them evenly over
	// as many workers as it may have.
	idle := len(owner) < len(c.States)
	if greatest-least > 1 && !e.fell() && !e.givesUp(l) && !idle {
		found.add(l.T, "at %.3fs a worker of %s has %s and another %d", l.T,
			nameConsumer(c.Consumer), options.FormatCount(greatest, "shard"), least)
	}
	return found
}

// succession checks the order in which workers of one life of a consumer follow each other:
// stopped, fenced, started. A stray, which cannot be killed, is replaced without being stopped, but
// never without a fence.
func succession(moves []Move) (found violations) {
	type state struct{ running, fenced bool }
	states := map[slot]*state{}
	for _, m := range moves {
		at := m.slot()
		s := states[at]
		if s == nil {
			s = &state{}
			states[at] = s
		}
		switch m.Kind {
		case flusher.EventStopped, flusher.EventStray:
			s.running = false
		case flusher.EventFenced:
			s.fenced = true
		case flusher.EventStarted:
			if s.running {
				found.add(m.T, "at %.1fs worker %d was started again though the one before it "+
					"was not proven stopped", m.T, m.Worker)
				return found
			}
			if !s.fenced {
				found.add(m.T, "at %.1fs worker %d was started without a fence", m.T, m.Worker)
				return found
			}
			s.running, s.fenced = true, false
		}
	}
	return found
}
