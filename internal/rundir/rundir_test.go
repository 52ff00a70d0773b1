package rundir_test

import (
	"bytes"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

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

// TestReplaceWithSlash: the directory may be named as shells complete names, and by a link.
func TestReplaceWithSlash(t *testing.T) {
	o, parent := ran(t), t.TempDir()
	dir := filepath.Join(parent, "run") + "/"
	t.Chdir(parent)
	for _, name := range []string{dir, dir, "run/", "./run//", "link/", "link"} {
		if err := errors.Join(rundir.Check(name, rundir.FileResult), rundir.Write(o, name)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		expectFile(t, filepath.Join(dir, rundir.FileResult))
		if name == "./run//" {
			if err := os.Symlink("run", "link"); err != nil {
				t.Fatal(err)
			}
		}
	}
	if names := names(t, parent); !slices.Equal(names, []string{"link", "run"}) {
		t.Errorf("beside the directory there are %v", names)
	}
}

// TestCannotBeReplaced: a directory whose place no other can take is refused before there is anything to
// write, and what is in it stays.
func TestCannotBeReplaced(t *testing.T) {
	dir := t.TempDir()
	inner := filepath.Join(dir, "in", "ner")
	if err := os.MkdirAll(inner, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, rundir.FileResult), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	t.Chdir(inner)
	fill := func(dir string) error {
		return rundir.WriteFile(dir, rundir.FileResult, func(w io.Writer) error { return nil })
	}
	for name, want := range map[string]string{
		".": "write run, or", "./": "write run, or", "../..": "write ../../run, or", dir: "write " + dir + "/run, or", inner + "/../ner/": "write",
		"/proc/": "is where something is mounted: write /proc/run, or",
	} {
		marks := []string{rundir.FileResult}
		if name == "/proc/" {
			marks = []string{"self"}
		}
		err := rundir.Check(name, marks...)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "--out") {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
		if err := rundir.Replace(name, rundir.FileResult, fill); !errors.Is(err, rundir.ErrNoResults) {
			t.Errorf("%s is replaced: %v", name, err)
		}
	}
	if names := names(t, dir); !slices.Equal(names, []string{"in", rundir.FileResult}) {
		t.Errorf("left: %v", names)
	}
	if err := rundir.Check(filepath.Join(inner, "run"), rundir.FileResult); err != nil {
		t.Error(err)
	}
}

// TestMoveLosesNothing: what has the name that another is to have stays until that has it.
func TestMoveLosesNothing(t *testing.T) {
	dir := t.TempDir()
	to := filepath.Join(dir, "to")
	if err := os.Mkdir(to, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"earlier", "new"} { // new: it is of the same kind
		if err := os.WriteFile(filepath.Join(to, name), []byte("earlier"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := rundir.Move(filepath.Join(dir, "missing"), to); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("what is not there is moved: %v", err)
	}
	expectFile(t, filepath.Join(to, "earlier"))
	err := rundir.Replace(to, "new", func(fresh string) error {
		expectFile(t, filepath.Join(to, "earlier"))
		return rundir.WriteFile(fresh, "new", func(w io.Writer) error { return nil })
	})
	if err != nil {
		t.Error(err)
	}
	if here, in := names(t, dir), names(t, to); !slices.Equal(here, []string{"to"}) || !slices.Equal(in, []string{"new"}) {
		t.Errorf("left: %v, and in it %v", here, in)
	}
}

// TestFilledMeanwhile: a directory into which something else was put while a run went on keeps it, and the
// results are told of.
func TestFilledMeanwhile(t *testing.T) {
	to := filepath.Join(t.TempDir(), "to")
	if err := rundir.Check(to, "new"); err != nil {
		t.Fatal(err)
	}
	err := rundir.Replace(to, "new", func(fresh string) error {
		thesis := errors.Join(os.Mkdir(to, 0o755), os.WriteFile(filepath.Join(to, "thesis.txt"), []byte("thesis"), 0o644))
		return errors.Join(thesis, rundir.WriteFile(fresh, "new", func(w io.Writer) error { return nil }))
	})
	expectFile(t, filepath.Join(to, "thesis.txt"))
	if !errors.Is(err, rundir.ErrNotARun) {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(err.Error(), "the results are in ")
	place, _, _ := strings.Cut(rest, ", since")
	expectExists(t, filepath.Join(place, "new"))
}

// TestNotPutIntoPlace: results that could be written and cannot be put into place are told of.
func TestNotPutIntoPlace(t *testing.T) {
	parent := filepath.Join(t.TempDir(), "parent")
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := rundir.Replace(filepath.Join(parent, "run"), "new", func(fresh string) error {
		written := rundir.WriteFile(fresh, "new", func(w io.Writer) error { return nil })
		return errors.Join(written, os.Chmod(parent, 0o555), mayWriteEverywhere(false))
	})
	if err := errors.Join(mayWriteEverywhere(true), os.Chmod(parent, 0o755)); err != nil {
		t.Fatal(err)
	}
	if err == nil {
		t.Fatal("a directory that cannot be written to has a new one in it")
	}
	_, rest, _ := strings.Cut(err.Error(), "the results are in ")
	place, _, _ := strings.Cut(rest, ", since")
	expectExists(t, filepath.Join(place, "new"))
}

func expectExists(t *testing.T, path string) {
	t.Helper()
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}

// mayWriteEverywhere takes from root, on this thread, that permissions do not count for it, or gives it back.
// For who is not root they count.
func mayWriteEverywhere(may bool) error {
	if os.Geteuid() != 0 {
		return nil
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var sets [2]unix.CapUserData
	if err := unix.Capget(&header, &sets[0]); err != nil {
		return err
	}
	const override = 1 << unix.CAP_DAC_OVERRIDE
	if sets[0].Effective &^= override; may {
		sets[0].Effective |= override & sets[0].Permitted
	}
	return unix.Capset(&header, &sets[0])
}

// names are those of what is in a directory.
func names(t *testing.T, dir string) (list []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

// TestWriteSweep has all files of one.
func TestWriteSweep(t *testing.T) {
	s := scenario(t)
	swept, err := harness.Sweep(t.Context(), harness.SweepConfig{
		Config: harness.Config{World: sim.World{}}, Points: harness.ByProcesses(s, 2, 3), Repeat: 1, Run: harness.Run,
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
