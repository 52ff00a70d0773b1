package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sluice/internal/judge"
	"sluice/internal/rundir"
	"sluice/reports"
)

// asJSON runs a command twice, with --json and without, reads what it prints into v, and compares verdict
// and exit code of the two.
func asJSON(t *testing.T, v any, args ...string) {
	t.Helper()
	want, text, _ := call(args...)
	code, out, errs := call(append(args, "--json")...)
	decoder := json.NewDecoder(strings.NewReader(out))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(v); err != nil || decoder.More() {
		t.Fatalf("%v: %v\n%s%s", args, err, out, errs)
	}
	var end answer
	if err := json.Unmarshal([]byte(out), &end); err != nil {
		t.Fatal(err)
	}
	if code != want || end.Code != want || lastLine(text) != "verdict: "+end.Verdict {
		t.Errorf("%v: exit code %d, %d in it, and %q, want %d, %q", args, code, end.Code, end.Verdict, want,
			lastLine(text))
	}
}

// TestAnswersAsJSON: what the commands print about a run, or a search, can be read by a program.
func TestAnswersAsJSON(t *testing.T) {
	dir := failing(t)
	result, err := readResult(dir)
	if err != nil {
		t.Fatal(err)
	}
	var again againAnswer
	asJSON(t, &again, "replay", dir)
	if again.Was != "safety violated" || again.Is != again.Was || again.Digest != result.Digest || again.First != nil {
		t.Errorf("replay: %+v", again)
	}
	var twice againAnswer
	asJSON(t, &twice, "run", scenarioFile(t, quick), "--check-determinism")
	if twice.Is != "passed" || twice.Digest == "" {
		t.Errorf("run --check-determinism: %+v", twice)
	}
	var least shrunkAnswer
	asJSON(t, &least, "shrink", dir, "--runs", "3")
	text, err := os.ReadFile(filepath.Join(dir, "shrunk.yaml"))
	if err != nil || least.Scenario != string(text) || least.File != filepath.Join(dir, "shrunk.yaml") ||
		least.Violated == "" || len(least.Steps) == 0 || least.Runs == 0 || least.Done ||
		!strings.HasSuffix(least.Verdict, "; replay: "+least.Replay) {
		t.Errorf("shrink: %v, %+v", err, least)
	}
	var certain certainAnswer
	asJSON(t, &certain, "certainty", dir, "--runs", "4", "--moments", "5")
	if certain.Violated != least.Violated || len(certain.Points) == 0 || certain.Says == "" || !certain.Done {
		t.Errorf("certainty: %+v", certain)
	}
	// What is not the same says where.
	path := filepath.Join(dir, rundir.FileEvents)
	events, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, []byte(strings.Replace(string(events), string(reports.EventFaultBegin), string(reports.EventFaultEnd), 1)), 0o644)
	}
	result.Digest = "0"
	if err := reports.WriteJSON(createFile(t, filepath.Join(dir, rundir.FileResult)), result); err != nil {
		t.Fatal(err)
	}
	var other againAnswer
	if asJSON(t, &other, "replay", dir); err != nil || other.First == nil || other.First.A == nil ||
		other.Code != judge.ExitNotDeterministic {
		t.Errorf("replay of another run: %v, %+v", err, other)
	}
}

func createFile(t *testing.T, path string) *os.File {
	t.Helper()
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	return file
}

// TestExploreAsJSON: the space, and the way to what is wrong in it.
func TestExploreAsJSON(t *testing.T) {
	small := []string{"explore", "protocol", "--workers", "1", "--traces", "1", "--spans", "1", "--faults", "1"}
	var all, wrong exploredAnswer
	asJSON(t, &all, small...)
	if all.Code != judge.ExitPassed || !all.Exhausted || all.Distinct == 0 || all.Size.Spans != 1 || all.Steps == nil ||
		len(all.Covered) == 0 || all.Covered[0].Count == 0 {
		t.Errorf("%+v", all)
	}
	asJSON(t, &wrong, append(slices.Clone(small), "--defect", "ack-first")...)
	if wrong.Code != judge.ExitSafety || !strings.HasPrefix(wrong.Violated, "lost: ") || len(wrong.Steps) < 5 ||
		wrong.Defect != "ack-first" {
		t.Errorf("%+v", wrong)
	}
}

// TestValidateAsJSON prints what validate reads.
func TestValidateAsJSON(t *testing.T) {
	code, out, errs := call("validate", "hang", "--json")
	var valid validAnswer
	if err := json.Unmarshal([]byte(out), &valid); err != nil || code != 0 || !slices.Contains(valid.Worlds, "virtual") {
		t.Fatalf("exit code %d, %v\n%s%s", code, err, out, errs)
	}
	_, text, _ := call("validate", "hang")
	if _, again, errs := call("validate", scenarioFile(t, string(valid.Scenario))); again != text {
		t.Errorf("from its JSON it is\n%s%s\nwant\n%s", again, errs, text)
	}
}
