package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice/internal/judge"
	"sluice/internal/rundir"
)

// TestDiffOfCapacity: highest sustained rates, of so few repeats that nothing follows.
func TestDiffOfCapacity(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"a": `{"scenario":"s","world":"virtual","points":[{"processes":1,"throughput":100,"failed":110},{"processes":1,
			"throughput":100,"failed":110},{"processes":1,"throughput":100,"failed":110}]}`,
		"b": `{"scenario":"s","world":"virtual","points":[{"processes":1,"throughput":80,"failed":88},{"processes":1,
			"throughput":80,"failed":88},{"processes":1,"throughput":80,"failed":88}]}`,
		"a step of the search": `{"scenario":"s","world":"virtual","points":[{"processes":1,"throughput":91,"failed":100.1},
			{"processes":1,"throughput":91,"failed":100.1},{"processes":1,"throughput":91,"failed":100.1}]}`,
		"not found": `{"scenario":"s","world":"virtual","points":[{"processes":1,"throughput":100,"failed":0},
			{"processes":1,"throughput":100,"failed":0},{"processes":1,"throughput":100,"failed":0}]}`,
		"unfinished": `{"scenario":"s","world":"virtual","points":[{"processes":1,"throughput":90}],
			"unfinished":"interrupted"}`,
		"other": `{"scenario":"t","world":"virtual","points":[{"processes":1,"throughput":90}]}`,
		"none":  `{"scenario":"s","world":"virtual","points":[]}`,
		"unsafe": `{"scenario":"s","world":"virtual","points":[{"processes":1,"throughput":100,"failed":110,"probes":[
			{"rate":100,"unsafe":"conservation: 3 lost"}]},{"processes":1,"throughput":100,"failed":110},{"processes":1,
			"throughput":100,"failed":110}]}`,
		"unsafe when stopped": `{"scenario":"s","world":"virtual","points":[{"processes":1,"throughput":100,"failed":110},
			{"processes":1,"throughput":100,"failed":110},{"processes":1,"throughput":100,"failed":110}],
			"outlook":{"trials":[{"processes":1,"unsafe":"conservation: 2 lost"}]}}`,
		"unsafe cell": `{"scenario":"s","world":"virtual","points":[{"processes":1,"throughput":100,"failed":110},
			{"processes":1,"throughput":100,"failed":110},{"processes":1,"throughput":100,"failed":110}],
			"stability":{"cells":[{"processes":1,"unsafe":"conservation: 1 lost"}]}}`,
	} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name, fileCapacity), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for b, want := range map[string]struct {
		code int
		text string
	}{
		"a step of the search": {0, "verdict: no difference that matters; unclear of 1 figure, see the intervals\n"},
		"not found":            {0, "-10.0 % or more"},
		"a":                    {0, "verdict: no difference that matters"},
		"b":                    {judge.ExitExpectation, "verdict: worse: 1 process: sustained >= -5%"},
		"unfinished":           {judge.ExitUsage, "unfinished is not finished, so it cannot be compared: interrupted; run it again"},
		"other":                {judge.ExitUsage, "not the same was run: scenario (s, and then t)"},
		"none":                 {judge.ExitUsage, "none has no runs in it"},
		"unsafe": {judge.ExitExpectation, "violated: verdict of the runs: 3 of 3 passed, and then 0 of 3; safety violated: " +
			"conservation: 3 lost\nverdict: worse: verdict of the runs"},
		"unsafe when stopped": {judge.ExitExpectation, "safety violated: conservation: 2 lost\nverdict: worse: verdict of the runs"},
		"unsafe cell":         {judge.ExitExpectation, "safety violated: conservation: 1 lost\nverdict: worse: verdict of the runs"},
	} {
		code, out, errs := call("diff", filepath.Join(dir, "a"), filepath.Join(dir, b))
		if code != want.code || !strings.Contains(out+errs, want.text) {
			t.Errorf("%s: exit code %d, want %d, %q\n%s%s", b, code, want.code, want.text, out, errs)
		}
	}
	not := filepath.Join(dir, "not found")
	if code, out, errs := call("diff", not, not); code != 0 || !strings.HasSuffix(out,
		"verdict: no difference that matters; of 1 figure only lower bounds are known, raise --most\n") {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
}

// TestDiffOfOtherCapacity: reports are of the same if scenario and search are, but for what the search chooses.
func TestDiffOfOtherCapacity(t *testing.T) {
	path := scenarioFile(t, quick)
	made := func(args ...string) string {
		return results(t, append([]string{"capacity", path, "--processes", "1", "--most", "300/s", "--precision", "50%"},
			args...)...)
	}
	first := made()
	for _, c := range []struct {
		args []string
		want string // "" if it counts as the same
	}{
		{[]string{"--rate", "constant 200/s", "--seed", "7"}, ""},
		{[]string{"--target", "100/s", "--outage", "0s"}, ""},
		{[]string{"--set", "pipeline.max_batch=77"}, "not the same was run: pipeline.max_batch ("},
		{[]string{"--port-fault", "slow store.load by 1ms"}, "port faults (none, and then slow store.load by 1ms); "},
		{[]string{"--defect", "ack-first"}, "defect (none, and then ack-first); "},
		{[]string{"--duration", "9s"}, "--duration (none, and then 9s); "},
		{[]string{"--most", "200/s", "--precision", "0.25"}, "--most (300/s, and then 200/s), --precision (0.5, and then 0.25); "},
	} {
		code, out, errs := call("diff", first, made(c.args...))
		if (code == judge.ExitUsage) != (c.want != "") || !strings.Contains(errs, c.want) || strings.Contains(out, "note: ") {
			t.Errorf("%v: exit code %d, want %q\n%s%s", c.args, code, c.want, out, errs)
		}
	}
	// Of a report from before its scenario was kept, nobody knows that it is another.
	old := made("--set", "pipeline.max_batch=77", "--duration", "9s")
	if err := os.Remove(filepath.Join(old, rundir.FileScenario)); err != nil {
		t.Fatal(err)
	}
	code, out, errs := call("diff", first, old)
	if code == judge.ExitUsage || !strings.Contains(out, "note: of the scenario of "+old+" only the name is known") {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
	if err := os.WriteFile(filepath.Join(old, rundir.FileScenario), []byte("partitoins: 8\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if code, out, errs := call("diff", first, old); code != judge.ExitUsage || !strings.Contains(errs, "partitoins") {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
}
