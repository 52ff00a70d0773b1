package judge

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"sluice/buffer"
	"sluice/consumer/ingest"
	"sluice/flusher"
	"sluice/internal/ledger"
	"sluice/reports"
	"sluice/scenarios"
)

// cause is something that excuses what is wrong with records of some shards for some time, and
// nothing else: one that began while first lasts, and came out while again does.
type cause struct {
	what         string
	shards       []buffer.Shard // nil: all
	first, again stretch
}

// stretch is a time, both ends included.
type stretch struct{ from, to float64 }

func (s stretch) has(t float64) bool { return s.from <= t && t <= s.to }

var always = stretch{math.Inf(-1), math.Inf(1)}

func (c *cause) excuses(i *ledger.Incident) bool {
	return c.again.has(i.To.Seconds()) && c.first.has(i.From.Seconds()) &&
		(c.shards == nil || slices.Contains(c.shards, buffer.Shard(i.Shard)))
}

// unexcused returns the first incident of a kind for which there is no cause, if there is one, and
// the cause of the last one.
func unexcused(e *Evidence, kind ledger.Finding, causes []cause) (*ledger.Incident, string) {
	what := ""
	for n := range e.Balance.Incidents {
		i := &e.Balance.Incidents[n]
		if i.Kind != kind {
			continue
		}
		at := slices.IndexFunc(causes, func(c cause) bool { return c.excuses(i) })
		if at < 0 {
			return i, ""
		}
		what = causes[at].what
	}
	return nil, what
}

// inFlight are the causes of an exact repeat: what a worker had handed over, and not yet taken out
// of the store, when its shard got its next owner, comes out once more by that one, unchanged; and
// so does what Kafka may have taken without saying so.
func inFlight(e *Evidence) []cause {
	var causes []cause
	owners, quiet := map[buffer.Shard]Move{}, disturbances(e)
	slack := e.Slacks.Reading
	// A worker may have been stuck for so long when it was found out, and its successor may be.
	stuck := 2*e.Scenario.Pipeline.MaxUnhealthy.Seconds() + slack
	for n, m := range e.Moves {
		if m.Kind != flusher.EventFenced {
			continue
		}
		for _, shard := range m.Shards {
			if last, owned := owners[shard]; owned {
				gone := max(m.T, goneAt(e, last, e.Moves[:n], e.Moves[n:]))
				causes = append(causes, cause{
					what: m.String(), shards: []buffer.Shard{shard},
					first: stretch{stretched(quiet, shard, m.T, -stuck),
						stretched(quiet, shard, gone, slack)}, // what it has sent may be on its way still
					again: stretch{m.T - slack, stretched(quiet, shard, gone, stuck)},
				})
			}
			owners[shard] = m
		}
	}
	for _, f := range reports.FaultsOf(e.Events) {
		if !losesAnswers(f.Fault) {
			continue
		}
		causes = append(causes, cause{
			what:  f.Fault,
			first: stretch{f.From - slack, f.To + slack},
			again: stretch{f.From - slack, f.To + stuck},
		})
	}
	return slices.Concat(causes, foundAgain(e, stuck), flushedAgain(e), redelivered(e))
}

// flushedAgain are the causes for which a span comes out again after Redis was set back: it has once more
// what was flushed since.
func flushedAgain(e *Evidence) []cause {
	var causes []cause
	quiet, p := disturbances(e), e.Scenario.Pipeline
	stuck := 2*p.MaxUnhealthy.Seconds() + e.Slacks.Reading
	waits := max(p.Timeout, p.RootTimeout).Seconds() + foundWithin(e) + clockStep
	for _, f := range reports.FaultsOf(e.Events) {
		var fault scenarios.Fault
		if fault.UnmarshalText([]byte(f.Fault)) != nil || fault.Verb != scenarios.VerbFailover {
			continue
		}
		causes = append(causes, cause{
			what: f.Fault,
			// A record counts from when it was read first, a span from when it was sent.
			first: stretch{stretched(quiet, allShards, f.From, -waits-stuck),
				stretched(quiet, allShards, f.To, stuck)},
			again: stretch{f.From, stretched(quiet, allShards, f.To, waits+stuck)},
		})
	}
	return causes
}

