package harness

import (
	"sluice/buffer"
	"sluice/flusher"
	"sluice/reports"
)

// shardCoverage: each shard belongs to exactly one worker, and loads differ by one at most; and a
// worker is started only when the one before it is proven stopped and its shards are fenced, so no
// shard has two owners that count.
var shardCoverage = invariant{"shard coverage", safety, judgeShardCoverage}

func judgeShardCoverage(e *evidence) (reports.Verdict, string) {
	looks := e.watched()
	for _, l := range looks {
		if verdict, reason := covers(e, l); verdict != reports.Passed {
			return verdict, reason
		}
	}
	if verdict, reason := succession(e.moves); verdict != reports.Passed {
		return verdict, reason
	}
	if len(looks) == 0 {
		return unknown("the run was over before anybody looked")
	}
	return passed("%d shards, looked at %d times", e.scenario.Topology.Partitions, len(looks))
}

func covers(e *evidence, l look) (reports.Verdict, string) {
	owner := map[buffer.Shard]int{}
	least, greatest := e.scenario.Topology.Partitions, 0
	for _, w := range l.States {
		for _, shard := range w.Shards {
			if other, taken := owner[shard]; taken {
				return violated("at %.1fs shard %d belongs to worker %d and to worker %d",
					l.T, shard, other, w.Worker)
			}
			owner[shard] = w.Worker
		}
		least, greatest = min(least, len(w.Shards)), max(greatest, len(w.Shards))
	}
	for shard := range e.scenario.Topology.Partitions {
		if _, ok := owner[buffer.Shard(shard)]; !ok && !e.endedEarly {
			return violated("at %.1fs shard %d belongs to no worker", l.T, shard)
		}
	}
	if greatest-least > 1 && !e.endedEarly {
		return violated("at %.1fs a worker has %d shards and another %d", l.T, greatest, least)
	}
	return passed("")
}

// succession checks the order in which workers follow each other: stopped, fenced, started. A
// stray, which cannot be killed, is replaced without being stopped, but never without a fence.
func succession(moves []move) (reports.Verdict, string) {
	type life struct{ running, fenced bool }
	lives := map[int]*life{}
	for _, m := range moves {
		l := lives[m.Worker]
		if l == nil {
			l = &life{}
			lives[m.Worker] = l
		}
		switch m.Kind {
		case flusher.EventStopped, flusher.EventStray:
			l.running = false
		case flusher.EventFenced:
			l.fenced = true
		case flusher.EventStarted:
			if l.running {
				return violated("at %.1fs worker %d was started again though the one before it "+
					"was not proven stopped", m.T, m.Worker)
			}
			if !l.fenced {
				return violated("at %.1fs worker %d was started without a fence", m.T, m.Worker)
			}
			l.running, l.fenced = true, false
		}
	}
	return passed("")
}
