package diff

import (
	"cmp"

	"sluice/reports"
)

// Better is the direction in which a figure is better.
type Better string

// The directions.
const (
	Lower  Better = "lower"
	Higher Better = "higher"
	// Neither is of figures that describe what was asked for.
	Neither Better = ""
)

// Metric is a figure of runs.
type Metric struct {
	// Name as rules write it.
	Name string `json:"name"`
	// Unit of its values: spans/s, s, us/span, B, spans, or none for counts.
	Unit   string `json:"unit"`
	Better Better `json:"better"`
	// Path of the figure in result.json, which rules may write as well; empty if none there is the same.
	Path string `json:"-"`
	// zeroUnknown is true if 0 means that the value is not known.
	zeroUnknown bool
}

// The names of the metrics.
const (
	Throughput   = "throughput"
	Offered      = "offered"
	FreshnessP50 = "freshness_p50"
	FreshnessP99 = "freshness_p99"
	LatencyP99   = "latency_p99"
	Drain        = "drain"
	RedisTime    = "redis_time"
	KafkaTime    = "kafka_time"
	WorkerTime   = "worker_time"
	ConsumerTime = "consumer_time"
	WorkerMemory = "worker_memory"
	RedisMemory  = "redis_memory" // of the fullest node, in bytes; compare.RedisMemoryAll is that of all, in MB
	Waiting      = "waiting"
	Restarts     = "restarts"
	Pauses       = "pauses"
	Repeated     = "repeated"
	NotPassed    = "not_passed"
	Sustained    = "sustained"
)

// Units.
const (
	unitRate    = "spans/s"
	unitSeconds = "s"
	unitCost    = "us/span"
	unitBytes   = "B"
	unitSpans   = "spans"
)

// Metrics returns all metrics, in the order of tables.
func Metrics() []Metric {
	return []Metric{
		{Sustained, unitRate, Higher, "", false},
		{Throughput, unitRate, Higher, "throughput.spans_per_second", false},
		{Offered, unitRate, Neither, "", false},
		{FreshnessP50, unitSeconds, Lower, "freshness_seconds.p50", false},
		{FreshnessP99, unitSeconds, Lower, "freshness_seconds.p99", false},
		{LatencyP99, unitSeconds, Lower, "latency_seconds.p99", false},
		{Drain, unitSeconds, Lower, "run.drain_seconds", false},
		{Waiting, unitSpans, Lower, "", false},
		{RedisTime, unitCost, Lower, "", true},
		{KafkaTime, unitCost, Lower, "", true},
		{WorkerTime, unitCost, Lower, "", true},
		{ConsumerTime, unitCost, Lower, "", true},
		{WorkerMemory, unitBytes, Lower, "", true},
		{RedisMemory, unitBytes, Lower, "", true},
		{Restarts, "", Lower, "", false},
		{Pauses, "", Lower, "pauses", false},
		{Repeated, unitSpans, Lower, "ledger.duplicates", false},
		{NotPassed, "", Lower, "", false},
	}
}

// Figures are the values of metrics that are known, by name.
type Figures map[string]float64

// judged sets whether the run passed: 0 if it did, 1 if not.
func (f Figures) judged(verdict string) {
	f[NotPassed] = 1
	if verdict == string(reports.Passed) {
		f[NotPassed] = 0
	}
}

// FiguresOf returns what a whole run has shown. The duration of its scenario, in seconds, stands for
// that of its load where the result does not say it.
func FiguresOf(r reports.Result, samples []reports.Sample, duration float64) Figures {
	loadSeconds := cmp.Or(r.Run.LoadSeconds, duration)
	f := Figures{
		Throughput: r.Throughput.SpansPerSecond, Drain: r.Run.DrainSeconds,
		Repeated: float64(r.Ledger.Duplicates), Pauses: float64(r.Pauses),
		Offered: float64(r.Ledger.Sent) / loadSeconds,
	}
	f.judged(r.Verdict)
	for _, w := range r.Workers {
		f[Restarts] += float64(w.Restarts)
	}
	if r.Freshness.Count > 0 {
		f[FreshnessP50], f[FreshnessP99] = r.Freshness.P50, r.Freshness.P99
	}
	if r.Latency.Count > 0 {
		f[LatencyP99] = r.Latency.P99
	}
	waiting, during := 0.0, 0
	for _, s := range samples {
		if s.T <= loadSeconds {
			waiting += float64(s.Buffered())
			during++
		}
		f[WorkerMemory] = max(f[WorkerMemory], float64(s.WorkerBytesMax))
		f[RedisMemory] = max(f[RedisMemory], float64(s.RedisBytes))
	}
	if during > 0 {
		f[Waiting] = waiting / float64(during)
	}
	f.costs(reports.CostsOf(samples, r.Ledger.Flushed))
	f.forgetUnknown()
	return f
}

// costs sets what each span took; what is not known is 0.
func (f Figures) costs(c reports.SpanCosts) {
	f[RedisTime], f[KafkaTime], f[WorkerTime], f[ConsumerTime] = c.RedisTime, c.KafkaTime, c.WorkerTime, c.ConsumerTime
}

func (f Figures) forgetUnknown() {
	for _, m := range Metrics() {
		if m.zeroUnknown && f[m.Name] == 0 {
			delete(f, m.Name)
		}
	}
}

// FiguresOfSweep returns what is kept of a run of a sweep.
func FiguresOfSweep(r reports.SweepRun) Figures {
	f := Figures{
		Throughput: r.SpansPerSecond, Offered: r.OfferedPerSecond, Drain: r.DrainSeconds,
		WorkerMemory: float64(r.WorkerBytesMax), RedisMemory: float64(r.RedisBytesMax),
	}
	f.costs(r.SpanCosts)
	if r.SpansPerSecond > 0 { // what never came out was not quick
		f[FreshnessP50], f[FreshnessP99], f[LatencyP99] = r.FreshnessP50, r.FreshnessP99, r.LatencyP99
	}
	f.judged(r.Verdict)
	f.forgetUnknown()
	return f
}
