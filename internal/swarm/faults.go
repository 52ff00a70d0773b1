package swarm

import (
	"sync"
	"time"

	"sluice/scenarios"
)

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
			if d.Float64() < onShare && (target != scenarios.TargetBroker || d.brokers) {
				on = append(on, kind{use, target})
			}
		}
	}
	for range d.IntN(2 + d.size/faultsPerSize) {
		if len(on) == 0 {
			return
		}
		k := pick(d.Rand, on)
		d.add(d.fault(&k.use, k.target))
	}
}

// add adds a fault, if it can happen in the scenario.
func (d *drawer) add(f scenarios.Fault) {
	with := d.s
	with.Faults = append(with.Faults[:len(with.Faults):len(with.Faults)], f)
	if with.Validate() == nil && with.CheckFaults(d.can) == nil {
		d.s = with
	}
}

// aim is a kind of fault, and the stage of a part of the pipeline that it is to hit.
type aim struct {
	use    scenarios.Usage
	target scenarios.TargetKind
	// worker is OfConsumer for a stage of the consumer, and else that of any worker.
	worker int
	// stage is empty while a worker starts again.
	stage string
}

// aims are all of them, so that seeds in a row come by each of them: by chance alone, a few in a hundred
// were left out of 1,000 seeds. What resumes has nothing to hit, and the brokers are not there in each case.
var aims = sync.OnceValue(func() (list []aim) {
	for _, use := range scenarios.Uses() {
		for _, target := range use.Targets {
			if use.Verb == scenarios.VerbResume || target == scenarios.TargetBroker {
				continue
			}
			list = append(list, aim{use: use, target: target})
			for _, worker := range []int{0, scenarios.OfConsumer} {
				for _, stage := range scenarios.Stages(worker) {
					list = append(list, aim{use, target, worker, stage})
				}
			}
		}
	}
	return list
})

// aimed adds the faults that are the seed's turn.
func (d *drawer) aimed(seed uint64) {
	if d.Float64() >= aimedShare {
		return
	}
	n := uint64(min(aimsPerCase, d.size/faultsPerSize))
	for i := range n {
		a := aims()[(seed*n+i)%uint64(len(aims()))]
		f := d.fault(&a.use, a.target)
		worker := a.worker
		if worker != scenarios.OfConsumer {
			worker = d.IntN(d.s.Topology.Workers())
		}
		if a.target == scenarios.TargetWorker && worker != scenarios.OfConsumer {
			f.Target.N = worker
		}
		at := d.between(0, d.s.Duration/2)
		f.When = scenarios.Moment{Kind: scenarios.MomentStage, Worker: worker, Stage: a.stage, At: at}
		if a.stage == "" {
			d.starts(worker, at)
			f.When = scenarios.Moment{Kind: scenarios.MomentAt, At: at + d.between(500*time.Millisecond, time.Second)}
		}
		if f.Verb == scenarios.VerbSlowStart { // which nothing comes of unless a process starts
			f.For = max(f.For, lengthMax)
			d.add(f)
			f.Verb, f.By, f.For = scenarios.VerbCrash, 0, scenarios.ForGood
		}
		d.add(f)
	}
}

// starts has a worker crash, and its next process take a while to start.
func (d *drawer) starts(worker int, at time.Duration) {
	crash := scenarios.Fault{Verb: scenarios.VerbCrash, When: scenarios.Moment{Kind: scenarios.MomentAt, At: at},
		Target: scenarios.Target{Kind: scenarios.TargetWorker, N: worker}}
	slow := crash
	slow.Verb, slow.By, slow.For = scenarios.VerbSlowStart, d.between(time.Second, 2*time.Second), lengthMax
	d.add(slow)
	d.add(crash)
}

const (
	// clusterShare is the share of cases in which Redis is a cluster of so many nodes, if it suffers at
	// all.
	clusterShare = 0.2
	// brokersShare is the share of cases in which Kafka may be several brokers, as many as nodes.
	brokersShare = 0.4
	nodes        = 3
	// onShare is the share of the kinds of fault that are on.
	onShare = 0.5
	// faultsPerSize is by how much the size must grow for one more fault.
	faultsPerSize = 25
	// aimedShare is the share of cases with faults that are aimed at a stage, and aimsPerCase how many
	// these are.
	aimedShare  = 0.8
	aimsPerCase = 2
	// lengthMax is how long a fault lasts at most, but for those that come once: a tenth of them, the longest,
	// last stretched times what they are beyond longFrom, up to 15 s. Members of a group lose
	// their sessions then, and time-outs pass.
	lengthMax = 3 * time.Second
	longFrom  = 2700 * time.Millisecond
	stretched = 50
)

// fault draws one of a kind.
func (d *drawer) fault(use *scenarios.Usage, target scenarios.TargetKind) scenarios.Fault {
	f := scenarios.Fault{Verb: use.Verb, When: d.moment(), Target: scenarios.Target{Kind: target}}
	switch target {
	case scenarios.TargetWorker:
		f.Target.N = d.IntN(d.s.Topology.Workers())
	case scenarios.TargetPartition:
		f.Target.N = d.IntN(d.s.Topology.Partitions)
	case scenarios.TargetBroker:
		f.Target.N = d.IntN(nodes)
	case scenarios.TargetRedis:
		f.Target.N = scenarios.AllNodes
		if d.cluster {
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
		recurs := f.When.Kind == scenarios.MomentRandomly || f.When.Kind == scenarios.MomentEvery
		if f.For > longFrom && !recurs {
			f.For = stretched * (f.For - longFrom)
		}
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
