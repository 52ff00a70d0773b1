package capacity

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"sluice/internal/judge"
	"sluice/internal/options"
	"sluice/reports"
	"sluice/scenarios"
)

// Trial is a fault in the middle of a run at a rate, and how the system recovered from it.
type Trial struct {
	// What happened, in words, and the fault in the scenario's.
	What  string   `json:"what"`
	Fault []string `json:"faults"`
	// Processes and Rate are what it happened to, in spans per second.
	Processes int     `json:"processes"`
	Rate      float64 `json:"rate"`
	// Capacity is the rate that they sustain.
	Capacity float64 `json:"capacity"`
	// OutageSeconds is how long the fault lasted.
	OutageSeconds float64 `json:"outage_seconds"`
	// Waiting is how many spans had been sent and not come out before the fault, Most how many at the
	// worst.
	Waiting float64 `json:"waiting"`
	Most    float64 `json:"most"`
	// RecoverySeconds is how long after the fault's end as few waited as before; null if that was not
	// seen in WatchedSeconds after it.
	RecoverySeconds Number  `json:"recovery_seconds"`
	WatchedSeconds  float64 `json:"watched_seconds"`
	// PredictedSeconds is what the backlog and the spare capacity say.
	PredictedSeconds Number `json:"predicted_seconds"`
	// Gain is how much more Redis time a span that came out took from the fault on, until it was over,
	// than before; RepeatGain how often a span came out meanwhile. 1 is no more, null is not known.
	// Restarts, of which RestartsEach is the mean of a worker, Repeated spans and Pauses of input are what
	// adds to it; and Refused tries of batches of the input, with BatchGain, how often each was tried, in the
	// whole run.
	Gain         Number `json:"gain"`
	RepeatGain   Number `json:"repeat_gain"`
	Restarts     int    `json:"restarts"`
	RestartsEach Number `json:"restarts_of_each_worker"`
	Repeated     int64  `json:"repeated_spans"`
	Pauses       int    `json:"pauses"`
	Refused      int64  `json:"refused_batches"`
	BatchGain    Number `json:"batch_gain"`
	// Why is empty if the run was right but for its limits; otherwise what was violated.
	Why string `json:"why,omitempty"`
	// Unsafe is the safety invariant that was violated, with its reason; empty if none was.
	Unsafe string `json:"unsafe,omitempty"`
	// Path is what waits where, for each second from shortly before the fault.
	Path []PathPoint `json:"path"`
}

// Recovered tells whether the end was seen.
func (t *Trial) Recovered() bool { return !math.IsInf(float64(t.RecoverySeconds), 0) }

// sustained tells whether the load is, without the fault.
func (t *Trial) sustained() bool { return t.Rate <= t.Capacity }

// TrialPlan is a trial to be made.
type TrialPlan struct {
	What      string
	Processes int
	Rate      float64
	// Outage is how long the fault lasts, Faults what it is.
	Outage time.Duration
	Faults []string
	// Capacity is the rate that the processes sustain, in spans per second.
	Capacity float64
	// Watched is how long after the outage the system is watched at most.
	Watched time.Duration
}

// watchedMin and watchedMax are how long a recovery is watched.
const (
	watchedMin = 8 * time.Second
	watchedMax = time.Minute
)

// trialSteady is how much of the steady part comes before the fault of a trial, at least.
const trialSteady = 2 * time.Second

// trialAt is when the fault begins, at the rate of the scenario's load.
func trialAt(s scenarios.Scenario) time.Duration {
	return (lasting(Warmup(s)) + trialSteady).Truncate(time.Second) + time.Second
}

// Outage is a trial in which Redis is stopped.
func Outage(s scenarios.Scenario, processes int, rate, capacity float64, outage time.Duration) TrialPlan {
	s.Workload.Rate = scenarios.Constant(rate)
	return TrialPlan{What: fmt.Sprintf("Redis is stopped for %v", outage), Processes: processes, Rate: rate,
		Capacity: capacity, Outage: outage, Watched: watchedFor(rate, capacity, outage),
		Faults: []string{fmt.Sprintf("at %v stop redis for %v", trialAt(s), outage)}}
}

