package harness

import (
	"slices"
	"time"

	"sluice/buffer"
	"sluice/flusher"
	"sluice/reports"
)

// backpressure: input pauses for the shards of a worker that is down, or lags for longer than
// backpressure_after; for no other shards; and goes on when that is over.
var backpressure = invariant{"backpressure", liveness, judgeBackpressure}

func judgeBackpressure(e *evidence) (reports.Verdict, string) {
	end := watchedUntil(e)
	troubles := troublesOf(e.moves, end)
	pauses := pausesOf(e.moves, end)
	for _, p := range pauses {
		// A full Redis pauses all shards, whatever their workers do.
		if e.scenario.Pipeline.MaxMemory == flusher.MemoryOff {
			if verdict, reason := justified(p, troubles, end); verdict != reports.Passed {
				return verdict, reason
			}
		}
	}
	after := e.scenario.Pipeline.BackpressureAfter.Seconds() + gateSlack.Seconds()
	for _, trouble := range troubles {
		for _, shard := range trouble.shards(e) {
			if trouble.to-trouble.from > after && !engaged(pauses, shard, trouble, after) {
				return violated("worker %d was in trouble (%s) from %.1fs to %.1fs, but the input of shard %d "+
					"went on", trouble.worker, trouble.what, trouble.from, trouble.to, shard)
			}
		}
	}
	return passed("input of shards paused %s, and resumed each time", plural(len(pauses), "time"))
}

// gateSlack is how much later than its cause the gate may close or open. It takes some turns of the
// supervisor, which a loaded machine can draw out.
const gateSlack = 2 * time.Second

// trouble is a time in which a worker gave reason to pause its input: from its failure, or from the
// begin of its backpressure, until it is healthy and keeps up.
type trouble struct {
	worker   int
	from, to float64
	what     string
}

// shards returns those that the worker has.
func (t trouble) shards(e *evidence) []buffer.Shard {
	for i := len(e.looks) - 1; i >= 0; i-- {
		for _, w := range e.looks[i].States {
			if w.Worker == t.worker && len(w.Shards) > 0 {
				return w.Shards
			}
		}
	}
	return nil
}

// pause is a time in which the input of a shard was paused.
type pause struct {
	shard    buffer.Shard
	worker   int
	from, to float64
}

func watchedUntil(e *evidence) float64 {
	if looks := e.watched(); len(looks) > 0 {
		return looks[len(looks)-1].T
	}
	return 0
}

// troublesOf follows each worker through the events. What lasts is cut off at the end.
func troublesOf(moves []move, end float64) []trouble {
	open := map[int]trouble{}
	var list []trouble
	for _, m := range moves {
		t, is := open[m.Worker]
		switch m.Kind {
		case flusher.EventFailed, flusher.EventBackpressureOn, flusher.EventStarted:
			if !is && m.T < end {
				open[m.Worker] = trouble{worker: m.Worker, from: m.T, what: m.Kind.String()}
			}
		case flusher.EventHealthy, flusher.EventBackpressureOff:
			if is {
				t.to = m.T
				list = append(list, t)
				delete(open, m.Worker)
			}
		}
	}
	for worker := range 1 + slices.MaxFunc(append(moves, move{}), byWorker).Worker {
		if t, is := open[worker]; is {
			t.to = end
			list = append(list, t)
		}
	}
	return list
}

func byWorker(a, b move) int { return a.Worker - b.Worker }

// pausesOf returns the times in which the gate was closed. What lasts is cut off at the end; what
// begins after it belongs to the shutdown.
func pausesOf(moves []move, end float64) []pause {
	var list []pause
	open := map[buffer.Shard]int{}
	for _, m := range moves {
		for _, shard := range m.Shards {
			at, is := open[shard]
			switch {
			case m.Kind == flusher.EventGateClosed && !is && m.T < end:
				open[shard] = len(list)
				list = append(list, pause{shard: shard, worker: m.Worker, from: m.T, to: end})
			case m.Kind == flusher.EventGateOpened && is:
				list[at].to = m.T
				delete(open, shard)
			}
		}
	}
	return list
}

// justified checks that a pause begins and ends with a trouble of the shard's own worker.
func justified(p pause, troubles []trouble, end float64) (reports.Verdict, string) {
	covered := p.from
	for _, t := range troubles {
		if t.worker == p.worker && t.from <= covered+gateSlack.Seconds() {
			covered = max(covered, t.to)
		}
	}
	if p.to-covered <= gateSlack.Seconds() {
		return passed("")
	}
	if p.to >= end {
		return violated("the input of shard %d was paused at %.1fs and never resumed, though worker %d "+
			"was well from %.1fs on", p.shard, p.from, p.worker, covered)
	}
	return violated("the input of shard %d was paused from %.1fs to %.1fs, though worker %d was well "+
		"from %.1fs on", p.shard, p.from, p.to, p.worker, covered)
}

// engaged tells whether the shard's input paused in time for a trouble that lasts.
func engaged(pauses []pause, shard buffer.Shard, t trouble, after float64) bool {
	return slices.ContainsFunc(pauses, func(p pause) bool {
		return p.shard == shard && p.from <= t.from+after && p.to > t.from
	})
}
