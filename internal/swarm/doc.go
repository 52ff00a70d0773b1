// Package swarm draws whole scenarios at random: workload, options, topology, faults of the grammar at
// times, on conditions and again and again, and faults at ports. What is drawn is valid, and expects
// nothing but the invariants: whoever runs it asks whether they hold.
//
// It is swarm testing: each case also draws which kinds of fault are off in it. With all of them
// on in every case, those that end much would hide what the others do (Groce et al., Swarm Testing,
// ISSTA 2012).
package swarm

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"sluice/internal/portfault"
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
	// cluster is true if faults are those of single nodes.
	cluster bool
}

// Draw returns the case of a seed. Size, from 0 to SizeMax, is how much may be wrong in it; can says
// what a world cannot do, as [harness.World] does.
func Draw(seed uint64, size int, can func(scenarios.Fault) error) (shrink.Case, error) {
	d := &drawer{Rand: scenarios.Stream(seed, "swarm"), size: size, can: can}
	d.cluster = d.Float64() < clusterShare
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
	if d.s.Topology.FlusherMode == scenarios.ModeGoroutine {
		exhausts = false
	}
	c := shrink.Case{}
	if exhausts {
		d.exhaust()
	} else {
		d.faults()
		c.Ports = d.ports()
	}
	x, broken := &d.s.Expectations, len(d.s.Faults) > 0 || len(c.Ports) > 0
	if broken || !dense(d.s) {
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

// faults draws those of the scenario: of the kinds that are on, as many as the size allows. What
// cannot happen in the scenario is left out.
func (d *drawer) faults() {
	type kind struct {
		use    scenarios.Usage
		target scenarios.TargetKind
	}
	var on []kind
	for _, use := range scenarios.Uses() {
		for _, target := range use.Targets {
			if d.Float64() < onShare {
				on = append(on, kind{use, target})
			}
		}
	}
	for range d.IntN(2 + d.size/faultsPerSize) {
		if len(on) == 0 {
			return
		}
		k := pick(d.Rand, on)
		f := d.fault(&k.use, k.target)
		with := d.s
		with.Faults = append(with.Faults[:len(with.Faults):len(with.Faults)], f)
		if with.Validate() == nil && with.CheckFaults(d.can) == nil {
			d.s = with
		}
	}
}

const (
	// clusterShare is the share of cases in which Redis is a cluster of so many nodes, if it suffers at
	// all.
	clusterShare = 0.2
	nodes        = 3
	// onShare is the share of the kinds of fault that are on.
	onShare = 0.5
	// faultsPerSize is by how much the size must grow for one more fault.
	faultsPerSize = 15
	// lengthMax is how long a fault lasts at most: time-outs must be longer than outages, which is the
	// operator's business.
	lengthMax = 3 * time.Second
)

// fault draws one of a kind.
func (d *drawer) fault(use *scenarios.Usage, target scenarios.TargetKind) scenarios.Fault {
	f := scenarios.Fault{Verb: use.Verb, When: d.moment(), Target: scenarios.Target{Kind: target}}
	switch target {
	case scenarios.TargetWorker:
		f.Target.N = d.IntN(d.s.Topology.Workers())
	case scenarios.TargetPartition:
		f.Target.N = d.IntN(d.s.Topology.Partitions)
	case scenarios.TargetRedis:
		f.Target.N = scenarios.AllNodes
		// What a node that is wiped has held of shards is missed by what other nodes hold of traces, which
		// nobody names any more: that is a limit of the program.
		if d.cluster && use.Verb != scenarios.VerbWipe {
			f.Target.N = d.IntN(nodes)
		}
	}
	if use.Takes(scenarios.TakesDirection) {
		f.Direction = pick(d.Rand, []scenarios.Direction{scenarios.BothDirections, scenarios.Requests,
			scenarios.Answers})
	}
	if use.Takes(scenarios.TakesBy) {
		f.By = d.between(50*time.Millisecond, 300*time.Millisecond)
		switch use.Verb {
		case scenarios.VerbSlowStart:
			f.By = d.between(500*time.Millisecond, 3*time.Second)
		case scenarios.VerbJump:
			f.By = pick(d.Rand, []time.Duration{-1, 1}) * d.between(time.Second, 40*time.Second)
		}
	}
	if use.Takes(scenarios.TakesTo) {
		f.To = pick(d.Rand, throttles)
	}
	if use.Takes(scenarios.TakesFor) || use.Takes(scenarios.TakesMaybeFor) && d.Float64() < 0.7 {
		f.For = d.between(100*time.Millisecond, lengthMax)
	}
	return f
}

// moment draws when a fault happens.
func (d *drawer) moment() scenarios.Moment {
	at := d.between(0, d.s.Duration-time.Millisecond)
	every := d.between(time.Second, 5*time.Second)
	worker := d.IntN(d.s.Topology.Workers())
	switch p := d.Float64(); {
	case p < 0.25:
		if d.Float64() < 0.3 {
			worker = scenarios.OfConsumer
		}
		return scenarios.Moment{Kind: scenarios.MomentStage, Worker: worker,
			Stage: pick(d.Rand, scenarios.Stages(worker)), At: at / 2}
	case p < 0.5:
		return scenarios.Moment{Kind: scenarios.MomentAt, At: at}
	case p < 0.65:
		return scenarios.Moment{Kind: scenarios.MomentRandomly, At: at, Every: every}
	case p < 0.75:
		return scenarios.Moment{Kind: scenarios.MomentEvery, At: at, Every: every}
	case p < 0.85:
		return scenarios.Moment{Kind: scenarios.MomentSent, Spans: 1 + d.Int64N(d.s.Pacer().Total())}
	case p < 0.95:
		return scenarios.Moment{Kind: scenarios.MomentFlushed, Spans: 1 + d.Int64N(d.s.Pacer().Total())}
	}
	return scenarios.Moment{Kind: scenarios.MomentRestarted, Worker: worker}
}

// ports draws faults at ports. They last to the end of the run, so none hits every call; a process
// crashes at calls that are given by their numbers only, which are those of the first. So are polls
// that find nothing: an input that is out of touch again within a second each time has no clock; and
// enqueues, by which the clocks of all shards tick in turn: one in every three may be the same shard's
// each time.
func (d *drawer) ports() portfault.List {
	var on []portfault.Form
	for _, form := range portfault.Forms() {
		if d.Float64() < onShare {
			on = append(on, form)
		}
	}
	var list portfault.List
	for range d.IntN(1 + d.size/portsPerSize) {
		if len(on) == 0 {
			break
		}
		form := pick(d.Rand, on).Form
		crash := strings.HasPrefix(form, "crash")
		first := 1 + d.IntN(20)
		port := pick(d.Rand, portfault.Ports())
		calls := []string{fmt.Sprint(first), fmt.Sprintf("%d..%d", first, first+d.IntN(3))}
		if !crash && port != portfault.SourcePoll && port != portfault.StoreEnqueue {
			calls = append(calls, fmt.Sprintf("every %d", 2+d.IntN(20)))
		}
		text := strings.NewReplacer("PORT", string(port), "[CALLS]", pick(d.Rand, calls),
			"DURATION", d.between(50*time.Millisecond, 100*time.Millisecond).String()).Replace(form)
		one, err := portfault.Parse(text)
		if err != nil || crash && (port.OfConsumer() || d.s.Topology.FlusherMode == scenarios.ModeGoroutine) {
			continue // no fault that there is
		}
		list = append(list, one...)
	}
	return list
}

// portsPerSize is by how much the size must grow for one more fault at a port.
const portsPerSize = 25