// Storm is a trial in which all workers are killed at once.
func Storm(s scenarios.Scenario, processes int, rate, capacity float64) TrialPlan {
	s.Workload.Rate = scenarios.Constant(rate)
	p := TrialPlan{What: "all workers are killed at once", Processes: processes, Rate: rate,
		Capacity: capacity, Watched: watchedFor(rate, capacity, time.Second)}
	p.Faults = []string{fmt.Sprintf("at %v crash all workers", trialAt(s))}
	return p
}

// watchedFor is how long a recovery is watched: three times what it should take.
func watchedFor(rate, capacity float64, outage time.Duration) time.Duration {
	const often = 3
	predicted := drain(rate, capacity, outage.Seconds())
	if math.IsInf(predicted, 1) {
		return 2*outage + watchedMin
	}
	return min(max(time.Duration(often*predicted*float64(time.Second)), watchedMin), watchedMax)
}

// drain is how long it takes to catch up with an outage, in seconds: what came in meanwhile, by what
// can be done beside what still comes in. +Inf if there is no such.
func drain(rate, capacity, outage float64) float64 {
	if capacity <= rate {
		return math.Inf(1)
	}
	return outage * rate / (capacity - rate)
}

// Scenario is the scenario in which it happens, whose limits on what a fault costs are lifted.
func (p TrialPlan) Scenario(s scenarios.Scenario) (scenarios.Scenario, error) {
	s.Topology.FlusherProcesses = scenarios.Processes(p.Processes)
	s.Workload.Rate = scenarios.Constant(p.Rate)
	s.Duration = trialAt(s) + p.Outage + p.Watched
	s.Faults = nil
	for _, text := range p.Faults {
		var f scenarios.Fault
		if err := f.UnmarshalText([]byte(text)); err != nil {
			return s, err
		}
		s.Faults = append(s.Faults, f)
	}
	e := &s.Expectations
	e.WorkerRestartsMax, e.RepeatedSpansMax = scenarios.Unlimited, scenarios.Unlimited
	e.SplitSpansMax, e.DuplicatedSpansMax = scenarios.Unlimited, scenarios.Unlimited
	e.FreshnessP99Max, e.ThroughputMin, e.Figures = 0, 0, nil
	e.DrainMax = max(e.DrainMax, s.Duration)
	return s, nil
}

// Recovery looks at the samples of a trial while they come in.
type Recovery struct {
	// steady is when the part before the fault begins, from when the fault does.
	steady, from, outage float64
	// wanders is by how much the load alone moves what waits up and down: a standard deviation, in spans.
	wanders float64
	samples []reports.Sample
}

// recoveryOf watches a fault in a scenario, which lasts from a time on.
func recoveryOf(s scenarios.Scenario, from, outage time.Duration) *Recovery {
	_, variance := tracesOf(s).waits()
	return &Recovery{steady: Warmup(s), from: from.Seconds(), outage: outage.Seconds(), wanders: math.Sqrt(variance)}
}

// Watch returns what watches a trial in a scenario.
func (p TrialPlan) Watch(s scenarios.Scenario) *Recovery {
	return recoveryOf(s, trialAt(s), p.Outage)
}

// Over takes the next sample, and tells whether the system has recovered for good.
func (r *Recovery) Over(s reports.Sample) bool {
	r.samples = append(r.samples, s)
	if n := len(r.samples); n > 1 && math.Floor(s.T) == math.Floor(r.samples[n-2].T) {
		return false
	}
	const calm = 2 // seconds, after it looked over
	at, ok := r.end()
	return ok && s.T >= at+calm
}

// level is how many wait in the steady part, on average, of which so many are unread; and by how much that goes
// up and down by itself.
type level struct{ waiting, unread, wanders float64 }

// before is the level of the whole steady part that there is before the fault. How much goes up and down a few
// seconds do not tell, but the load does.
func (r *Recovery) before() level {
	list := seconds(reports.Between(r.samples, r.steady, r.from))
	l := level{list.mean(second.of), list.mean(func(s second) float64 { return s.backlog }), r.wanders}
	if len(list) >= steadyLeast {
		l.wanders = max(l.wanders, list.deviation(second.of))
	}
	return l
}

