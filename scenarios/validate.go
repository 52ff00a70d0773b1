package scenarios

import (
	"fmt"
	"math"
	"regexp"
	"time"

	"sluice/internal/yamlfile"
)

var namePattern = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

// partitionsMax bounds the input topic of a run on one machine.
const partitionsMax = 256

// Validate returns yamlfile.Problems with everything that does not fit together, or nil. It changes
// nothing.
func (s Scenario) Validate() error {
	c := &checker{}
	c.expect(namePattern.MatchString(s.Name), "name",
		"name %q must consist of lower-case letters, digits and single dashes", s.Name)
	c.expect(s.Duration > 0, "duration", "duration %v must be longer than 0s", s.Duration)
	s.Topology.validate(c)
	s.Pipeline.validate(c)
	s.Workload.validate(c)
	for i, fault := range s.Faults {
		s.validateFault(c, fmt.Sprintf("faults[%d]", i), fault)
	}
	s.Expectations.validate(c)
	return c.problems.Err()
}

type checker struct{ problems yamlfile.Problems }

func (c *checker) expect(ok bool, path, format string, args ...any) {
	if !ok {
		c.problems = append(c.problems, yamlfile.Problem{Path: path, Message: fmt.Sprintf(format, args...)})
	}
}

func (t Topology) validate(c *checker) {
	c.expect(t.Partitions >= 1 && t.Partitions <= partitionsMax, "topology.partitions",
		"%d partitions must be 1 to %d", t.Partitions, partitionsMax)
	c.expect(t.FlusherProcesses >= 1 || t.FlusherProcesses == PerShard, "topology.flusher_processes",
		"%d must be 1 or more, or per-shard", int(t.FlusherProcesses))
	c.expect(t.FlusherMode == ModeProcess || t.FlusherMode == ModeGoroutine, "topology.flusher_mode",
		"mode %q must be %s or %s", t.FlusherMode, ModeProcess, ModeGoroutine)
	c.expect(t.OutputRecordMax >= 0, "topology.output_record_max", "%d must not be negative",
		t.OutputRecordMax)
}

func (p Pipeline) validate(c *checker) {
	positive := func(key string, d time.Duration) {
		c.expect(d > 0, "pipeline."+key, "%v must be longer than 0s", d)
	}
	positive("timeout", p.Timeout)
	positive("root_timeout", p.RootTimeout)
	notNegative := func(key string, d time.Duration) {
		c.expect(d >= 0, "pipeline."+key, "%v must not be negative", d)
	}
	notNegative("max_segment_age", p.MaxSegmentAge)
	notNegative("backpressure_after", p.BackpressureAfter)
	notNegative("max_batch_wait", p.MaxBatchWait)
	c.expect(p.MaxUnhealthy >= time.Millisecond, "pipeline.max_unhealthy", "%v must be 1ms or more",
		p.MaxUnhealthy)
	c.expect(p.MaxFlushSegments >= 1, "pipeline.max_flush_segments", "%d must be 1 or more",
		p.MaxFlushSegments)
	c.expect(p.RestartBudget >= 0, "pipeline.restart_budget", "%d must be 0 or more", p.RestartBudget)
	c.expect(p.MaxMemory > 0 && p.MaxMemory <= 1, "pipeline.max_memory",
		"%v must be a share over 0 and up to 1 (1 switches it off)", p.MaxMemory)
	c.expect(p.MaxBatch >= 1, "pipeline.max_batch", "%d must be 1 or more", p.MaxBatch)
}

// producersMax bounds the clients that send the load of a run on one machine.
const producersMax = 16

// spanBytesMin is the size of a span's message without any padding, with room to spare.
const spanBytesMin = 400

func (w Workload) validate(c *checker) {
	c.expect(w.Rate.Peak() > 0, "workload.rate", "rate %v never sends a span", w.Rate)
	c.expect(w.TracesAtOnce >= 1 && w.TracesAtOnce <= 1_000_000, "workload.traces_at_once",
		"%d must be 1 to 1000000", w.TracesAtOnce)
	c.expect(w.Depth >= 1, "workload.depth", "%d must be 1 or more", w.Depth)
	c.expect(w.SpanBytes.Low >= spanBytesMin || w.SpanBytes.Kind == SpreadGeometric,
		"workload.span_bytes", "a span takes at least %d bytes, not %d", spanBytesMin, w.SpanBytes.Low)
	c.expect(w.Projects >= 1, "workload.projects", "%d must be 1 or more", w.Projects)
	c.share("workload.disorder", w.Disorder)
	c.share("workload.duplicates", w.Duplicates)
	c.share("workload.headless", w.Headless)
	c.share("workload.bad", w.Bad)
	c.expect(w.Producers >= 1 && w.Producers <= producersMax, "workload.producers",
		"%d must be 1 to %d", w.Producers, producersMax)
	c.expect(w.KeySkew >= 0 && w.KeySkew <= 10, "workload.key_skew", "%v must be 0 to 10", w.KeySkew)
}

func (c *checker) share(path string, share float64) {
	c.expect(share >= 0 && share <= 1 && !math.IsNaN(share), path,
		"%v must be a share from 0 to 1", share)
}

func (s Scenario) validateFault(c *checker, path string, f Fault) {
	workers := s.Topology.Workers()
	worker := func(n int) {
		c.expect(n < workers, path, "there is no worker %d: the topology has %d, numbered 0 to %d",
			n, workers, workers-1)
	}
	switch f.When.Kind {
	case MomentAt, MomentEvery, MomentRandomly:
		c.expect(f.When.At < s.Duration, path, "at %v is after the load has ended: duration is %v",
			f.When.At, s.Duration)
	case MomentRestarted:
		worker(f.When.Worker)
	}
	switch f.Target.Kind {
	case TargetWorker:
		worker(f.Target.N)
	case TargetPartition:
		c.expect(f.Target.N < s.Topology.Partitions, path,
			"there is no partition %d: the topology has %d, numbered 0 to %d",
			f.Target.N, s.Topology.Partitions, s.Topology.Partitions-1)
	}
	if f.Target.isWorker() {
		c.expect(s.Topology.FlusherMode == ModeProcess, path,
			"only a worker that is a process can %s: set flusher_mode to %s", f.Verb, ModeProcess)
	}
}

// CheckFaults asks of every fault whether a world can do it; can returns why not, in words. The
// error is yamlfile.Problems that name the faults; yamlfile.Places.Of adds where they stand.
func (s Scenario) CheckFaults(can func(Fault) error) error {
	c := &checker{}
	for i, fault := range s.Faults {
		if err := can(fault); err != nil {
			c.expect(false, fmt.Sprintf("faults[%d]", i), "%s: %v", fault.What(), err)
		}
	}
	return c.problems.Err()
}

func (e Expectations) validate(c *checker) {
	c.expect(e.RestartsMin >= 0, "expectations.restarts_min", "%d must be 0 or more", e.RestartsMin)
	c.expect(e.DrainMax > 0, "expectations.drain_max", "%v must be longer than 0s", e.DrainMax)
	c.expect(e.FreshnessP99Max >= 0, "expectations.freshness_p99_max", "%v must not be negative",
		e.FreshnessP99Max)
	c.expect(e.WorkerMemoryMax > 0, "expectations.worker_memory_max", "%d must be over 0",
		e.WorkerMemoryMax)
}
