package judge

import (
	"sluice/reports"
	"sluice/scenarios"
)

// memoryBound: no worker process holds more memory than worker_memory_max. Goroutines share the
// memory of the harness, so nothing can be said of them.
var memoryBound = invariant{"memory bound", safety, judgeMemoryBound}

func judgeMemoryBound(e *Evidence) (reports.Verdict, string) {
	if e.Scenario.Topology.FlusherMode == scenarios.ModeGoroutine {
		return passed("workers are goroutines: there is no process to bound")
	}
	limit := int64(e.Scenario.Expectations.WorkerMemoryMax)
	most, at := int64(0), 0.0
	for _, s := range e.Samples {
		if s.WorkerBytesMax > most {
			most, at = s.WorkerBytesMax, s.T
		}
	}
	switch {
	case most > limit:
		return violated("at %.1fs a worker held %d bytes, over worker_memory_max of %d", at, most, limit)
	case most == 0:
		return unknown("the memory of no worker could be read")
	}
	return passed("a worker held at most %.0f MiB, worker_memory_max is %.0f MiB",
		float64(most)/(1<<20), float64(limit)/(1<<20))
}
