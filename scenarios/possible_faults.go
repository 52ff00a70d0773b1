package scenarios

import (
	"fmt"
	"slices"
	"time"

	"sluice/internal/portfault"
)

// jumpMax is how far ahead of its own clock Kafka takes a timestamp by default, and jumpBackMax is
// less than it keeps what is old.
const (
	jumpMax     = time.Hour
	jumpBackMax = 6 * 24 * time.Hour
)

func faultPath(i int) string { return fmt.Sprintf("faults[%d]", i) }

// checkFaults checks each fault against the topology and the load, and against the others.
func (p *possible) checkFaults() {
	for i, f := range p.Faults {
		path := faultPath(i)
		if !p.knows(path) {
			continue
		}
		p.checkMoment(path, f)
		p.checkTarget(path, f)
		p.checkAway(path, f)
		if f.Verb == VerbJump {
			p.expect(f.By <= jumpMax && -f.By <= jumpBackMax, path, "a jump by %s is more than Kafka takes "+
				"by default: from -%s to %s", written(f.By), written(jumpBackMax), written(jumpMax))
		}
	}
	p.checkWorld()
	if !p.knows("faults", "duration", "topology", "pipeline.max_unhealthy") {
		return
	}
	reached := p.restarting()
	for i, f := range p.Faults {
		path := faultPath(i)
		if p.said(path) {
			continue
		}
		if f.When.Kind == MomentRestarted && !p.around.Restarts {
			p.expect(reached[f.When.Worker], path,
				"no fault before it makes worker %d restart: add one such as at 1s crash worker %d",
				f.When.Worker, f.When.Worker)
		}
		if f.Verb == VerbResume {
			p.checkResume(path, f)
		}
		p.checkDown(path, f)
	}
}

// checkPortFaults asks of each fault at a port whether the run can have it.
func (p *possible) checkPortFaults() {
	for i, f := range p.PortFaults {
		path := fmt.Sprintf("port_faults[%d]", i)
		if err := p.CheckPortFault(f); err != nil && p.knows("topology.flusher_mode") {
			p.expect(false, path, "%v", err)
		}
	}
}

// CheckPortFault returns why a fault at a port would end more than it says, or nil.
func (s Scenario) CheckPortFault(f portfault.Fault) error {
	switch {
	case !f.Crashes():
		return nil
	case f.Port.OfConsumer():
		return fmt.Errorf("port fault %q: a consumer that ends by itself ends the run: write it at a port of "+
			"workers, or inject the scenario's fault crash consumer", f)
	case s.Topology.FlusherMode == ModeGoroutine:
		return fmt.Errorf("port fault %q: workers in goroutines cannot crash by themselves: set "+
			"topology.flusher_mode to process", f)
	}
	return nil
}

// checkWorld asks whether the world can do each fault.
func (p *possible) checkWorld() {
	for i, f := range p.Faults {
		if p.around.Can == nil || !p.knows(faultPath(i)) {
			continue
		}
		if err := p.around.Can(f); err != nil {
			p.expect(false, faultPath(i), "%s: %v", f.What(), err)
		}
	}
}

// checkMoment checks that the moment can come while load arrives.
func (p *possible) checkMoment(path string, f Fault) {
	m := f.When
	switch m.Kind {
	case MomentAt, MomentEvery, MomentRandomly:
		if !p.knows("duration") {
			return
		}
		p.checkTime(path, m)
		if m.Kind != MomentAt {
			times := int64((p.Duration - m.At) / m.Every)
			p.expect(times <= occurrencesMax, path, "%v happens %d times within %v, and may %d times", m,
				times, p.Duration, occurrencesMax)
		}
	case MomentRestarted, MomentStage:
		if p.knows("topology") && m.Worker != OfConsumer {
			p.hasWorker(path, m.Worker)
		}
		if p.knows("duration") {
			p.checkTime(path, m)
		}
	case MomentSent, MomentFlushed:
		p.checkCount(path, m)
	}
}