// foundAgain are the causes of an exact repeat of what was in flight when the node with its queue was
// wiped: no queue names it any more, so it is found, and comes out when it has waited once more.
func foundAgain(e *Evidence, stuck float64) []cause {
	var causes []cause
	quiet, p := disturbances(e), e.Scenario.Pipeline
	waits := max(p.Timeout, p.RootTimeout).Seconds() + foundWithin(e)
	for _, f := range reports.FaultsOf(e.Events) {
		var fault scenarios.Fault
		if fault.UnmarshalText([]byte(f.Fault)) != nil || fault.Verb != scenarios.VerbWipe ||
			fault.Target.N == scenarios.AllNodes {
			continue // with all nodes its spans are gone, too
		}
		causes = append(causes, cause{
			what: f.Fault,
			first: stretch{stretched(quiet, allShards, f.From, -stuck),
				stretched(quiet, allShards, f.To, stuck)},
			again: stretch{f.From, stretched(quiet, allShards, f.To, waits+stuck)},
		})
	}
	return causes
}

// goneAt returns when the owner that fenced a shard last was surely gone, by what was reported
// before and after the next fence: one that was not stopped may go on for a while beside its
// successor.
func goneAt(e *Evidence, owner Move, before, after []Move) float64 {
	ended := func(m Move) bool {
		return m.slot() == owner.slot() && m.T >= owner.T &&
			(m.Kind == flusher.EventStopped || m.Kind == flusher.EventStrayEnded)
	}
	if slices.ContainsFunc(before, ended) {
		return math.Inf(-1)
	}
	at := watchedUntil(e)
	for _, event := range e.Events {
		if event.Kind == reports.EventConsumer && event.Consumer == owner.Consumer && event.T > owner.T &&
			(event.State == reports.StateDead || event.State == reports.StateStopped) {
			at = min(at, event.T+e.Slacks.Orphan)
			break
		}
	}
	if n := slices.IndexFunc(after, ended); n >= 0 {
		at = min(at, after[n].T)
	}
	return at
}

// losesAnswers tells whether Kafka may have taken a record in that fault, and said nothing of it.
func losesAnswers(fault string) bool {
	words := strings.Fields(fault)
	return strings.HasPrefix(fault, "lose producer.produce") ||
		strings.HasPrefix(fault, "lose dead-letters.produce") ||
		(slices.Contains(words, "kafka") || slices.Contains(words, "partition")) &&
			!slices.Contains(words, "slow") && !slices.Contains(words, "throttle") &&
			!slices.Contains(words, "jump") && !slices.Contains(words, string(scenarios.VerbDelete))
}

// redelivered are the causes for which a message is delivered again, after its span was flushed and
// forgotten: its partition has got a new owner before it was committed. The span comes out again
// when its time has come once more.
func redelivered(e *Evidence) []cause {
	var causes []cause
	quiet := disturbances(e)
	p, slack := e.Scenario.Pipeline, e.Slacks.Reading
	stuck := 2*p.MaxUnhealthy.Seconds() + slack
	again := max(p.Timeout, p.RootTimeout).Seconds() + p.BatchWait().Seconds() + clockStep
	for _, m := range e.Moves {
		if m.Kind != flusher.EventAssigned || m.T <= 0 || len(m.Shards) == 0 {
			continue
		}
		for _, shard := range m.Shards {
			last := stretched(quiet, shard, m.T, stuck)
			causes = append(causes, cause{
				what: m.String(), shards: []buffer.Shard{shard},
				first: stretch{stretched(quiet, shard, m.T, -stuck-again), last},
				// What is read may come out before the supervisor takes the shard over, which waits for
				// the first batches: bad messages do.
				again: stretch{stretched(quiet, shard, m.T, -slack-assignWait),
					stretched(quiet, shard, last, again+slack)},
			})
		}
	}
	return causes
}

// assignWait is for how many seconds, at most, the flushing of a new partition waits for its first
// batches.
var assignWait = ingest.DefaultConfig("", "").AssignWait.Seconds()

// disturbance is a time in which nothing of a shard may have moved; shard allShards: of any.
type disturbance struct {
	stretch
	shard buffer.Shard
}

const allShards = -1

// disturbances are the faults, the pauses of the input of a shard, and when messages waited to be
// read, as they do while the system catches up.
func disturbances(e *Evidence) []disturbance {
	list := broken(e)
	caughtUp := len(list)
	wait := e.Slacks.Reading + e.Scenario.Pipeline.BatchWait().Seconds()
	for i := range e.Samples {
		t, waited := e.Samples[i].T, float64(e.Samples[i].Backlog)*e.perMessage()
		switch last := len(list) - 1; {
		case waited <= wait:
		case last >= caughtUp && list[last].to >= t-waited:
			list[last].to = t
		default:
			list = append(list, disturbance{stretch{t - waited, t}, allShards})
		}
	}
	return list
}

