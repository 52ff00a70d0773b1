package defects

import (
	"sluice/consumer"
	"sluice/flusher"
)

// Variants: nothing is wrapped, a setting is not what the scenario says.
var (
	budgetOffByOne = Defect{
		Name:     "budget-off-by-one",
		Wrong:    "restarts are compared with the budget before they are counted: one too many is allowed",
		Caught:   "restart budget",
		Shown:    "crash-loop",
		Explored: "supervisor",
		Changes:  []string{"workload.rate=constant 300/s"},
		settings: func(s *consumer.Settings) {
			s.Flusher.RestartBudget++
		},
	}
	budgetReset = Defect{
		Name:     "budget-reset",
		Wrong:    "each restart resets the count: a crash loop never ends",
		Caught:   "restart budget",
		Shown:    "crash-loop",
		Explored: "supervisor",
		Changes:  []string{"workload.rate=constant 300/s"},
		settings: func(s *consumer.Settings) {
			s.Flusher.RestartWindow = 1
		},
	}
	neverIdle = Defect{
		Name:       "never-idle",
		Wrong:      "a segment that is written to again and again within its time-out is not flushed",
		Caught:     "freshness",
		Shown:      "late-spans",
		Unexplored: byTime,
		// Few traces with many spans: each gets one far more often than its time-out.
		Changes: []string{
			"duration=20s", "workload.rate=constant 200/s", "workload.traces_at_once=4",
			"workload.spans_per_trace=600", "workload.late=never", "workload.headless=0", "expectations.figures=[]", "workload.disorder=0",
			"pipeline.timeout=3s", "pipeline.root_timeout=3s", "pipeline.max_segment_age=6s",
		},
		settings: func(s *consumer.Settings) { s.Options.MaxSegmentAge = 0 },
	}
	timeoutZero = Defect{
		Name:       "timeout-zero",
		Wrong:      "workers that are to end at once are waited for without end",
		Caught:     "liveness",
		Shown:      "shutdown-under-load",
		Unexplored: byTime,
		// The worker cannot finish, since Kafka takes nothing.
		Changes: []string{
			"faults=[at 2s fail kafka for 40s, at 8s stop consumer for 1s]", "duration=45s",
			"workload.rate=constant 200/s", "expectations.repeated_spans_max=unlimited",
			"expectations.split_spans_max=unlimited",
		},
		settings: func(s *consumer.Settings) { s.Flusher.ShutdownTimeout = flusher.NoTimeout },
	}
)
