package reports

import (
	"cmp"
	"slices"
	"strings"

	"sluice/internal/options"
)

// OverProcesses is the key that a sweep changes from run to run if nothing else is said.
const OverProcesses = "topology.flusher_processes"

// SweepRun is one run of a sweep.
type SweepRun struct {
	Processes int `json:"processes"`
	// Value is that of the key which the sweep changes.
	Value   string `json:"value"`
	Repeat  int    `json:"repeat"`
	Seed    uint64 `json:"seed"`
	Verdict string `json:"verdict"`
	// Reason is what was not passed first, if anything.
	Reason string `json:"reason"`
	// FlushersKeptUp is true if the flushers were not the limit: the throughput is the load's then, and
	// they can do more. It says more than compare.Run.LoadCarried, for which spans may wait long.
	FlushersKeptUp bool `json:"kept_up"`
	// Digest is that of the run's result.
	Digest string `json:"digest"`
	// OfferedPerSecond is the load, on average over its time; SpansPerSecond what came of it.
	OfferedPerSecond float64 `json:"offered_spans_per_second"`
	SpansPerSecond   float64 `json:"spans_per_second"`
	BytesPerSecond   float64 `json:"bytes_per_second"`
	FreshnessP50     float64 `json:"freshness_p50_seconds"`
	FreshnessP99     float64 `json:"freshness_p99_seconds"`
	LatencyP99       float64 `json:"latency_p99_seconds"`
	DrainSeconds     float64 `json:"drain_seconds"`
	// WorkerBytesMax and RedisBytesMax are the most memory that a worker and a node of Redis used; 0 if
	// not known.
	WorkerBytesMax int64 `json:"worker_bytes_max"`
	RedisBytesMax  int64 `json:"redis_bytes_max"`
	// Cores used on average, from the begin of the load until all was out; SpanCosts are CostsOf the run.
	Cores
	SpanCosts
}

// SpanCosts are processor time per span, in microseconds, summed over the processes of a kind; 0 where
// it is not known.
type SpanCosts struct {
	RedisTime    float64 `json:"redis_us_per_span"`
	KafkaTime    float64 `json:"kafka_us_per_span"`
	WorkerTime   float64 `json:"workers_us_per_span"`
	ConsumerTime float64 `json:"consumer_us_per_span"`
}

// CostsOf returns the processor time of a run, of UntilOut, for each of the spans that came out of it.
func CostsOf(samples []Sample, spans int64) SpanCosts {
	from, to := UntilOut(samples)
	return CostsBetween(from, to, spans)
}

// UntilOut returns the first sample of a run, and that by which the last span was out, as far as the samples tell;
// without samples, two that know nothing. What servers had used before is no span's, nor what they do while
// the run waits for its end.
func UntilOut(samples []Sample) (from, to Sample) {
	if len(samples) == 0 {
		return from, to
	}
	all := samples[len(samples)-1].Flushed
	out := slices.IndexFunc(samples, func(s Sample) bool { return s.Flushed >= all })
	return samples[0], samples[out]
}

// CostsBetween returns the processor time between two samples of a run for each of so many spans.
func CostsBetween(from, to Sample, spans int64) SpanCosts {
	if spans <= 0 {
		return SpanCosts{}
	}
	// A process that was replaced counts from 0 again: that is not negative use.
	each := func(now, then float64) float64 { return max(0, now-then) * 1e6 / float64(spans) }
	return SpanCosts{
		RedisTime: each(to.CPURedis, from.CPURedis), KafkaTime: each(to.CPUKafka, from.CPUKafka),
		WorkerTime:   each(to.CPUWorkers, from.CPUWorkers),
		ConsumerTime: each(to.CPUConsumer, from.CPUConsumer),
	}
}

// Sum is the processor time of all together.
func (c SpanCosts) Sum() float64 { return c.RedisTime + c.KafkaTime + c.WorkerTime + c.ConsumerTime }

