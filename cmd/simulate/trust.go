package main

import (
	"fmt"

	"sluice/internal/capacity"
	"sluice/internal/compare"
	"sluice/internal/harness"
	"sluice/sim"
)

// costsFrom says where the costs of a world are from, by the flags that it was made with; nil if steps take
// there what they take.
func costsFrom(world harness.World, flags costFlags) *capacity.CostsFrom {
	w, ok := world.(sim.World)
	if !ok {
		return nil
	}
	hosts := w.Hosts()
	from := &capacity.CostsFrom{File: flags.Costs, Changed: len(flags.Cost) > 0, Cores: hosts.Cores, Shared: hosts.Shared}
	if w.Costs != nil && w.Costs.Calibration != nil {
		known := w.Costs.Calibration
		from.Date, from.Redis, from.Kafka = known.Date, known.Redis, known.Kafka
		from.YardstickSeconds = known.Yardstick.Median.Seconds()
		from.Changed = from.Changed || len(known.Changed) > 0
	}
	return from
}

// readCompared reads how far off predictions were, from the directory of a comparison; nil if none is named.
func (c *capacityCommand) readCompared() (*capacity.Compared, error) {
	if c.Compared == "" {
		return nil, nil
	}
	if !isVirtual(c.World) {
		return nil, usageError{fmt.Errorf("--compared %s is for --world %s: what is measured in world %s is no prediction",
			c.Compared, worldVirtual, c.World)}
	}
	var r compare.Report
	if err := readJSON(c.Compared, fileCompare, &r); err != nil {
		return nil, fmt.Errorf("--compared: %w", err)
	}
	if !isVirtual(r.Predicting) || len(r.Rows) == 0 {
		return nil, usageError{fmt.Errorf("--compared %s: its predictions are not those of world %s: name a "+
			"comparison as simulate compare writes it", c.Compared, worldVirtual)}
	}
	of := &capacity.Compared{Dir: c.Compared, Scenario: r.Scenario, Measured: r.Measuring, Headline: r.Headline(),
		Unfinished: r.Unfinished}
	for _, f := range compare.Figures() {
		if median, worst, n := r.Errors(f); n > 0 {
			of.Errors = append(of.Errors, capacity.FigureError{Figure: string(f), Median: capacity.Number(median),
				Worst: capacity.Number(worst), Counts: n})
		}
	}
	return of, nil
}
