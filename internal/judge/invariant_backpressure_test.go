package judge

import (
	"slices"
	"testing"

	"sluice/buffer"
	"sluice/flusher"
	"sluice/reports"
)

// TestAFullNodePausesTheInput, if it lasts, nothing else is broken, and it is asked for.
func TestAFullNodePausesTheInput(t *testing.T) {
	full := faulty("fill redis for 5s", 6, 11)
	for _, c := range []struct {
		name  string
		plant func(*Evidence)
		want  reports.Verdict
	}{
		{"nobody notices", full, reports.Violated},
		{"it is short", faulty("fill redis for 1s", 6, 7), reports.Passed},
		{"something else is broken", all(full, faulty("cut redis", 6.5, 6.6)), reports.Passed},
		{"nobody wants to know", all(full, func(e *Evidence) {
			e.Scenario.Pipeline.MaxMemory = flusher.MemoryOff
		}), reports.Passed},
	} {
		e := clean()
		e.Scenario.Pipeline.MaxMemory, e.Events = 0.8, nil
		c.plant(e)
		if verdict, reason := backpressure.judge(e); verdict != c.want {
			t.Errorf("%s: %s: %s", c.name, verdict, reason)
		}
	}
}

// TestAFrozenConsumerResumesLate what it paused before it froze.
func TestAFrozenConsumerResumesLate(t *testing.T) {
	for _, c := range []struct {
		from, to float64
		want     reports.Verdict
	}{{5, 8, reports.Passed}, {7, 8, reports.Violated}, {5, 6, reports.Violated}} {
		e := clean()
		for i := range e.Moves {
			if e.Moves[i].Kind == flusher.EventGateOpened {
				e.Moves[i].T = 8.5
			}
		}
		freeze(e, c.from, c.to)
		if verdict, reason := backpressure.judge(e); verdict != c.want {
			t.Errorf("frozen from %g to %g: %s: %s", c.from, c.to, verdict, reason)
		}
	}
}

// freeze makes nothing be heard of the consumer between two moments.
func freeze(e *Evidence, from, to float64) {
	for i := range e.Looks {
		if l := &e.Looks[i]; l.T > from && l.T <= to {
			l.Consumers[0].Heard = l.T - from
		}
	}
}

// TestAFrozenConsumerPausesLate: while nothing is read, nobody need pause that; but it does not excuse
// what should have been done before.
func TestAFrozenConsumerPausesLate(t *testing.T) {
	for _, c := range []struct {
		from, to float64
		want     reports.Verdict
	}{
		{5, 8, reports.Passed}, {7, 8.4, reports.Passed}, {1, 4.6, reports.Passed},
		{1, 3, reports.Violated}, {8.2, 9.4, reports.Violated},
	} {
		e := clean()
		later(4.2, 9)(e)
		for i := range e.Moves {
			if e.Moves[i].Kind == flusher.EventGateClosed {
				e.Moves[i].T = 8.5
			}
		}
		freeze(e, c.from, c.to)
		if verdict, reason := backpressure.judge(e); verdict != c.want {
			t.Errorf("frozen from %g to %g: %s: %s", c.from, c.to, verdict, reason)
		}
	}
}

// TestAFailedWorkerWithoutShardsPausesNothing, from when they go to another consumer until it has some
// again.
func TestAFailedWorkerWithoutShardsPausesNothing(t *testing.T) {
	e := clean()
	e.Moves = slices.DeleteFunc(e.Moves, func(m Move) bool { return m.T > 4 || m.Kind == flusher.EventGateClosed })
	e.Moves = append(e.Moves,
		moveOf(4.1, flusher.EventAssigned, 1), moveOf(8.5, flusher.EventAssigned, 1, 1, 3),
		moveOf(8.6, flusher.EventStarted, 1, 1, 3), moveOf(8.7, flusher.EventHealthy, 1, 1, 3),
	)
	if verdict, reason := backpressure.judge(e); verdict != reports.Passed {
		t.Error(reason)
	}
	e.Moves[len(e.Moves)-4].Shards = []buffer.Shard{1, 3}
	if verdict, _ := backpressure.judge(e); verdict != reports.Violated {
		t.Errorf("%s though it kept them for 4.7 s", verdict)
	}
}

// TestAWorkerThatIsGoneForGoodPausesItsInput until the consumer ends, as nobody else has its shards.
func TestAWorkerThatIsGoneForGoodPausesItsInput(t *testing.T) {
	for _, gone := range []bool{true, false} {
		e := clean()
		e.Moves = slices.DeleteFunc(e.Moves, func(m Move) bool { return m.Kind == flusher.EventGateOpened })
		if gone {
			e.Moves = append(e.Moves, moveOf(5, flusher.EventFailed, 1, 1, 3),
				moveOf(5, flusher.EventExhausted, 1, 1, 3), moveOf(5, flusher.EventStopped, 1, 1, 3))
		}
		want := map[bool]reports.Verdict{true: reports.Passed, false: reports.Violated}[gone]
		if verdict, reason := backpressure.judge(e); verdict != want {
			t.Errorf("gone %v: %s: %s", gone, verdict, reason)
		}
	}
}