// broken are the faults, and the pauses of the input of a shard.
func broken(e *Evidence) []disturbance {
	var list []disturbance
	for _, f := range reports.FaultsOf(e.Events) {
		list = append(list, disturbance{stretch{f.From, f.To}, allShards})
	}
	for _, p := range pausesOf(e, watchedUntil(e)) {
		list = append(list, disturbance{stretch{p.from, p.to}, p.shard})
	}
	return list
}

// stretched returns a time so much later, or earlier, than another, not counting the disturbances
// of a shard in between.
func stretched(list []disturbance, shard buffer.Shard, t, by float64) float64 {
	for at := t + by; ; {
		next := at
		for _, d := range list {
			switch {
			case d.shard != shard && d.shard != allShards:
			case by > 0 && d.from <= next && d.to >= t:
				next = max(next, d.to+by)
			case by < 0 && d.to >= next && d.from <= t:
				next = min(next, d.from+by)
			}
		}
		if next == at {
			return at
		}
		at = next
	}
}

// flushedEarly are the causes for which a segment may be flushed before what belongs to it has come: the
// clock of its input went ahead, and is there until the producers' has caught up; or Redis was full,
// so that clocks went on to make room, while the input waited.
func flushedEarly(e *Evidence) []cause {
	var causes []cause
	wait := max(e.Scenario.Pipeline.Timeout, e.Scenario.Pipeline.RootTimeout).Seconds() + clockStep
	for _, f := range reports.FaultsOf(e.Events) {
		var fault scenarios.Fault
		if fault.UnmarshalText([]byte(f.Fault)) != nil ||
			fault.Verb != scenarios.VerbJump && fault.Verb != scenarios.VerbFill {
			continue // one at a port has another form
		}
		until := f.To + math.Abs(fault.By.Seconds()) + wait
		if fault.Verb == scenarios.VerbFill {
			until += f.To - f.From
		}
		c := cause{what: f.Fault, first: stretch{f.From - until, until}, again: stretch{f.From, until}}
		if fault.Target.Kind == scenarios.TargetPartition {
			c.shards = []buffer.Shard{buffer.Shard(fault.Target.N)}
		}
		causes = append(causes, c)
	}
	return causes
}

// attachedAgain are the causes for which a span is attached a second time after it was flushed: what had
// become of the first attach was not known, since Redis' answer was lost, so it was tried again. In
// between the segment was flushed, since it was overdue when the span joined it, as one is whose worker
// was held up; or since the clock that waits for the attach had gone on, as it does when it is ahead or
// Redis is full, and for longer than the fault.
func attachedAgain(e *Evidence) []cause {
	var causes []cause
	quiet, p := disturbances(e), e.Scenario.Pipeline
	stuck := 2*p.MaxUnhealthy.Seconds() + e.Slacks.Reading
	wait := max(p.Timeout, p.RootTimeout).Seconds() + p.BatchWait().Seconds() + clockStep
	early := flushedEarly(e)
	for _, f := range reports.FaultsOf(e.Events) {
		if !losesAttaches(f.Fault) {
			continue
		}
		first := stretch{stretched(quiet, allShards, f.From, -wait-stuck), f.To + e.Slacks.Reading}
		causes = append(causes, cause{what: f.Fault, first: first,
			again: stretch{f.From, stretched(quiet, allShards, f.To, wait+stuck)}})
		for _, early := range early {
			if f.From > early.again.to || f.To < early.again.from {
				continue
			}
			causes = append(causes, cause{
				what: f.Fault + " beside " + early.what, shards: early.shards, first: first,
				again: stretch{f.From, stretched(quiet, allShards, max(f.To, early.again.to), wait+stuck)},
			})
		}
	}
	return causes
}

// losesAttaches tells whether Redis may have attached spans in that fault, and said nothing of it.
func losesAttaches(text string) bool {
	var fault scenarios.Fault
	if fault.UnmarshalText([]byte(text)) != nil {
		return strings.HasPrefix(text, "lose store.attach")
	}
	return fault.Target.Kind == scenarios.TargetRedis && fault.Verb != scenarios.VerbFill &&
		fault.Direction != scenarios.Requests
}

// clockStep is how coarse the input's clock is: a deadline may come by so much sooner than the
// time-out says.
const clockStep = 1.0

