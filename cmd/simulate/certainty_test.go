package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice/internal/harness"
	"sluice/internal/judge"
	"sluice/internal/rundir"
	"sluice/reports"
)

// TestCertainty finds the fault after which a run fails for certain, and adds the curve to its report.
func TestCertainty(t *testing.T) {
	dir := failing(t)
	args := []string{"certainty", dir, "--runs", "40", "--moments", "12"}
	code, out, errs := call(args...)
	for _, want := range []string{"verdict: safety violated (process limit); between 1.00 s and 1.01 s the chance",
		": at 1.00 s fault: at 1s hang worker 0",
		"########################################"} {
		if code != judge.ExitPassed || !strings.Contains(out, want) {
			t.Errorf("exit code %d, want %q in %q %q", code, want, out, errs)
		}
	}
	for file, want := range map[string]string{
		rundir.FileCertainty: `"violated": "process limit"`, rundir.FileReport: `"certainty":{"violated":"process limit"`,
	} {
		if text, err := os.ReadFile(filepath.Join(dir, file)); err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%v: %s lacks %q", err, file, want)
		}
	}
	if code, _, errs := call("replay", dir); code != judge.ExitPassed {
		t.Errorf("the directory is not that of a run any more: %s", errs)
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"certainty", dir, "--moments", "1"}, "1 moments: want 5 or more"},
		{[]string{"certainty", dir, "--runs", "3"}, "3 runs from each moment: want 4 or more"},
		{[]string{"certainty", t.TempDir()}, "not the directory of a run"},
	} {
		if code, _, errs := call(c.args...); code != judge.ExitUsage || !strings.Contains(errs, c.want) {
			t.Errorf("%q: exit code %d, %s", c.args, code, errs)
		}
	}
	path := filepath.Join(dir, rundir.FileResult)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text = []byte(strings.Replace(string(text), `"digest": "`, `"digest": "0`, 1))
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
	if code, out, _ := call(args...); code != judge.ExitNotDeterministic {
		t.Errorf("exit code %d, %s", code, out)
	}
}

// TestCertaintyOutlastsAnError: what fails in a continuation takes no moment along that was done, and is named.
func TestCertaintyOutlastsAnError(t *testing.T) {
	dir := failing(t)
	p, err := runDirectory{Dir: dir}.open(&streams{io.Discard, io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	again, err := harness.Run(t.Context(), p.config)
	if err != nil {
		t.Fatal(err)
	}
	curve := reports.Certainty{Violated: "process limit", Points: []reports.CertaintyPoint{{T: 0, Runs: 4, Fails: 1},
		{T: 1, Runs: 4, Fails: 4}}}
	var out, errs bytes.Buffer
	c := certaintyCommand{Dir: dir}
	err = c.tell(&streams{&out, &errs}, p, again, curve, errors.New("the run from 2s on: deadlock\n\twho waits"))
	var code exitError
	if !errors.As(err, &code) || int(code) != judge.ExitUnknown || !strings.Contains(errs.String(), "\twho waits") ||
		!strings.Contains(out.String(), "; then it was ended: the run from 2s on: deadlock; replay: ") {
		t.Errorf("%v: %s%s", err, &out, &errs)
	}
	text, err := os.ReadFile(filepath.Join(dir, rundir.FileCertainty))
	if err != nil || !strings.Contains(string(text), `"done": false`) || !strings.Contains(string(text), `"fails": 4`) {
		t.Errorf("%v: %s", err, text)
	}
}

// TestReplayFollowsASpan: its way is in the report then, which keeps how certain the failure was.
func TestReplayFollowsASpan(t *testing.T) {
	dir := failing(t)
	if code, out, errs := call("certainty", dir, "--runs", "4", "--moments", "5"); code != judge.ExitPassed {
		t.Fatalf("exit code %d, %s %s", code, out, errs)
	}
	code, out, errs := call("replay", dir, "--span", "3")
	if code != judge.ExitPassed || !strings.Contains(out, "report.html#span=3\nverdict: the same") {
		t.Errorf("exit code %d, %s %s", code, out, errs)
	}
	text, err := os.ReadFile(filepath.Join(dir, rundir.FileReport))
	for _, want := range []string{`"certainty":{"violated":"process limit"`, `"look":["`} {
		if err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%v: the report lacks %q", err, want)
		}
	}
	for span, want := range map[string]string{
		"xyz": "neither the id of a span", "0123456789abcdef": "none of this run", "99999999": "none of this run",
	} {
		if code, _, errs := call("replay", dir, "--span", span); code != judge.ExitUsage ||
			!strings.Contains(errs, want) {
			t.Errorf("span %s: exit code %d, %s", span, code, errs)
		}
	}
}