// TestAShardThatComesLate pauses from when it came, and not from when its worker failed.
func TestAShardThatComesLate(t *testing.T) {
	for _, c := range []struct {
		came float64
		want reports.Verdict
	}{{7, reports.Passed}, {4.4, reports.Violated}} {
		e := clean()
		e.Moves = slices.DeleteFunc(e.Moves, func(m Move) bool { return m.T >= 4.5 })
		e.Moves = append(e.Moves, moveOf(c.came, flusher.EventAssigned, 1, 1, 2, 3), gateMove(9, flusher.EventGateClosed, 2),
			moveOf(9.5, flusher.EventHealthy, 1, 1, 2, 3), gateMove(9.5, flusher.EventGateOpened, 1),
			gateMove(9.5, flusher.EventGateOpened, 2), gateMove(9.5, flusher.EventGateOpened, 3))
		for i := range e.Looks {
			if l := &e.Looks[i]; l.T > c.came {
				states := l.Consumers[0].States
				states[0].Shards, states[1].Shards = []buffer.Shard{0}, []buffer.Shard{1, 2, 3}
			}
		}
		if verdict, reason := backpressure.judge(e); verdict != c.want {
			t.Errorf("it came at %vs: %s: %s", c.came, verdict, reason)
		}
	}
}

// TestAWorkerThatIsToEndPausesItsInput until the next one is up, also if it says meanwhile that it keeps
// up again: nobody flushes for it any more.
func TestAWorkerThatIsToEndPausesItsInput(t *testing.T) {
	for _, c := range []struct {
		why    flusher.EventKind
		paused bool
		want   reports.Verdict
	}{
		{flusher.EventSetBack, true, reports.Passed}, {flusher.EventStopping, true, reports.Passed},
		{flusher.EventSetBack, false, reports.Violated}, {flusher.EventRestart, true, reports.Violated},
	} {
		e := clean()
		e.Moves = slices.DeleteFunc(e.Moves, func(m Move) bool { return m.T > 3 })
		e.Moves = append(e.Moves, moveOf(3.1, flusher.EventBackpressureOn, 1, 1, 3),
			moveOf(3.2, c.why, 1, 1, 3), moveOf(3.3, flusher.EventBackpressureOff, 1, 1, 3))
		if c.paused {
			e.Moves = append(e.Moves, moveOf(5.4, flusher.EventGateClosed, 1, 1, 3))
		}
		e.Moves = append(e.Moves, moveOf(7.9, flusher.EventStarted, 1, 1, 3),
			moveOf(8, flusher.EventHealthy, 1, 1, 3))
		if c.paused {
			e.Moves = append(e.Moves, moveOf(8.1, flusher.EventGateOpened, 1, 1, 3))
		}
		if verdict, reason := backpressure.judge(e); verdict != c.want {
			t.Errorf("%v, paused %v: %s: %s", c.why, c.paused, verdict, reason)
		}
	}
}

// TestAWorkerWithoutShardsPausesItsInput, if nobody says for long whose they are.
func TestAWorkerWithoutShardsPausesItsInput(t *testing.T) {
	for _, c := range []struct {
		superseded, paused bool
		want               reports.Verdict
	}{
		{true, true, reports.Passed}, {true, false, reports.Violated}, {false, true, reports.Violated},
	} {
		e := clean()
		e.Moves = slices.DeleteFunc(e.Moves, func(m Move) bool { return m.T > 3 })
		if c.superseded {
			e.Moves = append(e.Moves, moveOf(3.2, flusher.EventSuperseded, 1, 1, 3))
		}
		if c.paused {
			e.Moves = append(e.Moves, moveOf(5.2, flusher.EventGateClosed, 1, 1, 3))
		}
		e.Moves = append(e.Moves, moveOf(7.9, flusher.EventFailed, 1, 1, 3), moveOf(7.9, flusher.EventRestart, 1, 1, 3),
			moveOf(8, flusher.EventStarted, 1, 1, 3), moveOf(8, flusher.EventHealthy, 1, 1, 3))
		if c.paused {
			e.Moves = append(e.Moves, moveOf(8.1, flusher.EventGateOpened, 1, 1, 3))
		}
		if verdict, reason := backpressure.judge(e); verdict != c.want {
			t.Errorf("superseded %v, paused %v: %s: %s", c.superseded, c.paused, verdict, reason)
		}
	}
}