// SweepRow is what the repeats with one value have in common.
type SweepRow struct {
	Processes int    `json:"processes"`
	Value     string `json:"value"`
	Repeats   int    `json:"repeats"`
	// Least, Median and Greatest throughput of the repeats, in spans per second.
	Least    float64 `json:"least_spans_per_second"`
	Median   float64 `json:"median_spans_per_second"`
	Greatest float64 `json:"greatest_spans_per_second"`
	// Offered is the median of the repeats' loads, in spans per second.
	Offered float64 `json:"offered_spans_per_second"`
	// Speedup is Median over that of the first row.
	Speedup float64 `json:"speedup"`
	// FreshnessP99 is the median of the repeats' 99th percentile, in seconds.
	FreshnessP99 float64 `json:"median_freshness_p99_seconds"`
	// Passed is how many repeats passed, FlushersKeptUp in how many the flushers were not the limit.
	Passed         int `json:"passed"`
	FlushersKeptUp int `json:"kept_up"`
	// Cores and SpanCosts are the medians of what each used.
	Cores
	SpanCosts
}

// Sweep is the same scenario run with several values of a key, several times each.
type Sweep struct {
	Scenario string `json:"scenario"`
	// Over is the key. Empty: OverProcesses.
	Over string `json:"over,omitempty"`
	// Version of the program that made the runs.
	Version string `json:"version,omitempty"`
	World   string `json:"world"`
	// Defect was planted in each run, and PortFaults were, in their text form.
	Defect     string   `json:"defect,omitempty"`
	PortFaults []string `json:"port_faults,omitempty"`
	// Costs are as in Result.
	Costs string `json:"costs,omitempty"`
	// Unfinished says in words why there are fewer runs than were asked for; empty if there are not.
	Unfinished string     `json:"unfinished,omitempty"`
	Rows       []SweepRow `json:"rows"`
	Runs       []SweepRun `json:"runs"`
}

// NewSweep derives the rows: by process count, or in the order in which the values of another key came.
func NewSweep(scenario, world, over string, runs []SweepRun) Sweep {
	s := Sweep{Scenario: scenario, World: world, Over: over, Runs: runs}
	byValue := map[string][]SweepRun{}
	var values []string
	for _, run := range runs {
		if byValue[run.Value] == nil {
			values = append(values, run.Value)
		}
		byValue[run.Value] = append(byValue[run.Value], run)
	}
	for _, value := range values {
		s.Rows = append(s.Rows, rowOf(byValue[value]))
	}
	if s.byProcesses() {
		slices.SortFunc(s.Rows, func(a, b SweepRow) int { return cmp.Compare(a.Processes, b.Processes) })
	}
	for i := range s.Rows {
		if first := s.Rows[0].Median; first > 0 {
			s.Rows[i].Speedup = s.Rows[i].Median / first
		}
	}
	return s
}

func rowOf(repeats []SweepRun) SweepRow {
	row := SweepRow{Processes: repeats[0].Processes, Value: repeats[0].Value, Repeats: len(repeats)}
	of := func(value func(SweepRun) float64) []float64 { return column(repeats, value) }
	for _, run := range repeats {
		if run.Verdict == string(Passed) {
			row.Passed++
		}
		if run.FlushersKeptUp {
			row.FlushersKeptUp++
		}
	}
	rates := of(func(r SweepRun) float64 { return r.SpansPerSecond })
	row.Least, row.Greatest = slices.Min(rates), slices.Max(rates)
	row.Median = Median(rates)
	row.Offered = Median(of(func(r SweepRun) float64 { return r.OfferedPerSecond }))
	row.FreshnessP99 = Median(of(func(r SweepRun) float64 { return r.FreshnessP99 }))
	row.Cores = Cores{
		Redis:    Median(of(func(r SweepRun) float64 { return r.Redis })),
		Kafka:    Median(of(func(r SweepRun) float64 { return r.Kafka })),
		Workers:  Median(of(func(r SweepRun) float64 { return r.Workers })),
		Consumer: Median(of(func(r SweepRun) float64 { return r.Consumer })),
		Harness:  Median(of(func(r SweepRun) float64 { return r.Harness })),
	}
	row.SpanCosts = SpanCosts{
		RedisTime:    Median(of(func(r SweepRun) float64 { return r.RedisTime })),
		KafkaTime:    Median(of(func(r SweepRun) float64 { return r.KafkaTime })),
		WorkerTime:   Median(of(func(r SweepRun) float64 { return r.WorkerTime })),
		ConsumerTime: Median(of(func(r SweepRun) float64 { return r.ConsumerTime })),
	}
	return row
}

