package calibrate

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/aclements/go-moremath/stats"

	"sluice/internal/compare"
	"sluice/internal/harness"
	"sluice/internal/judge"
	"sluice/reports"
	"sluice/scenarios"
	"sluice/sim"
)

// rates are the loads under which everything goes on at once, in spans per second: at the first most
// of what is computed does not come of spans, and the last is more than some machines carry. It says
// most of the factors, and is repeated for their spread.
var rates = []float64{2000, 20_000, 60_000}

// togetherFor is how long each of them lasts.
const togetherFor = 4 * time.Second

// togetherScenario is the load at a rate, with time-outs so short that all stages overlap.
func togetherScenario(rate float64) scenarios.Scenario {
	s := scenarios.Default()
	s.Name, s.Duration = "calibrate", togetherFor
	s.Topology.Partitions, s.Topology.FlusherProcesses = Partitions, togetherWorkers
	s.Pipeline.Timeout, s.Pipeline.RootTimeout = 2*time.Second, time.Second
	s.Workload.Rate = scenarios.Constant(rate)
	s.Workload.TracesAtOnce = 200
	s.Expectations.DrainMax, s.Expectations.RepeatedSpansMax = time.Minute, scenarios.Unlimited
	return s
}

const togetherWorkers = 2

// trio is a load in the world of the servers, in the virtual one, and in the virtual one with requests
// of Kafka that take nothing.
type trio struct{ real, virtual, free *judge.Outcome }

// part is somebody who computes: what a sample says of it, its factor, how many processes it is, and
// what is found beside the factor.
type part struct {
	name   string
	cpu    func(reports.Sample) float64
	factor *float64
	n      int
	idle   *time.Duration // nil: it has none to find
}

func parts(c *sim.Costs) []part {
	return []part{
		{"redis", func(s reports.Sample) float64 { return s.CPURedis }, &c.Together.Redis, 1, nil},
		{kafkaPart, func(s reports.Sample) float64 { return s.CPUKafka }, &c.Together.Kafka, 1, nil},
		{"program", func(s reports.Sample) float64 { return s.CPUConsumer }, &c.Together.Program, 1,
			&c.Program.Idle},
		{"worker", func(s reports.Sample) float64 { return s.CPUWorkers }, &c.Together.Worker,
			togetherWorkers, &c.Worker.Idle},
		{"harness", func(s reports.Sample) float64 { return s.CPUHarness }, &c.Together.Harness, 1,
			&c.Harness.Idle},
	}
}

// together runs the same load here and in the virtual world, and finds by how much each computes more
// when all goes on at once, and what it does without being asked.
func (r *rig) together(ctx context.Context, costs *sim.Costs) error {
	if r.RunReal == nil {
		return nil
	}
	alone := *costs
	alone.Hosts.Shared = true // so that the harness takes part
	free := alone
	free.Kafka.Request = 0
	var runs []trio
	for _, rate := range rates {
		r.tell("everything at once, %.0f spans/s", rate)
		var one trio
		s := togetherScenario(rate)
		var errs [3]error
		one.real, errs[0] = r.passed(ctx, s)
		one.virtual, errs[1] = harness.Run(ctx, harness.Config{Scenario: s, World: sim.World{Costs: &alone}})
		one.free, errs[2] = harness.Run(ctx, harness.Config{Scenario: s, World: sim.World{Costs: &free}})
		if err := errors.Join(errs[:]...); err != nil {
			return fmt.Errorf("everything at once, %.0f spans/s: %w", rate, err)
		}
		runs = append(runs, one)
	}
	once, last := len(rates)-1, rates[len(rates)-1]
	for n := 2; n <= r.Repeats; n++ {
		r.tell("everything at once, %.0f spans/s, repeat %d of %d", last, n, r.Repeats)
		again := runs[once] // virtual runs would be the same again
		var err error
		if again.real, err = r.passed(ctx, togetherScenario(last)); err != nil {
			return fmt.Errorf("everything at once, %.0f spans/s, repeat %d: %w", last, n, err)
		}
		runs = append(runs, again)
	}
	for _, p := range parts(costs) {
		var list []equation
		for _, run := range runs {
			list = append(list, p.equation(run, costs))
		}
		if slices.ContainsFunc(list, func(e equation) bool { return e.whole <= 0 || e.counts[0] <= 0 }) {
			continue // nobody can tell
		}
		if err := p.find(costs, list[:once], list[once:]); err != nil {
			return fmt.Errorf("everything at once, what %s computes: %w", p.name, err)
		}
	}
	return nil
}

