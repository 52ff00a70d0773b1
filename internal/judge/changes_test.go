package judge

import (
	"cmp"
	"slices"
	"strings"
	"testing"

	"sluice/buffer"
	"sluice/flusher"
)

// changed plants how the consumers stood at a moment between two looks.
func changed(t float64, change func(l *Look)) func(e *Evidence) {
	return func(e *Evidence) {
		l := e.Looks[0]
		l.T, l.Consumers = t, slices.Clone(l.Consumers)
		l.Consumers[0].States = slices.Clone(l.Consumers[0].States)
		change(&l)
		e.Changes = append(e.Changes, l)
	}
}

// dealt is changed with other shards of the first consumer's workers.
func dealt(t float64, shards ...[]buffer.Shard) func(e *Evidence) {
	return changed(t, func(l *Look) {
		for n := range shards {
			l.Consumers[0].States[n].Shards = shards[n]
		}
	})
}

// moved plants transitions among the others, in the order of their times.
func moved(moves ...Move) func(e *Evidence) {
	return func(e *Evidence) {
		e.Moves = append(e.Moves, moves...)
		slices.SortStableFunc(e.Moves, func(a, b Move) int { return cmp.Compare(a.T, b.T) })
	}
}

// alone is the evidence of a run in which nothing happened to the consumer, in a world that grants it nothing.
func alone() *Evidence {
	e := clean()
	e.Slacks = Slacks{Gate: 0.3}
	return e
}

// TestNothingIsTooShort to be seen: what lasts for less than is between two looks is named with its moment.
func TestNothingIsTooShort(t *testing.T) {
	flap := moved(gateMove(4.213, flusher.EventGateOpened, 1), gateMove(4.25, flusher.EventGateClosed, 1))
	whim := moved(moveOf(7.013, flusher.EventGateClosed, 0, 0), moveOf(7.05, flusher.EventGateOpened, 0, 0))
	for name, c := range map[string]struct {
		of    invariant
		plant func(*Evidence)
		at    float64 // 0: it holds
		says  string
	}{
		"two workers": {shardCoverage, dealt(3.013, []buffer.Shard{0, 1, 2}), 3.013,
			"at 3.013s shard 1 belongs to worker 0 and to worker 1 of the consumer"},
		"no worker": {shardCoverage, dealt(3.013, []buffer.Shard{0}), 3.013,
			"at 3.013s shard 2 belonged to no worker, since 3.013s"},
		"uneven": {shardCoverage, dealt(3.013, []buffer.Shard{0, 1, 2}, []buffer.Shard{3}), 3.013,
			"at 3.013s a worker of the consumer has 3 shards and another 1"},
		"two consumers": {shardCoverage, changed(3.013, func(l *Look) {
			l.Consumers = append(l.Consumers, ConsumerLook{Consumer: 1, Life: 1,
				States: []flusher.WorkerState{{Shards: []buffer.Shard{1}}}})
		}), 3.013, "at 3.013s shard 1 belonged to workers of 2 consumers, since 3.013s"},
		"the first of several": {shardCoverage, all(dealt(2.97), dealt(3.013, []buffer.Shard{0}), dealt(3.05)), 3.013,
			"no worker"},
		"dealt anew": {shardCoverage, dealt(3.013, []buffer.Shard{0, 1}, []buffer.Shard{2, 3}), 0, ""},
		"a gate closes": {backpressure, whim, 7.013,
			"the input of shard 0 was paused at 7.013s, though worker 0 was well"},
		"a gate opens": {backpressure, flap, 4.213,
			"the input of shard 1 was resumed at 4.213s, though worker 1 was down from 4.000s to 4.500s"},
		"a gate opens, where it may be said late that it was right": {backpressure, all(flap, func(e *Evidence) {
			e.Slacks.Told = 0.3
		}), 0, ""},
		"a gate opens, whose shard another worker was given": {backpressure, all(flap,
			moved(moveOf(4.22, flusher.EventAssigned, 1, 3)), func(e *Evidence) { e.Slacks.Told = 0.05 }), 0, ""},
		"a gate closes for a full node": {backpressure, all(whim, fullGate(9, 9.1),
			faulty("fill redis for 3s", 7, 10)), 0, ""},
	} {
		e := alone()
		c.plant(e)
		found, is := c.of.found(e).first()
		if is != (c.at != 0) || found.at != c.at || !strings.Contains(found.reason, c.says) {
			t.Errorf("%s: %v %+v, want it at %v: %s", name, is, found, c.at, c.says)
		}
	}
}
