package judge

import (
	"strings"
	"testing"
	"time"

	"sluice/buffer"
	"sluice/flusher"
	"sluice/internal/ledger"
	"sluice/reports"
	"sluice/scenarios"
)

// TestLateSpansMaySplit: where spans can have come after their segment's flush, a split is none of
// the system's faults.
func TestLateSpansMaySplit(t *testing.T) {
	for name, plant := range map[string]func(e *Evidence){
		"age":      func(e *Evidence) { e.Scenario.Pipeline.MaxSegmentAge = time.Second },
		"limit":    func(e *Evidence) { e.Scenario.Expectations.SplitSpansMax = 1 },
		"paused":   paused,
		"clock":    func(e *Evidence) { e.Scenario.Pipeline.RootTimeout = time.Second },
		"stopped":  func(e *Evidence) { e.Looks = append(e.Looks[:20], e.Looks[80:]...) },
		"too slow": lagging(1, 2, 3.5),
	} {
		e := clean()
		incident(ledger.Split, 1, 3, 5)(e)
		plant(e)
		if verdict, reason := segmentIntegrity.judge(e); verdict != reports.Passed {
			t.Errorf("%s: %s: %s", name, verdict, reason)
		}
		if name == "limit" {
			continue
		}
		incident(ledger.Resent, 1, 3, 5)(e)
		if verdict, reason := duplicates.judge(e); verdict != reports.Passed {
			t.Errorf("%s: spans that were sent twice are %s: %s", name, verdict, reason)
		}
		find(ledger.Duplicated)(e)
		if verdict, reason := duplicates.judge(e); verdict != reports.Violated {
			t.Errorf("%s: duplicates are %s: %s", name, verdict, reason)
		}
	}
}

// TestSplitsThatLatenessDoesNotExcuse: of another shard, of another time, and while something was
// broken.
func TestSplitsThatLatenessDoesNotExcuse(t *testing.T) {
	for name, plant := range map[string]func(e *Evidence){
		"shard": lagging(2, 2, 3.5), "time": lagging(1, 6, 7.5),
		"fault": all(lagging(1, 2, 3.5), faulty("stop kafka", 1, 2)),
	} {
		e := clean()
		incident(ledger.Split, 1, 3, 5)(e)
		plant(e)
		if verdict, reason := segmentIntegrity.judge(e); verdict != reports.Violated {
			t.Errorf("%s: %s: %s", name, verdict, reason)
		}
	}
}

// TestDuplicatesNeedALimitAndACause: a span that was sent once may come out under two flush ids if
// the scenario says so, and its message can have been delivered twice.
func TestDuplicatesNeedALimitAndACause(t *testing.T) {
	for _, c := range []struct {
		limit    scenarios.Count
		assigned float64
		shard    int32
		want     reports.Verdict
	}{
		{0, 5, 1, reports.Violated}, {1, 0, 1, reports.Violated}, {1, 5, 0, reports.Violated},
		{1, 7.1, 1, reports.Violated}, {1, 5, 1, reports.Passed},
		{1, 6.9, 1, reports.Passed}, // it is read before its worker has started
	} {
		e := clean()
		incident(ledger.Duplicated, c.shard, 4, 6)(e)
		e.Scenario.Expectations.DuplicatedSpansMax = c.limit
		e.Moves = append(e.Moves, Move{T: c.assigned,
			Event: flusher.Event{Kind: flusher.EventAssigned, Shards: []buffer.Shard{1}}})
		verdict, reason := duplicates.judge(e)
		if verdict != c.want {
			t.Errorf("%+v: duplicates are %s: %s", c, verdict, reason)
		}
		// Where there is a cause, what helps is said.
		if named := strings.Contains(reason, explained) && strings.Contains(reason, "duplicated_spans_max says"); c.limit == 0 && c.assigned > 0 && !named {
			t.Errorf("%+v: %s", c, reason)
		}
	}
}

// lagging has segments of a shard come out late.
func lagging(shard buffer.Shard, from, to float64) func(e *Evidence) {
	return func(e *Evidence) { e.Lags = []Lag{{Shard: shard, From: from, To: to, By: to - from}} }
}