// byProcesses tells whether the sweep is one over process counts.
func (s Sweep) byProcesses() bool { return s.Over == "" || s.Over == OverProcesses }

// heading is what the values are called, above a column of them.
func (s Sweep) heading() string {
	if s.byProcesses() {
		return "processes"
	}
	return s.Over
}

// Group names the runs with a value: "2 processes", "topology.partitions 64".
func (s Sweep) Group(r SweepRun) string {
	if s.byProcesses() {
		return options.FormatCount(r.Processes, "process")
	}
	return s.Over + " " + r.Value
}

// Notes says in words what the figures do not tell: what values can do that kept up with the load, and
// which of the others is better where their spreads overlap.
func (s Sweep) Notes() []string {
	var notes []string
	limited := func(r SweepRow) bool { return r.FlushersKeptUp < r.Repeats }
	if kept := slices.DeleteFunc(slices.Clone(s.Rows), limited); len(kept) > 0 {
		notes = append(notes, "the load was the limit with "+s.counts(kept)+", which may do more")
	}
	for _, group := range s.alike() {
		if slices.ContainsFunc(group, limited) {
			notes = append(notes, s.counts(group)+" cannot be told apart: their spreads overlap")
		}
	}
	return notes
}

// counts names the values of rows: "1, 2 and 4 processes", "topology.partitions 8 and 64".
func (s Sweep) counts(rows []SweepRow) string {
	values := column(rows, func(r SweepRow) string { return r.Value })
	last := len(values) - 1
	text := values[last]
	if last > 0 {
		text = strings.Join(values[:last], ", ") + " and " + text
	}
	if !s.byProcesses() {
		return s.Over + " " + text
	}
	if rows[last].Processes == 1 {
		return text + " process"
	}
	return text + " processes"
}

// alike returns the largest groups of rows whose spreads have a value in common.
func (s Sweep) alike() [][]SweepRow {
	var groups [][]SweepRow
	within := func(small, large []SweepRow) bool {
		return !slices.ContainsFunc(small, func(r SweepRow) bool { return !slices.Contains(large, r) })
	}
	for _, row := range s.Rows {
		// If some spreads have a value in common, the greatest of their least values is one.
		var group []SweepRow
		for _, other := range s.Rows {
			if other.Least <= row.Least && row.Least <= other.Greatest {
				group = append(group, other)
			}
		}
		if len(group) < 2 || slices.ContainsFunc(groups,
			func(g []SweepRow) bool { return within(group, g) }) {
			continue
		}
		groups = slices.DeleteFunc(groups, func(g []SweepRow) bool { return within(g, group) })
		groups = append(groups, group)
	}
	return groups
}

// cores are those of each row.
func (s Sweep) cores() []Cores { return column(s.Rows, func(r SweepRow) Cores { return r.Cores }) }

// Median is that of values in any order: of an even number of them the mean of the middle two. Without any
// it is 0.
func Median(values []float64) float64 {
	values = slices.Sorted(slices.Values(values))
	n := len(values)
	if n == 0 {
		return 0
	}
	return (values[(n-1)/2] + values[n/2]) / 2
}
