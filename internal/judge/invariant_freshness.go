package judge

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"

	"sluice/internal/options"
	"sluice/reports"
	"sluice/scenarios"
)

// freshness: what workers say of how fresh segments are agrees with what is seen from outside: no
// segment is acknowledged before its deadline, and the quantiles are no further from those of when
// segments were read than reading and batching take, and whatever held spans up on their way in: a
// shard's clock stands still then.
var freshness = invariant{"freshness", ExitSafety, judgeFreshness, nil}

// Ahead are segments that were acknowledged before their deadline.
type Ahead struct {
	Count int64
	// First says when, who, and how long.
	First string
}

// Add notes what a worker said at a time.
func (a *Ahead) Add(t float64, consumer, worker int, sample float64) {
	a.Count++
	if a.Count == 1 {
		a.First = fmt.Sprintf("at %.1fs worker %d of %s says that a segment was acknowledged %.3fs "+
			"after its deadline", t, worker, nameConsumer(consumer), sample)
	}
}

func judgeFreshness(e *Evidence) (reports.Verdict, string) {
	said, seen := e.Freshness, e.FreshnessSeen
	switch {
	case e.Ahead.Count > 0:
		return violated("%s, first: %s", options.FormatCount(e.Ahead.Count, "segment"), e.Ahead.First)
	case e.silent():
		return unknown("no span came out")
	case said.Count == 0 && e.Balance.Flushed == 0:
		return passed("the consumer ended, as it should, before a span came out")
	case said.Count == 0:
		return unknown("no worker said how fresh a segment was")
	case seen.Count == 0:
		return passed("no segment came out in one record, so there is nothing to compare with")
	}
	allowed, why := heldUp(e)
	for _, q := range []struct {
		name             string
		said, seen, tail float64
	}{
		{"median", said.P50, seen.P50, 0.5}, {"p90", said.P90, seen.P90, 0.1},
		{"p99", said.P99, seen.P99, 0.01}, {"greatest", said.Max, seen.Max, 0},
	} {
		if e.Crowds > 0 && q.tail <= e.crowded() {
			continue // what came with a wrong clock may be overdue by as much, by the next
		}
		if q.said > q.seen+allowed || q.said < q.seen-allowed {
			return violated("workers say that the %s is %.3fs, segments were read %.3fs after their "+
				"deadlines; %.1fs apart are explained: %s", q.name, q.said, q.seen, allowed, why)
		}
	}
	return passed("workers say [50, 99] %.3fs, %.3fs; seen from outside %.3fs, %.3fs", said.P50,
		said.P99, seen.P50, seen.P99)
}

// crowded is the share of the messages that a crowd of wrong timestamps may have harmed: each with those
// around it that may be in one batch with it.
func (e *Evidence) crowded() float64 {
	const around = 16
	return around * float64(e.Crowds) / float64(max(1, e.Balance.Messages))
}

// heldUp returns how far what workers say, in the clock of a shard's input, may be from what is
// seen by the wall's, in seconds, with the reasons: reading and batching, as long as anything was
// broken or paused, and what the load was behind, or waited to be read.
func heldUp(e *Evidence) (seconds float64, why string) {
	p := e.Scenario.Pipeline
	list := broken(e)
	for _, t := range troublesOf(e, watchedUntil(e)) {
		list = append(list, disturbance{stretch{t.from, t.to}, allShards})
	}
	slices.SortFunc(list, func(a, b disturbance) int { return cmp.Compare(a.from, b.from) })
	until, unwell := 0.0, 0.0
	for _, d := range list {
		unwell += max(0, d.to-max(d.from, until))
		until = max(until, d.to)
	}
	var backlog int64
	for i := range e.Samples {
		backlog = max(backlog, e.Samples[i].Backlog)
	}
	waited := float64(backlog) * e.perMessage()
	if e.Scenario.Workload.Duplicates > 0 {
		// One that comes again sets the deadline anew, most likely by the next second.
		waited += slowest(e.Scenario.Pacer(), scenarios.RepeatWithin) + clockStep
	}
	still := 0.0
	for i, looks := 1, e.watched(); i < len(looks); i++ {
		still = max(still, looks[i].T-looks[i-1].T)
	}
	jump := 0.0
	for _, o := range e.Scenario.Plan() {
		if o.Fault.Verb == scenarios.VerbJump {
			jump += math.Abs(o.Fault.By.Seconds())
		}
	}
	found := 0.0
	for _, o := range e.Scenario.Plan() {
		if o.Fault.Verb == scenarios.VerbWipe && o.Fault.Target.N != scenarios.AllNodes ||
			o.Fault.Verb == scenarios.VerbFailover {
			// What no queue names any more is found, and waits once more as if it had just come.
			found = max(p.Timeout, p.RootTimeout).Seconds() + foundWithin(e)
		}
	}
	grain := e.Slacks.Reading + p.BatchWait().Seconds() + clockStep
	return grain + unwell + e.Behind + waited + still + jump + found, fmt.Sprintf("%.1fs by reading and "+
		"batches, %.1fs by faults and pauses, %.1fs by a load behind its time, %.1fs by messages that "+
		"waited, %.1fs by a machine that stood still, %.1fs by clocks that jumped, %.1fs by what a wiped "+
		"node had queued", grain, unwell, e.Behind, waited, still, jump, found)
}

// foundWithin is how long it takes until what no queue names is found after a loss, in seconds: two
// rounds of a quick sweep, which begin within a second, and which all share that are counted as consumers:
// those of the last two counts.
func foundWithin(e *Evidence) float64 {
	const alone, counts = 4, 20
	type life struct{ consumer, life int }
	seen, most := map[life]float64{}, 1
	for _, l := range e.Looks {
		for _, c := range l.Consumers {
			seen[life{c.Consumer, c.Life}] = l.T
		}
		maps.DeleteFunc(seen, func(_ life, t float64) bool { return t < l.T-counts })
		most = max(most, len(seen))
	}
	return float64(alone * most)
}

// slowest returns how long the load takes for n messages where it is slowest, in seconds.
func slowest(p scenarios.Pacer, n int64) float64 {
	const looksMax = 1000
	total := p.Total()
	longest := p.At(min(n, total))
	step := max(n/8, total/looksMax, 1)
	for from := int64(0); from+n+step <= total; from += step {
		longest = max(longest, p.At(from+n+step)-p.At(from))
	}
	return longest.Seconds()
}
