package judge

import (
	"strings"
	"testing"

	"sluice/buffer"
	"sluice/flusher"
	"sluice/internal/ledger"
	"sluice/reports"
)

// TestTheTimeOfAViolation is that of what violates, not of what may have led to it; what is seen only when all
// is over has the end.
func TestTheTimeOfAViolation(t *testing.T) {
	for name, c := range map[string]struct {
		plant     func(e *Evidence)
		invariant string
		names     string // in the words, and not the time of the violation
		want      float64
	}{
		"lost spans": {func(e *Evidence) { e.Balance.Flushed, e.Balance.Lost, e.LostDue = 999, 1, 0.3 },
			"conservation", "; the first was due to be sent at 0.3s; since then: at 4.0s", 11.9},
		"leftovers": {func(e *Evidence) { e.Left.Store = held() },
			"conservation", "; before that, at 4.0s", 11.9},
		"a span altered": {find(ledger.Altered), "conservation", "", 11.9},
		"a second owner": {theFirst(3, 3.1, func(c *ConsumerLook) {
			c.States[0].Shards = []buffer.Shard{0, 1, 2}
		}), "shard coverage", "", 3},
		"too many processes": {theFirst(6, 7, func(c *ConsumerLook) { c.Live = 3 }),
			"process limit", "; before that, at 4.0s", 6},
	} {
		e := clean()
		c.plant(e)
		for _, j := range Judge(e).Result.Invariants {
			if j.Name != c.invariant {
				continue
			}
			if j.At == nil || !strings.Contains(j.Detail, c.names) {
				t.Errorf("%s: %s: %s, want %q", name, j.Verdict, j.Detail, c.names)
			} else if *j.At != c.want {
				t.Errorf("%s: %s, at %v, want %v", name, j.Detail, *j.At, c.want)
			}
		}
	}
}

// TestTheFirstViolationIsNamed, whatever is asked first.
func TestTheFirstViolationIsNamed(t *testing.T) {
	twoOwners := func(at float64) func(e *Evidence) {
		return theFirst(at, at+0.1, func(c *ConsumerLook) { c.States[0].Shards = []buffer.Shard{0, 1, 2} })
	}
	unfenced := without(flusher.EventFenced, 4)
	pausedFor := func(from, to float64) func(e *Evidence) {
		return func(e *Evidence) {
			closed, opened := gateMove(from, flusher.EventGateClosed, 0), gateMove(to, flusher.EventGateOpened, 0)
			closed.Worker, opened.Worker = 0, 0
			e.Moves = append(e.Moves, closed, opened)
		}
	}
	inTrouble := func(e *Evidence) { // worker 1 is down from 4 s to 9 s, and nothing pauses
		without(flusher.EventGateClosed, 0)(e)
		later(4.2, 9)(e)
	}
	for name, c := range map[string]struct {
		plant     func(e *Evidence)
		invariant string
		want      string
	}{
		"no fence, then two owners": {all(unfenced, twoOwners(8)), "shard coverage",
			"at 4.5s worker 1 was started without a fence"},
		"two owners, then no fence":         {all(unfenced, twoOwners(2)), "shard coverage", "at 2.000s shard 1 belongs to"},
		"a hang unnoticed, then two owners": {all(frozen(4, 9), twoOwners(8)), "shard coverage", "worker 0 froze at 4.0s"},
		"two owners while a hang is not noticed": {all(frozen(4, 9), twoOwners(5)), "shard coverage",
			"at 5.000s shard 1 belongs to"},
		"trouble without a pause, then a pause": {all(inTrouble, pausedFor(8.5, 11)), "backpressure",
			"worker 1 was in trouble"},
		"a pause, then trouble without one": {all(inTrouble, pausedFor(1, 8)), "backpressure",
			"the input of shard 0 was paused at 1.000s"},
		"a pause that is too long, then trouble without one": {all(inTrouble, pausedFor(1.1, 8), moved(
			moveOf(1, flusher.EventBackpressureOn, 0, 0), moveOf(1.2, flusher.EventBackpressureOff, 0, 0))), "backpressure",
			"the input of shard 0 was paused from 1.1s"},
		"too many restarts by the looks, then by the events": {func(e *Evidence) {
			theFirst(3, 3.1, func(c *ConsumerLook) { c.States[0].Restarts = 2 })(e)
			without(flusher.EventFailed, 0)(e)
		}, "restart budget", "at 3.0s worker 0 had 2 restarts"},
	} {
		e := clean()
		c.plant(e)
		for _, j := range Judge(e).Result.Invariants {
			if j.Name != c.invariant {
				continue
			}
			if j.Verdict != reports.Violated || !strings.HasPrefix(j.Detail, c.want) {
				t.Errorf("%s: %s, %s; want %q", name, j.Verdict, j.Detail, c.want)
			}
			// What lasts is a violation from when it lasts too long, not from when it began.
			if from := moment.FindStringSubmatch(c.want); from != nil && strings.HasPrefix(from[0], "from") && *j.At < 1.1 {
				t.Errorf("%s: at %.1fs", name, *j.At)
			}
			if strings.Contains(c.want, "froze at 4.0s") && *j.At < 4.5 {
				t.Errorf("%s: at %.1fs", name, *j.At)
			}
		}
	}
}
