package capacity

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"

	"sluice/internal/judge"
	"sluice/reports"
	"sluice/scenarios"
)

// Probe is what a run at a rate showed.
type Probe struct {
	// Rate was offered, Throughput came out in the steady part, both in spans per second. Throughput is
	// 0 if the run was ended before.
	Rate       float64 `json:"rate"`
	Throughput float64 `json:"throughput"`
	// Sustained is false if the run did not pass, or more and more waited, beyond what chance can do (95
	// %); Why says what.
	Sustained bool   `json:"sustained"`
	Why       string `json:"why,omitempty"`
	// Missed is the invariant or expectation that the run failed of although no more and more waited,
	// nor was any resource the limit: less load may fail of it, too. Empty if there is none.
	Missed string `json:"missed,omitempty"`
	// Unsafe is the safety invariant that the run violated, with its reason, even if it was ended early;
	// empty if it violated none.
	Unsafe string `json:"unsafe,omitempty"`
	// Doubted is why a shorter run at that rate, before this one, did not pass; empty if there was none.
	Doubted string `json:"doubted,omitempty"`
	// Unread is true if what piled up was mostly input that the consumers had not read, though none of it was
	// paused.
	Unread bool `json:"unread,omitempty"`
	// Unjudged is true if no run of that rate was made, as Why says.
	Unjudged bool `json:"unjudged,omitempty"`
	// Waiting is how many spans had been sent and not come out in the steady part, on average.
	Waiting float64 `json:"waiting"`
	// FreshnessP99 is that of the whole run, in seconds.
	FreshnessP99 float64 `json:"freshness_p99_seconds"`
	// RedisPerSpan is the memory of Redis, of all its nodes, that a span takes which waits in it, in
	// bytes, beyond what they took at the begin; RedisFullest is which share of it is in the fullest
	// node, over 0 up to 1, and RedisBytesMax is the limit of that node. 0 where they are not measured.
	RedisPerSpan  float64 `json:"redis_bytes_per_span,omitempty"`
	RedisFullest  float64 `json:"redis_fullest_share,omitempty"`
	RedisBytesMax int64   `json:"redis_bytes_max,omitempty"`
	// Busy are the resources that were measured, the busiest first.
	Busy []judge.Use `json:"busy"`
	// Longer is how long the steady part of another run has to be, in seconds, if this one does not tell
	// what it failed of from a cycle, or from a moment at which the machine stood still; 0 if it does.
	Longer float64 `json:"-"`
}

// The resources that a run can show as its limit are the judge's, and one more.
const (
	RedisThread = judge.RedisThread
	WorkerCPU   = judge.WorkerCPU
	Cores       = judge.Cores
	Kafka       = judge.Kafka
	Network     = judge.Network
	// WorkerCycle is no resource: workers wait for one answer after the other.
	WorkerCycle judge.Resource = "the workers' cycle"
)

// Consumers are no resource, either: they do not read the input as fast as it comes, whatever the workers do.
const Consumers judge.Resource = "the reading of the input"

// whatIsRequired is no resource, either: the run failed of an invariant or expectation, whose name
// follows in parentheses, and nothing that was measured says why.
const whatIsRequired judge.Resource = "what is required"

func required(name string) judge.Resource { return whatIsRequired + judge.Resource(" ("+name+")") }

// isResource tells whether a limit is something that can be busy.
func isResource(r judge.Resource) bool {
	return r != "" && r != WorkerCycle && r != Consumers && !isRequired(r)
}

func isRequired(r judge.Resource) bool {
	return strings.HasPrefix(string(r), string(whatIsRequired))
}

// growthMax is how much of what is sent may pile up for a rate to be sustained.
const growthMax = 0.02

// longestSteady bounds Probe.Longer, in seconds.
const longestSteady = 60

// steadyMin is how many whole seconds a steady part needs, stumblingMin how many of it pass before a run is
// called hopeless on the wall clock: of three, a moment at which the machine stood still makes a line that
// surely grows.
const steadyMin, stumblingMin = 3, 5

// stumble is by how much what waits may have grown, in seconds of the load, because the machine stood still
// once, or by the chance that the interval leaves. Where no resource is busy, another run decides.
const stumble = 1.5

