package harness

import (
	"errors"
	"slices"
	"testing"
	"time"

	"sluice/buffer"
	"sluice/flusher"
	"sluice/internal/ledger"
	"sluice/reports"
	"sluice/scenarios"
)

// clean returns the evidence of a run of 10 s with 2 workers on 4 shards, in which worker 1 was
// killed at 4 s and replaced, and nothing went wrong.
func clean() *evidence {
	s := scenarios.Default()
	s.Name = "clean"
	s.Topology.Partitions, s.Topology.FlusherProcesses = 4, 2
	s.Pipeline.BackpressureAfter, s.Pipeline.RestartBudget = 2*time.Second, 1
	s.Expectations.RepeatedSpansMax = scenarios.Unlimited
	e := &evidence{scenario: s, drained: true, loadSeconds: 10, lastSeconds: 12,
		balance: ledger.Balance{Sent: 1000, Flushed: 1000, Dropped: map[string]int64{}},
		events: []reports.Event{{T: 4, Kind: reports.EventFaultBegin, Worker: 1,
			Fault: "at 4s crash worker 1"}},
		samples: []reports.Sample{{T: 1, WorkerBytesMax: 50 << 20}},
	}
	at := func(t float64, worker int, kinds ...flusher.EventKind) {
		for _, kind := range kinds {
			e.moves = append(e.moves, moveOf(t, kind, worker))
		}
	}
	at(-1, 0, flusher.EventFenced, flusher.EventStarted, flusher.EventHealthy)
	at(-1, 1, flusher.EventFenced, flusher.EventStarted, flusher.EventHealthy)
	at(4, 1, flusher.EventFailed, flusher.EventRestart, flusher.EventKilled, flusher.EventStopped)
	e.moves = append(e.moves, gateMove(4, flusher.EventGateClosed, 1),
		gateMove(4, flusher.EventGateClosed, 3))
	at(4.5, 1, flusher.EventFenced, flusher.EventStarted, flusher.EventHealthy)
	e.moves = append(e.moves, gateMove(4.5, flusher.EventGateOpened, 1),
		gateMove(4.5, flusher.EventGateOpened, 3))
	for i := range 120 {
		c := consumerLook{Life: 1, Live: 2, States: []flusher.WorkerState{
			{Worker: 0, Shards: []buffer.Shard{0, 2}, State: flusher.StateHealthy},
			{Worker: 1, Shards: []buffer.Shard{1, 3}, State: flusher.StateHealthy},
		}}
		l := look{T: float64(i) / 10, Phase: PhaseLoad}
		if l.T >= 4.05 && l.T < 4.45 {
			c.States[1].State, c.Live = flusher.StateRestarting, 1
			c.Closed = []buffer.Shard{1, 3}
		}
		if l.T > 4.4 {
			c.States[1].Restarts = 1
		}
		l.Consumers = []consumerLook{c}
		if l.T >= 10 {
			l.Phase = PhaseDrain
		}
		e.looks = append(e.looks, l)
	}
	return e
}

func moveOf(t float64, kind flusher.EventKind, worker int, shards ...buffer.Shard) move {
	return move{T: t, Life: 1, Event: flusher.Event{Kind: kind, Worker: worker, Shards: shards}}
}

func gateMove(t float64, kind flusher.EventKind, shard buffer.Shard) move {
	return moveOf(t, kind, 1, shard)
}

func TestACleanRunPassesAllInvariants(t *testing.T) {
	o := judge(clean())
	for _, j := range o.Result.Invariants {
		if j.Verdict != reports.Passed {
			t.Errorf("%s is %s: %s", j.Name, j.Verdict, j.Detail)
		}
	}
	if code := o.code(); code != ExitPassed {
		t.Errorf("exit code %d", code)
	}
}

// plant is a fault put into the evidence of a clean run, with the one invariant that must see it.
type plant struct {
	name      string
	plant     func(e *evidence)
	invariant string
	verdict   reports.Verdict
	code      int
}

func find(kind ledger.Finding) func(e *evidence) {
	return func(e *evidence) { e.balance.Findings[kind] = ledger.Found{Count: 1, First: "planted"} }
}

