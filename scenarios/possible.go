package scenarios

import (
	"fmt"
	"math"
	"slices"
	"time"

	"sluice/internal/options"
)

// possible finds what cannot happen in a scenario, though each value is right by itself. It says
// nothing that is not certain.
type possible struct {
	*checker
	*Scenario
	around Around
}

// tailMax is how much longer than its duration a load may go on at least until the traces are whole.
const tailMax = time.Minute

// rest returns how many spans at the most finish the traces that are open when the load is over,
// and how many in the mean.
func (s *Scenario) rest() (most, mean int64) {
	size := s.Workload.SpansPerTrace
	open := min(int64(s.Workload.TracesAtOnce), s.Pacer().Total())
	return open * int64(size.High-1), int64(float64(open) * (size.Mean - 1))
}

// grain is that of a shard's clock: what comes a little later than a segment is due may still go with it.
const grain = time.Second

// lastSpan is when the load sends its last span at the latest, as long as Kafka takes it.
func (s *Scenario) lastSpan() time.Duration {
	pacer := s.Pacer()
	last := pacer.At(pacer.Total())
	if most, _ := s.rest(); most > 0 {
		last = pacer.Beyond(most)
	}
	if s.Workload.Late.Share > 0 {
		last += s.Workload.Late.By
	}
	return last
}

// reach is the highest rate that the load can have over the time that it lasts, which ends with its last
// span: within the duration, or after it if traces are still open then.
func (s *Scenario) reach() float64 {
	pacer := s.Pacer()
	total := pacer.Total()
	over := func(rest int64, last time.Duration) float64 {
		return float64(total+rest) / max(last, time.Microsecond).Seconds()
	}
	reach := over(0, pacer.At(total))
	if most, _ := s.rest(); most > 0 { // with each span behind the duration it rises, or falls, to the last
		reach = max(reach, over(1, pacer.Beyond(1)), over(most, pacer.Beyond(most)))
	}
	return reach
}

// checkTopology checks what per-shard comes to.
func (p *possible) checkTopology() {
	t := p.Topology
	p.expect(t.Workers() <= processesMax || !p.knows("topology.partitions", "topology.flusher_processes"),
		"topology.flusher_processes", "per-shard of %d partitions are more than %d workers, which are the "+
			"most: write a number, or fewer partitions", t.Partitions, processesMax)
}

// checkLoad checks the workload against the duration.
func (p *possible) checkLoad() {
	w := p.Workload
	if !p.knows("duration", "workload.rate") {
		return
	}
	total := p.Pacer().Total()
	p.expect(total > 0, "workload.rate", "%v sends no span within the duration of %v", w.Rate, p.Duration)
	p.expect(total <= spansMax, "workload.rate",
		"%v over %v is %d spans, but a run keeps account of at most %d: lower the rate or the duration",
		w.Rate, p.Duration, total, spansMax)
	for _, step := range w.Rate.Steps {
		p.expect(step.At < p.Duration, "workload.rate",
			"the step at %v is after the load has ended: duration is %v", step.At, p.Duration)
	}
	if w.Rate.Shape == ShapeBurst {
		p.expect(w.Rate.Every-w.Rate.For < p.Duration, "workload.rate",
			"the first burst would begin at %v, after the load has ended: duration is %v",
			w.Rate.Every-w.Rate.For, p.Duration)
	}
	if late := w.Late; late.Share > 0 && p.knows("workload.late") {
		p.expect(late.By < p.Duration, "workload.late",
			"late by %v is beyond the load: duration is %v, so write less, or a longer duration",
			late.By, p.Duration)
		p.expect(p.Duration+late.By <= durationMax, "workload.late",
			"duration and lateness are %v together, and may be %v: the ledger keeps times up to that",
			p.Duration+late.By, durationMax)
	}
	if p.knows("workload.spans_per_trace", "workload.traces_at_once") {
		_, rest := p.rest()
		tail := p.Pacer().Beyond(rest) - p.Duration
		p.expect(tail <= max(p.Duration, tailMax), "workload.spans_per_trace",
			"%s traces of %v spans at once would take %v to finish after the load of %v: lower "+
				"traces_at_once or spans_per_trace, or send more per second",
			options.FormatGrouped(min(int64(w.TracesAtOnce), total), " "), w.SpansPerTrace,
			tail.Round(time.Second), p.Duration)
	}
	p.expect(w.Headless == 0 || w.SpansPerTrace.High > 1 || !p.knows("workload.spans_per_trace"),
		"workload.headless", "a trace of one span is never without it: spans_per_trace must be 2 or more")
	if record := p.Topology.OutputRecordMax; record > 0 &&
		p.knows("workload.span_bytes", "topology.output_record_max") {
		p.expect(int64(w.SpanBytes.Low) < int64(record), "topology.output_record_max",
			"no span of %v bytes or more fits into a record of %s, so that nothing would come out",
			w.SpanBytes.Low, options.FormatSize(record))
	}
}

