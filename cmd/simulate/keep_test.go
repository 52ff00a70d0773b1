package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice/internal/judge"
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
