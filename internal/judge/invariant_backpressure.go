package judge

import (
	"cmp"
	"math"
	"slices"

	"sluice/buffer"
	"sluice/flusher"
	"sluice/internal/options"
	"sluice/reports"
	"sluice/scenarios"
)

// backpressure: input pauses for the shards of a worker that is down, or lags for longer than
// backpressure_after; for no other shards; and resumes when that is over. It pauses, too, while a node
// of Redis is fuller than max_memory.
// That is what consumers say of their gates; in a world that sees it, none holds back anything beside that.
var backpressure = invariant{"backpressure", ExitLiveness, judgeBackpressure, misgated}

// misgated is input that paused and should not have, or did not and should have.
func misgated(e *Evidence) (found violations) {
	end := watchedUntil(e)
	troubles := troublesOf(e, end)
	pauses := pausesOf(e, end)
	full, known := fullTimes(e)
	for _, p := range pauses {
		if !known {
			break
		}
		found = append(found, unjustified(e, p, troubles, full)...)
		found = append(found, untimely(e, p, troubles, full)...)
	}
	found = append(found, unpaused(e, pauses, troubles)...)
	for _, w := range e.Withheld {
		found.add(w.T, "at %.1fs consumer %d held back the input of shard %d, though nothing asked for that and "+
			"less of it waited than may", w.T, w.Consumer, w.Shard)
	}
	if f, is := fullUnnoticed(e, pauses); is {
		found.add(f.From+askedEvery+e.Slacks.Gate, "a node of Redis was full from %.1fs to %.1fs (%s), but no "+
			"input paused", f.From, f.To, f.Fault)
	}
	return found
}

func judgeBackpressure(e *Evidence) (reports.Verdict, string) {
	if first, is := misgated(e).first(); is {
		return violated("%s", first.reason)
	}
	pauses := pausesOf(e, watchedUntil(e))
	return passed("input of shards paused %s, and resumed each time", options.FormatCount(len(pauses), "time"))
}

// unpaused returns the troubles for which the input of a shard did not pause in time.
func unpaused(e *Evidence, pauses []pause, troubles []trouble) (found violations) {
	after := e.Scenario.Pipeline.BackpressureAfter.Seconds() + e.Slacks.Gate
	for _, trouble := range troubles {
		if trouble.dismissed {
			continue // its shards went to another consumer
		}
		trouble.counts = heard(e, trouble.slot, trouble.counts, trouble.to, after)
		for _, shard := range trouble.shards(e) {
			trouble := trouble
			trouble.counts = max(trouble.counts, assignedAt(e.Moves, trouble.slot, shard, trouble.to))
			if trouble.to-trouble.counts > after && !engaged(pauses, shard, trouble, after) {
				found.add(trouble.counts+after, "worker %d was in trouble (%s) from %.1fs to %.1fs, but the input of "+
					"shard %d did not pause", trouble.worker, trouble.what, trouble.from, trouble.to, shard)
			}
		}
	}
	return found
}

// slot is the place of a worker in one life of a consumer.
type slot struct{ consumer, life, worker int }

func (m Move) slot() slot { return slot{m.Consumer, m.Life, m.Worker} }

// trouble is a time in which a worker gave reason to pause its input: from its failure, or from the
// begin of its backpressure, until it is healthy and keeps up.
type trouble struct {
	slot
	from, to float64
	what     string
	// counts is from when on it counts for the gate: later than from if the shards changed.
	counts float64
	// dismissed is true if the worker was ended in it and not started again; gone, if so with its shards,
	// which nobody has until the consumer ends.
	dismissed, gone bool
}

// shards returns those that the worker had then.
func (t trouble) shards(e *Evidence) []buffer.Shard {
	var shards []buffer.Shard
	for _, l := range e.Looks {
		if l.T < t.from {
			continue
		}
		if l.T > t.to {
			break
		}
		for _, c := range l.Consumers {
			for _, w := range c.States {
				if (slot{c.Consumer, c.Life, w.Worker}) == t.slot && len(w.Shards) > 0 {
					shards = w.Shards
				}
			}
		}
	}
	return shards
}