// checkTime checks that a time is before the end of the load, which ends with its last span.
func (p *possible) checkTime(path string, m Moment) {
	if m.At >= p.Duration {
		p.expect(false, path, "%v is after the load has ended: duration is %v", m, p.Duration)
		return
	}
	waits := slices.ContainsFunc(p.Faults, func(f Fault) bool { return f.Target.isKafka() || f.Verb == VerbDepose })
	if waits || !p.knows("faults", "workload.rate", "workload.traces_at_once", "workload.spans_per_trace",
		"workload.late") {
		return
	}
	if last := p.lastSpan(); p.Pacer().Total() > 0 && m.At > last {
		p.expect(false, path, "%v is after the load has ended, which is with its last span, at %s: write an "+
			"earlier time, or a rate that sends until then", m, written(last.Round(time.Millisecond)))
	}
}

// awayMax is for how long Kafka may be away in a load that is shorter: who sends waits for it.
const awayMax = 10 * time.Minute

// aways are verbs that keep what is sent from Kafka, also from a part of it.
var aways = []Verb{VerbStop, VerbCrash, VerbHang, VerbRefuse, VerbBlackHole, VerbDepose}

// checkAway checks that the load does not last far longer than it should.
func (p *possible) checkAway(path string, f Fault) {
	most := max(p.Duration, awayMax)
	if (f.Target.isKafka() || f.Verb == VerbDepose) && slices.Contains(aways, f.Verb) && p.knows("duration") {
		p.expect(f.For <= most, path, "the load waits for Kafka, and may last for %s: write no more than "+
			"for %s, or a longer duration", written(f.For), written(most))
	}
}

// checkCount checks that so many spans can be sent, or be out, before the load has ended.
func (p *possible) checkCount(path string, m Moment) {
	if !p.knows("duration", "workload.rate", "workload.traces_at_once", "workload.spans_per_trace") {
		return
	}
	sent := p.Pacer().Total()
	most, _ := p.rest()
	p.expect(m.Spans <= sent+most, path, "the load is %d spans, and at most %d more that finish its "+
		"traces, so that %d are never %s: write fewer", sent, most, m.Spans, m.Kind)
	jumps := slices.ContainsFunc(p.Faults, func(f Fault) bool { return f.Verb == VerbJump })
	if m.Kind == MomentSent || jumps || m.Spans > sent+most ||
		!p.knows("faults", "workload.late", "pipeline.root_timeout", "pipeline.timeout",
			"pipeline.max_segment_age") {
		return
	}
	// What is due by the clock of the shard, which is one of whole seconds, was sent before.
	wait := min(p.Pipeline.RootTimeout, p.Pipeline.Timeout)
	if age := p.Pipeline.MaxSegmentAge; age > 0 {
		wait = min(wait, age)
	}
	end := p.Pacer().Beyond(most)
	if p.Workload.Late.Share > 0 {
		end += p.Workload.Late.By
	}
	if before := end - wait + grain; before < p.Duration {
		out := int64(p.Pacer().Hits(before))
		p.expect(m.Spans <= out, path, "%d spans cannot be out before the load has ended: no segment is "+
			"due earlier than %v after its last span, which leaves %d; write fewer, a shorter time-out or "+
			"a longer duration", m.Spans, wait, out)
	}
}

// ofWorker tells whether the moment is one of a worker.
func (m Moment) ofWorker() bool { return m.Kind == MomentRestarted || m.Kind == MomentStage }

// checkTarget checks that the target exists and can be hit.
func (p *possible) checkTarget(path string, f Fault) {
	switch f.Target.Kind {
	case TargetWorker:
		// Twice the same worker is one problem.
		if p.knows("topology") && !(f.When.ofWorker() && f.When.Worker == f.Target.N) {
			p.hasWorker(path, f.Target.N)
		}
	case TargetPartition:
		if n := p.Topology.Partitions; p.knows("topology.partitions") {
			p.expect(f.Target.N < n, path, "there is no partition %d: the topology has %d, numbered 0 to %d",
				f.Target.N, n, n-1)
		}
	}
	if f.Target.isWorker() && p.knows("topology.flusher_mode") {
		p.expect(p.Topology.FlusherMode == ModeProcess, path,
			"only a worker that is a process can %s: set flusher_mode to %s", f.Verb, ModeProcess)
	}
}