// each changes the looks from a second to another.
func each(from, to float64, change func(l *look)) func(e *evidence) {
	return func(e *evidence) {
		for i := range e.looks {
			if e.looks[i].T >= from && e.looks[i].T < to {
				change(&e.looks[i])
			}
		}
	}
}

// theFirst changes the looks at the first consumer.
func theFirst(from, to float64, change func(c *consumerLook)) func(e *evidence) {
	return each(from, to, func(l *look) {
		l.Consumers = slices.Clone(l.Consumers)
		c := &l.Consumers[first]
		c.States = slices.Clone(c.States)
		change(c)
	})
}

// second adds a second consumer with one worker.
func second(from, to float64, shards ...buffer.Shard) func(e *evidence) {
	return each(from, to, func(l *look) {
		l.Consumers = append(slices.Clone(l.Consumers), consumerLook{Consumer: 1, Life: 1, Live: 1,
			States: []flusher.WorkerState{{Shards: shards, State: flusher.StateHealthy}}})
	})
}

// all plants several.
func all(plants ...func(e *evidence)) func(e *evidence) {
	return func(e *evidence) {
		for _, plant := range plants {
			plant(e)
		}
	}
}

func without(kind flusher.EventKind, after float64) func(e *evidence) {
	return func(e *evidence) {
		e.moves = slices.DeleteFunc(e.moves, func(m move) bool { return m.Kind == kind && m.T >= after })
	}
}

// later moves what happened between a second and 6 s to a later one.
func later(from, to float64) func(e *evidence) {
	return func(e *evidence) {
		for i := range e.moves {
			if e.moves[i].T > from && e.moves[i].T < 6 {
				e.moves[i].T = to
			}
		}
	}
}