// assignedAt returns when a worker got a shard that it has at a time, as far as that was said.
func assignedAt(moves []Move, at slot, shard buffer.Shard, by float64) float64 {
	since, has := math.Inf(-1), false
	for _, m := range moves {
		if m.T > by || m.slot() != at || m.Kind != flusher.EventAssigned {
			continue
		}
		had := has
		if has = slices.Contains(m.Shards, shard); has && !had {
			since = m.T
		}
	}
	return since
}

// heard returns from when on a consumer is to act on what was at a time: not while it is frozen, if it
// froze before it should have acted. Nothing is read then, and nobody can pause that or resume it. Nor while
// the machine stands still.
func heard(e *Evidence, at slot, from, until, within float64) float64 {
	for i, l := range e.Looks {
		if still := stoodStill(e.Looks, i); l.T > from && l.T <= until && l.T-still <= from+within {
			from += min(still, l.T-from)
		}
		for _, c := range l.Consumers {
			if c.Consumer == at.consumer && c.Life == at.life && c.Heard > e.Slacks.Silence &&
				l.T > from && l.T <= until && l.T-c.Heard <= from+within {
				from = l.T
			}
		}
	}
	return from
}

// pause is a time in which the input of a shard was paused.
type pause struct {
	slot
	shard    buffer.Shard
	from, to float64
	// lasting is true if it was never seen to end, opened if its gate was: it may also have ended because its
	// worker does not have the shard any more.
	lasting, opened bool
	// seen is until when the life of its consumer was.
	seen float64
}

// lifeEnds returns when each life of a consumer was last seen before it was asked to stop, cut off
// at the end: what lasted then ended with it. One that drains opens no gate any more.
func lifeEnds(e *Evidence, end float64) map[slot]float64 {
	ends := map[slot]float64{}
	for _, l := range e.Looks {
		for _, c := range l.Consumers {
			if !c.Ending {
				ends[slot{c.Consumer, c.Life, 0}] = min(l.T, end)
			}
		}
	}
	return ends
}

func watchedUntil(e *Evidence) float64 {
	if looks := e.watched(); len(looks) > 0 {
		return looks[len(looks)-1].T
	}
	return 0
}

// troublesOf follows each worker through the events: from a failure, a start, being asked to stop for
// other shards, a loss of data that has its shards fenced again, or an end because another owner has
// them all, until it is healthy. What lasts is cut off at the end of its consumer's life, or of its own
// if it was not started again.
func troublesOf(e *Evidence, end float64) []trouble {
	t := &troubles{end: end, open: map[slot]trouble{}, leaving: map[slot]trouble{},
		ended: map[slot]float64{}, replaced: map[slot]bool{}}
	for _, m := range e.Moves {
		t.move(m)
		t.standing(m)
	}
	t.finish(e)
	return t.list
}

// troubles are those of all workers, in the order in which they ended.
type troubles struct {
	end  float64
	open map[slot]trouble
	// What a worker says of itself that is to end, or whose shards are fenced again, ends no trouble: the
	// next one's start does.
	leaving  map[slot]trouble
	ended    map[slot]float64 // when the worker was last proven stopped, unless it is to start again
	replaced map[slot]bool    // it is to start again, as soon as its shards can be fenced
	list     []trouble
}

// shut ends the trouble of a worker, if it has one.
func (t *troubles) shut(at slot, by float64) {
	if trouble, is := t.open[at]; is {
		trouble.to = by
		t.list = append(t.list, trouble)
		delete(t.open, at)
	}
}

// move begins and ends troubles.
func (t *troubles) move(m Move) {
	at := m.slot()
	switch m.Kind {
	case flusher.EventFailed, flusher.EventBackpressureOn, flusher.EventStarted,
		flusher.EventStopping, flusher.EventSetBack, flusher.EventSuperseded:
		t.begin(m)
	case flusher.EventAssigned:
		t.assigned(m)
	case flusher.EventHealthy, flusher.EventBackpressureOff:
		t.shut(at, m.T)
		if lasts, is := t.leaving[at]; is {
			t.open[at] = lasts
		}
	}
}

// begin begins the trouble of a worker, if it has none.
func (t *troubles) begin(m Move) {
	if m.T >= t.end {
		return
	}
	at := m.slot()
	begun := trouble{slot: at, from: m.T, counts: m.T, what: m.Kind.String()}
	if m.Kind == flusher.EventStopping || m.Kind == flusher.EventSetBack {
		if _, already := t.leaving[at]; !already {
			t.leaving[at] = begun
		}
	}
	if _, is := t.open[at]; !is {
		t.open[at] = begun
	}
}

