package main

import (
	kongcompletion "github.com/jotaen/kong-completion"
	"github.com/posener/complete"

	"sluice/internal/defects"
	"sluice/internal/worlds/wall/fakes"
	"sluice/internal/worlds/wall/real"
	"sluice/scenarios"
)

// predictors complete what the command line itself does not know, by the completion-predictor of a
// flag or argument.
var predictors = []kongcompletion.Option{
	kongcompletion.WithPredictor("scenario", complete.PredictOr(
		complete.PredictSet(scenarios.List()...), complete.PredictFiles("*.yaml"))),
	kongcompletion.WithPredictor("world", complete.PredictSet(
		worldVirtual, fakes.World{}.Name(), real.World{}.Name())),
	kongcompletion.WithPredictor("servers", complete.PredictSet(
		string(real.Start), string(real.StartCluster))),
	kongcompletion.WithPredictor("defect", complete.PredictFunc(func(complete.Args) []string {
		var names []string
		for _, d := range defects.All() {
			names = append(names, d.Name)
		}
		return names
	})),
}