var plants = []plant{
	{"a lost span", func(e *evidence) { e.balance.Flushed, e.balance.Lost = 999, 1 },
		"conservation", reports.Violated, ExitSafety},
	{"a span that never came out", func(e *evidence) {
		e.balance.Flushed, e.balance.Lost, e.drained = 999, 1, false
	}, "conservation", reports.Violated, ExitSafety},
	{"an altered span", find(ledger.Altered), "conservation", reports.Violated, ExitSafety},
	{"an unknown span", find(ledger.Unknown), "conservation", reports.Violated, ExitSafety},
	{"a malformed record", find(ledger.Malformed), "conservation", reports.Violated, ExitSafety},
	{"a lost bad message", func(e *evidence) { e.balance.BadSent, e.balance.BadLost = 7, 1 },
		"conservation", reports.Violated, ExitSafety},
	{"a bad message in the output", find(ledger.Leaked), "conservation", reports.Violated, ExitSafety},
	{"a span refused", find(ledger.Refused), "conservation", reports.Violated, ExitSafety},
	{"something left in the store", func(e *evidence) { e.left.store = held() },
		"conservation", reports.Violated, ExitSafety},
	{"an output that cannot be read", func(e *evidence) { e.finishErr = errors.New("planted") },
		"conservation", reports.Unknown, ExitUnknown},
	{"a store that cannot be read", func(e *evidence) { e.left.err = errors.New("planted") },
		"conservation", reports.Unknown, ExitUnknown},
	{"a duplicate", find(ledger.Duplicated), "duplicates", reports.Violated, ExitSafety},
	{"a span sent twice that comes out twice, for no reason", find(ledger.Resent), "duplicates",
		reports.Violated, ExitSafety},
	{"a repeat that differs", find(ledger.Differing), "duplicates", reports.Violated, ExitSafety},
	{"a repeat without a fault", func(e *evidence) { find(ledger.Repeated)(e); e.events = nil },
		"duplicates", reports.Violated, ExitSafety},
	{"a repeated letter without a fault", func(e *evidence) {
		find(ledger.RepeatedLetter)(e)
		e.events = nil
	}, "duplicates", reports.Violated, ExitSafety},
	{"a misplaced span", find(ledger.Misplaced), "segment integrity", reports.Violated, ExitSafety},
	{"a split segment", find(ledger.Split), "segment integrity", reports.Violated, ExitSafety},
	{"a shard with two workers", theFirst(3, 3.1, func(c *consumerLook) {
		c.States[0].Shards = []buffer.Shard{0, 1, 2}
	}), "shard coverage", reports.Violated, ExitSafety},
	{"a shard without a worker", theFirst(3, 3.1, func(c *consumerLook) {
		c.States[0].Shards = []buffer.Shard{0}
	}), "shard coverage", reports.Violated, ExitSafety},
	{"an uneven load", theFirst(3, 3.1, func(c *consumerLook) {
		c.States[0].Shards, c.States[1].Shards = []buffer.Shard{0, 1, 2}, []buffer.Shard{3}
	}), "shard coverage", reports.Violated, ExitSafety},
	{"a start before the stop", without(flusher.EventStopped, 0), "shard coverage", reports.Violated,
		ExitSafety},
	{"a start without a fence", without(flusher.EventFenced, 4), "shard coverage", reports.Violated,
		ExitSafety},
	{"a shard that two consumers have for long", second(2, 6, 1), "shard coverage", reports.Violated,
		ExitSafety},
	{"a shard that nobody reads for long", all(second(0, 20), theFirst(0, 20,
		func(c *consumerLook) { c.States[0].Shards = []buffer.Shard{0} }),
		func(e *evidence) {
			for i := range e.looks {
				e.looks[i].T *= 4
			}
		}), "shard coverage", reports.Violated, ExitSafety},
	{"a worker that outlives its consumer", each(3, 9, func(l *look) { l.Orphans = 1 }),
		"process limit", reports.Violated, ExitSafety},
	{"one process too many", theFirst(5, 5.1, func(c *consumerLook) { c.Live = 3 }), "process limit",
		reports.Violated, ExitSafety},
	{"a process left over", func(e *evidence) { e.survivors = 1 }, "process limit",
		reports.Violated, ExitSafety},
	{"processes that cannot be counted", each(0, 20, func(l *look) { l.Unknown = true }),
		"process limit", reports.Unknown, ExitUnknown},
	{"one restart too many", func(e *evidence) {
		for range 2 {
			e.moves = append(e.moves, moveOf(11.5, flusher.EventFailed, 1))
		}
		e.moves = append(e.moves, moveOf(11.5, flusher.EventRestart, 1))
	}, "restart budget", reports.Violated, ExitSafety},
	{"one restart too many by the state", theFirst(8, 9, func(c *consumerLook) {
		c.States[1].Restarts = 2
	}),
		"restart budget", reports.Violated, ExitSafety},
	{"a restart without a failure", without(flusher.EventFailed, 0), "restart budget",
		reports.Violated, ExitSafety},
	{"a budget given up too early", func(e *evidence) {
		e.moves = append(e.moves, moveOf(7, flusher.EventExhausted, 0))
	}, "restart budget", reports.Violated, ExitSafety},
	{"a worker that grew", func(e *evidence) {
		e.samples = append(e.samples, reports.Sample{T: 5, WorkerBytesMax: 513 << 20})
	}, "memory bound", reports.Violated, ExitSafety},
	{"memory that nobody measured", func(e *evidence) { e.samples = nil }, "memory bound",
		reports.Unknown, ExitUnknown},
	{"a gate that does not close", func(e *evidence) {
		without(flusher.EventGateClosed, 0)(e)
		later(4.2, 9)(e)
	}, "backpressure", reports.Violated, ExitLiveness},
	{"a gate that closes late", func(e *evidence) {
		later(4.2, 9)(e)
		for i := range e.moves {
			if e.moves[i].Kind == flusher.EventGateClosed {
				e.moves[i].T = 8.5
			}
		}
	}, "backpressure", reports.Violated, ExitLiveness},
	{"a gate that does not open", without(flusher.EventGateOpened, 0), "backpressure",
		reports.Violated, ExitLiveness},
	{"a gate that opens late", func(e *evidence) {
		for i := range e.moves {
			if e.moves[i].Kind == flusher.EventGateOpened {
				e.moves[i].T = 7
			}
		}
	}, "backpressure", reports.Violated, ExitLiveness},
	{"a gate for the wrong worker", func(e *evidence) {
		closed, opened := gateMove(3, flusher.EventGateClosed, 0), gateMove(8, flusher.EventGateOpened, 0)
		closed.Worker, opened.Worker = 0, 0
		e.moves = append(e.moves, closed, opened)
	}, "backpressure", reports.Violated, ExitLiveness},
	{"a drain that does not end", func(e *evidence) {
		e.drained, e.balance.Flushed, e.balance.Buffered = false, 990, 10
		e.left.store = held()
		e.left.store.Shards = []buffer.ShardLeftovers{{Shard: 3, Queued: make([]buffer.Due, 1)}}
	}, "liveness", reports.Violated, ExitLiveness},
	{"spans that no queue names", func(e *evidence) {
		e.drained, e.balance.Flushed, e.balance.Buffered = false, 990, 10
		e.left.store = held()
	}, "conservation", reports.Violated, ExitSafety},
	{"spans that wait in the input", func(e *evidence) {
		e.drained, e.balance.Flushed, e.balance.Lost, e.left.waiting = false, 990, 10, 10
	}, "conservation", reports.Unknown, ExitLiveness},
	{"a pipeline that gave up", func(e *evidence) {
		e.endedEarly, e.endedErr = true, errors.New("planted")
	}, "liveness", reports.Violated, ExitLiveness},
	{"a pipeline that does not stop", func(e *evidence) { e.stopTooLong = true }, "liveness",
		reports.Violated, ExitLiveness},
	{"a budget that should have been used up", func(e *evidence) {
		e.scenario.Expectations.End = scenarios.EndBudget
	}, "liveness", reports.Violated, ExitLiveness},
	{"a fault that could not be ended", func(e *evidence) { e.healErr = errors.New("planted") },
		"liveness", reports.Unknown, ExitUnknown},
	{"an interrupted run", func(e *evidence) { e.interrupted = true }, "liveness", reports.Unknown,
		ExitUnknown},
	{"a load that was not sent", func(e *evidence) { e.sendErr = errors.New("planted") }, "liveness",
		reports.Unknown, ExitUnknown},
}

