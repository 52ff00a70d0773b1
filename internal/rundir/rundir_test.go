package rundir_test

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
	"sluice/internal/rundir"
	"sluice/reports"
	"sluice/scenarios"
	"sluice/sim"
)

// scenario has a fault, and takes a moment.
func scenario(t *testing.T) scenarios.Scenario {
	t.Helper()
	s, _, err := scenarios.LoadWith("hang", nil, "faults=[at 4s hang worker 1]")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// ran is what came of it.
func ran(t *testing.T) *judge.Outcome {
	t.Helper()
	o, err := harness.Run(t.Context(), harness.Config{Scenario: scenario(t), World: sim.World{}})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// TestWrite writes the outcome twice, and reads it back.
func TestWrite(t *testing.T) {
	o := ran(t)
	dir := filepath.Join(t.TempDir(), "out", "run")
	o.Script = "#!/bin/sh\n"
	for range 2 {
		if err := rundir.Check(dir, rundir.FileResult); err != nil {
			t.Fatal(err)
		}
		if err := rundir.Write(o, dir); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{rundir.FileScenario, rundir.FileResult, rundir.FileReplay,
		rundir.FileEvents, rundir.FileSamples, rundir.FileReport} {
		expectFile(t, filepath.Join(dir, name))
	}
	for _, chart := range []string{reports.ChartTimeline, reports.ChartRates, reports.ChartBacklog,
		reports.ChartFreshness, reports.ChartCPU, reports.ChartWorkers} {
		expectFile(t, filepath.Join(dir, chart+".png"))
		expectFile(t, filepath.Join(dir, chart+".svg"))
	}
	if info, err := os.Stat(filepath.Join(dir, rundir.FileReplay)); err != nil || info.Mode()&0o111 == 0 {
		t.Errorf("%s cannot be executed: %v", rundir.FileReplay, err)
	}
	s, err := scenarios.Load(filepath.Join(dir, rundir.FileScenario), os.ReadFile)
	if err != nil || s.String() != o.Scenario.String() {
		t.Errorf("the scenario reads back as\n%s%v", s, err)
	}
	file, err := os.Open(filepath.Join(dir, rundir.FileEvents))
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
	if err := rundir.Check(other, rundir.FileResult); !errors.Is(err, rundir.ErrNotARun) {
		t.Errorf("a directory with other files: %v", err)
	}
	if entries, _ := os.ReadDir(filepath.Dir(dir)); len(entries) != 1 {
		t.Errorf("beside the directory there are %v", entries)
	}
}

// TestWriteIncomplete lets files of a run fail, as a full disk does: the result alone is worth a
// directory, and without it the one that is there stays.
func TestWriteIncomplete(t *testing.T) {
	o := ran(t)
	dir := filepath.Join(t.TempDir(), "run")
	o.Events = append(slices.Clone(o.Events), reports.Event{T: math.NaN()}) // JSON has no NaN
	if err := rundir.Write(o, dir); err == nil || errors.Is(err, rundir.ErrNoResults) ||
		!strings.Contains(err.Error(), rundir.FileEvents) {
		t.Errorf("events that cannot be written: %v", err)
	}
	expectFile(t, filepath.Join(dir, rundir.FileResult))
	expectFile(t, filepath.Join(dir, rundir.FileScenario))
	if _, err := os.Stat(filepath.Join(dir, rundir.FileEvents)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("half of the events: %v", err)
	}
	before, _ := os.ReadFile(filepath.Join(dir, rundir.FileResult))
	o.Result.Harness.BehindSeconds = math.NaN()
	if err := rundir.Write(o, dir); !errors.Is(err, rundir.ErrNoResults) {
		t.Errorf("a result that cannot be written: %v", err)
	}
	after, _ := os.ReadFile(filepath.Join(dir, rundir.FileResult))
	if !bytes.Equal(before, after) {
		t.Error("the earlier result is not what it was")
	}
}

// TestWriteSweep has all files of one.
func TestWriteSweep(t *testing.T) {
	s := scenario(t)
	swept, err := harness.Sweep(t.Context(), harness.SweepConfig{
		Config: harness.Config{World: sim.World{}}, Points: harness.ByProcesses(s, 2, 3), Repeat: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "sweep")
	if err := rundir.WriteSweep(swept.Sweep, dir, s, ""); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{rundir.FileScenario, rundir.FileSweep, rundir.FileSweepRows,
		rundir.FileSweepRuns, rundir.ChartSweep + ".png", rundir.ChartSweep + ".svg"} {
		expectFile(t, filepath.Join(dir, name))
	}
}

func expectFile(t *testing.T, path string) {
	t.Helper()
	if info, err := os.Stat(path); err != nil || info.Size() == 0 {
		t.Errorf("%s is missing or empty: %v", path, err)
	}
}
