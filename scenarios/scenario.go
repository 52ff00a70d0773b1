package scenarios

import (
	"time"

	"sluice/buffer"
	"sluice/consumer/ingest"
	"sluice/internal/portfault"
)

// Scenario is one run that can be repeated: the same scenario and seed give the same load and the
// same faults.
type Scenario struct {
	// Name is how the scenario is called: lower-case letters, digits and dashes.
	Name string `yaml:"name"`
	// Description says in a sentence or two what the scenario shows.
	Description string `yaml:"description"`
	// Seed is the root of all random choices. Default 1.
	Seed uint64 `yaml:"seed"`
	// Duration is how long load arrives. What is still buffered then is flushed afterwards.
	Duration time.Duration `yaml:"duration"`
	// Topology is what the system looks like.
	Topology Topology `yaml:"topology"`
	// Pipeline holds the options of the pipeline, in the words of its command line.
	Pipeline Pipeline `yaml:"pipeline"`
	// Workload is what arrives.
	Workload Workload `yaml:"workload"`
	// Faults are what is broken during the run, each in the one-line form of Fault.
	Faults []Fault `yaml:"faults"`
	// PortFaults break calls of the pipeline's ports in the whole run, each in the words of --port-fault.
	PortFaults portfault.List `yaml:"port_faults"`
	// Expectations are what the run must reach, beyond the invariants that hold in every run.
	Expectations Expectations `yaml:"expectations"`
}

// Topology is what the system looks like.
type Topology struct {
	// Partitions of the input topic, and so the number of shards. Default 8.
	Partitions int `yaml:"partitions"`
	// FlusherProcesses is the number of workers, or per-shard. Default 1.
	FlusherProcesses Processes `yaml:"flusher_processes"`
	// FlusherMode is process or goroutine. Default process.
	FlusherMode Mode `yaml:"flusher_mode"`
	// OutputRecordMax is the largest record that the output topic takes; 0: the broker's default.
	OutputRecordMax buffer.Bytes `yaml:"output_record_max"`
}

// Mode is what a worker is to the operating system.
type Mode string

// The modes.
const (
	// ModeProcess runs each worker as a process of its own, which can be frozen and killed.
	ModeProcess Mode = "process"
	// ModeGoroutine runs the workers inside the program.
	ModeGoroutine Mode = "goroutine"
)

// UnmarshalText reads process or goroutine.
func (m *Mode) UnmarshalText(text []byte) error {
	w := &words{list: []string{string(text)}}
	*m = Mode(w.choice("mode", string(ModeProcess), string(ModeGoroutine)))
	return w.err
}

// Workers returns how many workers the topology has: as many as were asked for, but never more
// than shards.
func (t Topology) Workers() int {
	if t.FlusherProcesses == PerShard {
		return t.Partitions
	}
	return min(int(t.FlusherProcesses), t.Partitions)
}

// Pipeline holds the options of the pipeline. The defaults are those of the pipeline itself.
type Pipeline struct {
	// Timeout is how long after its last span a segment without a root is flushed.
	Timeout time.Duration `yaml:"timeout"`
	// RootTimeout is how long after its last span a segment with a root is flushed.
	RootTimeout time.Duration `yaml:"root_timeout"`
	// MaxSegmentAge is how long after its first span a segment is flushed at the latest; 0s: off.
	MaxSegmentAge time.Duration `yaml:"max_segment_age" off:"0s"`
	// MaxSegmentBytes is the payload over which a segment is cut off; 0: off.
	MaxSegmentBytes buffer.Bytes `yaml:"max_segment_bytes" off:"0"`
	// MaxFlushSegments is how many segments a worker takes per cycle.
	MaxFlushSegments int `yaml:"max_flush_segments"`
	// MaxUnhealthy is how long a worker may be silent; twice that while it starts.
	MaxUnhealthy time.Duration `yaml:"max_unhealthy"`
	// BackpressureAfter is how long a worker may lag before its partitions pause.
	BackpressureAfter time.Duration `yaml:"backpressure_after"`
	// RestartBudget is how many restarts a worker has.
	RestartBudget int `yaml:"restart_budget"`
	// MaxMemory is the share of a Redis node's memory over which input pauses; 1: off.
	MaxMemory float64 `yaml:"max_memory" off:"1"`
	// MaxBatch is how many spans the ingest loop takes at a time per partition.
	MaxBatch int `yaml:"max_batch"`
	// MaxBatchWait is how long the ingest loop waits for a batch to fill, as far as the time-outs allow it.
	MaxBatchWait time.Duration `yaml:"max_batch_wait"`
}

// BatchWait is how long the ingest loop really waits for a batch to fill.
func (p Pipeline) BatchWait() time.Duration {
	return ingest.BatchWait(p.MaxBatchWait, p.Timeout, p.RootTimeout)
}