// passed runs a load on the servers, which must pass.
func (r *rig) passed(ctx context.Context, s scenarios.Scenario) (*judge.Outcome, error) {
	o, err := r.RunReal(ctx, s)
	if err == nil && o.Code != judge.ExitPassed {
		j, _ := o.Decisive()
		err = fmt.Errorf("%s: %s: %s", o.Result.Verdict, j.Name, j.Detail)
	}
	return o, err
}

// warmUp runs the greatest load until the broker is warm, which may be more than it carries before.
func (r *rig) warmUp(ctx context.Context) error {
	if r.RunReal == nil {
		return nil
	}
	r.tell("everything at once, to warm the servers up")
	err := compare.WarmUp(func() (compare.Run, error) {
		o, err := r.RunReal(ctx, togetherScenario(slices.Max(rates)))
		if err = errors.Join(err, ctx.Err()); err != nil {
			return compare.Run{}, err
		}
		return compare.RunOf(o), nil
	})
	if err != nil {
		return fmt.Errorf("everything at once, to warm the servers up: %w", err)
	}
	return nil
}

// kafkaPart is a broker. It computes much more for a request if it gets one at a time than if it is
// busy, so what is found beside its factor is another one, for requests.
const kafkaPart = "kafka"

// least are the factors below which something else must be wrong: what goes on all the time takes a
// part of what it took alone, since it is in the caches and compiled, and comes in larger batches, but
// not less than a quarter; other than a request of a broker, which has to wake up for one.
const (
	factorLeast  = 0.25
	requestLeast = 0.02
)

// equation says that what was measured is the factor times what was predicted, and what is found beside
// it: idling, of each process and second.
func (p part) equation(run trio, costs *sim.Costs) equation {
	used := func(o *judge.Outcome) (cpu, lasted float64) {
		first, last := o.Samples[0], o.Samples[len(o.Samples)-1]
		return p.cpu(last) - p.cpu(first), last.T - first.T
	}
	measured, lasted := used(run.real)
	predicted, predictedFor := used(run.virtual)
	seconds := func(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
	switch {
	case p.name == kafkaPart:
		free, freeFor := used(run.free)
		idle := costs.Kafka.Idle.Seconds()
		requests := predicted - idle*predictedFor - (free - idle*freeFor)
		return equation{took: seconds(measured - idle*lasted), whole: seconds(measured),
			counts: []float64{free - idle*freeFor, requests}}
	case p.idle != nil:
		return equation{took: seconds(measured), whole: seconds(measured),
			counts: []float64{predicted, lasted * float64(p.n)}}
	}
	return equation{took: seconds(measured), whole: seconds(measured), counts: []float64{predicted}}
}

// find solves the equations of the runs that were made once with each of those that were repeated: the
// median is the result, and its spread that of one run to the next.
func (p part) find(costs *sim.Costs, once, repeated []equation) error {
	least := []float64{factorLeast, 0}[:len(repeated[0].counts)]
	if p.name == kafkaPart {
		least[1] = requestLeast
	}
	found := make([][]float64, len(least)) // of each repeat, by kind
	for _, e := range repeated {
		values, err := solveFrom(least, append(slices.Clone(once), e))
		if err != nil {
			return err
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
	if len(least) < 2 {
		return nil
	}
	// The factor would make too much or too little of what was found for requests.
	name, cost, unit := p.name+".idle", p.idle, 1.0
	if p.name == kafkaPart {
		name, cost, unit = "kafka.request", &costs.Kafka.Request, costs.Kafka.Request.Seconds()/factor
	}
	of := func(v float64) time.Duration { return time.Duration(v * unit * float64(time.Second)) }
	*cost = of(median(1))
	costs.Calibration.Measured = slices.DeleteFunc(costs.Calibration.Measured,
		func(m sim.Measured) bool { return m.Cost == name })
	costs.Calibration.Measured = append(costs.Calibration.Measured, sim.Measured{Cost: name,
		N: len(repeated), Median: *cost, Least: of(slices.Min(found[1])), Greatest: of(slices.Max(found[1]))})
	return nil
}