// ProbeOf derives what a run at a rate showed. On the wall clock it stumbles: the machine may stand still.
func ProbeOf(o *judge.Outcome, rate float64, host judge.Host, stumbles bool) Probe {
	p := Probe{Rate: rate, FreshnessP99: o.Result.Freshness.P99, Unsafe: safetyReason(o)}
	part := NeedsOf(o.Scenario).steadyOf(o.Samples, o.Scenario, rate, host)
	p.Busy = part.busy
	if len(part.whole) >= steadyMin {
		p.Throughput = max(0, part.whole.growth(func(s second) float64 { return s.flushed }))
		p.Waiting = part.whole.mean(func(s second) float64 { return s.waiting })
	}
	p.RedisPerSpan, p.RedisFullest = redisPerSpan(o.Samples, part.samples)
	for _, s := range part.samples {
		p.RedisBytesMax = max(p.RedisBytesMax, s.RedisBytesMax)
	}
	behind := part.whole.growth(func(s second) float64 { return s.backlog })
	_, busy := judge.Limiting(p.Busy)
	p.Unread = o.Result.Pauses == 0 && part.waiting > growthMax*rate && 2*behind > part.waiting
	switch {
	case o.Interrupted && p.Unsafe != "":
		p.Why = p.Unsafe
	case o.Interrupted && len(part.whole) < steadyMin:
		p.Unread = o.Result.Pauses == 0
		unread := seconds(reports.Between(o.Samples, moment, o.Scenario.Duration.Seconds()))
		p.Why = fmt.Sprintf("%s messages more waited to be read every second, before any segment was due",
			grouped(unread.growth(func(s second) float64 { return s.backlog })))
	case len(part.whole) < steadyMin:
		p.Why = fmt.Sprintf("only %d whole seconds after %.1fs: the run is too short to be steady",
			len(part.whole), part.needs.Warmup)
	case o.Interrupted:
		p.Why = fmt.Sprintf("%s spans more waited every second, so it was ended early", grouped(part.waiting))
	case o.Code != judge.ExitPassed:
		j, _ := o.Decisive()
		p.Why = j.String()
		if !part.grows && !busy {
			p.Missed = j.Name
			if stumbles && (o.Code == judge.ExitExpectation || o.Code == judge.ExitUnknown) {
				p.Longer = doubled(part.length())
			}
		}
	case part.grows:
		p.Why = fmt.Sprintf("%s spans more waited every second", grouped(part.waiting))
		p.Longer = part.longer(Cycle(o.Scenario, rate), rate)
	default:
		p.Sustained = true
	}
	return p
}

// steady is the part of a run after its warm-up.
type steady struct {
	needs   Needs
	samples []reports.Sample
	whole   secondly
	busy    []judge.Use
	// waiting is how many spans more wait every second; grows tells whether that is too much, and more
	// than chance can do.
	waiting float64
	grows   bool
}

func (n Needs) steadyOf(
	samples []reports.Sample, of scenarios.Scenario, rate float64, host judge.Host,
) steady {
	p := steady{needs: n, samples: reports.Between(samples, n.Warmup, of.Duration.Seconds())}
	p.whole = seconds(p.samples)
	if last := len(p.samples) - 1; last > 0 {
		p.busy = judge.Uses(p.samples[0], p.samples[last], of.Topology.Workers(), host)
	}
	p.waiting = p.whole.growth(second.of)
	p.grows = p.waiting > growthMax*rate && len(p.whole) >= steadyMin && p.whole.surely(second.of, 0.95) > 0 &&
		p.waiting > quantileOfChance(0.95)*n.Wanders(p.length())
	return p
}

func (p *steady) length() float64 { return float64(len(p.whole)) }

// longer is how long the steady part of another run has to be that decides whether what grows here is
// more than a cycle or a stumble; 0 if it is.
func (p *steady) longer(cycle, rate float64) float64 {
	length := p.length()
	if needed := min(cycle/growthMax, longestSteady); p.waiting*length < cycle*rate && length < needed {
		return math.Ceil(needed)
	}
	if _, busy := judge.Limiting(p.busy); !busy && p.waiting*length < stumble*rate {
		return doubled(length)
	}
	return 0
}

// verdict says in words whether the rate is sustained.
func (p *Probe) verdict() string {
	second := ""
	if p.Doubted != "" {
		second = "; a shorter run before this one was not: " + p.Doubted
	}
	switch {
	case p.Unjudged:
		return "not judged: " + p.Why
	case p.Sustained:
		return "yes" + second
	}
	return "no: " + p.Why + second
}

// Line is what came of the run, for who waits for the others.
func (p *Probe) Line() string {
	return fmt.Sprintf("%s spans/s sustained: %s", grouped(p.Rate), p.verdict())
}

// doubled is how long the steady part is of the run that decides what one of so many seconds does not; 0 if
// that was long enough for a moment to be nothing in it.
func doubled(length float64) float64 {
	if length >= longestSteady {
		return 0
	}
	return min(2*length, longestSteady)
}

