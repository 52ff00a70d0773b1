package shrink

import (
	"cmp"
	"math"
	"reflect"
	"slices"
	"time"

	"sluice/scenarios"
)

// step offers smaller cases, the smallest first.
type step struct {
	name    string
	smaller func(Case) []Case
}

// steps begin with those that make the following runs short.
var steps = []step{
	{"a constant rate", constantRate},
	{"a lower rate", number(func(s *scenarios.Scenario) *scenarios.PerSecond {
		return &s.Workload.Rate.From
	}, 1)},
	{"a shorter run", length(func(s *scenarios.Scenario) *time.Duration { return &s.Duration })},
	{"single faults", singleFaults},
	{"fewer faults", fewerFaults},
	{"fewer port faults", fewerPortFaults},
	{"fewer shards", number(func(s *scenarios.Scenario) *int { return &s.Topology.Partitions }, 1)},
	{"fewer workers", number(func(s *scenarios.Scenario) *scenarios.Processes {
		return &s.Topology.FlusherProcesses
	}, 1)},
	{"other targets", lowerTargets},
	{"options at their defaults", defaults},
	{"fewer traces", number(func(s *scenarios.Scenario) *int { return &s.Workload.TracesAtOnce }, 1)},
	{"smaller traces", smallerTraces},
	{"a shorter time-out", length(func(s *scenarios.Scenario) *time.Duration {
		return &s.Pipeline.Timeout
	})},
	{"a shorter time-out", length(func(s *scenarios.Scenario) *time.Duration {
		return &s.Pipeline.RootTimeout
	})},
	{"earlier faults", faultTimes(func(f *scenarios.Fault) *time.Duration { return &f.When.At })},
	{"shorter faults", faultTimes(func(f *scenarios.Fault) *time.Duration { return &f.For })},
	{"smaller faults", faultTimes(func(f *scenarios.Fault) *time.Duration { return &f.By })},
	{"sooner faults", soonerFaults},
}

// with returns the case with a change of its scenario.
func with(c Case, change func(*scenarios.Scenario)) Case {
	c.Scenario.Faults = slices.Clone(c.Scenario.Faults)
	c.Scenario.Expectations.Figures = slices.Clone(c.Scenario.Expectations.Figures)
	change(&c.Scenario)
	return c
}

func constantRate(c Case) []Case {
	if c.Scenario.Workload.Rate.Shape == scenarios.ShapeConstant {
		return nil
	}
	return []Case{with(c, func(s *scenarios.Scenario) {
		s.Workload.Rate = scenarios.Rate{Shape: scenarios.ShapeConstant, From: s.Workload.Rate.From}
	})}
}

// number offers smaller values: an eighth and a half, each with one digit, and one less.
func number[T ~int | ~float64](of func(*scenarios.Scenario) *T, least T) func(Case) []Case {
	return func(c Case) (list []Case) {
		value := *of(&c.Scenario)
		var last T
		for _, next := range []T{value / 8, value / 2, value - 1} {
			if next = max(T(oneDigit(float64(next))), least); next < value && next != last {
				list = append(list, with(c, func(s *scenarios.Scenario) {
					*of(s) = next
					for i := range s.Faults { // what is not there any more cannot be hit
						clamp(&s.Faults[i], s.Topology)
					}
				}))
			}
			last = next
		}
		return list
	}
}

func clamp(f *scenarios.Fault, top scenarios.Topology) {
	if w := &f.When; w.Kind == scenarios.MomentRestarted || w.Kind == scenarios.MomentStage {
		w.Worker = min(w.Worker, top.Workers()-1) // OfConsumer is below them all
	}
	switch t := &f.Target; t.Kind {
	case scenarios.TargetWorker:
		t.N = min(t.N, top.Workers()-1)
	case scenarios.TargetPartition:
		t.N = min(t.N, top.Partitions-1)
	}
}

// oneDigit cuts a number to its first digit: 384 is 300.
func oneDigit(v float64) float64 {
	if v < 1 {
		return math.Floor(v)
	}
	unit := math.Pow(10, math.Floor(math.Log10(v)))
	return math.Floor(v/unit) * unit
}

