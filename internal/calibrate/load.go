package calibrate

import (
	"time"

	"sluice/internal/load"
	"sluice/scenarios"
)

// shape is a load, and how it is cut.
type shape struct {
	name                     string
	spansPerTrace, spanBytes int
	// batch is how many messages a batch of a partition holds at most; segments how many a cycle of
	// the worker takes.
	batch, segments int
	// burst is how many messages are sent at once: about what a request carries.
	burst int
	// share of the spans of a stage that this shape has.
	share float64
	// again attaches all of it a second time.
	again bool
	// late is the share of the spans that come later than their children, so that segments are merged.
	late float64
	// alone also compresses and produces its segments without anything else.
	alone bool
}

// shapes tell apart what a call, a trace, a span and its bytes take: each differs from the first in
// one of them. In small batches nearly every trace is known already.
func shapes() []shape {
	return []shape{
		{"20 spans of 500 B", 20, 500, 1000, 500, 200, 1, true, 0, true},
		{"5 spans of 500 B", 5, 500, 1000, 500, 1000, 0.7, false, 0, false},
		{"1 span of 500 B", 1, 500, 1000, 500, 100, 0.4, false, 0, false},
		{"20 spans of 2000 B", 20, 2000, 1000, 500, 500, 0.5, false, 0, false},
		{"20 spans of 500 B in small batches", 20, 500, 60, 32, 30, 0.6, true, 0, false},
		{"20 spans of 500 B, 5 % late", 20, 500, 1000, 500, 200, 0.6, false, 0.05, false},
	}
}

// Partitions are those of each topic.
const Partitions = 8

// lateBy is how late a late span is: all traces of its time have come to their end by then.
const lateBy = 50 * time.Millisecond

// scenario is the load of a shape.
func (s shape) scenario(spans int, seed uint64) scenarios.Scenario {
	sc := scenarios.Default()
	sc.Name, sc.Seed = "calibrate", seed
	sc.Topology.Partitions = Partitions
	const perSecond = 100_000 // of the load's own time, which nobody waits for
	sc.Duration = time.Duration(spans) * time.Second / perSecond
	sc.Workload.Rate = scenarios.Constant(perSecond)
	sc.Workload.TracesAtOnce = 200
	sc.Workload.SpansPerTrace = scenarios.Fixed(s.spansPerTrace)
	sc.Workload.SpanBytes = scenarios.Fixed(s.spanBytes)
	sc.Workload.Late = scenarios.Late{Share: s.late, By: lateBy}
	return sc
}

// messages are those of a load, made before anything is measured.
func (s shape) messages(spans int, seed uint64) (*load.Generator, []load.Message) {
	g := load.NewGenerator(s.scenario(spans, seed))
	var list []load.Message
	for m := (load.Message{}); g.Next(&m); {
		list = append(list, m)
	}
	return g, list
}
