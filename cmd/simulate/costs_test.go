package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice/internal/harness"
	"sluice/internal/judge"
	"sluice/internal/rundir"
	"sluice/internal/worlds/wall/fakes"
	"sluice/scenarios"
	"sluice/sim"
)

// TestWhatIfByCosts: single costs are changed on the command line, on top of a file's; the run says so
// wherever it is made again, and is not taken for one with other costs.
func TestWhatIfByCosts(t *testing.T) {
	path, file := scenarioFile(t, quick), filepath.Join(t.TempDir(), "slow.yaml")
	if err := os.WriteFile(file, []byte("redis: {call: 90us, span: 5us}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	plain := results(t, "run", path)
	dir := results(t, "run", path, "--costs", file, "--cost", "redis.call=600us", "--cost", "hosts.cores=2")
	kept := filepath.Join(dir, rundir.FileCosts)
	text, err := os.ReadFile(kept)
	if err != nil {
		t.Fatal(err)
	}
	costs, err := sim.ReadCosts(kept, text)
	if want := "600µs 5µs 2"; err != nil || strings.Join([]string{costs.Redis.Call.String(), costs.Redis.Span.String(),
		string(rune('0' + costs.Hosts.Cores))}, " ") != want {
		t.Errorf("%v: kept are %+v, want %s", err, costs, want)
	}
	r := resultOf(t, dir)
	if r.Digest == resultOf(t, plain).Digest {
		t.Error("the costs make no difference")
	}
	if want := " --costs " + file + " --cost redis.call=600us --cost hosts.cores=2"; !strings.HasSuffix(r.Replay, want) {
		t.Errorf("made again by %q, want %q at its end", r.Replay, want)
	}
	planted := func() {
		t.Helper()
		page, err := os.ReadFile(filepath.Join(dir, rundir.FileReport))
		if want := "<strong>costs " + file + " redis.call=600us hosts.cores=2</strong>"; err != nil || !strings.Contains(string(page), want) {
			t.Errorf("%v: the page lacks %q", err, want)
		}
	}
	planted()
	if code, out, errs := call("replay", dir, "--span", "1"); code != judge.ExitPassed { // which writes the page again
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
	planted()
	script, err := os.ReadFile(filepath.Join(dir, rundir.FileReplay))
	if err != nil || !strings.Contains(string(script), ` --costs "$here/costs.yaml" --out`) ||
		strings.Contains(string(script), "--cost ") {
		t.Errorf("%v: the script does not take the costs beside it:\n%s", err, script)
	}
	if code, out, errs := call("replay", dir); code != judge.ExitPassed || !strings.Contains(out, "the same, passed; digest "+r.Digest) {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
	if code, _, errs := call("diff", plain, dir); code != judge.ExitUsage || !strings.Contains(errs, "costs redis.call (30us, and then 600us)") {
		t.Errorf("exit code %d\n%s", code, errs)
	}
	if err := os.Remove(kept); err != nil {
		t.Fatal(err)
	}
	if code, _, errs := call("replay", dir); code != judge.ExitUsage || !strings.Contains(errs, "there is no "+kept) {
		t.Errorf("without what was kept: exit code %d, %s", code, errs)
	}
}

// TestManyCostsAreNamedBriefly in a head; all of them stand in the command that makes the run again.
func TestManyCostsAreNamedBriefly(t *testing.T) {
	c := costFlags{Cost: []string{"a.b=1us", "a.c=2us", "a.d=3us", "a.e=4us", "a.f=5us"}}
	if got, want := c.name(), "a.b=1us a.c=2us a.d=3us and 2 more"; got != want || len(c.Cost) != 5 || c.Cost[3] != "a.e=4us" {
		t.Errorf("%q, want %q; the flags are %+v", got, want, c)
	}
}

// TestSeveralRunsNameWhatWasPlanted in all of them, also if they passed.
func TestSeveralRunsNameWhatWasPlanted(t *testing.T) {
	path := scenarioFile(t, quick)
	for _, args := range [][]string{{"run", path, "--seeds", "1..2"},
		{"sweep", path, "--processes", "1", "--repeat", "1", "--out", filepath.Join(t.TempDir(), "out")},
		{"capacity", path, "--processes", "1", "--most", "500/s", "--out", filepath.Join(t.TempDir(), "found")}} {
		code, out, errs := call(append(args, "--port-fault", "slow store.load by 1ms", "--cost", "redis.call=31us")...)
		if code != judge.ExitPassed || !strings.Contains(out, "In every run: port fault slow store.load by 1ms") {
			t.Errorf("%v: exit code %d\n%s%s", args, code, out, errs)
		}
	}
}

// TestCompareChangesCosts of the hosts that are measured on, if no file says that they are others.
func TestCompareChangesCosts(t *testing.T) {
	c := compareCommand{costFlags: costFlags{Cost: []string{"redis.call=600us", "hosts.redis_nodes=5"}}}
	costs, err := c.read()
	if err != nil {
		t.Fatal(err)
	}
	measured, err := measuredHosts(t.Context(), fakes.World{})
	if err != nil {
		t.Fatal(err)
	}
	configs := [2]harness.Config{{Scenario: scenarios.Default(), World: sim.World{Costs: costs}}, {World: fakes.World{}}}
	var errs strings.Builder
	if _, err := c.machine(t.Context(), &errs, &configs); err != nil {
		t.Fatal(err)
	}
	measured.RedisNodes = 5
	if w := configs[0].World.(sim.World); w.Hosts() != measured || w.Costs.Redis.Call != costs.Redis.Call || errs.Len() > 0 {
		t.Errorf("predicted is on %+v with %v, want %+v\n%s", w.Hosts(), w.Costs.Redis.Call, measured, &errs)
	}
}