// TestPlantedFaults plants each fault and expects its invariant to see it, and the exit code of
// that.
func TestPlantedFaults(t *testing.T) {
	caught := map[string]bool{}
	for _, p := range plants {
		t.Run(p.name, func(t *testing.T) {
			e := clean()
			p.plant(e)
			o := judge(e)
			for _, j := range o.Result.Invariants {
				if j.Name == p.invariant && j.Verdict != p.verdict {
					t.Errorf("%s is %s, want %s: %s", j.Name, j.Verdict, p.verdict, j.Detail)
				}
				if j.Name != p.invariant && j.Verdict == reports.Violated &&
					!(p.invariant == "liveness" || j.Name == "liveness") {
					t.Errorf("%s is violated, too: %s", j.Name, j.Detail)
				}
				if j.Detail == "" {
					t.Errorf("%s has no detail", j.Name)
				}
			}
			if code := o.code(); code != p.code {
				t.Errorf("exit code %d, want %d", code, p.code)
			}
			if p.verdict == reports.Violated {
				caught[p.invariant] = true
			}
		})
	}
	for _, inv := range invariants() {
		if !caught[inv.name] {
			t.Errorf("no plant violates %s", inv.name)
		}
	}
}

// TestLateSpansMaySplit: where spans can have come after their segment's flush, a split is none of
// the system's faults.
func TestLateSpansMaySplit(t *testing.T) {
	for name, plant := range map[string]func(e *evidence){
		"held back": func(e *evidence) {
			e.scenario.Workload.Late = scenarios.Late{Share: 0.1, By: 10 * time.Second}
		},
		"age":   func(e *evidence) { e.scenario.Pipeline.MaxSegmentAge = time.Second },
		"limit": func(e *evidence) { e.scenario.Expectations.SplitSpansMax = 1 },
		"paused": func(e *evidence) {
			e.scenario.Pipeline.RootTimeout = 1900 * time.Millisecond
		},
		"clock":   func(e *evidence) { e.scenario.Pipeline.RootTimeout = time.Second },
		"behind":  func(e *evidence) { e.behind = 5 * time.Second },
		"stopped": func(e *evidence) { e.looks = append(e.looks[:20], e.looks[80:]...) },
	} {
		e := clean()
		find(ledger.Split)(e)
		plant(e)
		if verdict, reason := segmentIntegrity.judge(e); verdict != reports.Passed {
			t.Errorf("%s: %s: %s", name, verdict, reason)
		}
		if name == "limit" {
			continue
		}
		find(ledger.Resent)(e)
		if verdict, reason := duplicates.judge(e); verdict != reports.Passed {
			t.Errorf("%s: spans that were sent twice are %s: %s", name, verdict, reason)
		}
		find(ledger.Duplicated)(e)
		if verdict, reason := duplicates.judge(e); verdict != reports.Violated {
			t.Errorf("%s: duplicates are %s: %s", name, verdict, reason)
		}
	}
}

