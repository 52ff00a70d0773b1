package compare

import (
	"math"
	"time"

	"sluice/scenarios"
)

// Java compiles what a broker does often, so a broker that has just been started takes several times
// as much for a record as later. It is warm when a run takes it hardly less than the one before.
const (
	warmFrom = 0.9
	warmMax  = 5
)

// warmFor is how long the load of a run that warms servers up lasts at most.
const warmFor = 10 * time.Second

// WarmUpOf returns what warms servers up for a scenario: its mean rate, for 10 s at most, and none of what
// belongs to certain times of it: no faults, no late spans, no steps. It is valid if the scenario is.
func WarmUpOf(s scenarios.Scenario) scenarios.Scenario {
	mean := float64(s.Pacer().Total()) / s.Duration.Seconds()
	s.Duration = min(s.Duration, warmFor)
	s.Workload.Rate = scenarios.Constant(math.Ceil(max(mean, 1/s.Duration.Seconds())))
	s.Workload.Late, s.Faults = scenarios.Late{}, nil
	// Nothing of it is judged, but it may take as long to drain.
	drain := s.Expectations.DrainMax
	s.Expectations = scenarios.Default().Expectations
	s.Expectations.DrainMax = drain
	// What a long load may leave open would take longer to finish than this one lasts.
	size := &s.Workload.SpansPerTrace
	most := func() int { return int(warmFor / (s.Pacer().Beyond(int64(math.Ceil(size.Mean))) - s.Duration)) }
	if most() == 0 {
		*size = scenarios.Default().Workload.SpansPerTrace
	}
	s.Workload.TracesAtOnce = min(s.Workload.TracesAtOnce, most())
	return s
}

// WarmUp makes runs, which count for nothing, until the broker does not get quicker any more: at least
// one, two where it is seen what the broker computes, and at most five.
func WarmUp(run func() (Run, error)) error {
	last := 0.0
	for range warmMax {
		one, err := run()
		if err != nil {
			return err
		}
		took, seen := one.Figures[KafkaTime]
		if !seen || took >= warmFrom*last && last > 0 {
			return nil
		}
		last = took
	}
	return nil
}
