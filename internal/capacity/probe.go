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

// WhatIsRequired is no resource, either: the run failed of an invariant or expectation, whose name
// follows in parentheses, and nothing that was measured says why.
const WhatIsRequired judge.Resource = "what is required"

func required(name string) judge.Resource { return WhatIsRequired + judge.Resource(" ("+name+")") }

// isResource tells whether a limit is something that can be busy.
func isResource(r judge.Resource) bool {
	return r != "" && r != WorkerCycle && r != Consumers && !isRequired(r)
}

func isRequired(r judge.Resource) bool {
	return strings.HasPrefix(string(r), string(WhatIsRequired))
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
	p := Probe{Rate: rate, FreshnessP99: o.Result.Freshness.P99, Unsafe: unsafe(o)}
	needs := NeedsOf(o.Scenario)
	steady := between(o.Samples, needs.Warmup, o.Scenario.Duration.Seconds())
	whole := seconds(steady)
	if len(steady) > 1 {
		p.Busy = judge.Uses(steady[0], steady[len(steady)-1], o.Scenario.Topology.Workers(), host)
	}
	if len(whole) >= steadyMin {
		p.Throughput = max(0, whole.growth(func(s second) float64 { return s.flushed }))
		p.Waiting = whole.mean(func(s second) float64 { return s.waiting })
	}
	p.RedisPerSpan, p.RedisFullest = redisPerSpan(o.Samples, steady)
	for _, s := range steady {
		p.RedisBytesMax = max(p.RedisBytesMax, s.RedisBytesMax)
	}
	waiting := whole.growth(second.of)
	grows := waiting > growthMax*rate && len(whole) >= steadyMin && whole.surely(second.of, 0.95) > 0 &&
		waiting > quantileOfChance(0.95)*needs.Wanders(float64(len(whole)))
	behind := whole.growth(func(s second) float64 { return s.backlog })
	length := float64(len(whole))
	_, busy := judge.Limiting(p.Busy)
	p.Unread = o.Result.Pauses == 0 && waiting > growthMax*rate && 2*behind > waiting
	switch {
	case o.Interrupted && p.Unsafe != "":
		p.Why = p.Unsafe
	case o.Interrupted && len(whole) < steadyMin:
		p.Unread = o.Result.Pauses == 0
		unread := seconds(between(o.Samples, moment, o.Scenario.Duration.Seconds()))
		p.Why = fmt.Sprintf("%s messages more waited to be read every second, before any segment was due",
			grouped(unread.growth(func(s second) float64 { return s.backlog })))
	case len(whole) < steadyMin:
		p.Why = fmt.Sprintf("only %d whole seconds after %.1fs: the run is too short to be steady", len(whole),
			needs.Warmup)
	case o.Interrupted:
		p.Why = fmt.Sprintf("%s spans more waited every second, so it was ended early", grouped(waiting))
	case o.Code != judge.ExitPassed:
		j, _ := reports.First(o.Result.Invariants, o.Result.Expectations)
		p.Why = fmt.Sprintf("%s: %s", j.Name, j.Detail)
		if !grows && !busy {
			p.Missed = j.Name
			if stumbles && (o.Code == judge.ExitExpectation || o.Code == judge.ExitUnknown) {
				p.Longer = doubled(length)
			}
		}
	case grows:
		p.Why = fmt.Sprintf("%s spans more waited every second", grouped(waiting))
		cycle := Cycle(o.Scenario, rate)
		if needed := min(cycle/growthMax, longestSteady); waiting*length < cycle*rate && length < needed {
			p.Longer = math.Ceil(needed)
		} else if !busy && waiting*length < stumble*rate {
			p.Longer = doubled(length)
		}
	default:
		p.Sustained = true
	}
	return p
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

// between are the samples from a time to another, in seconds since the start of the load.
func between(samples []reports.Sample, from, to float64) []reports.Sample {
	var part []reports.Sample
	for _, s := range samples {
		if s.T >= from && s.T <= to {
			part = append(part, s)
		}
	}
	return part
}

// second is a second of a run: means of its samples. Deadlines are whole seconds of the input's
// clock, so what waits goes up and down once a second, and only means over whole seconds tell whether
// it grows.
type second struct{ t, flushed, waiting, backlog float64 }

func (s second) of() float64 { return s.waiting }

type secondly []second

// samplesMin is how many samples a second must have: half of what the harness takes.
const samplesMin = 5

// seconds are the whole seconds of samples.
func seconds(samples []reports.Sample) secondly {
	var list secondly
	for len(samples) > 0 {
		from := samples[0].T
		n := slices.IndexFunc(samples, func(s reports.Sample) bool { return s.T >= from+1-1e-6 })
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
	samples []reports.Sample
}

// Hopeless takes the next sample, and tells whether so much piles up that the rate is not sustained,
// however the run goes on: in the steady part; or before, if the input is not even read as fast as it
// comes while there is nothing to flush yet.
func (w *Watch) Hopeless(s reports.Sample) bool {
	if s.T < moment {
		return false
	}
	w.samples = append(w.samples, s)
	if n := len(w.samples); n > 1 && math.Floor(s.T) == math.Floor(w.samples[n-2].T) {
		return false // looked at already
	}
	const sure = 0.99
	grows := func(list secondly, of func(second) float64) bool {
		return len(list) >= steadyMin && list.surely(of, sure) > growthMax*w.Rate
	}
	byChance := func(list secondly) float64 {
		return quantileOfChance(sure) * w.Wanders(float64(len(list)))
	}
	if s.T < w.Warmup {
		const behind = 2 // seconds of the load, more than any batch waits for
		return float64(s.Backlog) > behind*w.Rate && grows(seconds(w.samples), func(s second) float64 { return s.backlog })
	}
	list := seconds(between(w.samples, w.Warmup, s.T))
	if w.Stumbles && len(list) < stumblingMin {
		return false
	}
	return grows(list, second.of) && list.growth(second.of)*float64(len(list)) > w.Cycle*w.Rate &&
		list.growth(second.of)-byChance(list) > growthMax*w.Rate
}

// bound is the highest rate that the resources allow which all processes share, by how busy they were
// at a sustained one: the utilisation law (Denning and Buzen, The operational analysis of queueing
// network models, 1978). +Inf if none was measured.
func (p *Probe) bound() float64 {
	bound := math.Inf(1)
	for _, use := range p.Busy {
		if use.Resource != WorkerCPU && use.Share > 0 {
			bound = min(bound, p.Rate/use.Share)
		}
	}
	return bound
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
