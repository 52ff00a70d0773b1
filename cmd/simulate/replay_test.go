package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"sluice/internal/rundir"
	"sluice/reports"
)

// TestReplay: however a run was started, its replay.sh makes the same run again, from another
// directory.
func TestReplay(t *testing.T) {
	built := build(t)
	program := func(args ...string) {
		cmd := exec.Command("./simulate", args...)
		cmd.Dir = filepath.Dir(built)
		_, _ = cmd.CombinedOutput() // the results tell
	}
	goRun := func(args ...string) { call(args...) }
	mine := filepath.Join(filepath.Dir(built), "mine.yaml")
	if err := os.WriteFile(mine, []byte(quick), 0o644); err != nil {
		t.Fatal(err)
	}
	slow := filepath.Join(filepath.Dir(built), "slow.yaml")
	for name, c := range map[string]struct {
		start func(args ...string)
		args  []string
	}{
		"go run, of the library": {goRun, []string{"steady", "--seed", "7", "--duration", "500ms",
			"--rate", "constant 300/s", "--set", "workload.late=0.1 by 200ms", "--defect", "reversed",
			"--set", "expectations.throughput_min=0/s"}},
		"go run, no faults": {goRun, []string{"hang", "--no-faults", "--rate", "constant 300/s"}},
		"a program, costs":  {program, []string{"mine.yaml", "--costs", "slow.yaml"}},
		"a program, a file": {program, []string{"mine.yaml", "--port-fault", "lose store.ack 3..5"}},
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(slow, []byte("redis: {span: 100us}"), 0o644); err != nil {
				t.Fatal(err)
			}
			dir := filepath.Join(t.TempDir(), "it's this")
			c.start(append([]string{"run", "--quiet", "--out", dir}, c.args...)...)
			if err := os.Remove(slow); err != nil { // the directory has what is needed
				t.Fatal(err)
			}
			again := exec.Command(filepath.Join(dir, rundir.FileReplay), "--quiet")
			again.Dir = "/"
			out, _ := again.CombinedOutput() // as above
			first, second := resultOf(t, dir), resultOf(t, dir+"-replay")
			if first.Digest != second.Digest || first.Verdict != second.Verdict {
				t.Errorf("%s, digest %s, want %s, %s\n%s", second.Verdict, second.Digest, first.Verdict,
					first.Digest, out)
			}
		})
	}
}

// build returns the program.
func build(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "simulate")
	if out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return path
}

// resultOf reads the result of a run.
func resultOf(t *testing.T, dir string) (r reports.Result) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, rundir.FileResult))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	return r
}
