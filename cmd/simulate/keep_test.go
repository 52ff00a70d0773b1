package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"sluice/internal/judge"
	"sluice/internal/rundir"
)

// TestResultsOfSomethingElseAreKept, once, unless the directory was asked for.
func TestResultsOfSomethingElseAreKept(t *testing.T) {
	path := scenarioFile(t, quick)
	for name, command := range map[string][]string{
		"runs/quick-1":     {"run", path},
		"runs/quick-sweep": {"sweep", path, "--processes", "1", "--repeat", "1"},
	} {
		t.Run(command[0], func(t *testing.T) {
			t.Chdir(t.TempDir())
			rate := func(dir string) string {
				text, err := os.ReadFile(filepath.Join(dir, "scenario.yaml"))
				if err != nil {
					return ""
				}
				_, text2, _ := strings.Cut(string(text), "rate: constant ")
				value, _, _ := strings.Cut(text2, "\n")
				return value
			}
			for _, c := range []struct {
				args                 []string
				want, earlier, noted string
			}{
				{nil, "400/s", "", ""},
				{nil, "400/s", "", ""}, // the same again
				{[]string{"--rate", "constant 500/s"}, "500/s", "400/s", "workload.rate (constant 400/s, and then constant 500/s)"},
				{[]string{"--rate", "constant 500/s"}, "500/s", "400/s", ""},
				{[]string{"--rate", "constant 500/s", "--port-fault", "slow store.load 1 by 1ms"}, "500/s", "500/s", "port faults (none, and then slow "},
				{[]string{"--rate", "constant 600/s", "--out", name}, "600/s", "500/s", ""}, // asked for
			} {
				code, _, errs := call(append(command, c.args...)...)
				noted := strings.Contains(errs, "note: "+name+" had the results of something else, which are in "+name+"-before now: "+c.noted)
				if code != judge.ExitPassed || rate(name) != c.want || rate(name+before) != c.earlier ||
					noted != (c.noted != "") {
					t.Errorf("%v: exit code %d, %s, and before %s, want %s and %s\n%s", c.args, code, rate(name),
						rate(name+before), c.want, c.earlier, errs)
				}
			}
			if err := os.RemoveAll(name + before); err != nil {
				t.Fatal(err)
			}
			if err := os.MkdirAll(filepath.Join(name+before, "mine"), 0o755); err != nil {
				t.Fatal(err)
			}
			if code, _, errs := call(command...); code != judge.ExitUsage ||
				!strings.Contains(errs, name+before+" is not the directory of a run") {
				t.Errorf("what is no run would be replaced: exit code %d\n%s", code, errs)
			}
		})
	}
	t.Chdir(t.TempDir())
	for i, args := range [][]string{{"sweep", "--processes", "1"}, {"sweep", "--processes", "1,2"},
		{"sweep", "--processes", "1,2", "--seed", "7"}} {
		_, _, errs := call(append([]string{args[0], path, "--repeat", "1"}, args[1:]...)...)
		if strings.Contains(errs, "note: ") != (i > 0) {
			t.Errorf("%v: %s", args, errs)
		}
	}
}

// TestOutWithSlash: the directory of the results may be named as shells complete names, by every command
// that has one; one that cannot be replaced is refused before anything is run.
func TestOutWithSlash(t *testing.T) {
	path := scenarioFile(t, quick)
	for file, args := range map[string][]string{
		rundir.FileResult: {"run", path, "--quiet"},
		rundir.FileSweep:  {"sweep", path, "--processes", "1", "--repeat", "1"},
		fileCapacity: {"capacity", path, "--processes", "1", "--precision", "100%", "--most", "300/s",
			"--duration", "9s"},
		fileCompare: {"compare", path, "--worlds", "virtual,fakes", "--freshness-factor", "1000",
			"--tolerance", "1000%"},
		coverageFile + ".svg": {"run", path, "--seeds", "1..2"},
	} {
		dir := t.TempDir()
		t.Chdir(dir)
		for range 2 {
			if code, out, errs := call(append(args, "--out", "mine/")...); code != judge.ExitPassed {
				t.Errorf("%v: exit code %d\n%s%s", args, code, out, errs)
			}
			if _, err := os.Stat(filepath.Join("mine", file)); err != nil {
				t.Errorf("%v: %v", args, err)
			}
		}
		if entries, err := os.ReadDir("."); err != nil || len(entries) != 1 {
			t.Errorf("%v: %v, left: %v", args, err, entries)
		}
		t.Chdir("mine")
		for _, out := range []string{".", ".."} {
			code, text, errs := call(append(args, "--out", out)...)
			want := "results cannot be written to " + out
			if out == ".." { // of which there are no results
				want = ".. is not the directory of a run"
			}
			if code != judge.ExitUsage || !strings.Contains(errs, want) {
				t.Errorf("%v --out %s: exit code %d\n%s%s", args, out, code, text, errs)
			}
		}
		if _, err := os.Stat(file); err != nil {
			t.Errorf("%v: %v", args, err)
		}
	}
}

