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
	c.rates = append(c.rates, first.rate)
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
		{"redis", redisCosts, o.redisEquations()},
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

// redisUse is how much there was of what a step of Redis is paid for.
type redisUse struct {
	calls, traces, known, spans, repeats, merged, segments, flushed, queued, kb int
}

// redisCosts are what each of that costs.
var redisCosts = []string{"call", "trace", "known", "span", "repeat", "merge", "segment", "flush",
	"queue", "kb"}

// took is an equation of redisCosts.
func (u redisUse) took(d time.Duration) equation {
	return says(d, u.calls, u.traces, u.known, u.spans, u.repeats, u.merged, u.segments, u.flushed,
		u.queued, u.kb)
}

// redisEquations are of redisCosts.
func (o *round) redisEquations() (list []equation) {
	for _, s := range o.steps {
		kb, along := s.bytes/1000, s.alongBytes/1000
		list = append(list,
			redisUse{calls: s.attachCalls, traces: s.traces, known: s.known, spans: s.spans,
				merged: s.merged, kb: kb}.took(s.attach.redis),
			redisUse{calls: s.attachCalls, queued: s.queued}.took(s.enqueue.redis),
			redisUse{calls: s.calls + 1, queued: s.segments}.took(s.lease.redis),
			redisUse{calls: s.calls, segments: s.segments, flushed: s.along, kb: along}.took(s.claim.redis),
			redisUse{calls: s.calls, segments: s.segments, flushed: s.spans}.took(s.ack.redis),
			redisUse{calls: s.calls, queued: s.segments}.took(s.release.redis))
		if s.shape.again {
			list = append(list, redisUse{calls: s.attachCalls, traces: s.traces, known: s.traces,
				spans: s.spans, repeats: s.spans, kb: kb}.took(s.again.redis))
		}
		if s.loadCalls > 0 {
			list = append(list, redisUse{calls: s.loadCalls, segments: s.loadedSegments,
				flushed: s.spans - s.along, kb: kb - along}.took(s.load.redis))
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
