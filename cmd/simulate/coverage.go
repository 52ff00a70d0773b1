package main

import (
	_ "embed"
	"fmt"
	"path"
	"slices"

	"sluice/internal/harness"
	"sluice/internal/yamlfile"
	"sluice/reports"
	"sluice/scenarios"
)

const (
	// coverageSeedsMin is with how many seeds each fault must have hit each stage: fewer may leave some
	// out by chance.
	coverageSeedsMin = 1000
	// coverageFile is the picture of what was covered, without its ending.
	coverageFile = "coverage"
)

// waivers are the cells that may stay empty.
//
//go:embed coverage.yaml
var waivers []byte

// waiver names cells that may stay empty, and why. A * stands for any letters.
type waiver struct {
	Fault  string `yaml:"fault"`
	Part   string `yaml:"part"`
	Stage  string `yaml:"stage"`
	Reason string `yaml:"reason"`
}

// covers tells whether the waiver is for a cell.
func (w *waiver) covers(cell *reports.CoverageCell) bool {
	matches := func(pattern, name string) bool {
		ok, err := path.Match(pattern, name)
		return ok && err == nil
	}
	return matches(w.Fault, cell.Fault) && matches(w.Part, cell.Part) && matches(w.Stage, cell.Stage)
}

// readWaivers reads the file.
func readWaivers() ([]waiver, error) {
	var file struct {
		Waived []waiver `yaml:"waived"`
	}
	if _, err := yamlfile.Read("coverage.yaml", waivers, &file); err != nil {
		return nil, err
	}
	for _, w := range file.Waived {
		if w.Reason == "" {
			return nil, fmt.Errorf("coverage.yaml: %s in %s of a %s is waived without a reason", w.Fault,
				w.Stage, w.Part)
		}
	}
	return file.Waived, nil
}

// ask fills in the cells that were never hit, and finds those that are not waived.
func (s *seedsTable) ask() error {
	list, err := readWaivers()
	if err != nil {
		return err
	}
	for _, part := range harness.CoverageStages() {
		for _, fault := range scenarios.Kinds() {
			for _, stage := range part.Stages {
				cell := reports.CoverageCell{Fault: fault, Part: part.Part, Stage: stage}
				if at := slices.IndexFunc(list, func(w waiver) bool { return w.covers(&cell) }); at >= 0 {
					cell.Waived = list[at].Reason
				}
				s.Coverage.Add(cell)
			}
		}
	}
	s.Empty = s.Coverage.Empty()
	return nil
}