// length offers shorter times of whole seconds.
func length(of func(*scenarios.Scenario) *time.Duration) func(Case) []Case {
	return func(c Case) (list []Case) {
		for _, next := range shorter(*of(&c.Scenario)) {
			list = append(list, with(c, func(s *scenarios.Scenario) { *of(s) = next }))
		}
		return list
	}
}

// shorter returns a quarter, a half, a second less, and what is cut to whole seconds: none below one.
func shorter(d time.Duration) (list []time.Duration) {
	sign := time.Duration(1)
	if d < 0 {
		sign, d = -1, -d
	}
	for _, next := range []time.Duration{d / 4, d / 2, d - time.Second, d} {
		next = next.Truncate(time.Second)
		if next >= time.Second && next < d && !slices.Contains(list, sign*next) {
			list = append(list, sign*next)
		}
	}
	return list
}

// singleFaults writes down each time at which a repeated or random fault happens.
func singleFaults(c Case) []Case {
	repeated := slices.ContainsFunc(c.Scenario.Faults, func(f scenarios.Fault) bool {
		return f.When.Kind == scenarios.MomentEvery || f.When.Kind == scenarios.MomentRandomly ||
			f.Target.Kind == scenarios.TargetAnyWorker
	})
	if !repeated {
		return nil
	}
	return []Case{with(c, func(s *scenarios.Scenario) {
		plan := s.Plan()
		s.Faults = nil
		for _, o := range plan {
			s.Faults = append(s.Faults, o.Fault)
		}
	})}
}

func fewerFaults(c Case) (list []Case) {
	for _, faults := range fewer(c.Scenario.Faults) {
		list = append(list, with(c, func(s *scenarios.Scenario) { s.Faults = faults }))
	}
	return list
}

func fewerPortFaults(c Case) (list []Case) {
	for _, faults := range fewer(c.Ports) {
		list = append(list, Case{c.Scenario, faults})
	}
	return list
}

// fewer returns the list without each of its halves, quarters and so on down to single elements.
func fewer[T any](all []T) (lists [][]T) {
	for size := len(all); size > 0; size /= 2 {
		for from := 0; from < len(all); from += size {
			lists = append(lists, slices.Delete(slices.Clone(all), from, min(from+size, len(all))))
		}
	}
	return lists
}

// lowerTargets moves each fault of a worker or a partition to the first, and so the worker that it waits for: both
// at once if it can be, for they may have to be the same.
func lowerTargets(c Case) (list []Case) {
	for i, f := range c.Scenario.Faults {
		if f.When.Worker > 0 {
			first := func(s *scenarios.Scenario) { s.Faults[i].When.Worker = 0 }
			if f.Target.N > 0 {
				list = append(list, with(c, func(s *scenarios.Scenario) { first(s); s.Faults[i].Target.N = 0 }))
			}
			list = append(list, with(c, first))
		}
		if f.Target.N > 0 {
			list = append(list, with(c, func(s *scenarios.Scenario) { s.Faults[i].Target.N = 0 }))
		}
	}
	return list
}

// kept are keys that other steps make smaller, or that follow from the rest.
var kept = []string{
	"Partitions", "FlusherProcesses", "Timeout", "RootTimeout", "Rate", "TracesAtOnce",
	"SpansPerTrace", "RepeatedSpansMax",
}

// defaults sets each key to its default. Of expectations that is only offered where it asks for no more:
// see stricter.
func defaults(c Case) (list []Case) {
	usual := scenarios.Default()
	for _, part := range []func(*scenarios.Scenario) any{
		func(s *scenarios.Scenario) any { return &s.Workload },
		func(s *scenarios.Scenario) any { return &s.Pipeline },
		func(s *scenarios.Scenario) any { return &s.Topology },
		func(s *scenarios.Scenario) any { return &s.Expectations },
	} {
		now, usual := reflect.ValueOf(part(&c.Scenario)).Elem(), reflect.ValueOf(part(&usual)).Elem()
		for i := range now.NumField() {
			if slices.Contains(kept, now.Type().Field(i).Name) ||
				reflect.DeepEqual(now.Field(i).Interface(), usual.Field(i).Interface()) {
				continue
			}
			list = append(list, with(c, func(s *scenarios.Scenario) {
				reflect.ValueOf(part(s)).Elem().Field(i).Set(usual.Field(i))
			}))
		}
	}
	return list
}