// Again is how long the steady part of another run has to be that decides, in seconds; 0 if there is to be
// none. If the duration was asked for, there is none, and Why says what to set.
func (p *Probe) Again(asked bool) (steady float64) {
	if asked && p.Longer > 0 {
		p.Why += fmt.Sprintf(", which may be no more than a cycle or chance: a longer --duration, with %.0f s more "+
			"than the warm-up, would decide", p.Longer)
		return 0
	}
	return p.Longer
}

// redisPerSpan is the memory of all nodes of Redis beyond that at the begin, by the spans in them: those
// that were read and have not come out; and which share of it is in the fullest node.
func redisPerSpan(all, steady []reports.Sample) (bytes, fullest float64) {
	if len(all) == 0 || all[0].RedisBytesAll == 0 {
		return 0, 0
	}
	spans, inOne := 0.0, 0.0
	for _, s := range steady {
		bytes += float64(s.RedisBytesAll - all[0].RedisBytesAll)
		inOne += float64(s.RedisBytes - all[0].RedisBytes)
		spans += float64(s.Buffered() - s.Backlog)
	}
	if spans <= 0 || bytes <= 0 {
		return 0, 0
	}
	return bytes / spans, min(1, max(0, inOne/bytes))
}

// second is a second of a run: means of its samples. Deadlines are whole seconds of the input's
// clock, so what waits goes up and down once a second, and only means over whole seconds tell whether
// it grows.
type second struct{ t, flushed, waiting, backlog float64 }

func (s second) of() float64 { return s.waiting }

type secondly []second

// harnessLate is by how much samples a second apart may be less, in seconds: half of the time between two.
const harnessLate = 0.05

// samplesMin is how many samples a second must have: half of what the harness takes.
const samplesMin = 5

// seconds are the whole seconds of samples.
func seconds(samples []reports.Sample) secondly {
	var list secondly
	for len(samples) > 0 {
		from := samples[0].T
		// On the wall clock a sample comes a moment later, or less late than that of a second before.
		n := slices.IndexFunc(samples, func(s reports.Sample) bool { return s.T >= from+1-harnessLate })
		if n < 0 {
			break // it is not whole
		}
		var sum second
		for _, s := range samples[:n] {
			sum.t += s.T / float64(n)
			sum.flushed += float64(s.Flushed) / float64(n)
			sum.waiting += float64(s.Buffered()) / float64(n)
			sum.backlog += float64(s.Backlog) / float64(n)
		}
		if n >= samplesMin {
			list = append(list, sum)
		}
		samples = samples[n:]
	}
	return list
}

// quantileOfChance is how many standard deviations a normal chance stays below with that confidence.
func quantileOfChance(sure float64) float64 { return distuv.UnitNormal.Quantile(sure) }

// growth is how fast a figure grows, per second: the slope of the line of least squares.
func (list secondly) growth(of func(second) float64) float64 {
	if len(list) < 2 {
		return 0
	}
	xs, ys := make([]float64, len(list)), make([]float64, len(list))
	for i, s := range list {
		xs[i], ys[i] = s.t, of(s)
	}
	_, slope := stat.LinearRegression(xs, ys, nil, false)
	return slope
}

// surely is what a figure grows by at least, with that confidence: the lower end of the slope's
// interval, by Student's t.
func (list secondly) surely(of func(second) float64, sure float64) float64 {
	const free = 2 // a line has two parameters
	slope, t := list.growth(of), list.mean(func(s second) float64 { return s.t })
	level, squares, width := list.mean(of), 0.0, 0.0
	for _, s := range list {
		off := of(s) - level - slope*(s.t-t)
		squares, width = squares+off*off, width+(s.t-t)*(s.t-t)
	}
	left := float64(len(list) - free)
	quantile := distuv.StudentsT{Sigma: 1, Nu: left}.Quantile(sure)
	return slope - quantile*math.Sqrt(squares/left/width)
}

func (list secondly) mean(of func(second) float64) float64 {
	sum := 0.0
	for _, s := range list {
		sum += of(s) / float64(len(list))
	}
	return sum
}

// deviation is the standard deviation of a figure.
func (list secondly) deviation(of func(second) float64) float64 {
	values := make([]float64, len(list))
	for i, s := range list {
		values[i] = of(s)
	}
	return stat.StdDev(values, nil)
}

