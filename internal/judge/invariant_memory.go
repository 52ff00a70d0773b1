package judge

import "sluice/reports"

// memoryBound: no worker process holds more memory than worker_memory_max.
var memoryBound = invariant{"memory bound", ExitSafety, judgeMemoryBound, nil}

func judgeMemoryBound(e *Evidence) (reports.Verdict, string) {
	if why, not := e.Unmeasured[WorkerMemory]; not {
		return reports.NotMeasured, why
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