// assigned says that a worker has other shards. How long new shards have had no worker counts from now.
// Before it is started they are fenced, which takes its time while Redis is away.
func (t *troubles) assigned(m Move) {
	at := m.slot()
	trouble, lasts := t.open[at]
	switch {
	case !lasts && len(m.Shards) > 0:
		t.begin(m)
	case lasts && len(m.Shards) == 0: // if it gets others, that is a trouble of its own
		trouble.dismissed = true
		t.open[at] = trouble
		t.shut(at, m.T)
	case lasts && trouble.what != flusher.EventFailed.String():
		trouble.counts = m.T
		t.open[at] = trouble
	}
}

// standing keeps which workers have ended, or are to be replaced.
func (t *troubles) standing(m Move) {
	at := m.slot()
	switch {
	case m.Kind == flusher.EventRestart:
		t.replaced[at] = true
	case m.Kind == flusher.EventStopped && !t.replaced[at],
		m.Kind == flusher.EventAssigned && len(m.Shards) == 0 && t.replaced[at]:
		t.ended[at] = m.T
	case m.Kind == flusher.EventStarted:
		delete(t.ended, at)
		delete(t.replaced, at)
		delete(t.leaving, at)
	}
}

// finish cuts off what lasts.
func (t *troubles) finish(e *Evidence) {
	ends := lifeEnds(e, t.end)
	for _, m := range e.Moves {
		at := m.slot()
		if ended, is := t.ended[at]; is {
			if trouble, lasts := t.open[at]; lasts {
				trouble.dismissed, trouble.gone = true, true
				t.open[at] = trouble
			}
			t.shut(at, min(ended, t.end))
		}
		t.shut(at, ends[slot{m.Consumer, m.Life, 0}])
	}
}

// pausesOf returns the times in which the gate was closed. What lasts is cut off at the end of the
// consumer's life; what begins after the end of the run belongs to the shutdown.
func pausesOf(e *Evidence, end float64) []pause {
	type gate struct {
		consumer, life int
		shard          buffer.Shard
	}
	var list []pause
	open := map[gate]int{}
	ends := lifeEnds(e, end)
	for _, m := range e.Moves {
		if m.Kind == flusher.EventAssigned {
			// The gate of a shard that the worker does not have any more is of no concern.
			for g, at := range open { //order-free: each gate is shut by itself
				if list[at].slot == m.slot() && !slices.Contains(m.Shards, g.shard) {
					list[at].to, list[at].lasting = m.T, false
					delete(open, g)
				}
			}
		}
		for _, shard := range m.Shards {
			g := gate{m.Consumer, m.Life, shard}
			at, is := open[g]
			switch {
			case m.Kind == flusher.EventGateClosed && !is && m.T < end:
				open[g] = len(list)
				seen := ends[slot{m.Consumer, m.Life, 0}]
				list = append(list, pause{slot: m.slot(), shard: shard, from: m.T, to: seen, seen: seen, lasting: true})
			case m.Kind == flusher.EventGateOpened && is:
				list[at].to, list[at].lasting, list[at].opened = m.T, false, true
				delete(open, g)
			}
		}
	}
	return list
}

// fullTimes returns when a node of Redis may have been fuller than max_memory, or known to be, which pauses
// all shards whatever their workers do. False: servers may fill up by themselves there.
func fullTimes(e *Evidence) (full []stretch, known bool) {
	if e.Scenario.Pipeline.MaxMemory == flusher.MemoryOff {
		return nil, true
	}
	if _, onWall := e.Unmeasured[VirtualTime]; onWall {
		return nil, false
	}
	var faults []disturbance // while one lasts nobody may be able to ask
	list := reports.FaultsOf(e.Events)
	for _, f := range list {
		faults = append(faults, disturbance{stretch{f.From, f.To}, allShards})
	}
	for _, f := range list {
		var fault scenarios.Fault
		if fault.UnmarshalText([]byte(f.Fault)) == nil && fault.Verb == scenarios.VerbFill {
			full = append(full, stretch{f.From, stretched(faults, allShards, f.To, askedEvery)})
		}
	}
	return full, true
}

