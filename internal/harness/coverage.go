package harness

import (
	"slices"

	"sluice/flusher"
	"sluice/reports"
	"sluice/scenarios"
)

// StageDown is the stage of a part that does not run: it starts, or was ended.
const StageDown = "down"

// CoverageStages are the stages of each part. Those of a consumer are the calls that it waits for; if
// there is none, it polls.
func CoverageStages() []reports.CoverageStages {
	worker, consumer := scenarios.Stages(0), scenarios.Stages(scenarios.OfConsumer)
	return []reports.CoverageStages{
		{Part: reports.PartWorker,
			Stages: slices.Concat([]string{flusher.StageStarting.String()}, worker, []string{StageDown})},
		{Part: reports.PartConsumer, Stages: append(consumer, scenarios.CallFence, StageDown)},
	}
}

// stagesAt returns which stages a fault hits just now: of the workers that are its target, or of all;
// and of the first consumer, if the world sees them.
func stagesAt(s System, f scenarios.Fault) reports.Coverage {
	var list reports.Coverage
	add := func(part, stage string) {
		list.Add(reports.CoverageCell{Fault: f.Kind(), Part: part, Stage: stage, Count: 1})
	}
	c := first(s)
	if c.Life == 0 {
		add(reports.PartConsumer, StageDown)
	}
	for _, call := range c.Calls {
		add(reports.PartConsumer, call)
	}
	for _, w := range c.Workers {
		if f.Target.Kind != scenarios.TargetWorker || f.Target.N == w.Worker {
			add(reports.PartWorker, stageOf(w))
		}
	}
	return list
}

// stageOf is the stage of a worker.
func stageOf(w flusher.WorkerState) string {
	running := []flusher.State{flusher.StateStarting, flusher.StateHealthy, flusher.StateBackpressure,
		flusher.StateHung}
	if !slices.Contains(running, w.State) || w.Status.Stage == flusher.StageStopped {
		return StageDown
	}
	return w.Status.Stage.String()
}