// again tells whether no more wait in a second than that: a tenth more at most; or more if the load's own ups
// and downs do that, which move what waits in open traces, and not what is unread.
func (l level) again(s second) bool {
	const over, chance = 0.1, 2 // a share, and standard deviations
	return s.waiting <= (1+over)*l.waiting ||
		s.waiting <= l.waiting+chance*l.wanders && s.backlog <= l.unread+over*l.waiting
}

// end is when as few waited as before, in seconds since the start of the load: in a whole second, and
// in all after it.
func (r *Recovery) end() (at float64, ok bool) {
	before := r.before()
	after := seconds(reports.Between(r.samples, r.from+r.outage, math.Inf(1)))
	for i := len(after) - 1; i >= 0 && before.again(after[i]); i-- {
		at, ok = after[i].t-0.5, true // its begin
	}
	// A fault of a moment is over at once, if the first second after it says so.
	return max(at, r.from+r.outage), ok
}

// RecoveryOf returns how long after the end of its faults a run had as few spans waiting as before them,
// in seconds. It knows faults at a time, which end by themselves; ok is false for others, for a load of
// no constant rate, and if the end was not seen while the load lasted.
func RecoveryOf(o *judge.Outcome) (took float64, ok bool) {
	faults := o.Scenario.Faults
	if len(faults) == 0 || o.Scenario.Workload.Rate.Shape != scenarios.ShapeConstant {
		return 0, false
	}
	from, until := faults[0].When.At, time.Duration(0)
	for _, f := range faults {
		if f.When.Kind != scenarios.MomentAt || f.For == scenarios.ForGood {
			return 0, false
		}
		from, until = min(from, f.When.At), max(until, f.When.At+f.For)
	}
	if from < lasting(Warmup(o.Scenario))+trialSteady {
		return 0, false // there is nothing to compare with
	}
	r := recoveryOf(o.Scenario, from, until-from)
	r.samples = reports.Between(o.Samples, 0, o.Scenario.Duration.Seconds())
	at, ok := r.end()
	return at - until.Seconds(), ok
}

// Trial derives what a trial showed. Samples end with the load: what drains after it says nothing.
func (p TrialPlan) Trial(o *judge.Outcome) Trial {
	t := Trial{What: p.What, Fault: p.Faults, Processes: p.Processes, Rate: p.Rate,
		Capacity: p.Capacity, OutageSeconds: p.Outage.Seconds(), WatchedSeconds: p.Watched.Seconds(),
		PredictedSeconds: Number(drain(p.Rate, p.Capacity, p.Outage.Seconds())),
		RecoverySeconds:  Number(math.Inf(1)), Gain: Number(math.NaN()), Pauses: o.Result.Pauses,
		Refused: o.Refused, BatchGain: Number(math.NaN())}
	if o.Batches > 0 {
		t.BatchGain = Number(1 + float64(o.Refused)/float64(o.Batches))
	}
	r := p.Watch(o.Scenario)
	r.samples = reports.Between(o.Samples, 0, o.Scenario.Duration.Seconds())
	t.Path = pathOf(seconds(reports.Between(r.samples, r.from-1, math.Inf(1))))
	t.Waiting = r.before().waiting
	for _, s := range r.samples {
		t.Most = max(t.Most, float64(s.Buffered()))
	}
	at, ok := r.end()
	if ok {
		t.RecoverySeconds = Number(at - r.from - r.outage)
	} else if len(r.samples) > 0 {
		at = r.samples[len(r.samples)-1].T
	}
	if !ok && o.Interrupted { // it was not watched to its end
		t.WatchedSeconds = max(0, at-r.from-r.outage)
	}
	meanwhile := reports.Between(r.samples, r.from, at+1)
	before := reports.Between(r.samples, Warmup(o.Scenario), r.from)
	t.Gain, t.RepeatGain = gain(before, meanwhile), repeatGain(meanwhile)
	for _, w := range o.Result.Workers {
		t.Restarts += w.Restarts
	}
	t.RestartsEach = Number(float64(t.Restarts) / float64(o.Scenario.Topology.Workers()))
	if n := len(r.samples); n > 0 {
		t.Repeated = r.samples[n-1].Repeated
	}
	t.Unsafe = safetyReason(o)
	t.Why = t.Unsafe
	// A trial is ended once it has recovered: what had not come out by then is no matter of liveness.
	if !o.Interrupted && o.Code == judge.ExitLiveness {
		t.Why = decisive(o)
	}
	return t
}