// restarting tells of each worker whether a fault may make it restart.
func (p *possible) restarting() []bool {
	reached := make([]bool, p.Topology.Workers())
	for more := true; more; {
		more = false
		for _, f := range p.Faults {
			after := f.When.Worker
			if f.When.Kind == MomentRestarted && !(after < len(reached) && reached[after]) {
				continue
			}
			for n := range reached {
				if !reached[n] && p.mayRestart(f, n) {
					reached[n], more = true, true
				}
			}
		}
	}
	return reached
}

// mayRestart tells whether a fault may make a worker restart. One of a server may, on a bad day.
func (p *possible) mayRestart(f Fault, worker int) bool {
	if f.Target.isWorker() && !f.Target.Covers(Target{TargetWorker, worker}) {
		return false
	}
	switch f.Verb {
	case VerbResume, VerbSlowStart, VerbJump, VerbRebalance, VerbDelete:
		return false
	case VerbHang:
		return !f.Target.isWorker() || f.For == ForGood || 2*f.For >= p.Pipeline.MaxUnhealthy
	}
	return true
}

// Covers tells whether what hits one target may hit another one, too.
func (t Target) Covers(other Target) bool {
	switch {
	case t.isWorker() && other.isWorker():
		return t.Kind != TargetWorker || other.Kind != TargetWorker || t.N == other.N
	case t.Kind == TargetRedis && other.Kind == TargetRedis:
		return t.N == AllNodes || other.N == AllNodes || t.N == other.N
	case t.Kind == TargetBroker && other.Kind == TargetBroker:
		return t.N == other.N
	}
	return t.Kind == other.Kind || t.isKafka() && other.isKafka()
}

// window is when a fault may begin: from the first time to the last.
func (p *possible) window(f Fault) (from, to time.Duration) {
	switch f.When.Kind {
	case MomentAt:
		return f.When.At, f.When.At
	case MomentEvery, MomentRandomly, MomentStage:
		return f.When.At, p.Duration
	}
	return 0, p.Duration
}

// checkResume checks that what is woken can be frozen then.
func (p *possible) checkResume(path string, f Fault) {
	from, to := p.window(f)
	last := "" // of those that are over, or not there yet
	for _, other := range p.Faults {
		length := other.For
		switch {
		case !other.Target.Covers(f.Target):
			continue
		case other.Verb == VerbSlowStart:
			return // whenever a worker starts
		case other.Verb != VerbHang:
			continue
		case length == ForGood:
			length = 2 * p.Pipeline.MaxUnhealthy // the supervisor has killed it then
		}
		otherFrom, otherTo := p.window(other)
		if otherFrom <= to && from < otherTo+length {
			return
		}
		last = other.String()
	}
	if last != "" {
		p.expect(false, path, "%s is not frozen then: %q begins later, or is over", f.Target, last)
		return
	}
	p.expect(false, path, "no fault freezes %s: add one such as at 1s hang %s for 2s", f.Target, f.Target)
}

// downs are verbs after which a server or the consumer is not there until they are over.
var downs = []Verb{VerbStop, VerbCrash, VerbWipe, VerbFailover}

// checkDown checks that the target is not down from before the fault's time until the load ends.
func (p *possible) checkDown(path string, f Fault) {
	if f.When.Kind != MomentAt || f.Verb == VerbResume {
		return
	}
	for _, other := range p.Faults {
		lasts := slices.Contains(downs, other.Verb) && other.For > 0 &&
			other.When.Kind == MomentAt && other.When.At < f.When.At && other.When.At+other.For >= p.Duration
		excludes := other.Target.Kind == TargetConsumer && f.Target.isWorker() ||
			other.Target.Covers(f.Target) && (f.Verb == VerbHang || slices.Contains(downs, f.Verb))
		if lasts && excludes {
			p.expect(false, path, "%s is down then, and until the load ends: %q", other.Target, other)
			return
		}
	}
}