// smallerTraces gives all traces the same size, and a smaller one.
func smallerTraces(c Case) (list []Case) {
	spread := c.Scenario.Workload.SpansPerTrace
	middle := spread.At(0.5)
	for _, next := range []int{1, middle / 4, middle / 2, middle - 1, middle} {
		if next >= 1 && (next < middle || spread.Kind != scenarios.SpreadFixed) {
			list = append(list, with(c, func(s *scenarios.Scenario) {
				s.Workload.SpansPerTrace = scenarios.Fixed(next)
			}))
		}
	}
	return list
}

// faultTimes shortens a time of each fault.
func faultTimes(of func(*scenarios.Fault) *time.Duration) func(Case) []Case {
	return func(c Case) (list []Case) {
		for i := range c.Scenario.Faults {
			for _, next := range shorter(*of(&c.Scenario.Faults[i])) {
				list = append(list, with(c, func(s *scenarios.Scenario) { *of(&s.Faults[i]) = next }))
			}
		}
		return list
	}
}

// soonerFaults lowers the number of spans that a fault waits for.
func soonerFaults(c Case) (list []Case) {
	for i, f := range c.Scenario.Faults {
		for _, next := range []int64{f.When.Spans / 8, f.When.Spans / 2} {
			if next = int64(oneDigit(float64(next))); cmp.Less(0, next) {
				list = append(list, with(c, func(s *scenarios.Scenario) { s.Faults[i].When.Spans = next }))
			}
		}
	}
	return list
}

// stricter tells whether a scenario asks for more than another, or allows less. A sound pipeline may fail
// it then, though it passes the other: what is found would be no longer the failure that was there.
func stricter(a, b scenarios.Scenario) bool {
	x, y := a.Expectations, b.Expectations
	freshness := x.FreshnessP99Max > 0 && (y.FreshnessP99Max == 0 || x.FreshnessP99Max < y.FreshnessP99Max)
	figures := slices.ContainsFunc(x.Figures, func(l scenarios.Limit) bool { return !slices.Contains(y.Figures, l) })
	// Over its budget a worker ends the consumer, which must not be; or must, and then it needs more for it.
	budget := a.Pipeline.RestartBudget < b.Pipeline.RestartBudget
	if x.End == scenarios.EndBudget {
		budget = a.Pipeline.RestartBudget > b.Pipeline.RestartBudget
	}
	return x.End != y.End || budget || freshness || figures ||
		x.RestartsMin > y.RestartsMin || x.ThroughputMin > y.ThroughputMin ||
		tighter(x.WorkerRestartsMax, y.WorkerRestartsMax) || tighter(x.RepeatedSpansMax, y.RepeatedSpansMax) ||
		tighter(x.SplitSpansMax, y.SplitSpansMax) || tighter(x.DuplicatedSpansMax, y.DuplicatedSpansMax) ||
		x.DrainMax < y.DrainMax || x.WorkerMemoryMax < y.WorkerMemoryMax || held(a.Pipeline) > held(b.Pipeline)
}

// tighter tells whether a limit allows less than another.
func tighter(a, b scenarios.Count) bool {
	if b == scenarios.Unlimited {
		return a != scenarios.Unlimited
	}
	return !a.Allows(int64(b))
}

// held is how long a segment may be held after its last span: as much less of drain_max is left to bring
// it out.
func held(p scenarios.Pipeline) time.Duration {
	longest := max(p.Timeout, p.RootTimeout)
	if p.MaxSegmentAge > 0 {
		longest = min(longest, p.MaxSegmentAge)
	}
	return longest
}