// TestDuplicatesNeedALimitAndACause: a span that was sent once may come out under two flush ids if
// the scenario says so, and its message can have been delivered twice.
func TestDuplicatesNeedALimitAndACause(t *testing.T) {
	for _, c := range []struct {
		limit    scenarios.Count
		assigned float64
		want     reports.Verdict
	}{{0, 5, reports.Violated}, {1, 0, reports.Violated}, {1, 5, reports.Passed}} {
		e := clean()
		find(ledger.Duplicated)(e)
		e.scenario.Expectations.DuplicatedSpansMax = c.limit
		e.moves = append(e.moves, move{T: c.assigned,
			Event: flusher.Event{Kind: flusher.EventAssigned, Shards: []buffer.Shard{1}}})
		if verdict, reason := duplicates.judge(e); verdict != c.want {
			t.Errorf("%+v: duplicates are %s: %s", c, verdict, reason)
		}
	}
}

func TestExpectations(t *testing.T) {
	var fault scenarios.Fault
	const faultText = "at 4s crash worker 1"
	if err := fault.UnmarshalText([]byte(faultText)); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		plant func(e *evidence, r *reports.Result)
		want  string
	}{
		"nothing": {func(e *evidence, r *reports.Result) {}, ""},
		"fault that never came": {func(e *evidence, r *reports.Result) {
			e.scenario.Faults = []scenarios.Fault{fault}
			e.missedFaults = []string{faultText + ": its moment never came"}
		}, "faults injected"},
		"slow generator": {func(e *evidence, r *reports.Result) {
			e.behind = behindMax + time.Millisecond
		}, "open loop"},
		"no restart": {func(e *evidence, r *reports.Result) { e.scenario.Expectations.RestartsMin = 2 },
			"restarts_min"},
		"restarts": {func(e *evidence, r *reports.Result) {
			e.scenario.Expectations.WorkerRestartsMax = 0
		}, "worker_restarts_max"},
		"throughput": {func(e *evidence, r *reports.Result) {
			e.scenario.Expectations.ThroughputMin = 101
		}, "throughput_min"},
		"freshness": {func(e *evidence, r *reports.Result) {
			e.scenario.Expectations.FreshnessP99Max = time.Second
		}, "freshness_p99_max"},
		"repeats": {func(e *evidence, r *reports.Result) {
			find(ledger.Repeated)(e)
			e.scenario.Expectations.RepeatedSpansMax = 0
		}, "repeated_spans_max"},
	} {
		e := clean()
		r := &reports.Result{Throughput: reports.Throughput{SpansPerSecond: 100},
			Freshness: reports.Quantiles{P99: 2}, Workers: []reports.WorkerSummary{{Worker: 1, Restarts: 1}}}
		c.plant(e, r)
		missed := ""
		for _, j := range judgeExpectations(e, r) {
			if j.Verdict == reports.Violated {
				missed += j.Name
			}
		}
		if missed != c.want {
			t.Errorf("%s: missed %q, want %q", name, missed, c.want)
		}
	}
}

func TestTheGravestVerdictDecides(t *testing.T) {
	for _, c := range [][3]int{
		{ExitPassed, ExitExpectation, ExitExpectation}, {ExitExpectation, ExitUnknown, ExitUnknown},
		{ExitLiveness, ExitUnknown, ExitLiveness}, {ExitLiveness, ExitSafety, ExitSafety},
	} {
		if a, b := graver(c[0], c[1]), graver(c[1], c[0]); a != c[2] || b != c[2] {
			t.Errorf("graver of %d and %d is %d and %d, want %d", c[0], c[1], a, b, c[2])
		}
	}
}

// held is a store that holds a trace which no shard names.
func held() buffer.Leftovers { return buffer.Leftovers{Held: make([]buffer.TraceKey, 1)} }
