package main

import (
	"sluice/internal/capacity"
	"sluice/internal/harness"
	"sluice/internal/process"
)

// conditions are those of the report that is made.
func (c *capacityCommand) conditions(cfg harness.Config) capacity.Conditions {
	of := capacity.Conditions{Version: process.Version(), Defect: cfg.Defect, PortFaults: portFaultsOf(cfg),
		Most: float64(c.Most), Precision: float64(c.Precision)}
	if c.Duration != nil {
		of.DurationSeconds = c.Duration.Seconds()
	}
	return of
}
