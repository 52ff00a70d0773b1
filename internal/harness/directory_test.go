package harness_test

import (
	"bytes"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
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

// checkIncomplete lets files of a run fail, as a full disk does: the result alone is worth a
// directory, and without it the one that is there stays.
func checkIncomplete(t *testing.T, o judge.Outcome) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "run")
	o.Events = append(slices.Clone(o.Events), reports.Event{T: math.NaN()}) // JSON has no NaN
	if err := harness.Write(&o, dir); err == nil || errors.Is(err, harness.ErrNoResults) ||
		!strings.Contains(err.Error(), harness.FileEvents) {
		t.Errorf("events that cannot be written: %v", err)
	}
	expectFile(t, filepath.Join(dir, harness.FileResult))
	expectFile(t, filepath.Join(dir, harness.FileScenario))
	if _, err := os.Stat(filepath.Join(dir, harness.FileEvents)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("half of the events: %v", err)
	}
	before, _ := os.ReadFile(filepath.Join(dir, harness.FileResult))
	o.Result.Harness.BehindSeconds = math.NaN()
	if err := harness.Write(&o, dir); !errors.Is(err, harness.ErrNoResults) {
		t.Errorf("a result that cannot be written: %v", err)
	}
	after, _ := os.ReadFile(filepath.Join(dir, harness.FileResult))
	if !bytes.Equal(before, after) {
		t.Error("the earlier result is not what it was")
	}
}

func expectFile(t *testing.T, path string) {
	t.Helper()
	if info, err := os.Stat(path); err != nil || info.Size() == 0 {
		t.Errorf("%s is missing or empty: %v", path, err)
	}
}
