package main

import (
	"io"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sluice/internal/judge"
	"sluice/internal/rundir"
	"sluice/reports"
	"sluice/scenarios"
)

// failing makes a run in which a defect is caught, and returns its directory.
func failing(t *testing.T, flags ...string) string {
	dir := filepath.Join(t.TempDir(), "out")
	code, out, errs := call(append([]string{"run", "kill-skipped", "--defect", "kill-skipped", "--out", dir,
		"--port-fault", "slow store.load by 1ms"}, flags...)...)
	if code != judge.ExitSafety {
		t.Fatalf("exit code %d\n%s\n%s", code, out, errs)
	}
	return dir
}

// TestReplay: the directory of a run is enough to have it again, with what was planted; if anything
// else comes of it, that is said, with the first event that differs.
func TestReplayOfADirectory(t *testing.T) {
	dir := failing(t)
	code, out, errs := call("replay", dir)
	if code != 0 || !strings.HasPrefix(out, "verdict: the same, safety violated; digest ") {
		t.Fatalf("exit code %d, %q %q", code, out, errs)
	}
	for _, c := range []struct{ file, old, new, want string }{
		{rundir.FileResult, `"digest": "`, `"digest": "0`, "what is recorded is the same"},
		{rundir.FileEvents, `fault begin`, `fault end`, "the first difference is event"},
		{rundir.FileResult, `"world": "virtual"`, `"world": "moon"`, "virtual, fakes, real"},
		{rundir.FileResult, `"defect": "kill-`, `"defect": "kil-`, "did you mean kill-skipped?"},
		{rundir.FileScenario, "seed: 1", "seed: one", "scenario.yaml:3:"},
		{rundir.FileEvents, `{"t"`, `{"tee"`, "events.ndjson"},
	} {
		path := filepath.Join(dir, c.file)
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		changed := strings.Replace(string(text), c.old, c.new, 1)
		if err := os.WriteFile(path, []byte(changed), 0o644); err != nil {
			t.Fatal(err)
		}
		code, out, errs := call("replay", dir)
		wrong := judge.ExitUsage
		if strings.HasPrefix(out, "verdict: not the same; ") {
			wrong = judge.ExitNotDeterministic
		}
		if code != wrong || !strings.Contains(out+errs, c.want) {
			t.Errorf("%s instead of %s: exit code %d, %q %q", c.new, c.old, code, out, errs)
		}
		if c.want != "what is recorded is the same" { // the next one needs another digest
			err = os.WriteFile(path, text, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	result, err := readResult(dir)
	if err != nil {
		t.Fatal(err)
	}
	result.Cause = "the run was interrupted"
	if err := reports.WriteJSON(createFile(t, filepath.Join(dir, rundir.FileResult)), result); err != nil {
		t.Fatal(err)
	}
	if code, _, errs := call("replay", dir); code != judge.ExitUsage || !strings.Contains(errs, "is not finished") {
		t.Errorf("of an interrupted run: exit code %d, %q", code, errs)
	}
	if code, _, errs := call("replay", t.TempDir()); code != judge.ExitUsage ||
		!strings.Contains(errs, "not the directory of a run") {
		t.Errorf("an empty directory: exit code %d, %q", code, errs)
	}
}

// TestRunsAreMadeAgainWithTheirCosts, which are in the directory of a run: whoever makes it again needs
// no other file. A directory from before that says so.
func TestRunsAreMadeAgainWithTheirCosts(t *testing.T) {
	file := filepath.Join(t.TempDir(), "slow.yaml")
	if err := os.WriteFile(file, []byte("redis: {span: 100us}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	dir := failing(t, "--costs", file)
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if resultOf(t, dir).Digest == resultOf(t, failing(t)).Digest {
		t.Fatal("the costs make no difference")
	}
	kept := filepath.Join(dir, rundir.FileCosts)
	again := [][]string{{"replay", dir}, {"shrink", dir, "--runs", "20"},
		{"certainty", dir, "--runs", "4", "--moments", "5"}}
	for _, args := range again {
		code, out, errs := call(args...)
		if code != judge.ExitPassed {
			t.Errorf("%v: exit code %d, %s %s", args, code, out, errs)
		}
		if args[0] == "shrink" && !strings.Contains(out, " --costs "+kept) {
			t.Errorf("what is left is to be run with other costs:\n%s", out)
		}
	}
	if err := os.Remove(kept); err != nil {
		t.Fatal(err)
	}
	for _, args := range again {
		code, _, errs := call(args...)
		if code != judge.ExitUsage || !strings.Contains(errs, "was made with --costs or --cost, and there is no "+kept) {
			t.Errorf("%v without the file: exit code %d, %s", args, code, errs)
		}
	}
}

// TestShrink: what is left of a failing run fails as it did, and its replay is a command that works.
func TestShrink(t *testing.T) {
	dir := failing(t)
	code, out, errs := call("shrink", dir, "--runs", "40")
	replay := regexp.MustCompile(`(?m)^verdict: safety violated \(process limit\); \d+ runs, .*; ` +
		`replay: \S.* (run \S+ --world virtual --defect kill-skipped)$`).FindStringSubmatch(out)
	if code != 0 || replay == nil || !strings.Contains(out, "fault: at 1s hang worker 0") ||
		!strings.Contains(errs, "fails with fewer port faults") {
		t.Fatalf("exit code %d\n%s\n%s", code, out, errs)
	}
	small, err := scenarios.Load(filepath.Join(dir, "shrunk.yaml"), os.ReadFile)
	if err != nil || !reflect.DeepEqual(small.Workload.SpansPerTrace, scenarios.Fixed(1)) && small.Seed != 1 {
		t.Errorf("%v, %v", small, err)
	}
	again := append(strings.Fields(replay[1]), "-q", "--out", filepath.Join(t.TempDir(), "again"))
	if code, out, errs := call(again...); code != judge.ExitSafety {
		t.Errorf("%v: exit code %d, %q %q", again, code, out, errs)
	}

	passed := filepath.Join(t.TempDir(), "passed")
	call("run", scenarioFile(t, quick), "--out", passed)
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"shrink", passed}, "is passed: there is nothing to shrink"},
		{[]string{"shrink", dir, "--runs", "0"}, "--runs must be 1 or more"},
		{[]string{"shrink", dir, "--out", filepath.Join(dir, "none", "a.yaml")}, "--out: stat "},
		{[]string{"certainty", passed}, "is passed: nothing in it became certain"},
	} {
		if code, _, errs := call(c.args...); code != judge.ExitUsage || !strings.Contains(errs, c.want) {
			t.Errorf("%v: exit code %d, %q", c.args, code, errs)
		}
	}
}

// TestShrinkOfAnExpectation: what is left of a run whose fault brought no restart has a fault that could.
// Without one it would fail for that, and no run is made of it.
func TestShrinkOfAnExpectation(t *testing.T) {
	file := scenarioFile(t, strings.Replace(quick, "pipeline: {", "pipeline: {max_unhealthy: 2s, ", 1)+
		"faults: [at 100ms hang worker 1 for 1100ms, at 200ms slow redis by 1ms for 100ms]\n"+
		"expectations: {restarts_min: 1}\n")
	dir := filepath.Join(t.TempDir(), "run")
	if code, out, errs := call("run", file, "-q", "--out", dir); code != judge.ExitExpectation {
		t.Fatalf("exit code %d\n%s%s", code, out, errs)
	}
	code, out, errs := call("shrink", dir, "--runs", "60")
	replay := regexp.MustCompile(`; replay: \S.* (run \S+ --world virtual)\n`).FindStringSubmatch(out)
	if code != 0 || replay == nil || !strings.Contains(out, "(restarts_min)") {
		t.Fatalf("exit code %d\n%s%s", code, out, errs)
	}
	again := append(strings.Fields(replay[1]), "-q", "--out", dir+"-again")
	if code, out, errs := call(again...); code != judge.ExitExpectation {
		t.Errorf("%v: exit code %d, %q %q", again, code, out, errs)
	}
}

// TestPortFaultsOfAFile: a run has them without a flag, and those of the flag on top; made again it has
// none twice, and --no-faults leaves them out. What is left of a run that needs them is a file that
// fails by itself.
func TestPortFaultsOfAFile(t *testing.T) {
	file, dir := scenarioFile(t, quick+"port_faults: [slow store.load 1 by 1ms]\n"), filepath.Join(t.TempDir(), "run")
	code, out, errs := call("run", file, "--port-fault", "slow store.ack 1 by 1ms", "--out", dir)
	if code != judge.ExitPassed {
		t.Fatalf("exit code %d\n%s%s", code, out, errs)
	}
	var hit []string
	r := resultOf(t, dir)
	for _, f := range r.Faults {
		hit = append(hit, f.Fault)
	}
	if slices.Sort(hit); !slices.Equal(hit, []string{"slow store.ack 1 by 1ms", "slow store.load 1 by 1ms"}) {
		t.Errorf("the run had %q", hit)
	}
	if !slices.Equal(r.PortFaults, []string{"slow store.ack 1 by 1ms"}) {
		t.Errorf("on top came %q", r.PortFaults)
	}
	if code, out, errs := call("replay", dir); code != judge.ExitPassed {
		t.Errorf("made again: exit code %d\n%s%s", code, out, errs)
	}
	call("run", file, "--no-faults", "--out", dir+"-none")
	if r := resultOf(t, dir+"-none"); len(r.Faults) > 0 {
		t.Errorf("without faults the run had %+v", r.Faults)
	}

	needs := filepath.Join(t.TempDir(), "needs")
	defect := []string{"--defect", "state-after-failed-fetch", "-q"}
	code, out, errs = call(append([]string{"run", scenarioFile(t, quick), "--port-fault", "refuse store.load every 2",
		"--out", needs}, defect...)...)
	if code != judge.ExitSafety {
		t.Fatalf("exit code %d\n%s%s", code, out, errs)
	}
	if code, out, errs := call("shrink", needs, "--runs", "40"); code != 0 || strings.Contains(out, "--port-fault") {
		t.Fatalf("exit code %d\n%s%s", code, out, errs)
	}
	code, out, errs = call(append([]string{"run", filepath.Join(needs, "shrunk.yaml"), "--out", needs + "-again"},
		defect...)...)
	if code != judge.ExitSafety {
		t.Errorf("what is left: exit code %d\n%s%s", code, out, errs)
	}
}

// TestWhatAKeptRunIsDueTo is what its verdict is due to, as in the last line of the run; what is shrunk is what is
// violated.
func TestWhatAKeptRunIsDueTo(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	strict := scenarioFile(t, quick+"expectations: {freshness_p99_max: 1ms}\n")
	if code, out, errs := call("run", strict, "--out", dir); code != judge.ExitExpectation {
		t.Fatalf("exit code %d\n%s%s", code, out, errs)
	}
	file := filepath.Join(dir, rundir.FileResult)
	alter(t, file, `"verdict": "expectation missed"`, `"verdict": "unknown"`)
	alter(t, file, "\"name\": \"liveness\",\n      \"verdict\": \"passed\"", "\"name\": \"liveness\",\n      \"verdict\": \"unknown\"")
	set, err := readRunSet(dir)
	if err != nil || !strings.HasPrefix(set.Runs[0].Reason, "liveness: ") {
		t.Errorf("%v: %+v", err, set.Runs)
	}
	_, why, err := openViolated(&streams{io.Discard, io.Discard}, dir, "there is nothing")
	if err != nil || why.Name != "freshness_p99_max" {
		t.Errorf("%v: violated is %v", err, why)
	}
}
