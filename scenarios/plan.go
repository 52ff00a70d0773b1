package scenarios

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Occurrence is one time that a fault happens.
type Occurrence struct {
	// Index is that of the fault in Scenario.Faults.
	Index int
	// Random is true if the seed draws when it happens, Drawn if it draws to which worker.
	Random, Drawn bool
	// Fault happens once: its moment is not a repeated one, and its target is drawn.
	Fault
}

// occurrencesMax bounds how often one fault of a scenario happens.
const occurrencesMax = 10_000

// Plan returns every time that a fault happens, as far as the seed and the scenario tell: those at
// a time in the order of their times, then those on a condition. Repeated faults happen while load
// arrives; the gaps of random ones follow an exponential distribution, so that a fault is equally
// likely at any time.
func (s Scenario) Plan() []Occurrence {
	var plan []Occurrence
	for i, fault := range s.Faults {
		random := Stream(s.Seed, fmt.Sprintf("fault %d", i))
		add := func(at time.Duration) {
			once := fault
			if once.When.Kind == MomentEvery || once.When.Kind == MomentRandomly {
				once.When = Moment{Kind: MomentAt, At: at}
			}
			if once.Target.Kind == TargetAnyWorker {
				once.Target = Target{TargetWorker, random.IntN(s.Topology.Workers())}
			}
			plan = append(plan, Occurrence{i, fault.When.Kind == MomentRandomly,
				fault.Target.Kind == TargetAnyWorker, once})
		}
		at := fault.When.At
		switch fault.When.Kind {
		case MomentEvery:
			for n := 0; at < s.Duration && n < occurrencesMax; n++ {
				add(at)
				at += fault.When.Every
			}
		case MomentRandomly:
			for n := 0; n < occurrencesMax; n++ {
				gap := random.ExpFloat64() * float64(fault.When.Every)
				at += time.Duration(min(gap, float64(s.Duration)+1)).Round(time.Millisecond)
				if at >= s.Duration {
					break
				}
				add(at)
			}
		default:
			add(at)
		}
	}
	slices.SortStableFunc(plan, func(a, b Occurrence) int {
		return cmp.Or(cmp.Compare(order(a.When), order(b.When)), cmp.Compare(a.When.At, b.When.At))
	})
	return plan
}

// Undrawn returns the random faults that are nowhere in a plan, since the seed draws no time for them.
func (s Scenario) Undrawn(plan []Occurrence) (list []Fault) {
	for i, fault := range s.Faults {
		if fault.When.Kind == MomentRandomly &&
			!slices.ContainsFunc(plan, func(o Occurrence) bool { return o.Index == i }) {
			list = append(list, fault)
		}
	}
	return list
}

func order(m Moment) int {
	if m.Kind == MomentAt {
		return 0
	}
	return 1
}
