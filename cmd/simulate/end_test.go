package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
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
			"--out", swept}, " of 200000 runs were made\nResults  " + swept + "\nverdict: unknown (interrupted; "},
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
		reports.PhaseLoad: "verdict: unknown; the run was interrupted; replay: ", "none": "verdict: deterministic; digest ",
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
// results all the same, and the verdict, unless it is passed.
func TestResultsOutlastTheirReader(t *testing.T) {
	built, mine, late := build(t), scenarioFile(t, quick), scenarioFile(t, quick+"expectations: {freshness_p99_max: 1ms}\n")
	slow := filepath.Join(t.TempDir(), "slow.yaml")
	if err := os.WriteFile(slow, []byte("redis: {segment: 400ms}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	failed, other := failing(t), failing(t)
	alter(t, filepath.Join(other, rundir.FileResult), `"digest": "`, `"digest": "0`)
	flags := func(command string, of string, flags ...string) []string {
		return append([]string{command, of}, flags...)
	}
	search := []string{"--processes", "1", "--most", "1000/s", "--outage", "0s", "--target"}
	// Half a second's throughput may be that of a slow Redis by chance; ten seconds of freshness may not.
	compared := []string{"--worlds", "virtual,fakes", "--tolerance", "1000%", "--freshness-factor"}
	for _, c := range []struct {
		file string // of the results; none if there are none
		args []string
		want int
	}{
		{rundir.FileResult, flags("run", mine), exitPipe},
		{rundir.FileResult, flags("run", mine, "--json"), exitPipe},
		{rundir.FileResult, flags("run", late), judge.ExitExpectation},
		{rundir.FileSweep, flags("sweep", mine, "--processes", "1", "--repeat", "1"), exitPipe},
		{rundir.FileSweep, flags("sweep", late, "--processes", "1", "--repeat", "1"), judge.ExitExpectation},
		{coverageFile + ".svg", flags("run", mine, "--seeds", "1..2"), exitPipe},
		{coverageFile + ".svg", flags("run", late, "--seeds", "1..2"), judge.ExitExpectation},
		{fileCapacity, flags("capacity", mine, append(search, "500/s")...), exitPipe},
		{fileCapacity, flags("capacity", mine, append(search, "900/s")...), judge.ExitExpectation},
		{fileCapacity, flags("capacity", mine, append(search, "900/s", "--json")...), judge.ExitExpectation},
		{fileCompare, flags("compare", mine, append(compared, "1000")...), exitPipe},
		{fileCompare, flags("compare", mine, append(compared, "1.5", "--costs", slow)...), judge.ExitExpectation},
		{"", flags("diff", failed, failed), exitPipe},
		{"", flags("diff", failed, failed, "--rule", "throughput <= 1/s"), judge.ExitExpectation},
		{"", flags("replay", failed), exitPipe},
		{"", flags("replay", other), judge.ExitNotDeterministic},
		{"", flags("replay", other, "--json"), judge.ExitNotDeterministic},
		{"", flags("check-backend", "--redis=127.0.0.1:1", "--kafka=127.0.0.1:1"), judge.ExitEnvironment},
	} {
		read, write, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		_ = read.Close()
		out := filepath.Join(t.TempDir(), "out")
		if c.file != "" {
			c.args = append(c.args, "--out", out)
		}
		cmd := exec.Command(built, c.args...)
		cmd.Stdout, cmd.Stderr = write, write
		_ = cmd.Run()
		_ = write.Close()
		if _, err := os.Stat(filepath.Join(out, c.file)); c.file != "" && err != nil || cmd.ProcessState.ExitCode() != c.want {
			t.Errorf("%v: %v, exit code %d, want %d", c.args, err, cmd.ProcessState.ExitCode(), c.want)
		}
	}
}

// TestAnswersOutlastTheirFiles: what was found is printed though its file cannot be written, with the exit
// code of that unless the verdict has one.
func TestAnswersOutlastTheirFiles(t *testing.T) {
	mine, failed := scenarioFile(t, quick), failing(t)
	page := filepath.Join(failed, rundir.FileReport)
	if err := errors.Join(os.Remove(page), os.MkdirAll(filepath.Join(page, "in the way"), 0o755)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		text string
		want int
	}{
		{[]string{"capacity", mine, "--processes", "1", "--most", "1000/s", "--outage", "0s", "--target", "500/s",
			"--out", noRoom(t)}, "1 process carries 500 spans/s", judge.ExitEnvironment},
		{[]string{"capacity", mine, "--processes", "1", "--most", "1000/s", "--outage", "0s", "--target", "900/s",
			"--out", noRoom(t)}, "No recommendation", judge.ExitExpectation},
		{[]string{"compare", mine, "--worlds", "virtual,fakes", "--freshness-factor", "1000", "--tolerance", "1000%",
			"--out", noRoom(t)}, "throughput spans/s", judge.ExitEnvironment},
		{[]string{"shrink", failed, "--runs", "5", "--out", filepath.Join(t.TempDir(), strings.Repeat("x", 250))},
			"verdict: safety violated", judge.ExitEnvironment},
		{[]string{"certainty", failed, "--runs", "4", "--moments", "5"}, "verdict: safety violated", judge.ExitEnvironment},
		{[]string{"replay", failed, "--span", "1"}, "verdict: the same", judge.ExitEnvironment},
		{[]string{"diff", failed, failed, "--rule", "throughput <= 1/s", "--junit", noRoom(t) + "/missing/x.xml"},
			"verdict: ", judge.ExitExpectation},
	} {
		code, out, errs := call(c.args...)
		if code != c.want || !strings.Contains(out, c.text) || !strings.Contains(errs, "simulate: ") {
			t.Errorf("%v: exit code %d, want %d and %q\n%s%s", c.args, code, c.want, c.text, out, errs)
		}
	}
	var errs bytes.Buffer
	code := run([]string{"diff", failed, failed, "--rule", "throughput <= 1/s"}, deaf{}, &errs)
	if code != judge.ExitExpectation || errs.Len() > 0 {
		t.Errorf("a verdict that nobody reads: exit code %d, %s", code, &errs)
	}
}

// alter changes what a file says.
func alter(t *testing.T, file, old, new string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err == nil && !strings.Contains(string(text), old) {
		err = fmt.Errorf("%s has no %s", file, old)
	}
	if err == nil {
		err = os.WriteFile(file, []byte(strings.ReplaceAll(string(text), old, new)), 0o644)
	}
	if err != nil {
		t.Fatal(err)
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
