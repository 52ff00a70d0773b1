package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"sluice/internal/harness"
	"sluice/internal/judge"
	"sluice/internal/rundir"
	"sluice/reports"
	"sluice/sim"
)

// interrupter is somebody who presses Ctrl-C when a text appears.
type interrupter struct {
	bytes.Buffer
	at      string
	pressed bool
}

func (i *interrupter) Write(text []byte) (int, error) {
	n, err := i.Buffer.Write(text)
	if !i.pressed && strings.Contains(i.Buffer.String(), i.at) {
		i.pressed = true
		_ = syscall.Kill(os.Getpid(), syscall.SIGINT)
	}
	return n, err
}

// TestInterrupted: what Ctrl-C ends has the exit code of what is not known, whichever command it is, and
// what was found until then is kept.
func TestInterrupted(t *testing.T) {
	failed := failing(t)
	swept := filepath.Join(t.TempDir(), "swept")
	small := filepath.Join(t.TempDir(), "small.yaml")
	for _, c := range []struct {
		at   string // on standard error
		args []string
		want string
	}{
		{"fault", []string{"run", scenarioFile(t, quick), "--duration", "1h", "--set",
			"faults=[at 1s hang worker 1]", "--out", filepath.Join(t.TempDir(), "run")}, "verdict: unknown"},
		{", virtual: ", []string{"compare", scenarioFile(t, quick), "--worlds", "fakes,virtual", "--out",
			filepath.Join(t.TempDir(), "compared")}, ""},
		{"repeat 2 of", []string{"sweep", scenarioFile(t, quick), "--processes", "1,2", "--repeat", "100000",
			"--out", swept}, " of 200000 runs were made\nResults  " + swept + "\nverdict: unknown\n"},
		{"fails with", []string{"shrink", failed, "--out", small}, "runs, and then it was ended; replay: "},
		{"from ", []string{"certainty", failed, "--runs", "4"}, "verdict: safety violated"},
	} {
		var out bytes.Buffer
		errs := &interrupter{at: c.at}
		if code := run(c.args, &out, errs); code != judge.ExitUnknown || !strings.Contains(out.String(), c.want) {
			t.Errorf("%v: exit code %d, want %q in %s", c.args, code, c.want, &out)
		}
	}
	var sweep reports.Sweep
	if err := readJSON(swept, rundir.FileSweep, &sweep); err != nil || len(sweep.Runs) < 3 ||
		!strings.Contains(sweep.Unfinished, "interrupted; ") {
		t.Errorf("%v: %d runs, unfinished: %q", err, len(sweep.Runs), sweep.Unfinished)
	}
	if code, _, errs := call("diff", swept, swept); code != judge.ExitUsage ||
		!strings.Contains(errs, "is not finished, so it cannot be compared") {
		t.Errorf("the sweep is compared: exit code %d, %s", code, errs)
	}
	if _, err := os.Stat(small); err != nil {
		t.Error(err)
	}
}

// TestInterruptedWhenRunTwice: the first run tells nothing about determinism if it was not made to its end.
func TestInterruptedWhenRunTwice(t *testing.T) {
	s, err := scenarioFlags{Scenario: scenarioFile(t, quick)}.load(worldFlags{World: "virtual"})
	if err != nil {
		t.Fatal(err)
	}
	for phase, want := range map[string]string{
		reports.PhaseLoad: "verdict: unknown; the run was interrupted\n", "none": "verdict: deterministic; digest ",
	} {
		ctx, interrupt := context.WithCancel(t.Context())
		defer interrupt()
		var out bytes.Buffer
		err := new(runCommand).runTwice(ctx, &streams{out: &out}, harness.Config{Scenario: s.Scenario, World: sim.World{},
			Progress: func(p harness.Progress) {
				if p.Phase == phase {
					interrupt()
				}
			}})
		if !strings.HasPrefix(out.String(), want) || (exitCode(err, &out) == judge.ExitUnknown) != (phase != "none") {
			t.Errorf("interrupted in phase %s: %v, %s", phase, err, &out)
		}
	}
}

// TestResultsOutlastTheirReader: whoever reads no more than the first lines of what is printed has the
// results all the same.
func TestResultsOutlastTheirReader(t *testing.T) {
	built, mine := build(t), scenarioFile(t, quick)
	dir := t.TempDir()
	for name, args := range map[string][]string{
		rundir.FileResult:     {"run", mine},
		rundir.FileSweep:      {"sweep", mine, "--processes", "1", "--repeat", "1"},
		coverageFile + ".svg": {"run", mine, "--seeds", "1..2"},
	} {
		read, write, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		_ = read.Close()
		out := filepath.Join(dir, name)
		cmd := exec.Command(built, append(args, "--out", out)...)
		cmd.Stdout, cmd.Stderr = write, write
		_ = cmd.Run()
		_ = write.Close()
		if _, err := os.Stat(filepath.Join(out, name)); err != nil || cmd.ProcessState.ExitCode() != exitPipe {
			t.Errorf("%v: %v, exit code %d", args, err, cmd.ProcessState.ExitCode())
		}
	}
}

// TestFilesOfOthersAreKept: no flag replaces a file that its command did not write, unless it is told to.
func TestFilesOfOthersAreKept(t *testing.T) {
	dir, thesis := failing(t), filepath.Join(t.TempDir(), "thesis.txt")
	for _, args := range [][]string{
		{"shrink", dir, "--runs", "5", "--out", thesis}, {"diff", dir, dir, "--junit", thesis},
		{"diff", dir, dir, "--markdown", thesis},
	} {
		if err := os.WriteFile(thesis, []byte("chapter 1"), 0o644); err != nil {
			t.Fatal(err)
		}
		code, _, errs := call(args...)
		if text, _ := os.ReadFile(thesis); code != judge.ExitUsage || string(text) != "chapter 1" {
			t.Errorf("%v: exit code %d, %s; the file has %q", args, code, errs, text)
		}
		if code, _, errs := call(append(args, "--force")...); code != judge.ExitPassed {
			t.Errorf("%v --force: exit code %d, %s", args, code, errs)
		}
		if code, _, errs := call(args...); (code == judge.ExitPassed) != (args[0] == "diff") {
			t.Errorf("%v again: exit code %d, %s", args, code, errs)
		}
	}
}
