package rundir

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"sluice/internal/yamlfile"
	"sluice/reports"
	"sluice/scenarios"
)

// ReadJSON reads a file of a directory of results. One that is not there is ErrNotARun.
func ReadJSON(dir, name string, v any) error {
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotARun, err)
	}
	if err := json.Unmarshal(text, v); err != nil {
		return fmt.Errorf("%s in %s: %w", name, dir, err)
	}
	return nil
}

// ReadResult reads the result of a run's directory.
func ReadResult(dir string) (r reports.Result, err error) {
	return r, ReadJSON(dir, FileResult, &r)
}

// ReadEvents reads the events of a run's directory.
func ReadEvents(dir string) ([]reports.Event, error) {
	file, err := os.Open(filepath.Join(dir, FileEvents))
	if err != nil {
		return nil, err
	}
	defer file.Close()
	events, err := reports.ReadEvents(file)
	if err != nil {
		return nil, fmt.Errorf("%s in %s: %w", FileEvents, dir, err)
	}
	return events, nil
}

// ReadSamples reads the samples of a run's directory.
func ReadSamples(dir string) ([]reports.Sample, error) {
	file, err := os.Open(filepath.Join(dir, FileSamples))
	if err != nil {
		return nil, err
	}
	defer file.Close()
	samples, err := reports.ReadCSV[reports.Sample](file)
	if err != nil {
		return nil, fmt.Errorf("%s in %s: %w", FileSamples, dir, err)
	}
	return samples, nil
}

// ReadScenario reads the scenario of a directory of results.
func ReadScenario(dir string) (scenarios.Scenario, yamlfile.Places, error) {
	return scenarios.LoadWith(filepath.Join(dir, FileScenario), os.ReadFile)
}