// deaf is a standard error that nobody reads any more.
type deaf struct{}

func (deaf) Write([]byte) (int, error) { return 0, syscall.EPIPE }

// TestNoteThatNobodyReads: the new results are written all the same.
func TestNoteThatNobodyReads(t *testing.T) {
	path := scenarioFile(t, quick)
	for name, command := range map[string][]string{
		"runs/quick-1":     {"run", path, "--quiet"},
		"runs/quick-sweep": {"sweep", path, "--processes", "1", "--repeat", "1"},
	} {
		t.Chdir(t.TempDir())
		for _, rate := range []string{"constant 400/s", "constant 500/s"} {
			var out bytes.Buffer
			if code := run(append(command, "--rate", rate), &out, deaf{}); code != judge.ExitPassed {
				t.Errorf("%v: exit code %d\n%s", command, code, &out)
			}
			text, err := os.ReadFile(filepath.Join(name, rundir.FileScenario))
			if err != nil || !strings.Contains(string(text), rate) {
				t.Errorf("%v: %v, not of %s", command, err, rate)
			}
		}
		if _, err := os.Stat(filepath.Join(name+before, rundir.FileScenario)); err != nil {
			t.Error(err)
		}
	}
}

// TestInterruptedResultsOfSomethingElseAreKept, those of the same are replaced.
func TestInterruptedResultsOfSomethingElseAreKept(t *testing.T) {
	path := scenarioFile(t, quick)
	sweep := []string{"sweep", path, "--processes", "1,2", "--repeat"}
	faults := []string{"run", path, "--set", "faults=[at 1s hang worker 1]", "--duration"}
	for _, c := range []struct {
		name, at       string
		first, then    []string
		differs        string // what the note says, if anything
		mark, unfinish string
	}{
		{"quick-sweep", "repeat 2 of", append(sweep, "100000"), append(sweep, "1"), "",
			rundir.FileSweep, `"unfinished"`},
		{"quick-sweep", "repeat 2 of", append(sweep, "100000"), append(sweep, "1", "--rate", "constant 500/s"),
			"workload.rate (constant 400/s, and then constant 500/s)", rundir.FileSweep, `"unfinished"`},
		{"quick-sweep", "repeat 2 of", append(sweep, "100000"), []string{"sweep", path, "--processes", "2", "--repeat", "1"},
			"groups (1 process, 2 processes, and then 2 processes)", rundir.FileSweep, `"unfinished"`},
		{"quick-1", "fault", append(faults, "1h"), append(faults, "1h"), "", rundir.FileResult, `"cause"`},
		{"quick-1", "fault", append(faults, "1h"), append(faults, "2s"), "duration (1h0m0s, and then 2s)",
			rundir.FileResult, `"cause"`},
	} {
		t.Chdir(t.TempDir())
		var out bytes.Buffer
		if code := run(c.first, &out, &interrupter{at: c.at}); code != judge.ExitUnknown {
			t.Fatalf("%v: exit code %d\n%s", c.first, code, &out)
		}
		errs := &interrupter{at: c.at} // again, where it runs for so long
		run(c.then, &out, errs)
		want := "note: runs/" + c.name + " had the results of something else, which are in runs/" + c.name +
			"-before now: " + c.differs + "\n"
		text, err := os.ReadFile(filepath.Join("runs", c.name+before, c.mark))
		kept := err == nil && strings.Contains(string(text), c.unfinish)
		if kept != (c.differs != "") || strings.Contains(errs.String(), want) != kept {
			t.Errorf("%v, and then %v: kept: %v, %v\n%s", c.first, c.then, kept, err, errs)
		}
	}
}
