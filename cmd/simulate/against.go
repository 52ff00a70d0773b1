package main

import (
	"fmt"

	"sluice/internal/capacity"
	"sluice/internal/diff"
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

// readAgainst reads the other report, if there is to be one. It must be finished.
func (f *outlookFlags) readAgainst() (err error) {
	if f.Against == "" {
		return nil
	}
	f.other = &capacity.Report{}
	if err = readJSON(f.Against, fileCapacity, f.other); err == nil {
		f.of, err = readCapacitySet(f.Against)
	}
	if err != nil {
		return fmt.Errorf("--against: %w", err)
	}
	return nil
}

// checkAgainst returns an error if the report that goes into a directory cannot be shown beside the other.
func (f *outlookFlags) checkAgainst(dir, scenario string) error {
	switch {
	case f.other == nil:
	case sameFile(dir, f.Against):
		return fmt.Errorf("--against %s is where the results go: name another directory by --out", f.Against)
	case f.other.Scenario != scenario:
		return fmt.Errorf("--against %s is a report of the scenario %s, and this is %s: name one of the same scenario",
			f.Against, f.other.Scenario, scenario)
	}
	return nil
}

// changed is how what is measured differs from what the other report is of, in words: whatever the reports
// do not show by themselves, as they do their worlds and process counts.
func (c *capacityCommand) changed(cfg harness.Config, report *capacity.Report) string {
	there, here := c.of, setOf(diff.KindCapacity, cfg)
	there.Runs, there.World = nil, here.World
	here.Conditions = append(here.Conditions, searchConditions(report.Conditions)...)
	return differencesText(diff.Differences(there, here))
}
