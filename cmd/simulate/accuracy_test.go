package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice/internal/compare"
	"sluice/internal/judge"
)

// comparison writes a directory as simulate compare does.
func comparison(t *testing.T, change func(*compare.Report)) string {
	t.Helper()
	run := func(rate float64) []compare.Run {
		return []compare.Run{{Verdict: "passed", Figures: map[compare.Figure]float64{compare.Throughput: rate}}}
	}
	report := compare.NewReport("steady", [2]string{"virtual", "real"}, compare.Tolerance{Throughput: 1},
		[]compare.Row{compare.NewRow(1, run(104), run(100), nil), compare.NewRow(2, run(170), run(200), nil)})
	change(report)
	dir := filepath.Join(t.TempDir(), "compared")
	if err := writeCompare(dir, report); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestAccuracy of what simulate compare writes: printed, as JSON and as Markdown, with the exit codes of
// compare; and directories that cannot be summed up are refused.
func TestAccuracy(t *testing.T) {
	same := func(*compare.Report) {}
	first, second := comparison(t, same), comparison(t, same)
	markdown := filepath.Join(t.TempDir(), "accuracy.md")
	code, out, errs := call("accuracy", first, second, "--markdown", markdown)
	const want = "The throughput of 4 points is predicted with a median error of 9.5 %, the worst 15.0 %. All within the limits."
	if code != judge.ExitPassed || !strings.HasPrefix(out, want) || !strings.Contains(out, "steady with 2 processes, "+first) ||
		lastLine(out) != "verdict: passed" {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
	if text, err := os.ReadFile(markdown); err != nil || !strings.Contains(string(text), want) {
		t.Errorf("%v: %s", err, text)
	}
	code, out, errs = call("accuracy", first, second, "--worst", "14%", "--json", "--markdown", markdown)
	var s compare.Summary
	if err := json.Unmarshal([]byte(out), &s); code != judge.ExitExpectation || err != nil || len(s.Beyond) != 1 ||
		len(s.Comparisons) != 2 || s.Comparisons[1].Points != 2 || s.Figures[0].Worst == nil {
		t.Errorf("exit code %d, %v: %+v\n%s", code, err, s, errs)
	}
	if code, out, _ := call("accuracy", first, "--median", "9%"); code != judge.ExitExpectation || !strings.Contains(out, "the limit is 9.0 %") ||
		!strings.HasPrefix(lastLine(out), "verdict: expectation missed (") || !strings.HasSuffix(lastLine(out), "the limit is 9.0 %)") {
		t.Errorf("exit code %d\n%s", code, out)
	}
	unsafe := comparison(t, func(r *compare.Report) { r.Unsafe = []string{"with 1 process"} })
	if code, out, _ := call("accuracy", first, unsafe); code != judge.ExitSafety || !strings.Contains(out, "Safety was violated in 1 run.") ||
		!strings.HasPrefix(lastLine(out), "verdict: safety violated (") || !strings.Contains(lastLine(out), "with 1 process") {
		t.Errorf("exit code %d\n%s", code, out)
	}
	idle := comparison(t, func(r *compare.Report) { r.Rows[0].Limited, r.Rows[1].Limited = false, false })
	if code, out, _ := call("accuracy", idle); code != judge.ExitUnknown || !strings.Contains(out, "the load was the limit") ||
		lastLine(out) != "verdict: unknown (no throughput says anything of the predictions)" {
		t.Errorf("without one point that says something: exit code %d\n%s", code, out)
	}
	late := comparison(t, func(r *compare.Report) {
		r.Rows[0].Predicted[0].Figures[compare.Recovery], r.Rows[0].Measured[0].Figures[compare.Recovery] = 14, 10
		r.Rows[0] = compare.NewRow(1, r.Rows[0].Predicted, r.Rows[0].Measured, nil)
	})
	if code, out, _ := call("accuracy", late); code != judge.ExitExpectation || !strings.Contains(out, "the recovery is predicted +40 % wrong") {
		t.Errorf("exit code %d\n%s", code, out)
	}
	if code, out, _ := call("accuracy", late, "--recovery-tolerance", "50%"); code != judge.ExitPassed {
		t.Errorf("exit code %d\n%s", code, out)
	}
	notes := filepath.Join(t.TempDir(), "notes.md")
	if err := os.WriteFile(notes, []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	empty := t.TempDir()
	for want, args := range map[string][]string{
		"expected \"<dir> ...\"":                                 {},
		empty + " is no directory of a comparison":               {first, empty},
		"is no directory of a comparison: simulate compare":      {results(t, "run", scenarioFile(t, quick))},
		"compare.json in ":                                       {brokenComparison(t, "[]")},
		"names no worlds, or has no process count":               {brokenComparison(t, `{"scenario": "steady"}`)},
		"is not finished, so it cannot be compared: interrupted": {comparison(t, func(r *compare.Report) { r.Unfinished = "interrupted" })},
		"is given twice":                                         {first, second, filepath.Join(first, ".")},
		"sum up those of the same worlds":                        {first, comparison(t, func(r *compare.Report) { r.Measuring = "fakes" })},
		"--freshness-factor 0.5 must be at least 1":              {first, "--freshness-factor", "0.5"},
		"notes.md is there, and this would replace it":           {first, "--markdown", notes},
	} {
		code, out, errs := call(append([]string{"accuracy"}, args...)...)
		if code != judge.ExitUsage || !strings.Contains(errs, want) || out != "" {
			t.Errorf("%v: exit code %d, want %q\n%s%s", args, code, want, out, errs)
		}
	}
}

func brokenComparison(t *testing.T, text string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, fileCompare), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}