// Watch looks at the samples of a run while they come in.
type Watch struct {
	// Rate is what is offered, Cycle what Cycle says.
	Rate, Cycle float64
	// Stumbles is true on the wall clock: the machine may stand still.
	Stumbles bool
	Needs
	// Scenario is that of the run, Host where its pipeline runs.
	Scenario scenarios.Scenario
	Host     judge.Host
	samples  []reports.Sample
	// looked is how many whole seconds of the steady part were looked at, ended whether the whole was.
	looked int
	ended  bool
}

// Over takes the next sample of a phase, and tells whether the rate is not sustained, however the run
// goes on.
func (w *Watch) Over(phase string, s reports.Sample) bool {
	if s.T < moment {
		return false
	}
	w.samples = append(w.samples, s)
	return phase == reports.PhaseLoad && w.hopeless(s) || w.lost(s)
}

// lost tells, when the load is over, whether ProbeOf will say that too much piled up: then nobody needs
// to wait until it is out again.
func (w *Watch) lost(s reports.Sample) bool {
	if w.ended || s.T < w.Scenario.Duration.Seconds()-1e-9 {
		return false
	}
	w.ended = true
	part := w.steadyOf(w.samples, w.Scenario, w.Rate, w.Host)
	return part.grows && part.longer(w.Cycle, w.Rate) == 0
}

// hopeless tells whether so much piles up that it does not matter what follows: in the steady part,
// after each whole second of it; or before, if the input is not even read as fast as it comes while
// there is nothing to flush yet.
func (w *Watch) hopeless(s reports.Sample) bool {
	const sure = 0.99
	grows := func(list secondly, of func(second) float64) bool {
		return len(list) >= steadyMin && list.surely(of, sure) > growthMax*w.Rate
	}
	byChance := func(list secondly) float64 {
		return quantileOfChance(sure) * w.Wanders(float64(len(list)))
	}
	if s.T < w.Warmup {
		const behind = 2 // seconds of the load, more than any batch waits for
		if n := len(w.samples); n > 1 && math.Floor(s.T) == math.Floor(w.samples[n-2].T) {
			return false // looked at already
		}
		return float64(s.Backlog) > behind*w.Rate && grows(seconds(w.samples), func(s second) float64 { return s.backlog })
	}
	list := seconds(reports.Between(w.samples, w.Warmup, s.T))
	if len(list) == w.looked || w.Stumbles && len(list) < stumblingMin {
		return false
	}
	w.looked = len(list)
	return grows(list, second.of) && list.growth(second.of)*float64(len(list)) > w.Cycle*w.Rate &&
		list.growth(second.of)-byChance(list) > growthMax*w.Rate
}

// bound is the highest rate that the resources allow which all processes share, by how busy they were
// at a sustained one: the utilisation law (Denning and Buzen, The operational analysis of queueing
// network models, 1978). +Inf if none was measured.
func (p *Probe) bound() float64 { return p.boundWith(nil) }

// boundWith is bound where a span costs less as the rate grows, since batches do: along the line
// through this rate and a lower one. It is at most a tenth above what this rate alone says.
func (p *Probe) boundWith(lower *Probe) float64 {
	bound := math.Inf(1)
	for _, use := range p.Busy {
		if use.Resource == WorkerCPU || use.Share <= 0 {
			continue
		}
		full := p.Rate / use.Share
		if lower != nil {
			full = cheaper(p.Rate, use.Share/p.Rate, lower.Rate, lower.share(use.Resource)/lower.Rate)
		}
		bound = min(bound, full)
	}
	return bound
}

// cheaper is the rate at which a resource is full of which a span takes so many seconds at two rates, if
// that goes on along a line.
func cheaper(rate, cost, lower, costLower float64) float64 {
	const most = 1.1
	full := 1 / cost
	slope := (cost - costLower) / (rate - lower)
	if !(slope < 0) { // the lower one was not measured, or a span costs more
		return full
	}
	// rate * (level + slope*rate) = 1
	level := cost - slope*rate
	if root := level*level + 4*slope; root > 0 {
		return min(2/(level+math.Sqrt(root)), most*full)
	}
	return most * full
}

// share is how busy a resource was; NaN if that was not measured.
func (p *Probe) share(r judge.Resource) float64 {
	for _, use := range p.Busy {
		if use.Resource == r {
			return use.Share
		}
	}
	return math.NaN()
}

// guess is about what a system can do that did not sustain the rate: somewhat more than it passed on,
// since it spends time on what piles up.
func (p *Probe) guess() float64 {
	const more = 1.3
	if p.Throughput < p.Rate/1000 { // nothing is known
		return p.Rate / 4
	}
	return p.Throughput * min(more, math.Sqrt(p.Rate/p.Throughput))
}