// waiting has that many messages not yet read from one time to another.
func waiting(from, to float64, messages int64) func(e *Evidence) {
	return func(e *Evidence) {
		for t := from; t <= to; t += 0.5 {
			e.Samples = append(e.Samples, reports.Sample{T: t, Backlog: messages})
		}
	}
}

// TestRepeatsThatACauseExcuses: what was in flight on a shard whose worker failed, or while Kafka was
// away; and what a worker hands over that was not stopped.
func TestRepeatsThatACauseExcuses(t *testing.T) {
	for name, plant := range map[string]func(e *Evidence){
		"straddles the fence":  incident(ledger.Repeated, 1, 4, 4.7),
		"stretched by a fault": all(faulty("hang redis", 2.5, 9), incident(ledger.Repeated, 3, 1, 10)),
		"messages waited":      all(waiting(4.6, 9, 400), incident(ledger.Repeated, 3, 4, 10)),
		"Kafka failed":         all(faulty("fail kafka", 6, 9), incident(ledger.Repeated, 0, 7, 8)),
		"an answer was lost": all(func(e *Evidence) {
			e.Events = append(e.Events, reports.Event{Kind: reports.EventFaultBegin,
				Worker: reports.NoWorker, Fault: "lose producer.produce every 5"},
				reports.Event{T: 12, Kind: reports.EventPhase})
		}, incident(ledger.Repeated, 0, 7, 8)),
		"letter": incident(ledger.RepeatedLetter, 1, 4, 4.7),
		"flushed since Redis was set back": all(faulty("failover redis by 600ms for 1s", 6, 7.6),
			incident(ledger.Repeated, 0, 6.2, 15)),
		"found again": all(faulty("wipe redis node 1", 6, 7), incident(ledger.Repeated, 0, 6, 20)),
		"a worker that lives on": all(without(flusher.EventStopped, 0),
			incident(ledger.Repeated, 1, 8, 9)),
	} {
		e := clean()
		plant(e)
		if verdict, reason := duplicates.judge(e); verdict != reports.Passed {
			t.Errorf("%s: %s: %s", name, verdict, reason)
		}
	}
}

// TestRepeatsThatNothingExcuses after a node was wiped: what was not in flight then, what comes later
// than what no queue names, and all when no node has kept anything.
func TestRepeatsThatNothingExcuses(t *testing.T) {
	for name, plant := range map[string]func(e *Evidence){
		"before":   all(faulty("wipe redis node 1", 16, 17), incident(ledger.Repeated, 0, 1, 18)),
		"too late": all(faulty("wipe redis node 1", 6, 7), incident(ledger.Repeated, 0, 6, 90)),
		"flushed long before Redis was set back": all(
			func(e *Evidence) { e.Events = nil }, faulty("failover redis by 600ms", 90, 91),
			incident(ledger.Repeated, 0, 6, 92)),
		"all nodes": all(faulty("wipe redis", 6, 7), incident(ledger.Repeated, 0, 6, 20)),
	} {
		e := clean()
		plant(e)
		if verdict, reason := duplicates.judge(e); verdict != reports.Violated {
			t.Errorf("%s: %s: %s", name, verdict, reason)
		}
	}
}

// TestAFrozenConsumerOwnsNothing: another may have got its shards while it says nothing.
func TestAFrozenConsumerOwnsNothing(t *testing.T) {
	for _, c := range []struct {
		heard float64
		want  reports.Verdict
	}{{0, reports.Violated}, {5, reports.Passed}} {
		e := clean()
		second(5, 9, 1)(e)
		theFirst(5, 9, func(first *ConsumerLook) { first.Heard = c.heard })(e)
		if verdict, reason := shardCoverage.judge(e); verdict != c.want {
			t.Errorf("heard %vs ago: %s: %s", c.heard, verdict, reason)
		}
	}
}

