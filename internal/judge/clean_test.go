package judge

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"sluice/buffer"
	"sluice/flusher"
	"sluice/internal/ledger"
	"sluice/reports"
	"sluice/scenarios"
)

// slacks grant something of each kind.
var slacks = Slacks{Gate: 2, Told: 1, Handover: 3, Uncovered: 20, Silence: 1, Orphan: 5, Reading: 0.5, Behind: 5}

// clean returns the evidence of a run of 10 s with 2 workers on 4 shards, in which worker 1 was
// killed at 4 s and replaced, and nothing went wrong.
func clean() *Evidence {
	s := scenarios.Default()
	s.Name = "clean"
	s.Topology.Partitions, s.Topology.FlusherProcesses = 4, 2
	s.Pipeline.BackpressureAfter, s.Pipeline.RestartBudget = 2*time.Second, 1
	s.Pipeline.MaxUnhealthy = time.Second
	s.Expectations.RepeatedSpansMax = scenarios.Unlimited
	e := &Evidence{Scenario: s, Slacks: slacks, Turns: 1, Drained: true, LoadSeconds: 10, LastSeconds: 12,
		Balance:       ledger.Balance{Messages: 1000, Sent: 1000, Flushed: 1000, Dropped: map[string]int64{}},
		Freshness:     reports.Quantiles{P50: 0.1, P90: 0.2, P99: 0.3, Max: 0.4, Count: 50},
		FreshnessSeen: reports.Quantiles{P50: 0.2, P90: 0.3, P99: 0.4, Max: 0.5, Count: 50},
		Events: []reports.Event{{T: 4, Kind: reports.EventFaultBegin, Worker: 1,
			Fault: "at 4s crash worker 1"}},
		Samples:  []reports.Sample{{T: 1, WorkerBytesMax: 50 << 20}},
		BatchMax: 50,
		Lives: []Life{{T: 5, Drained: true, Messages: 400, Spans: 400, Batches: 20},
			{T: 12.5, Drained: true, Messages: 600, Spans: 600, Batches: 20}},
	}
	at := func(t float64, worker int, kinds ...flusher.EventKind) {
		for _, kind := range kinds {
			e.Moves = append(e.Moves,
				moveOf(t, kind, worker, buffer.Shard(worker), buffer.Shard(worker+2)))
		}
	}
	at(-1, 0, flusher.EventFenced, flusher.EventStarted, flusher.EventHealthy)
	at(-1, 1, flusher.EventFenced, flusher.EventStarted, flusher.EventHealthy)
	at(4, 1, flusher.EventFailed, flusher.EventRestart, flusher.EventKilled, flusher.EventStopped)
	e.Moves = append(e.Moves, gateMove(4, flusher.EventGateClosed, 1),
		gateMove(4, flusher.EventGateClosed, 3))
	at(4.5, 1, flusher.EventFenced, flusher.EventStarted, flusher.EventHealthy)
	e.Moves = append(e.Moves, gateMove(4.5, flusher.EventGateOpened, 1),
		gateMove(4.5, flusher.EventGateOpened, 3))
	for i := range 120 {
		c := ConsumerLook{Life: 1, Live: 2, States: []flusher.WorkerState{
			{Worker: 0, Shards: []buffer.Shard{0, 2}, State: flusher.StateHealthy},
			{Worker: 1, Shards: []buffer.Shard{1, 3}, State: flusher.StateHealthy},
		}}
		l := Look{T: float64(i) / 10, Phase: reports.PhaseLoad}
		if l.T >= 4.05 && l.T < 4.45 {
			c.States[1].State, c.Live = flusher.StateRestarting, 1
			c.Closed = []buffer.Shard{1, 3}
		}
		if l.T > 4.4 {
			c.States[1].Restarts = 1
		}
		l.Consumers = []ConsumerLook{c}
		if l.T >= 10 {
			l.Phase = reports.PhaseDrain
		}
		e.Looks = append(e.Looks, l)
	}
	return e
}

func moveOf(t float64, kind flusher.EventKind, worker int, shards ...buffer.Shard) Move {
	return Move{T: t, Life: 1, Event: flusher.Event{Kind: kind, Worker: worker, Shards: shards}}
}

func gateMove(t float64, kind flusher.EventKind, shard buffer.Shard) Move {
	return moveOf(t, kind, 1, shard)
}