// blocked is the part of a segment's time-out for which the way in must have been blocked for what
// the system knew of the input's clock to be out of date.
const blocked = 0.5

// Lateness says what reaches the system so late that it may come after its segment was flushed.
type Lateness struct {
	// Held is true for what the load holds back.
	Held bool
	// Behind is so late, by the load's own plan.
	Behind time.Duration
	// Repeat is so late for a span that is sent again, counted from when it was sent first.
	Repeat time.Duration
	// RootSilence is for how long the part of a trace that has its root may get no span before it may be
	// gone, Silence is that of one without. 0: nobody can say.
	RootSilence, Silence time.Duration
}

// LatenessOf returns that of a scenario. What comes late is told to the ledger, which knows no
// splits then but those of other traces.
func LatenessOf(s scenarios.Scenario) Lateness {
	// A batch is due by the clock of its first message.
	step := time.Duration(clockStep*float64(time.Second)) + s.Pipeline.BatchWait()
	wait := shortestWait(s)
	if wait <= 0 {
		return Lateness{Behind: math.MaxInt64, Repeat: math.MaxInt64} // nothing is too late by itself then
	}
	return Lateness{
		Held:   s.Workload.Late.By.Seconds() >= wait,
		Behind: time.Duration(blocked * wait * float64(time.Second)),
		Repeat: max(0, time.Duration(wait*float64(time.Second))-s.Pipeline.BatchWait()),

		// Of a time-out of which that leaves nothing, any pause may be too long.
		RootSilence: max(1, s.Pipeline.RootTimeout-step), Silence: max(1, s.Pipeline.Timeout-step),
	}
}

// Lag is a time in which segments of a shard were read after what must have been their deadlines, by
// so many seconds at most, by no less than [Lateness.Behind] says.
type Lag struct {
	Shard        buffer.Shard
	From, To, By float64
}

// shortestWait is how long a segment waits for its next span at least, in seconds.
func shortestWait(s scenarios.Scenario) float64 {
	return min(s.Pipeline.RootTimeout, s.Pipeline.Timeout).Seconds() - clockStep
}

// cameLate are the causes for which spans may have arrived after their segment was flushed, beside
// what the ledger knows to explain it.
func cameLate(e *Evidence) []cause {
	wait := shortestWait(e.Scenario)
	switch {
	case wait <= 0:
		return []cause{{what: fmt.Sprintf("clocks are cut to whole seconds, of which a time-out of %vs "+
			"leaves nothing", wait+clockStep), first: always, again: always}}
	case e.Scenario.Pipeline.MaxSegmentAge > 0:
		return []cause{{what: "max_segment_age cuts segments", first: always, again: always}}
	}
	var causes []cause
	for _, p := range pausesOf(e, watchedUntil(e)) {
		if lasted := p.to - p.from; lasted >= blocked*wait {
			causes = append(causes, cause{
				what: fmt.Sprintf("the input of shard %d was paused for %.1fs at %.1fs", p.shard, lasted,
					p.from),
				shards: []buffer.Shard{p.shard},
				// What came in meanwhile is read when it is over, as fast as it can be.
				first: stretch{math.Inf(-1), p.to + lasted}, again: stretch{p.from, math.Inf(1)},
			})
		}
	}
	looks := e.watched()
	for i := 1; i < len(looks); i++ {
		from, to := looks[i-1].T, looks[i].T
		if gap := to - from; gap >= blocked*wait {
			causes = append(causes, cause{
				what:  fmt.Sprintf("the machine stood still for %.1fs at %.1fs", gap, from),
				first: stretch{math.Inf(-1), to + gap}, again: stretch{from, math.Inf(1)},
			})
		}
	}
	list := broken(e)
	for _, l := range e.Lags {
		// Where something was broken, that is what the scenario is about, and none of its excuses.
		if !slices.ContainsFunc(list, func(d disturbance) bool {
			return d.from <= l.To && d.to+l.By >= l.From
		}) {
			causes = append(causes, cause{
				what: fmt.Sprintf("nothing was broken, but segments of shard %d were up to %.1fs late "+
					"from %.1fs to %.1fs: machine or program were too slow", l.Shard, l.By, l.From, l.To),
				shards: []buffer.Shard{l.Shard},
				first:  stretch{math.Inf(-1), l.To}, again: stretch{l.From, math.Inf(1)},
			})
		}
	}
	return causes
}
