package swarm

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"sluice/internal/shrink"
	"sluice/scenarios"
)

// Name is what its scenarios are called.
const Name = "swarm"

// SizeMax is the greatest size of a case.
const SizeMax = 99

// drawer draws one case.
type drawer struct {
	*rand.Rand
	size int
	can  func(scenarios.Fault) error
	s    scenarios.Scenario
	// cluster is true if faults are those of single nodes, brokers if some may be those of single brokers.
	cluster, brokers bool
}

// Draw returns the case of a seed. Size, from 0 to SizeMax, is how much may be wrong in it; can says
// what a world cannot do, as [harness.World] does.
func Draw(seed uint64, size int, can func(scenarios.Fault) error) (shrink.Case, error) {
	d := &drawer{Rand: scenarios.Stream(seed, "swarm"), size: size, can: can}
	d.cluster, d.brokers = d.Float64() < clusterShare, d.Float64() < brokersShare
	text := fmt.Sprintf("name: %s\nseed: %d\n", Name, seed)
	var sets []string
	for _, o := range options {
		if o.share == 0 || d.Float64() < o.share {
			sets = append(sets, o.path+"="+o.draw(d.Rand))
		}
	}
	exhausts := d.Float64() < exhaustsShare
	if exhausts {
		sets = append(sets, fmt.Sprintf("pipeline.restart_budget=%d", d.IntN(3)))
	}
	var err error
	if d.s, _, err = scenarios.ReadWith("drawn", []byte(text), sets...); err != nil {
		return shrink.Case{}, fmt.Errorf("case %d of size %d: %w", seed, size, err)
	}
	for _, o := range later {
		own := scenarios.Stream(seed, "swarm "+o.path)
		if own.Float64() >= o.share {
			continue
		}
		more := append(slices.Clone(sets), o.path+"="+o.draw(own))
		if with, _, err := scenarios.ReadWith("drawn", []byte(text), more...); err == nil {
			d.s, sets = with, more
		}
	}
	if d.s.Topology.FlusherMode == scenarios.ModeGoroutine {
		exhausts = false
	}
	c := shrink.Case{}
	if exhausts {
		d.exhaust()
	} else {
		d.aimed(seed)
		d.faults()
		c.Ports = d.ports(seed)
	}
	x, broken := &d.s.Expectations, len(d.s.Faults) > 0 || len(c.Ports) > 0
	if len(d.s.Faults) > 0 || !dense(d.s) { // calls that fail split nothing
		x.SplitSpansMax = scenarios.Unlimited
	}
	if broken {
		x.DuplicatedSpansMax, x.RepeatedSpansMax = scenarios.Unlimited, scenarios.Unlimited
	}
	c.Scenario = d.s
	return c, c.Scenario.Validate()
}

// dense tells whether the next span of a trace comes long before its segment is due. The load picks
// the trace of each span at random, so that a trace gets none for some time with probability
// exp(-spans sent meanwhile / traces at once).
func dense(s scenarios.Scenario) bool {
	const gapsMax = 30 // e^-30, or e^-20 if every second span is sent twice
	slowest := min(s.Workload.Rate.From-s.Workload.Rate.Swing, s.Workload.Rate.Peak())
	for _, step := range s.Workload.Rate.Steps {
		slowest = min(slowest, step.Rate)
	}
	wait := min(s.Pipeline.Timeout, s.Pipeline.RootTimeout) - time.Second // its clock has whole seconds
	return float64(slowest)*wait.Seconds() > gapsMax*float64(s.Workload.TracesAtOnce) &&
		s.Workload.Late.Share == 0
}

// exhaustsShare is the share of cases in which a worker crashes until its budget is used up.
const exhaustsShare = 0.05

// exhaust has a worker crash again and again. A budget is used up within seconds, so there is time.
func (d *drawer) exhaust() {
	d.s.Duration = max(d.s.Duration, 10*time.Second)
	d.s.Faults = []scenarios.Fault{{
		When:   scenarios.Moment{Kind: scenarios.MomentAt, At: d.between(time.Second, 2*time.Second)},
		Verb:   scenarios.VerbCrashLoop,
		Target: scenarios.Target{Kind: scenarios.TargetWorker, N: d.IntN(d.s.Topology.Workers())},
		For:    time.Minute,
	}}
	d.s.Expectations.End = scenarios.EndBudget
}

// between returns a time between two, in steps of 50 ms: one of any millisecond shows nothing more.
func (d *drawer) between(least, most time.Duration) time.Duration {
	const grain = 50 * time.Millisecond
	return least + time.Duration(d.Int64N(int64((most-least)/grain)+1))*grain
}

// pick returns one of a list.
func pick[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }
