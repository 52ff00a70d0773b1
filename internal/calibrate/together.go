package calibrate

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/aclements/go-moremath/stats"

	"sluice/internal/compare"
	"sluice/internal/harness"
	"sluice/internal/judge"
	"sluice/reports"
	"sluice/scenarios"
	"sluice/sim"
	"sluice/sim/kernel"
)

// rates are loads under which everything goes on at once, in spans per second: at the first, as good as
// nothing that is computed comes of spans, and at the second most of it comes of requests. Then there
// is one that is more than the machine carries, since that is what the costs are asked about: clients
// compute less for a span then, and servers more. It says most of the factors, and is repeated for
// their spread.
var rates = []float64{20, 2000, 20_000}

// The load that is too much is sought while the servers are warmed up, and after that: from rateFirst on
// by leaps, up to rateMost; then it is beyond times what the machine carries.
const (
	rateFirst = 60_000
	rateMost  = 480_000
	leap      = 1.5
	beyond    = 1.25
)

// togetherFor is how long each of them lasts.
const togetherFor = 2500 * time.Millisecond

// workers are the numbers of processes with which the last load is run in turn, twice as often as all
// else is measured: the intervals of predictions go by its spread, and by how well that is known. The
// other loads have togetherWorkers.
var workers = []int{1, 2, 4}

const (
	timesAtOnce     = 2
	togetherWorkers = 2
)

// togetherScenario is the load at a rate, with time-outs so short that all stages overlap.
func togetherScenario(rate float64, processes int) scenarios.Scenario {
	s := scenarios.Default()
	s.Name, s.Duration = "calibrate", togetherFor
	s.Topology.Partitions, s.Topology.FlusherProcesses = Partitions, scenarios.Processes(processes)
	s.Pipeline.Timeout, s.Pipeline.RootTimeout = 2*time.Second, time.Second
	s.Workload.Rate = scenarios.Constant(rate)
	s.Workload.TracesAtOnce = 200
	s.Expectations.DrainMax, s.Expectations.RepeatedSpansMax = time.Minute, scenarios.Unlimited
	return s
}

// atOnce is a load of so many spans per second, and the number of processes that it goes through.
type atOnce struct {
	rate    float64
	workers int
}

// pair is a load in the world of the servers and in the virtual one.
type pair struct {
	load    atOnce
	real    *judge.Outcome
	virtual virtualRun
}

// part is somebody who computes: what a sample says of it, its factor, and what is found beside that.
type part struct {
	name   string
	cpu    func(reports.Sample) float64
	factor *float64
	// each is true if it is as many processes as there are workers.
	each bool
	// requests are those to Kafka for which it computes something, and request what it does for one; nil
	// if it is not asked what.
	requests func(sim.Requests) int
	request  *time.Duration
	// idle is what it computes all the time; nil if that is known.
	idle *time.Duration
}

// guess is what a request to Kafka takes who computes for it, in the virtual world with which the real
// one is compared.
const guess = 100 * time.Microsecond

func parts(c *sim.Costs) []part {
	return []part{
		{name: "redis", cpu: func(s reports.Sample) float64 { return s.CPURedis },
			factor: &c.Together.Redis},
		{name: kafkaPart, cpu: func(s reports.Sample) float64 { return s.CPUKafka },
			factor: &c.Together.Kafka, requests: sim.Requests.All, request: &c.Kafka.Request},
		{name: "program", cpu: func(s reports.Sample) float64 { return s.CPUConsumer },
			factor: &c.Together.Program, requests: func(r sim.Requests) int { return r.Fetched },
			request: &c.Program.Poll, idle: &c.Program.Idle},
		{name: "worker", cpu: func(s reports.Sample) float64 { return s.CPUWorkers },
			factor: &c.Together.Worker, each: true, idle: &c.Worker.Idle},
		{name: "harness", cpu: func(s reports.Sample) float64 { return s.CPUHarness },
			factor:   &c.Together.Harness,
			requests: func(r sim.Requests) int { return r.Sent + r.Produced },
			request:  &c.Harness.Request, idle: &c.Harness.Idle},
	}
}

// together runs the same load here and in the virtual world, and finds by how much each computes more
// when all goes on at once, and what it does without being asked.
func (r *rig) together(ctx context.Context, costs *sim.Costs, most float64) error {
	if r.RunReal == nil {
		return nil
	}
	alone := *costs
	alone.Hosts.Shared = true // so that the harness takes part
	alone.Program.Poll, alone.Harness.Request = guess, guess
	runs, err := r.atOnce(ctx, most)
	if err != nil {
		return err
	}
	r.tell("the same in the virtual world")
	if err := predict(ctx, &alone, runs); err != nil {
		return err
	}
	once := len(rates)
	for _, p := range parts(costs) {
		var list []equation
		for _, run := range runs {
			list = append(list, p.equation(run, costs))
		}
		if slices.ContainsFunc(list, func(e equation) bool { return e.whole <= 0 }) {
			continue // nobody can tell
		}
		values, err := p.find(costs, list[:once], list[once:])
		if err != nil {
			return fmt.Errorf("everything at once, what %s computes: %w", p.name, err)
		}
		costs.Calibration.Explained = append(costs.Calibration.Explained, p.explain(runs, list, values)...)
	}
	return nil
}

// atOnce runs the loads here: those that are run once, and then the one that is repeated.
func (r *rig) atOnce(ctx context.Context, most float64) (runs []pair, err error) {
	one := func(rate float64, workers int) error {
		outcome, err := r.passed(ctx, togetherScenario(rate, workers))
		if err != nil {
			return fmt.Errorf("everything at once, %.0f spans/s: %w", rate, err)
		}
		runs = append(runs, pair{load: atOnce{rate, workers}, real: outcome})
		return nil
	}
	for _, rate := range rates {
		r.tell("everything at once, %.0f spans/s", rate)
		if err := one(rate, togetherWorkers); err != nil {
			return nil, err
		}
	}
	for n := 0; another(n, r.Repeats, time.Since(r.began)); n++ {
		r.tell("everything at once, %.0f spans/s, %d of %d", most, n+1, timesAtOnce*r.Repeats)
		if err := one(most, workers[n%len(workers)]); err != nil {
			return nil, err
		}
	}
	return runs, nil
}

// budget is how long a calibration of DefaultRepeats may have taken when the last repeated load begins, to
// be done within two minutes.
const budget = 90 * time.Second

// another tells whether the load that is repeated is run again, after n times and so long a calibration. On a
// slow machine it is run less often than it was to be, but with each number of workers, and once more for
// the spread, whose n is in the file: intervals go by that.
func another(n, repeats int, spent time.Duration) bool {
	switch {
	case n >= timesAtOnce*repeats:
		return false
	case n <= len(workers):
		return true
	}
	return spent < budget*time.Duration(repeats)/DefaultRepeats
}

// loadsOf are the loads of runs, each once.
func loadsOf(runs []pair) (loads []atOnce) {
	for _, run := range runs {
		if !slices.Contains(loads, run.load) {
			loads = append(loads, run.load)
		}
	}
	return loads
}

// predict makes the runs in the virtual world, each load once: it would be the same again.
func predict(ctx context.Context, costs *sim.Costs, runs []pair) error {
	loads := loadsOf(runs)
	virtual, err := virtually(ctx, costs, loads)
	if err != nil {
		return err
	}
	for i := range runs {
		runs[i].virtual = virtual[slices.Index(loads, runs[i].load)]
	}
	return nil
}

// virtualRun is a run in the virtual world, with the requests to Kafka that it had.
type virtualRun struct {
	*judge.Outcome
	sim.Requests
}

// virtually runs loads in the virtual world, as many at a time as there are cores: nothing is measured
// meanwhile, and one after the other they would be a tenth of a calibration.
func virtually(ctx context.Context, costs *sim.Costs, loads []atOnce) ([]virtualRun, error) {
	runs, errs := make([]virtualRun, len(loads)), make([]error, len(loads))
	one := func(i int) (err error) {
		defer kernel.Catch(&err)
		runs[i].Outcome, err = harness.Run(ctx, harness.Config{
			Scenario: togetherScenario(loads[i].rate, loads[i].workers),
			World:    sim.World{Costs: costs, Requests: &runs[i].Requests},
		})
		return err
	}
	room := make(chan struct{}, runtime.GOMAXPROCS(0))
	var running sync.WaitGroup
	for i := range loads {
		room <- struct{}{}
		running.Go(func() {
			defer func() { <-room }()
			if err := one(i); err != nil {
				errs[i] = fmt.Errorf("everything at once, %.0f spans/s, in the virtual world: %w", loads[i].rate, err)
			}
		})
	}
	running.Wait()
	return runs, errors.Join(errs...)
}

// passed runs a load on the servers, which must pass.
func (r *rig) passed(ctx context.Context, s scenarios.Scenario) (*judge.Outcome, error) {
	o, err := r.RunReal(ctx, s)
	if err == nil && o.Code != judge.ExitPassed {
		j, _ := o.Decisive()
		err = fmt.Errorf("%s: %v", o.Result.Verdict, j)
	}
	return o, err
}

// warmUp runs loads until the broker is warm, and returns the one that is too much for the machine.
func (r *rig) warmUp(ctx context.Context, c *collection) (most float64, err error) {
	if r.RunReal == nil {
		return rateFirst, nil
	}
	most, err = tooMuch(func(rate float64) (one tried, err error) {
		r.tell("everything at once, %.0f spans/s, to warm the servers up", rate)
		o, err := r.RunReal(ctx, togetherScenario(rate, togetherWorkers))
		if err = errors.Join(err, ctx.Err()); err != nil {
			return one, err
		}
		r.first = append(r.first, firstRun{rate, brokerTime(o)})
		one = tried{compare.RunOf(o), carried(o, judge.Host{Cores: c.costs.Hosts.Cores,
			Shared: c.costs.Hosts.Shared})}
		return one, nil
	})
	if err != nil {
		return most, fmt.Errorf("everything at once, to warm the servers up: %w", err)
	}
	return most, nil
}

// carried is how many spans per second the machine carries, by what a run computed: the utilisation law
// (Denning and Buzen, The operational analysis of queueing network models, 1978). It says nothing of
// workers, of which there can be more. How much came out while the load lasted says little of a load
// as short as these: most of it is due later.
func carried(o *judge.Outcome, host judge.Host) float64 {
	first, last := o.Samples[0], o.Samples[len(o.Samples)-1]
	bound := math.Inf(1)
	for _, use := range judge.Uses(first, last, o.Scenario.Topology.Workers(), host) {
		if use.Resource != judge.WorkerCPU {
			bound = min(bound, float64(o.Result.Ledger.Flushed)/(use.Share*(last.T-first.T)))
		}
	}
	return bound
}

// tried is a run of a load, and how much the machine carries by it.
type tried struct {
	compare.Run
	carried float64
}

// firstRuns is how many loads there are at least: a cold broker computes several times as much for some
// seconds, and by that the machine seems to carry far less than it does.
const firstRuns = 4

// tooMuch runs loads until the broker is warm, and then on until one is more than the machine carries.
func tooMuch(run func(rate float64) (tried, error)) (most float64, err error) {
	most = rateFirst
	enough, n := false, 0
	one := func() (_ compare.Run, err error) {
		rate := most
		n++
		last, err := run(rate)
		if err == nil {
			most, enough = next(rate, last.carried), rate >= min(last.carried, rateMost)
		}
		return last.Run, err
	}
	err = compare.WarmUp(one)
	for err == nil && (!enough || n < firstRuns) {
		_, err = one()
	}
	return most, err
}

// next is the load after one by which the machine carries so much, on the way to one that is too much,
// in thousands: by a leap, since of more it carries more, which is cheaper by the span.
func next(rate, carried float64) float64 {
	by := beyond
	if rate < carried {
		by = leap
	}
	return min(max(1, math.Round(by*carried/1000))*1000, rateMost)
}

// kafkaPart is a broker, of which it was measured what it computes while nobody asks for anything.
const kafkaPart = "kafka"

// least are the factors below which something else must be wrong: what goes on all the time takes a
// part of what it took alone, since it is in the caches and compiled, and comes in larger batches, but
// not less than a quarter.
const factorLeast = 0.25

// equation says that what was measured is the factor times what was predicted without requests, what all
// requests took, and what each process computed all the time.
func (p part) equation(run pair, costs *sim.Costs) equation {
	used := func(o *judge.Outcome) (cpu, lasted float64) {
		first, last := o.Samples[0], o.Samples[len(o.Samples)-1]
		return p.cpu(last) - p.cpu(first), last.T - first.T
	}
	measured, lasted := used(run.real)
	predicted, predictedFor := used(run.virtual.Outcome)
	seconds := func(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
	e := equation{took: seconds(measured), whole: seconds(measured)}
	if p.name == kafkaPart {
		known := costs.Kafka.Idle.Seconds()
		e.took -= seconds(known * lasted)
		predicted -= known * predictedFor
	}
	if p.requests != nil {
		n := float64(p.requests(run.virtual.Requests))
		each := guess
		if p.name == kafkaPart {
			each = costs.Kafka.Request
		}
		e.counts = append(e.counts, max(0, predicted-n*each.Seconds()), n)
	} else {
		e.counts = append(e.counts, predicted)
	}
	if p.idle != nil {
		processes := 1
		if p.each {
			processes = run.load.workers
		}
		e.counts = append(e.counts, lasted*float64(processes))
	}
	return e
}

// find solves the equations of the runs that were made once with each of those that were repeated: the
// median is the result, and its spread that of one run to the next.
func (p part) find(costs *sim.Costs, once, repeated []equation) (medians []float64, err error) {
	least := make([]float64, len(repeated[0].counts))
	least[0] = factorLeast
	found := make([][]float64, len(least)) // of each repeat, by kind
	for _, e := range repeated {
		values, err := solveFrom(least, append(slices.Clone(once), e))
		if err != nil {
			return nil, err
		}
		for k, v := range values {
			found[k] = append(found[k], v)
		}
	}
	median := func(k int) float64 { return stats.Sample{Xs: found[k]}.Quantile(0.5) }
	round := func(v float64) float64 { return math.Round(v*1000) / 1000 }
	factor := median(0)
	*p.factor = round(factor)
	costs.Calibration.Factors = append(costs.Calibration.Factors, sim.Factor{Of: p.name,
		N: len(repeated), Value: round(factor), Least: round(slices.Min(found[0])),
		Greatest: round(slices.Max(found[0]))})
	set := func(key string, cost *time.Duration, k int, unit float64) {
		of := func(v float64) time.Duration { return time.Duration(v * unit * float64(time.Second)) }
		*cost = of(median(k))
		name := p.name + "." + key
		costs.Calibration.Measured = slices.DeleteFunc(costs.Calibration.Measured,
			func(m sim.Measured) bool { return m.Cost == name })
		costs.Calibration.Measured = append(costs.Calibration.Measured, sim.Measured{Cost: name,
			N: len(repeated), Median: *cost, Least: of(slices.Min(found[k])), Greatest: of(slices.Max(found[k]))})
	}
	if p.requests != nil {
		key := "request"
		if p.request == &costs.Program.Poll {
			key = "poll"
		}
		set(key, p.request, 1, 1/factor) // or the factor would make too much or too little of it
	}
	if p.idle != nil {
		set("idle", p.idle, len(least)-1, 1)
	}
	for k := range found {
		medians = append(medians, median(k))
	}
	return medians, nil
}

// explain says of each load what was measured, and what the values that were found make of it.
func (p part) explain(runs []pair, list []equation, values []float64) (said []sim.Explained) {
	took := map[int][]time.Duration{} // by place in said
	for i, e := range list {
		at := slices.IndexFunc(said, func(s sim.Explained) bool {
			return s.Rate == runs[i].load.rate && s.Workers == runs[i].load.workers
		})
		if at < 0 {
			at = len(said)
			said = append(said, sim.Explained{Of: p.name, Rate: runs[i].load.rate, Workers: runs[i].load.workers})
		}
		took[at] = append(took[at], e.whole)
		predicted := e.whole - e.took // known before
		for k, n := range e.counts {
			predicted += time.Duration(n * values[k] * float64(time.Second))
		}
		said[at].Predicted += predicted
	}
	for at := range said {
		s := sim.SpreadOf(took[at])
		said[at].N, said[at].Measured = s.N, s.Median.Round(time.Millisecond)
		said[at].Predicted = (said[at].Predicted / time.Duration(s.N)).Round(time.Millisecond)
	}
	return said
}
