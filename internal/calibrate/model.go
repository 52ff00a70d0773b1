package calibrate

import (
	"fmt"
	"time"
)

// solve adds what the round says of each cost.
func (o *round) solve(c *collection, kafka bool) error {
	first := o.steps[0]
	for _, s := range first.named() {
		c.step(s.name, s.used, first.spans)
	}
	p := o.passages[0]
	for _, s := range []struct {
		name string
		stage
	}{{"fill", p.fill}, {"ingest", p.ingest}, {"flush", p.flush}, {"collect", p.collect}} {
		c.step(s.name, s.used, p.spans)
	}
	c.values["network.hop"] = append(c.values["network.hop"], o.hop...)
	c.values["kafka.acknowledge"] = append(c.values["kafka.acknowledge"], o.acknowledge...)
	c.values["kafka.fetch"] = append(c.values["kafka.fetch"], o.latencies.fetch...)
	attach, err := solve(o.attachEquations())
	if err != nil {
		return fmt.Errorf("client time of attach: %w", err)
	}
	c.add("program.attach", attach[0])
	systems := []system{
		{"redis", []string{"call", "trace", "known", "span", "repeat", "merge", "segment", "flush", "queue", "kb"},
			o.redisEquations()},
		{"program", []string{"read", "read_kb", "call"}, o.programEquations(attach[0])},
		{"worker", []string{"flush", "flush_kb", "record", "call"}, o.workerEquations()},
		{"harness", []string{"send", "check_kb"}, o.harnessEquations()},
	}
	if kafka {
		systems = append(systems, system{"kafka", []string{"message", "record", "kb", "request"},
			o.kafkaEquations()})
	}
	for _, s := range systems {
		if err := s.solve(c); err != nil {
			return err
		}
	}
	return nil
}

// system are the equations of a section of the costs.
type system struct {
	section   string
	costs     []string
	equations []equation
}

func (s system) solve(c *collection) error {
	values, err := solve(s.equations)
	if err != nil {
		return fmt.Errorf("costs of %s: %w", s.section, err)
	}
	for i, name := range s.costs {
		c.add(s.section+"."+name, values[i])
	}
	return nil
}

// says is an equation: so many of each kind took so long.
func says(took time.Duration, counts ...int) equation {
	e := equation{took: took, whole: took}
	for _, n := range counts {
		e.counts = append(e.counts, float64(n))
	}
	return e
}

// attachEquations are of a span and a call of the client's side of Attach.
func (o *round) attachEquations() (list []equation) {
	for _, s := range o.steps {
		list = append(list, says(s.attach.own, s.spans, s.attachCalls))
	}
	return list
}

// redisEquations are of a call, a trace, one that is known, a span, a repeated one, a merged segment, a
// segment, a span that is flushed, a queued generation, and 1,000 bytes.
func (o *round) redisEquations() (list []equation) {
	for _, s := range o.steps {
		kb, along := s.bytes/1000, s.alongBytes/1000
		list = append(list,
			says(s.attach.redis, s.attachCalls, s.traces, s.known, s.spans, 0, s.merged, 0, 0, 0, kb),
			says(s.enqueue.redis, s.attachCalls, 0, 0, 0, 0, 0, 0, 0, s.queued, 0),
			says(s.lease.redis, s.calls+1, 0, 0, 0, 0, 0, 0, 0, s.segments, 0),
			says(s.claim.redis, s.calls, 0, 0, 0, 0, 0, s.segments, s.along, 0, along),
			says(s.ack.redis, s.calls, 0, 0, 0, 0, 0, s.segments, s.spans, 0, 0),
			says(s.release.redis, s.calls, 0, 0, 0, 0, 0, 0, 0, s.segments, 0))
		if s.shape.again {
			list = append(list,
				says(s.again.redis, s.attachCalls, s.traces, s.traces, s.spans, s.spans, 0, 0, 0, 0, kb))
		}
		if s.loadCalls > 0 {
			list = append(list, says(s.load.redis, s.loadCalls, 0, 0, 0, 0, 0, s.loadedSegments,
				s.spans-s.along, 0, kb-along))
		}
	}
	return list
}

// programEquations are of a span that is read, 1,000 bytes of it, and a call, beside what a span takes
// in Attach.
func (o *round) programEquations(attach time.Duration) (list []equation) {
	for _, p := range o.passages {
		took := p.ingest.own - time.Duration(p.spans)*attach
		list = append(list, says(took, p.spans, p.bytesIn/1000, int(p.ingest.calls)))
	}
	return list
}

// workerEquations are of a span, 1,000 bytes of it, a record and a call.
func (o *round) workerEquations() (list []equation) {
	for _, p := range o.passages {
		list = append(list, says(p.flush.own, p.spans, p.bytesIn/1000, p.records, int(p.flush.calls)))
	}
	return list
}

// harnessEquations are of a span that is sent and of 1,000 bytes that come out.
func (o *round) harnessEquations() (list []equation) {
	for _, p := range o.passages {
		list = append(list, says(p.fill.own, p.spans, 0), says(p.collect.own, 0, p.bytesOut/1000))
	}
	return list
}

// kafkaEquations are of a message, a record, 1,000 bytes and a request.
func (o *round) kafkaEquations() (list []equation) {
	for _, p := range o.passages {
		list = append(list,
			says(p.fill.kafka+p.ingest.kafka, p.spans, 0, p.bytesIn/1000,
				int(p.fill.requests+p.ingest.requests)),
			says(p.flush.kafka+p.collect.kafka, 0, p.records, p.bytesOut/1000,
				int(p.flush.requests+p.collect.requests)))
	}
	return list
}