// TestWhatIsFlushedEarlyExcusesWhatWasSentTwice: on the shards whose clock jumped, or on all while Redis
// was full, and until the clock is right again.
func TestWhatIsFlushedEarlyExcusesWhatWasSentTwice(t *testing.T) {
	for fault, want := range map[string]reports.Verdict{
		"jump clock by 30s for 2s": reports.Passed, "jump partition 1 by -30s for 2s": reports.Passed,
		"fill redis for 2s": reports.Passed, "jump partition 2 by 30s for 2s": reports.Violated,
		"stop kafka for 2s": reports.Violated,
	} {
		e := clean()
		incident(ledger.Resent, 1, 3, 5)(e)
		faulty(fault, 2, 4)(e)
		if verdict, reason := duplicates.judge(e); verdict != want {
			t.Errorf("%s: %s: %s", fault, verdict, reason)
		}
		incident(ledger.Resent, 1, 170, 180)(e)
		if verdict, reason := duplicates.judge(e); verdict != reports.Violated {
			t.Errorf("%s: what came much later is %s: %s", fault, verdict, reason)
		}
	}
}

// TestAnAttachWhoseAnswerWasLost excuses that a span comes out twice, for longer if the clock had gone on
// meanwhile.
func TestAnAttachWhoseAnswerWasLost(t *testing.T) {
	for _, c := range []struct {
		lost, early string
		again       float64 // when it comes out again
		want        reports.Verdict
	}{
		{"black-hole redis answers for 2s", "fill redis for 2s", 7, reports.Passed},
		{"hang redis for 2s", "jump clock by 30s for 2s", 7, reports.Passed},
		{"black-hole redis requests for 2s", "fill redis for 2s", 7, reports.Violated},
		{"black-hole kafka for 2s", "fill redis for 2s", 7, reports.Violated},
		{"black-hole redis answers for 2s", "hang worker 0", 7, reports.Passed},
		{"lose store.attach every 2", "hang worker 0", 7, reports.Passed},
		{"lose store.claim every 2", "hang worker 0", 7, reports.Violated},
		{"hang redis for 2s", "hang worker 0", 160, reports.Violated},
		{"hang redis for 2s", "jump clock by 100s for 2s", 160, reports.Passed},
	} {
		e := clean()
		e.Scenario.Expectations.DuplicatedSpansMax = scenarios.Unlimited
		incident(ledger.Duplicated, 1, 3, c.again)(e)
		faulty(c.early, 2, 4)(e)
		faulty(c.lost, 3, 5)(e)
		if verdict, reason := duplicates.judge(e); verdict != c.want {
			t.Errorf("%s beside %s: %s: %s", c.lost, c.early, verdict, reason)
		}
		incident(ledger.Duplicated, 1, 170, 300)(e)
		if verdict, reason := duplicates.judge(e); verdict != reports.Violated {
			t.Errorf("%s: what came much later is %s: %s", c.lost, verdict, reason)
		}
	}
}

// TestLateness: a segment may be gone sooner than its time-out by what its clock is cut by, and by what of its
// batch was before it.
func TestLateness(t *testing.T) {
	s := scenarios.Default()
	s.Pipeline.Timeout, s.Pipeline.RootTimeout = 6*time.Second, 3*time.Second
	s.Pipeline.MaxBatchWait = 100 * time.Millisecond
	got := LatenessOf(s)
	if want := 1900 * time.Millisecond; got.Repeat != want || got.RootSilence != want ||
		got.Silence != want+3*time.Second {
		t.Errorf("%+v, want %v, and 3s more without a root", got, want)
	}
	s.Pipeline.MaxBatchWait = 1000 * time.Hour // no batch waits for more than a twentieth of 3 s
	if got, want := LatenessOf(s), 1850*time.Millisecond; got.Repeat != want || got.RootSilence != want {
		t.Errorf("%+v, want %v", got, want)
	}
	s.Pipeline.RootTimeout = 1040 * time.Millisecond
	if got := LatenessOf(s); got.RootSilence != 1 || got.Silence <= 3*time.Second {
		t.Errorf("%+v of a time-out of which clock and batches leave nothing", got)
	}
	s.Pipeline.RootTimeout = time.Second
	if got := LatenessOf(s); got.Repeat < time.Hour || got.RootSilence != 0 {
		t.Errorf("%+v of a time-out of which the clock leaves nothing", got)
	}
}