// checkDrain checks that what the load leaves behind can be due before drain_max.
func (p *possible) checkDrain() {
	if !p.knows("expectations.drain_max", "pipeline.root_timeout") {
		return
	}
	o, drain, name := p.Pipeline, p.Expectations.DrainMax, "root_timeout"
	wait := o.RootTimeout
	// Nor have spans a root that come when it was flushed.
	late := p.Workload.Late.Share > 0 && p.Workload.Late.By > wait+grain && !p.said("workload.late")
	if (p.Workload.Headless > 0 || late) && p.Workload.SpansPerTrace.High > 1 && o.Timeout > wait &&
		p.knows("pipeline.timeout", "workload.headless", "workload.late") {
		wait, name = o.Timeout, "timeout"
	}
	if o.MaxSegmentAge > 0 && o.MaxSegmentAge < wait || !p.knows("pipeline.max_segment_age") {
		return // the last segments are due by their age
	}
	path := p.firstOf("expectations.drain_max", "workload.headless", "workload.late", "pipeline."+name)
	p.expect(drain > wait, path, "the last segments are due %s after the load (pipeline.%s), so that "+
		"they cannot be out within drain_max, %s: make that more than %s", written(wait), name,
		written(drain), written(wait))
}

// checkExpectations checks expectations against the load, and against each other.
func (p *possible) checkExpectations() {
	x, workers, budget := p.Expectations, p.Topology.Workers(), p.Pipeline.RestartBudget
	if p.knows("duration", "workload.rate", "workload.traces_at_once", "workload.spans_per_trace") {
		reach := p.reach()
		p.expect(float64(x.ThroughputMin) <= reach, "expectations.throughput_min",
			"%v cannot be reached: as long as it lasts, the load sends %.0f/s at the most; write no more than "+
				"that", x.ThroughputMin, math.Floor(reach))
	}
	if p.knows("topology", "expectations.worker_restarts_max", "expectations.restarts_min") &&
		x.WorkerRestartsMax != Unlimited {
		most := int64(workers) * int64(x.WorkerRestartsMax)
		p.expect(int64(x.RestartsMin) <= most, "expectations.restarts_min",
			"%d restarts are more than %d, all that a worker_restarts_max of %d allows (workers: %d)",
			x.RestartsMin, most, x.WorkerRestartsMax, workers)
	}
	if p.knows("topology", "faults", "pipeline.restart_budget", "expectations.restarts_min",
		"expectations.worker_restarts_max", "expectations.end") {
		lives := slices.ContainsFunc(p.Faults, func(f Fault) bool {
			return f.Target.Kind == TargetConsumer && f.Verb != VerbResume
		})
		p.expect(lives || x.End == EndBudget || x.RestartsMin <= workers*budget, "expectations.restarts_min",
			"%d restarts are more than %d, all that a restart_budget of %d allows (workers: %d)",
			x.RestartsMin, workers*budget, budget, workers)
		p.expect(x.End != EndBudget || x.WorkerRestartsMax.Allows(int64(budget)),
			"expectations.worker_restarts_max",
			"%s contradicts end: budget, for which a worker must use up its restart_budget of %d",
			written(x.WorkerRestartsMax), budget)
		if !p.around.Restarts {
			restarts := slices.Contains(p.restarting(), true)
			p.expect(restarts || x.RestartsMin == 0, "expectations.restarts_min",
				"no fault of the scenario makes a worker restart: write 0, or a fault such as at 5s crash "+
					"any worker")
			p.expect(restarts || x.End != EndBudget, "expectations.end",
				"no fault of the scenario makes a worker restart, so that no budget is used up: write "+
					"drained, or a fault such as at 5s crash-loop worker 0 for 1m")
		}
	}
	p.checkFigures()
}

// checkFigures checks the limits on figures against the topology, and against each other.
func (p *possible) checkFigures() {
	limits := p.Expectations.Figures
	for i, limit := range limits {
		path := fmt.Sprintf("expectations.figures[%d]", i)
		if !p.knows(path) {
			continue
		}
		var worker int
		if n, _ := fmt.Sscanf(limit.Figure, "workers.%d.restarts", &worker); n == 1 && p.knows("topology") {
			p.hasWorker(path, worker)
		}
		p.expect(limit.possible(), path, "no value is within this: %s is a figure that is never below 0%s",
			limit.Figure, map[bool]string{true: ", and a whole number"}[limit.counts()])
		for _, other := range limits[:i] {
			p.expect(limit.Figure != other.Figure || limit.meets(other), path,
				"no value is within this and within %q", other)
		}
	}
}

func (p *possible) hasWorker(path string, n int) {
	workers := p.Topology.Workers()
	p.expect(n < workers, path, "there is no worker %d: the topology has %d, numbered 0 to %d",
		n, workers, workers-1)
}
