package harness_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"sluice/internal/harness"
	"sluice/internal/judge"
	"sluice/reports"
	"sluice/scenarios"
)

// checkDirectory writes the outcome twice, and reads it back.
func checkDirectory(t *testing.T, o *judge.Outcome) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "out", "run")
	o.Script = "#!/bin/sh\n"
	for range 2 {
		if err := harness.CheckDirectory(dir, harness.FileResult); err != nil {
			t.Fatal(err)
		}
		if err := harness.Write(o, dir); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{harness.FileScenario, harness.FileResult, harness.FileReplay,
		harness.FileEvents, harness.FileSamples, harness.FileReport} {
		expectFile(t, filepath.Join(dir, name))
	}
	for _, chart := range []string{reports.ChartTimeline, reports.ChartRates, reports.ChartBacklog,
		reports.ChartFreshness, reports.ChartCPU, reports.ChartWorkers} {
		expectFile(t, filepath.Join(dir, chart+".png"))
		expectFile(t, filepath.Join(dir, chart+".svg"))
	}
	s, err := scenarios.Load(filepath.Join(dir, harness.FileScenario), os.ReadFile)
	if err != nil || s.String() != o.Scenario.String() {
		t.Errorf("the scenario reads back as\n%s%v", s, err)
	}
	file, err := os.Open(filepath.Join(dir, harness.FileEvents))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if events, err := reports.ReadEvents(file); err != nil || len(events) != len(o.Events) {
		t.Errorf("%d events read back of %d: %v", len(events), len(o.Events), err)
	}
	other := t.TempDir()
	if err := os.WriteFile(filepath.Join(other, "thesis.txt"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := harness.CheckDirectory(other, harness.FileResult); !errors.Is(err, harness.ErrNotARun) {
		t.Errorf("a directory with other files: %v", err)
	}
	if entries, _ := os.ReadDir(filepath.Dir(dir)); len(entries) != 1 {
		t.Errorf("beside the directory there are %v", entries)
	}
}

func expectFile(t *testing.T, path string) {
	t.Helper()
	if info, err := os.Stat(path); err != nil || info.Size() == 0 {
		t.Errorf("%s is missing or empty: %v", path, err)
	}
}
