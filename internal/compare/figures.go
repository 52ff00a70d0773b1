package compare

import (
	"slices"

	"sluice/internal/capacity"
	"sluice/internal/judge"
	"sluice/reports"
	"sluice/scenarios"
)

// Figure is something that is measured of a run.
type Figure string

// The figures. Processor times are microseconds for each span that came out, over the time of reports.CostsOf.
const (
	Throughput   Figure = "throughput"
	FreshnessP50 Figure = "freshness_p50"
	FreshnessP99 Figure = "freshness_p99"
	RedisTime    Figure = "redis_us"
	WorkerTime   Figure = "worker_us"
	ConsumerTime Figure = "consumer_us"
	KafkaTime    Figure = "kafka_us"
	HarnessTime  Figure = "harness_us"
	// RedisMemoryAll is the most that all nodes of Redis used together, in MB; diff.RedisMemory is that of
	// the fullest one, in bytes.
	RedisMemoryAll Figure = "redis_mb"
	Drain          Figure = "drain"
	// Recovery is how long after the end of the faults as few spans waited as before.
	Recovery Figure = "recovery"
)

// figures are all of them with their units, in the order of a table.
//
// The factor is what the model itself leaves out: about nine in ten figures of seven comparisons of 29
// November 2026, which calibration never saw, were measured within it of what was predicted. (Of eight
// comparisons after that 93 of 99 were inside the intervals: docs/capacity.md.) The costs' spread tells
// nothing of that (Kennedy and O'Hagan, Bayesian calibration of computer models, 2001: model inadequacy).
var figures = []struct {
	Figure
	unit   string
	factor float64
}{
	{Throughput, "spans/s", 1.15}, {FreshnessP50, "s", 1.4}, {FreshnessP99, "s", 1.6},
	{Drain, "s", 1.05}, {Recovery, "s", 1.3},
	{RedisTime, "us/span", 1.2}, {WorkerTime, "us/span", 1.15}, {ConsumerTime, "us/span", 1.2},
	{KafkaTime, "us/span", 1.35}, {HarnessTime, "us/span", 1.1}, {RedisMemoryAll, "MB", 1.25},
}

// Figures returns all of them, in the order of a table.
func Figures() []Figure {
	list := make([]Figure, len(figures))
	for i, known := range figures {
		list[i] = known.Figure
	}
	return list
}

// Unit returns the unit of a figure.
func (f Figure) Unit() string {
	for _, known := range figures {
		if known.Figure == f {
			return known.unit
		}
	}
	return ""
}

// factor is what the model leaves out of a figure, up or down; 1 of one that is not known.
func (f Figure) factor() float64 {
	for _, known := range figures {
		if known.Figure == f {
			return known.factor
		}
	}
	return 1
}

// Run is what is taken of one run.
type Run struct {
	Seed    uint64 `json:"seed"`
	Verdict string `json:"verdict"`
	// Reason is what was not passed first, if anything.
	Reason string `json:"reason,omitempty"`
	// Figures has those that were measured.
	Figures map[Figure]float64 `json:"figures"`
	// LoadCarried is true if as good as all of the load came out at its rate: the throughput is the
	// load's then, in any world. It is less than reports.SweepRun.FlushersKeptUp, for which nothing
	// waited long either.
	LoadCarried bool `json:"kept_up"`
	// Others is how many cores what is no part of the run used of the machine; 0 if not known.
	Others   float64  `json:"others_cores"`
	Restarts int      `json:"restarts"`
	Pauses   int      `json:"pauses"`
	Sequence Sequence `json:"sequence"`
}

// carriedFrom is from which share of its rate on the load counts as carried.
const carriedFrom = 0.95

// steadyMin is how long the steady part of a load that is too much must be to say what comes out of it, in
// seconds: deadlines are whole seconds, and what waits is flushed now by more, now by fewer.
const steadyMin = 10

// ratesOf returns what came out, in spans per second, and whether that is as good as all of the load. Of a
// constant load that nothing disturbed the steady part says that, if it has one, since how a run begins and
// ends is much of a short one; but if the load was too much for a short one, the whole run does, in which
// there was something to do all the time.
func ratesOf(o *judge.Outcome) (throughput float64, carried bool) {
	whole := o.Result.Throughput.SpansPerSecond
	if rate := o.Scenario.Workload.Rate; rate.Shape == scenarios.ShapeConstant && len(o.Scenario.Faults) == 0 {
		p := capacity.ProbeOf(o, float64(rate.From), judge.Host{}, false)
		carried = p.Throughput >= carriedFrom*p.Rate
		long := o.Scenario.Duration.Seconds()-capacity.Warmup(o.Scenario) >= steadyMin
		switch {
		case p.Throughput == 0: // it has none
		case carried, long:
			return p.Throughput, carried
		default:
			return whole, false
		}
	}
	return whole, whole >= carriedFrom*float64(o.Result.Ledger.Sent)/o.Scenario.Duration.Seconds()
}

// RunOf takes what is compared of a run.
func RunOf(o *judge.Outcome) Run {
	throughput, carried := ratesOf(o)
	r := Run{Seed: o.Result.Seed, Verdict: o.Result.Verdict, LoadCarried: carried,
		Pauses: o.Result.Pauses, Sequence: sequenceOf(o.Events), Figures: map[Figure]float64{
			Throughput: throughput, Drain: o.Result.Run.DrainSeconds,
		}}
	why, _ := o.Decisive()
	r.Reason = why.String()
	for _, w := range o.Result.Workers {
		r.Restarts += w.Restarts
	}
	if o.Result.Freshness.Count > 0 {
		r.Figures[FreshnessP50], r.Figures[FreshnessP99] = o.Result.Freshness.P50, o.Result.Freshness.P99
	}
	if took, ok := capacity.RecoveryOf(o); ok {
		r.Figures[Recovery] = took
	}
	if len(o.Samples) < 2 || o.Result.Ledger.Flushed == 0 {
		return r
	}
	from, to := reports.UntilOut(o.Samples)
	costs := reports.CostsBetween(from, to, o.Result.Ledger.Flushed)
	//order-free: each is for itself
	for figure, each := range map[Figure]float64{
		RedisTime: costs.RedisTime, WorkerTime: costs.WorkerTime, ConsumerTime: costs.ConsumerTime,
		KafkaTime:   costs.KafkaTime,
		HarnessTime: (to.CPUHarness - from.CPUHarness) * 1e6 / float64(o.Result.Ledger.Flushed),
	} {
		if each > 0 {
			r.Figures[figure] = each
		}
	}
	most := int64(0)
	for _, s := range o.Samples {
		most = max(most, s.RedisBytesAll)
	}
	if most > 0 {
		r.Figures[RedisMemoryAll] = float64(most) / 1e6
	}
	return r
}

// Value is a figure of all repeats.
type Value struct {
	Median   float64 `json:"median"`
	Least    float64 `json:"least"`
	Greatest float64 `json:"greatest"`
	N        int     `json:"n"`
}

// valueOf sums up a figure; ok is false if a run does not have it.
func valueOf(runs []Run, f Figure) (v Value, ok bool) {
	var values []float64
	for _, r := range runs {
		value, ok := r.Figures[f]
		if !ok {
			return v, false
		}
		values = append(values, value)
	}
	if len(values) == 0 {
		return v, false
	}
	return Value{Median: reports.Median(values), Least: slices.Min(values), Greatest: slices.Max(values),
		N: len(values)}, true
}