// unjustified returns what is wrong with a pause that does not begin and end with a trouble of the shard's own
// worker, or a full Redis, but for the slack, and the time in which the consumer was frozen.
func unjustified(e *Evidence, p pause, troubles []trouble, full []stretch) (found violations) {
	covered, slack := p.from, e.Slacks.Gate
	for _, f := range full {
		troubles = append(troubles[:len(troubles):len(troubles)], trouble{slot: p.slot, from: f.from, to: f.to})
	}
	if len(full) > 0 {
		slices.SortStableFunc(troubles, func(a, b trouble) int { return cmp.Compare(a.from, b.from) })
	}
	for _, t := range troubles {
		if t.slot == p.slot && t.from <= covered+slack {
			if t.gone {
				return nil
			}
			covered = heard(e, p.slot, max(covered, t.to), p.to, slack)
		}
	}
	if p.to-covered <= slack {
		return nil
	}
	if p.lasting {
		found.add(covered+slack, "the input of shard %d was paused at %.1fs and never resumed, though worker %d "+
			"was well from %.1fs on", p.shard, p.from, p.worker, covered)
		return found
	}
	found.add(covered+slack, "the input of shard %d was paused from %.1fs to %.1fs, though worker %d was well "+
		"from %.1fs on", p.shard, p.from, p.to, p.worker, covered)
	return found
}

// untimely returns what is wrong with the moments at which a gate closed and opened, however short the pause
// was: it closes while something gives reason to, and does not open while its worker, which failed, is down.
func untimely(e *Evidence, p pause, troubles []trouble, full []stretch) (found violations) {
	told := e.Slacks.Told
	// Its shard may be another's by then, of which another task tells.
	dealt := slices.ContainsFunc(e.Moves, func(m Move) bool {
		return m.Kind == flusher.EventAssigned && m.slot() == p.slot && !slices.Contains(m.Shards, p.shard) &&
			math.Abs(m.T-p.to) < told
	})
	reason := slices.ContainsFunc(full, func(f stretch) bool { return f.from <= p.from+told && p.from <= f.to+told })
	for _, t := range troubles {
		if t.slot != p.slot {
			continue
		}
		reason = reason || t.from <= p.from+told && (p.from <= t.to+told || t.gone)
		if p.opened && !dealt && t.what == flusher.EventFailed.String() && t.from+told < p.to && p.to+told < t.to {
			found.add(p.to, "the input of shard %d was resumed at %.3fs, though worker %d was down from %.3fs to %.3fs",
				p.shard, p.to, p.worker, t.from, t.to)
		}
	}
	// Troubles are cut off with the life, which may have gone on for a moment after it was last seen.
	if !reason && p.from <= p.seen {
		found.add(p.from, "the input of shard %d was paused at %.3fs, though worker %d was well", p.shard, p.from,
			p.worker)
	}
	return found
}

// engaged tells whether the shard's input paused in time for a trouble that lasts.
func engaged(pauses []pause, shard buffer.Shard, t trouble, after float64) bool {
	return slices.ContainsFunc(pauses, func(p pause) bool {
		return p.shard == shard && p.consumer == t.consumer && p.life == t.life &&
			p.from <= t.counts+after && p.to > t.counts
	})
}

// fullUnnoticed returns the first fault that filled a node of Redis though no input paused in time, where
// max_memory asks for that and nothing else was broken.
func fullUnnoticed(e *Evidence, pauses []pause) (reports.FaultSummary, bool) {
	if e.Scenario.Pipeline.MaxMemory == flusher.MemoryOff {
		return reports.FaultSummary{}, false
	}
	after := askedEvery + e.Slacks.Gate
	list := reports.FaultsOf(e.Events)
	for i, f := range list {
		var fault scenarios.Fault
		if fault.UnmarshalText([]byte(f.Fault)) != nil || fault.Verb != scenarios.VerbFill ||
			f.To-f.From <= after {
			continue
		}
		until := f.From + after
		others := slices.ContainsFunc(list, func(other reports.FaultSummary) bool {
			return other != list[i] && other.From <= until && other.To >= f.From
		})
		if !others && !slices.ContainsFunc(pauses, func(p pause) bool {
			return p.from <= until && p.to > f.From
		}) {
			return f, true
		}
	}
	return reports.FaultSummary{}, false
}

// askedEvery is within how many seconds the supervisor asks how full the nodes are.
const askedEvery = 1.0