func find(kind ledger.Finding) func(e *Evidence) {
	return incident(kind, 1, 2, 2.5)
}

// incident plants a finding, for a shard and the seconds in which it began and was read.
func incident(kind ledger.Finding, shard int32, from, to float64) func(e *Evidence) {
	second := float64(time.Second)
	return func(e *Evidence) {
		e.Balance.Findings[kind] = ledger.Found{Count: 1, First: "planted"}
		e.Balance.Incidents = append(e.Balance.Incidents, ledger.Incident{Kind: kind, Shard: shard,
			From: time.Duration(from * second), To: time.Duration(to * second), Spans: 1, First: "planted"})
	}
}

// each changes the looks from a second to another.
func each(from, to float64, change func(l *Look)) func(e *Evidence) {
	return func(e *Evidence) {
		for i := range e.Looks {
			if e.Looks[i].T >= from && e.Looks[i].T < to {
				change(&e.Looks[i])
			}
		}
	}
}

// theFirst changes the looks at the first consumer.
func theFirst(from, to float64, change func(c *ConsumerLook)) func(e *Evidence) {
	return each(from, to, func(l *Look) {
		l.Consumers = slices.Clone(l.Consumers)
		c := &l.Consumers[FirstConsumer]
		c.States = slices.Clone(c.States)
		change(c)
	})
}

// second adds a second consumer with one worker.
func second(from, to float64, shards ...buffer.Shard) func(e *Evidence) {
	return each(from, to, func(l *Look) {
		l.Consumers = append(slices.Clone(l.Consumers), ConsumerLook{Consumer: 1, Life: 1, Live: 1,
			States: []flusher.WorkerState{{Shards: shards, State: flusher.StateHealthy}}})
	})
}

// all plants several.
func all(plants ...func(e *Evidence)) func(e *Evidence) {
	return func(e *Evidence) {
		for _, plant := range plants {
			plant(e)
		}
	}
}

// faulty adds a fault that lasts.
func faulty(fault string, from, to float64) func(e *Evidence) {
	if !strings.Contains(fault, " store.") { // one at a port has no time
		fault = "at 1s " + fault
	}
	return func(e *Evidence) {
		for t, kind := range map[float64]reports.EventKind{
			from: reports.EventFaultBegin, to: reports.EventFaultEnd,
		} {
			e.Events = append(e.Events, reports.Event{T: t, Kind: kind, Worker: reports.NoWorker,
				Fault: fault})
		}
		slices.SortFunc(e.Events, func(a, b reports.Event) int { return cmp.Compare(a.T, b.T) })
	}
}

// frozen freezes worker 0, of which nothing is said.
func frozen(from, to float64) func(e *Evidence) {
	const fault = "at 4s hang worker 0 for 5s"
	return func(e *Evidence) {
		e.Events = append(e.Events, reports.Event{T: from, Kind: reports.EventFaultBegin, Fault: fault},
			reports.Event{T: to, Kind: reports.EventFaultEnd, Fault: fault})
	}
}

// fullGate closes the gate of a shard of worker 0, as max_memory does.
func fullGate(from, to float64) func(e *Evidence) {
	return func(e *Evidence) {
		e.Scenario.Pipeline.MaxMemory = 0.8
		e.Moves = append(e.Moves, moveOf(from, flusher.EventGateClosed, 0, 0),
			moveOf(to, flusher.EventGateOpened, 0, 0))
	}
}

// nothing makes it a run in which nothing was sent.
func nothing(e *Evidence) {
	e.Balance = ledger.Balance{}
	e.Freshness, e.FreshnessSeen = reports.Quantiles{}, reports.Quantiles{}
	e.Lives = nil
}

// paused makes the pause of shards 1 and 3, half a second, matter.
func paused(e *Evidence) { e.Scenario.Pipeline.RootTimeout = 1900 * time.Millisecond }

func without(kind flusher.EventKind, after float64) func(e *Evidence) {
	return func(e *Evidence) {
		e.Moves = slices.DeleteFunc(e.Moves, func(m Move) bool { return m.Kind == kind && m.T >= after })
	}
}

// later moves what happened between a second and 6 s to a later one.
func later(from, to float64) func(e *Evidence) {
	return func(e *Evidence) {
		for i := range e.Moves {
			if e.Moves[i].T > from && e.Moves[i].T < 6 {
				e.Moves[i].T = to
			}
		}
	}
}