// decisive is what the verdict of a run is due to, with its reason.
func decisive(o *judge.Outcome) string {
	why, _ := o.Decisive()
	return why.String()
}

// safetyReason is the safety invariant that a run violated, with its reason; empty if it violated none. A run
// that was ended early is judged by it, too.
func safetyReason(o *judge.Outcome) string {
	if o.Code != judge.ExitSafety {
		return ""
	}
	return decisive(o)
}

// gain is how much more Redis time a span that came out took in the second part than in the first.
func gain(before, after []reports.Sample) Number {
	each := func(list []reports.Sample) float64 {
		if len(list) < 2 {
			return math.NaN()
		}
		first, last := list[0], list[len(list)-1]
		return (last.CPURedis - first.CPURedis) / float64(last.Flushed-first.Flushed)
	}
	if g := each(after) / each(before); !math.IsInf(g, 0) && g > 0 {
		return Number(g)
	}
	return Number(math.NaN())
}

// repeatGain is how often a span came out that did.
func repeatGain(list []reports.Sample) Number {
	if len(list) < 2 || list[len(list)-1].Flushed == list[0].Flushed {
		return Number(math.NaN())
	}
	first, last := list[0], list[len(list)-1]
	return Number(1 + float64(last.Repeated-first.Repeated)/float64(last.Flushed-first.Flushed))
}

// amplifies is the gain from which on it is one.
const amplifies = 1.05

// strongest is the name of what made most of the fault, with its gain: by how much more work is done for
// each span. Empty if nothing is known to have made more of it.
func (t *Trial) strongest() (name string, gain float64) {
	gain = amplifies
	if g := float64(t.Gain); g > gain {
		name, gain = "the Redis time of a span", g
	}
	if g := float64(t.RepeatGain); g > gain {
		name, gain = "that spans come out again", g
	}
	if g := float64(t.BatchGain); g > gain {
		name, gain = "that batches are refused", g
	}
	return name, gain
}

// amplifiers names what made more work of the fault than it was, each with its gain, in words.
func (t *Trial) amplifiers() string {
	var list []string
	if g := float64(t.Gain); g > amplifies {
		list = append(list, fmt.Sprintf("each span took %.2f times the Redis time", g))
	}
	if t.Restarts > 0 {
		text := options.FormatCount(t.Restarts, "restart")
		if each := float64(t.RestartsEach); each > 0 {
			text += fmt.Sprintf(" (%.3g of each worker)", each)
		}
		list = append(list, text)
	}
	if t.Repeated > 0 {
		text := grouped(float64(t.Repeated)) + " spans came out again"
		if t.redelivers() {
			text += " (lease redelivery)"
		}
		if g := float64(t.RepeatGain); g > 1 {
			text += fmt.Sprintf(", so that each came out %.4g times on average", g)
		}
		list = append(list, text)
	}
	if t.Refused > 0 {
		text := grouped(float64(t.Refused)) + " tries of a batch were refused"
		if g := float64(t.BatchGain); g > 1 {
			text += fmt.Sprintf(", so that each was tried %.4g times on average", g)
		}
		list = append(list, text)
	}
	if t.Pauses > 0 {
		list = append(list, options.FormatCount(t.Pauses, "pause")+" of a shard's input")
	}
	if len(list) == 0 {
		return "no amplifier was seen"
	}
	return strings.Join(list, ", ")
}

// redelivers tells whether what came out again is what dead workers had leased: their successors have it
// anew, whether it was out or not. After an outage of Redis it may also be what could not be acknowledged.
func (t *Trial) redelivers() bool {
	return slices.ContainsFunc(t.Fault, func(f string) bool { return strings.Contains(f, " crash all workers") })
}

// recovery is how long it took, in words, once the end was seen.
func (t *Trial) recovery() string {
	if t.RecoverySeconds < 1 {
		return "less than 1 s"
	}
	return fmt.Sprintf("%.1f s", float64(t.RecoverySeconds))
}
