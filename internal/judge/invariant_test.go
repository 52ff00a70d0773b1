package judge

import (
	"errors"
	"strings"
	"testing"
	"time"

	"sluice/buffer"
	"sluice/flusher"
	"sluice/internal/ledger"
	"sluice/reports"
	"sluice/scenarios"
)

func TestACleanRunPassesAllInvariants(t *testing.T) {
	o := Judge(clean())
	for _, j := range o.Result.Invariants {
		if j.Verdict != reports.Passed {
			t.Errorf("%s is %s: %s", j.Name, j.Verdict, j.Detail)
		}
	}
	if code := o.Code; code != ExitPassed {
		t.Errorf("exit code %d", code)
	}
}

// plant is a fault put into the evidence of a clean run, with the one invariant that must see it.
type plant struct {
	name      string
	plant     func(e *Evidence)
	invariant string
	verdict   reports.Verdict
	code      int
}

var plants = []plant{
	{"a lost span", func(e *Evidence) { e.Balance.Flushed, e.Balance.Lost = 999, 1 },
		"conservation", reports.Violated, ExitSafety},
	{"a span that never came out", func(e *Evidence) {
		e.Balance.Flushed, e.Balance.Lost, e.Drained = 999, 1, false
	}, "conservation", reports.Violated, ExitSafety},
	{"an altered span", find(ledger.Altered), "conservation", reports.Violated, ExitSafety},
	{"an unknown span", find(ledger.Unknown), "conservation", reports.Violated, ExitSafety},
	{"a malformed record", find(ledger.Malformed), "conservation", reports.Violated, ExitSafety},
	{"a lost bad message", func(e *Evidence) { e.Balance.BadSent, e.Balance.BadLost, e.Lives[1].Letters = 7, 1, 7 },
		"conservation", reports.Violated, ExitSafety},
	{"a bad message in the output", find(ledger.Leaked), "conservation", reports.Violated, ExitSafety},
	{"a span refused", find(ledger.Refused), "conservation", reports.Violated, ExitSafety},
	{"something left in the store", func(e *Evidence) { e.Left.Store = held() },
		"conservation", reports.Violated, ExitSafety},
	{"an output that cannot be read", func(e *Evidence) { e.FinishErr = errors.New("planted") },
		"conservation", reports.Unknown, ExitUnknown},
	{"a store that cannot be read", func(e *Evidence) { e.Left.Err = errors.New("planted") },
		"conservation", reports.Unknown, ExitUnknown},
	{"batches that are too large", func(e *Evidence) { e.Lives[1].Batches = 11 }, "reading",
		reports.Violated, ExitSafety},
	{"messages that nobody says they read", func(e *Evidence) { e.Lives[0].Messages-- }, "reading",
		reports.Violated, ExitSafety},
	{"messages that were read again", func(e *Evidence) { e.Lives[1].Messages++ }, "reading",
		reports.Violated, ExitSafety},
	{"dead letters that nobody asked for", func(e *Evidence) { e.Lives[1].Letters = 1 }, "reading",
		reports.Violated, ExitSafety},
	{"spans that are said to be known", func(e *Evidence) { e.Lives[1].Duplicates = 1 }, "reading",
		reports.Violated, ExitSafety},
	{"a call that should not have been", func(e *Evidence) {
		e.Breaches = ledger.Found{Count: 1, First: "at 4.2s planted"}
	}, "store contract", reports.Violated, ExitSafety},
	{"nothing was sent", nothing, "conservation", reports.Unknown, ExitUnknown},
	{"nothing was sent, says liveness", nothing, "liveness", reports.Unknown, ExitUnknown},
	{"nothing came out, says duplicates", nothing, "duplicates", reports.Unknown, ExitUnknown},
	{"nothing came out, says integrity", nothing, "segment integrity", reports.Unknown, ExitUnknown},
	{"nothing came out, says freshness", nothing, "freshness", reports.Unknown, ExitUnknown},
	{"a duplicate", find(ledger.Duplicated), "duplicates", reports.Violated, ExitSafety},
	{"a span sent twice that comes out twice, for no reason", find(ledger.Resent), "duplicates",
		reports.Violated, ExitSafety},
	{"a repeat that differs", find(ledger.Differing), "duplicates", reports.Violated, ExitSafety},
	{"a repeat before the fault", find(ledger.Repeated), "duplicates", reports.Violated, ExitSafety},
	{"a repeat of what came out long before the fault", incident(ledger.Repeated, 1, 0, 4.7),
		"duplicates", reports.Violated, ExitSafety},
	{"a repeat long after the fault", incident(ledger.Repeated, 1, 4.2, 10), "duplicates",
		reports.Violated, ExitSafety},
	{"a repeat of what came out after the fault", incident(ledger.Repeated, 1, 6, 6), "duplicates",
		reports.Violated, ExitSafety},
	{"a repeat on another worker's shard", incident(ledger.Repeated, 0, 4, 4.7), "duplicates",
		reports.Violated, ExitSafety},
	{"a repeat before Kafka failed", all(faulty("fail kafka", 8, 9), incident(ledger.Repeated, 0, 7, 7)),
		"duplicates", reports.Violated, ExitSafety},
	{"a repeat while Kafka is slow", all(faulty("slow kafka by 20ms", 6, 9),
		incident(ledger.Repeated, 0, 7, 7)), "duplicates", reports.Violated, ExitSafety},
	{"repeats that are too many", func(e *Evidence) {
		incident(ledger.Repeated, 1, 4, 4.7)(e)
		e.Balance.Uncounted[ledger.Repeated] = 1
	}, "duplicates", reports.Unknown, ExitUnknown},
	{"a repeated letter before the fault", find(ledger.RepeatedLetter), "duplicates",
		reports.Violated, ExitSafety},
	{"splits that are too many", func(e *Evidence) {
		e.Balance.Findings[ledger.Split].Count, e.Balance.Uncounted[ledger.Split] = 1, 1
	}, "segment integrity", reports.Unknown, ExitUnknown},
	{"a split on another shard than that which paused", func(e *Evidence) {
		paused(e)
		incident(ledger.Split, 0, 3, 5)(e)
	}, "segment integrity", reports.Violated, ExitSafety},
	{"a split before the pause", func(e *Evidence) {
		paused(e)
		incident(ledger.Split, 1, 1, 3)(e)
	}, "segment integrity", reports.Violated, ExitSafety},
	{"a split long after the pause", func(e *Evidence) {
		paused(e)
		incident(ledger.Split, 1, 8, 9)(e)
	}, "segment integrity", reports.Violated, ExitSafety},
	{"a misplaced span", find(ledger.Misplaced), "segment integrity", reports.Violated, ExitSafety},
	{"a stray record", find(ledger.Strayed), "segment integrity", reports.Violated, ExitSafety},
	{"a span out of order", find(ledger.Disordered), "segment integrity", reports.Violated, ExitSafety},
	{"a split segment", find(ledger.Split), "segment integrity", reports.Violated, ExitSafety},
	{"a segment acknowledged before its deadline", func(e *Evidence) { e.Ahead.Add(3, 0, 1, -2) },
		"freshness", reports.Violated, ExitSafety},
	{"a worker that says it is fresh", func(e *Evidence) {
		e.FreshnessSeen.P99, e.FreshnessSeen.Max = 9, 9
	}, "freshness", reports.Violated, ExitSafety},
	{"one that says so with batches that may wait for long", func(e *Evidence) {
		e.FreshnessSeen.P99, e.FreshnessSeen.Max = 9, 9
		e.Scenario.Pipeline.MaxBatchWait = 1000 * time.Hour // none waits for more than half a second
	}, "freshness", reports.Violated, ExitSafety},
	{"a worker that says it is late", func(e *Evidence) { e.Freshness.Max = 9 }, "freshness",
		reports.Violated, ExitSafety},
	{"one that was overdue by a wrong clock among many", func(e *Evidence) { e.Freshness.Max, e.Crowds = 9, 1 },
		"freshness", reports.Passed, ExitPassed},
	{"many that were overdue", func(e *Evidence) {
		e.Freshness.P90, e.Freshness.P99, e.Freshness.Max, e.Crowds = 9, 9, 9, 1
	}, "freshness", reports.Violated, ExitSafety},
	{"as many, with clocks of which many were wrong", func(e *Evidence) {
		e.Freshness.P99, e.Freshness.Max, e.Crowds = 9, 9, 1
	}, "freshness", reports.Passed, ExitPassed},
	{"workers that say nothing of freshness", func(e *Evidence) { e.Freshness.Count = 0 }, "freshness",
		reports.Unknown, ExitUnknown},
	{"a shard with two workers", theFirst(3, 3.1, func(c *ConsumerLook) {
		c.States[0].Shards = []buffer.Shard{0, 1, 2}
	}), "shard coverage", reports.Violated, ExitSafety},
	{"a shard without a worker", theFirst(3, 3.1, func(c *ConsumerLook) {
		c.States[0].Shards = []buffer.Shard{0}
	}), "shard coverage", reports.Violated, ExitSafety},
	{"an uneven load", theFirst(3, 3.1, func(c *ConsumerLook) {
		c.States[0].Shards, c.States[1].Shards = []buffer.Shard{0, 1, 2}, []buffer.Shard{3}
	}), "shard coverage", reports.Violated, ExitSafety},
	{"a start before the stop", without(flusher.EventStopped, 0), "shard coverage", reports.Violated,
		ExitSafety},
	{"a start without a fence", without(flusher.EventFenced, 4), "shard coverage", reports.Violated,
		ExitSafety},
	{"a shard that two consumers have for long", second(2, 6, 1), "shard coverage", reports.Violated,
		ExitSafety},
	{"a shard that nobody reads for long", all(second(0, 20), theFirst(0, 20,
		func(c *ConsumerLook) { c.States[0].Shards = []buffer.Shard{0} }),
		func(e *Evidence) {
			for i := range e.Looks {
				e.Looks[i].T *= 4
			}
		}), "shard coverage", reports.Violated, ExitSafety},
	{"a crash that nobody notices", func(e *Evidence) {
		for i := range e.Moves {
			if m := &e.Moves[i]; m.Worker == 1 && m.T >= 4 {
				m.T += 4
			}
		}
	}, "shard coverage", reports.Violated, ExitSafety},
	{"a crash of all workers that one supervisor does not notice", func(e *Evidence) {
		e.Events[0].Worker, e.Events[0].Fault = reports.NoWorker, "at 4s crash all workers"
		e.Events = append(e.Events, reports.Event{T: 4.6, Kind: reports.EventFaultEnd,
			Worker: reports.NoWorker, Fault: "at 4s crash all workers"})
	}, "shard coverage", reports.Violated, ExitSafety},
	{"a hang that nobody notices", frozen(4, 9), "shard coverage", reports.Violated, ExitSafety},
	{"a hang that is too short to be noticed", frozen(4, 6.5), "shard coverage", reports.Passed, ExitPassed},
	{"a hang from which the worker is woken", all(frozen(4, 9), faulty("resume worker 0", 6, 6.1)),
		"shard coverage", reports.Passed, ExitPassed},
	{"a hang from which the end of another wakes", all(frozen(4, 9), faulty("hang worker 0 for 2s", 3.5, 5.5)),
		"shard coverage", reports.Passed, ExitPassed},
	{"a hang in which the consumer is woken, and the worker with it", all(frozen(4, 9),
		faulty("hang consumer for 100ms", 6, 6.1)), "shard coverage", reports.Passed, ExitPassed},
	{"a hang that is noticed", all(frozen(4, 9), func(e *Evidence) {
		for _, kind := range []flusher.EventKind{flusher.EventFailed, flusher.EventRestart, flusher.EventStopped,
			flusher.EventFenced, flusher.EventStarted, flusher.EventHealthy} {
			e.Moves = append(e.Moves, moveOf(5.5, kind, 0, 0, 2))
		}
	}), "shard coverage", reports.Passed, ExitPassed},
	{"a hang that nobody notices beside that of another worker", all(frozen(4, 9),
		faulty("hang worker 1 for 50ms", 6, 6.1)), "shard coverage", reports.Violated, ExitSafety},
	{"a hang that only its backpressure tells of", all(frozen(4, 9), func(e *Evidence) {
		e.Moves = append(e.Moves, moveOf(5, flusher.EventBackpressureOn, 0, 0, 2),
			moveOf(5.5, flusher.EventBackpressureOff, 0, 0, 2))
	}), "shard coverage", reports.Violated, ExitSafety},
	{"a worker that outlives its consumer", each(3, 9, func(l *Look) { l.Orphans = 1 }),
		"process limit", reports.Violated, ExitSafety},
	{"one process too many", theFirst(5, 5.1, func(c *ConsumerLook) { c.Live = 3 }), "process limit",
		reports.Violated, ExitSafety},
	{"one process too many between two looks", each(5, 12, func(l *Look) {
		l.Peaks = []Peak{{Live: 3, Ago: l.T - 4.937}}
	}), "process limit", reports.Violated, ExitSafety},
	{"as many processes as were asked for", each(5, 12, func(l *Look) {
		l.Peaks = []Peak{{Live: 2, Ago: l.T - 4.937}, {Consumer: 1, Live: 1}}
	}), "process limit", reports.Passed, ExitPassed},
	{"a process left over", func(e *Evidence) { e.Survivors = 1 }, "process limit",
		reports.Violated, ExitSafety},
	{"processes that cannot be counted", each(0, 20, func(l *Look) { l.Unknown = true }),
		"process limit", reports.Unknown, ExitUnknown},
	{"one restart too many", func(e *Evidence) {
		for range 2 {
			e.Moves = append(e.Moves, moveOf(11.5, flusher.EventFailed, 1))
		}
		e.Moves = append(e.Moves, moveOf(11.5, flusher.EventRestart, 1))
	}, "restart budget", reports.Violated, ExitSafety},
	{"one restart too many by the state", theFirst(8, 9, func(c *ConsumerLook) {
		c.States[1].Restarts = 2
	}),
		"restart budget", reports.Violated, ExitSafety},
	{"a restart without a failure", without(flusher.EventFailed, 0), "restart budget",
		reports.Violated, ExitSafety},
	{"a budget given up too early", func(e *Evidence) {
		e.Moves = append(e.Moves, moveOf(7, flusher.EventExhausted, 0))
	}, "restart budget", reports.Violated, ExitSafety},
	{"a worker that grew", func(e *Evidence) {
		e.Samples = append(e.Samples, reports.Sample{T: 5, WorkerBytesMax: 513 << 20})
	}, "memory bound", reports.Violated, ExitSafety},
	{"memory that nobody measured", func(e *Evidence) { e.Samples = nil }, "memory bound",
		reports.Unknown, ExitUnknown},
	{"a gate that does not close", func(e *Evidence) {
		without(flusher.EventGateClosed, 0)(e)
		later(4.2, 9)(e)
	}, "backpressure", reports.Violated, ExitLiveness},
	{"input that is held back though no gate is closed", func(e *Evidence) {
		e.Withheld = []Withheld{{T: 6, Shard: 2}}
	}, "backpressure", reports.Violated, ExitLiveness},
	{"a gate that closes late", func(e *Evidence) {
		later(4.2, 9)(e)
		for i := range e.Moves {
			if e.Moves[i].Kind == flusher.EventGateClosed {
				e.Moves[i].T = 8.5
			}
		}
	}, "backpressure", reports.Violated, ExitLiveness},
	{"a gate that does not open", without(flusher.EventGateOpened, 0), "backpressure",
		reports.Violated, ExitLiveness},
	{"a gate that opens late", func(e *Evidence) {
		for i := range e.Moves {
			if e.Moves[i].Kind == flusher.EventGateOpened {
				e.Moves[i].T = 7
			}
		}
	}, "backpressure", reports.Violated, ExitLiveness},
	{"a gate that opens late, with max_memory and nothing that fills", func(e *Evidence) {
		e.Scenario.Pipeline.MaxMemory = 0.8
		for i := range e.Moves {
			if e.Moves[i].Kind == flusher.EventGateOpened {
				e.Moves[i].T = 7
			}
		}
	}, "backpressure", reports.Violated, ExitLiveness},
	{"a gate that closes beside what fills a node", all(faulty("fill redis for 3s", 7, 10), fullGate(8, 11)),
		"backpressure", reports.Passed, ExitPassed},
	{"a gate that closes long after what fills a node", all(faulty("fill redis for 3s", 1, 3),
		fullGate(8, 11)), "backpressure", reports.Violated, ExitLiveness},
	{"a gate that opens long after what fills a node", all(faulty("fill redis for 3s", 1, 3),
		fullGate(2, 9)), "backpressure", reports.Violated, ExitLiveness},
	{"a gate for the wrong worker", func(e *Evidence) {
		closed, opened := gateMove(3, flusher.EventGateClosed, 0), gateMove(8, flusher.EventGateOpened, 0)
		closed.Worker, opened.Worker = 0, 0
		e.Moves = append(e.Moves, closed, opened)
	}, "backpressure", reports.Violated, ExitLiveness},
	{"a drain that does not end", func(e *Evidence) {
		e.Drained, e.Balance.Flushed, e.Balance.Buffered = false, 990, 10
		e.Left.Store = held()
		e.Left.Store.Shards = []buffer.ShardLeftovers{{Shard: 3, Queued: make([]buffer.Due, 1)}}
	}, "liveness", reports.Violated, ExitLiveness},
	{"a drain that ends when the consumer is stopped", func(e *Evidence) {
		e.Drained, e.DrainSeconds = false, 2
	}, "liveness", reports.Violated, ExitLiveness},
	{"spans that no queue names", func(e *Evidence) {
		e.Drained, e.Balance.Flushed, e.Balance.Buffered = false, 990, 10
		e.Left.Store = held()
	}, "conservation", reports.Violated, ExitSafety},
	{"spans that wait in the input", func(e *Evidence) {
		e.Drained, e.Balance.Flushed, e.Balance.Lost, e.Left.Waiting = false, 990, 10, 10
	}, "conservation", reports.Unknown, ExitLiveness},
	{"input that is not committed, though all is out", func(e *Evidence) { e.Left.Waiting = 1 },
		"conservation", reports.Violated, ExitSafety},
	{"a pipeline that gave up", func(e *Evidence) {
		e.EndedEarly, e.EndedErr = true, errors.New("planted")
	}, "liveness", reports.Violated, ExitLiveness},
	{"a pipeline that does not stop", func(e *Evidence) { e.ForcedAfter = 20 }, "liveness",
		reports.Violated, ExitLiveness},
	{"a budget that should have been used up", func(e *Evidence) {
		e.Scenario.Expectations.End = scenarios.EndBudget
	}, "liveness", reports.Violated, ExitLiveness},
	{"a fault that could not be ended", func(e *Evidence) { e.HealErr = errors.New("planted") },
		"liveness", reports.Unknown, ExitUnknown},
	{"an interrupted run", func(e *Evidence) { e.Interrupted = true }, "liveness", reports.Unknown,
		ExitUnknown},
	{"an interrupted run with a queue that names what is out", func(e *Evidence) {
		e.Interrupted, e.Drained = true, false
		e.Left.Store = buffer.Leftovers{Held: []buffer.TraceKey{{Project: 1}}}
	}, "conservation", reports.Unknown, ExitUnknown},
	{"a load that was not sent", func(e *Evidence) { e.SendErr = errors.New("planted") }, "liveness",
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
			o := Judge(e)
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
			if code := o.Code; code != p.code {
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

func TestTheGravestVerdictDecides(t *testing.T) {
	for _, c := range [][3]int{
		{ExitPassed, ExitExpectation, ExitExpectation}, {ExitExpectation, ExitUnknown, ExitUnknown},
		{ExitLiveness, ExitUnknown, ExitLiveness}, {ExitLiveness, ExitSafety, ExitSafety},
	} {
		if a, b := Graver(c[0], c[1]), Graver(c[1], c[0]); a != c[2] || b != c[2] {
			t.Errorf("graver of %d and %d is %d and %d, want %d", c[0], c[1], a, b, c[2])
		}
	}
}

// TestWhatIsToBlame: the verdict is due to the gravest, wherever it stands among the others, and the same is
// said of a result that was kept. What is violated may be less than that.
func TestWhatIsToBlame(t *testing.T) {
	for name, c := range map[string]struct {
		plant              func(*Evidence)
		decisive, violated string
	}{
		"nothing":             {func(*Evidence) {}, "", ""},
		"an expectation only": {func(e *Evidence) { e.Behind = 9 }, "open loop", "open loop"},
		"what is not known weighs more than an expectation": {func(e *Evidence) {
			e.Interrupted, e.Behind = true, 9
		}, "liveness", "open loop"},
		"safety stands behind liveness": {func(e *Evidence) {
			e.Withheld, e.Breaches = []Withheld{{T: 6, Shard: 2}}, ledger.Found{Count: 1, First: "at 4.2s planted"}
		}, "store contract", "store contract"},
	} {
		e := clean()
		c.plant(e)
		o := Judge(e)
		run, _ := o.Decisive()
		kept, _ := Decisive(o.Result)
		violated, _ := Violated(o.Result)
		if run.Name != c.decisive || kept != run || violated.Name != c.violated {
			t.Errorf("%s: %q, kept %q, want %q; violated is %q, want %q", name, run, kept, c.decisive, violated, c.violated)
		}
	}
}

// held is a store that holds a trace which no shard names.
func held() buffer.Leftovers { return buffer.Leftovers{Held: make([]buffer.TraceKey, 1)} }

// TestASetBackMustBeSaid: what Redis lost when it was set back is no less than consumers say, unless none
// of them can know.
func TestASetBackMustBeSaid(t *testing.T) {
	for name, c := range map[string]struct {
		by   time.Duration
		said int64
		also func(*Evidence)
		want reports.Verdict
	}{
		"said":            {time.Second, 40, nil, reports.Passed},
		"said of too few": {time.Second, 39, nil, reports.Violated},
		"not said":        {time.Millisecond, 0, nil, reports.Violated},
		"a consumer ended": {time.Second, 0, func(e *Evidence) {
			e.Lives = append(e.Lives, Life{T: 6})
		}, reports.Passed},
		"something else was broken": {time.Second, 0, faulty("stop redis for 1s", 6, 7), reports.Passed},
	} {
		e := clean()
		fault := scenarios.Fault{Verb: scenarios.VerbFailover, By: c.by,
			Target: scenarios.Target{Kind: scenarios.TargetRedis, N: scenarios.AllNodes}}
		e.Scenario.Faults = []scenarios.Fault{fault}
		faulty(fault.What(), 6, 7)(e)
		e.Lives = e.Lives[1:]
		e.Balance.Flushed, e.Balance.Dropped = 960, map[string]int64{ledger.SetBack: 40}
		e.Losses = []Loss{{T: 7, Spans: c.said}}
		if c.also != nil {
			c.also(e)
		}
		if verdict, reason := conservation.judge(e); verdict != c.want {
			t.Errorf("%s: %s: %s", name, verdict, reason)
		}
	}
}

// TestDeletedMessagesCountAsRead: what consumers have read, and what they say was deleted, is all.
func TestDeletedMessagesCountAsRead(t *testing.T) {
	for deleted, want := range map[int64]reports.Verdict{30: reports.Passed, 29: reports.Violated} {
		e := clean()
		e.Lives[1].Messages, e.Lives[1].Spans, e.Lives[1].Deleted = 570, 570, deleted
		e.Balance.Dropped[ledger.DeletedUnread] = 30
		if verdict, reason := reading.judge(e); verdict != want {
			t.Errorf("%d deleted: %s: %s", deleted, verdict, reason)
		}
	}
}

// TestLivenessSaysWhere what did not come out was, and whose it was.
func TestLivenessSaysWhere(t *testing.T) {
	fenced := moveOf(8, flusher.EventFenced, 1, 1, 3)
	fenced.Epochs = []buffer.Epoch{7, 3}
	due := make([]buffer.Due, 12)
	for _, c := range []struct {
		held  Remains
		plant func(e *Evidence)
		want  string
	}{
		{Remains{}, nil, "nothing says why"},
		{Remains{Waiting: 1}, nil, "1 message of the input not committed"},
		{Remains{Err: errors.New("planted")}, nil, "what the input and the store hold is not known: planted"},
		{Remains{Store: held()}, nil, "1 trace stored that no queue names"},
		{Remains{Store: buffer.Leftovers{Shards: []buffer.ShardLeftovers{{Shard: 3, Epoch: 3, Queued: due[:1],
			Leased: due[:2]}}}}, nil,
			"shard 3: 1 segment queued, 2 leased by epoch 3, whose worker 1 of the consumer is healthy"},
		{Remains{Store: buffer.Leftovers{Shards: []buffer.ShardLeftovers{{Shard: 3, Epoch: 4, Queued: due}}}},
			theFirst(11, 12, func(c *ConsumerLook) { c.States[1].State = flusher.StateHung }), // it fenced itself
			"shard 3: 12 segments queued, 0 leased by epoch 4, whose worker 1 of the consumer is hung"},
		{Remains{Store: buffer.Leftovers{Shards: []buffer.ShardLeftovers{{Shard: 3, Epoch: 3, Queued: due}}}},
			each(11, 12, func(l *Look) { l.Consumers = nil }),
			"whose worker 1 of the consumer is down, with its consumer"},
		{Remains{Store: buffer.Leftovers{Shards: []buffer.ShardLeftovers{{Shard: 3, Epoch: 1, Queued: due}}}},
			nil, "by epoch 1, which no worker has: worker 1 of the consumer has a later one, and is healthy"},
		{Remains{Store: buffer.Leftovers{Shards: []buffer.ShardLeftovers{{Shard: 2, Epoch: 1, Queued: due}}}},
			nil, "by epoch 1, which no supervisor said it had made"},
		{Remains{Store: buffer.Leftovers{Shards: make([]buffer.ShardLeftovers, 6)}}, nil,
			"and so on for 2 other shards"},
	} {
		e := clean()
		e.Drained, e.Balance.Flushed, e.Balance.Buffered, e.Left.Waiting = false, 990, 10, 10
		e.Moves = append(e.Moves, fenced)
		e.Held = c.held
		if c.plant != nil {
			c.plant(e)
		}
		if verdict, reason := judgeDrains(e); verdict != reports.Violated || !strings.HasSuffix(reason, c.want) {
			t.Errorf("%s: %q, want that it ends with %q", verdict, reason, c.want)
		}
	}
}