// Workload is what arrives: traces of spans, open loop, so a slow system does not slow the load.
type Workload struct {
	// Rate is the number of spans per second over time.
	Rate Rate `yaml:"rate"`
	// TracesAtOnce is how many traces are interleaved. Default 50.
	TracesAtOnce int `yaml:"traces_at_once"`
	// SpansPerTrace is the size of a trace. Default 20.
	SpansPerTrace Spread `yaml:"spans_per_trace"`
	// Depth is how many levels a trace has at most below its root. Default 8.
	Depth int `yaml:"depth"`
	// SpanBytes is the size of a span's message. Default 500.
	SpanBytes Spread `yaml:"span_bytes"`
	// Projects is the number of projects the traces are spread over. Default 4.
	Projects int `yaml:"projects"`
	// Disorder is the share of traces, 0 to 1, whose spans arrive in random order. Default 0:
	// every parent comes before its children.
	Disorder float64 `yaml:"disorder"`
	// Late is the share of spans that are held back, and for how long. Default never.
	Late Late `yaml:"late"`
	// Duplicates is the share of spans, 0 to 1, that arrive a second time soon after. Default 0.
	Duplicates float64 `yaml:"duplicates"`
	// Headless is the share of traces, 0 to 1, whose root never arrives: such a segment is named
	// after the parent that nobody saw, and waits for timeout. Default 0.
	Headless float64 `yaml:"headless"`
	// Bad is how many messages that are not spans arrive per span, 0 to 1. Each must come out in the
	// dead-letter topic, and nowhere else. Default 0.
	Bad float64 `yaml:"bad"`
	// Skew is the share of traces whose messages have wrong timestamps, and how wrong those are: off by
	// up to so much, or 0 or -1. Default never.
	Skew Skew `yaml:"skew"`
	// Producers is how many clients share the sending, each on a connection of its own; a trace
	// stays with one of them. Default 1.
	Producers int `yaml:"producers"`
	// KeySkew is the exponent of Zipf's law by which traces fall on partitions: 0 is even, at 1
	// partition k gets 1/(k+1) of what partition 0 gets. Default 0.
	KeySkew float64 `yaml:"key_skew"`
}

// Expectations are limits that make a run miss its expectation when they are passed.
type Expectations struct {
	// RestartsMin is how many worker restarts must be seen in all: a fault that did nothing
	// proves nothing. Default 0.
	RestartsMin int `yaml:"restarts_min"`
	// WorkerRestartsMax is how many restarts each worker may have. Default unlimited.
	WorkerRestartsMax Count `yaml:"worker_restarts_max"`
	// ThroughputMin is the rate of flushed spans that must be reached, over the time of the load or
	// that from the first record out to the last if it is longer. Default 0/s.
	ThroughputMin PerSecond `yaml:"throughput_min"`
	// FreshnessP99Max is the freshness that 99 % of the segments must keep. Default 0s: any.
	FreshnessP99Max time.Duration `yaml:"freshness_p99_max" off:"0s"`
	// RepeatedSpansMax is how many spans may come out again in a repeated record. Default
	// unlimited with faults, 0 without.
	RepeatedSpansMax Count `yaml:"repeated_spans_max"`
	// SplitSpansMax is how many spans may come out under another ancestor than their root:
	// in a part of the segment that was flushed by itself. Default 0.
	SplitSpansMax Count `yaml:"split_spans_max"`
	// DuplicatedSpansMax is how many spans may come out again under another flush_id, though they were
	// sent once: their messages were delivered again after their segment was flushed. Default 0.
	DuplicatedSpansMax Count `yaml:"duplicated_spans_max"`
	// DrainMax is how long after the end of the load everything must be flushed. Default 30s.
	DrainMax time.Duration `yaml:"drain_max"`
	// End is how the consumer must end: drained, asked to at the end of the run, or budget: by itself,
	// because a worker's restart budget is used up. It is started again then, once the faults are
	// over, and everything must come out. Default drained.
	End End `yaml:"end"`
	// Figures are limits on figures of result.json, each a line: freshness_seconds.p99 <= 2s.
	Figures []Limit `yaml:"figures"`
	// WorkerMemoryMax is what a worker process may hold resident. Default 512MiB.
	WorkerMemoryMax buffer.Bytes `yaml:"worker_memory_max"`
}

// End is how a consumer ends.
type End string

// The ends.
const (
	// EndDrained: it runs until it is asked to stop, and drains.
	EndDrained End = "drained"
	// EndBudget: it gives up by itself, since a worker failed once more than its budget allows.
	EndBudget End = "budget"
)

// UnmarshalText reads drained or budget.
func (e *End) UnmarshalText(text []byte) error {
	w := &words{list: []string{string(text)}}
	*e = End(w.choice("end", string(EndDrained), string(EndBudget)))
	return w.err
}

// Default returns the scenario that an empty file stands for, apart from its name.
func Default() Scenario {
	return Scenario{
		Seed:     1,
		Duration: 10 * time.Second,
		Topology: Topology{Partitions: 8, FlusherProcesses: 1, FlusherMode: ModeProcess},
		Pipeline: Pipeline{
			Timeout:           60 * time.Second,
			RootTimeout:       10 * time.Second,
			MaxSegmentBytes:   10 << 20,
			MaxFlushSegments:  500,
			MaxUnhealthy:      60 * time.Second,
			BackpressureAfter: 10 * time.Second,
			RestartBudget:     10,
			MaxMemory:         1,
			MaxBatch:          1000,
			MaxBatchWait:      time.Second,
		},
		Workload: Workload{
			Rate:          Rate{Shape: ShapeConstant, From: 2000},
			TracesAtOnce:  50,
			SpansPerTrace: Fixed(20),
			Depth:         8,
			SpanBytes:     Fixed(500),
			Projects:      4,
			Producers:     1,
		},
		Expectations: Expectations{
			WorkerRestartsMax: Unlimited,
			RepeatedSpansMax:  Unset,
			DrainMax:          30 * time.Second,
			End:               EndDrained,
			WorkerMemoryMax:   512 << 20,
		},
	}
}

// resolve fills in what depends on the rest of the scenario.
func (s *Scenario) resolve() {
	if s.Expectations.RepeatedSpansMax == Unset {
		s.Expectations.RepeatedSpansMax = 0
		if len(s.Faults)+len(s.PortFaults) > 0 {
			s.Expectations.RepeatedSpansMax = Unlimited
		}
	}
}

// RepeatWithin is how many messages later a span that is sent twice follows at most. It must come
// while its segment is still buffered, since what was flushed is forgotten.
const RepeatWithin = 64
