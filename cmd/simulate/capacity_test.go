package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/internal/capacity"
	"sluice/internal/judge"
)

func readCapacity(t *testing.T, dir string) (r capacity.Report) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, fileCapacity))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// TestCapacity: a target within the bound of the search is recommended for, one beyond it is refused,
// with exit code 13, and the files say the same.
func TestCapacity(t *testing.T) {
	path := scenarioFile(t, quick)
	for target, expected := range map[string]struct {
		code          int
		text, verdict string
	}{
		"500/s": {judge.ExitPassed, "1 process carries 500 spans/s with 20 % headroom (95 %: 1); with 1 process no rate " +
			"up to 1,000 spans/s was too high.", "verdict: passed"},
		"900/s": {judge.ExitExpectation, "No recommendation: no measured count carries 1,080 spans/s",
			"verdict: expectation missed (no measured count carries 1,080 spans/s: "},
	} {
		dir := filepath.Join(t.TempDir(), "out")
		code, out, errs := call("capacity", path, "--target", target, "--headroom", "20%", "--most", "1000/s",
			"--outage", "500ms", "--retention", "1h", "--out", dir)
		if code != expected.code || !strings.Contains(out, expected.text) ||
			!strings.Contains(out, "\nResults  "+dir+"\nReport   "+filepath.Join(dir, "report.html")+"\nverdict: ") ||
			!strings.HasPrefix(lastLine(out), expected.verdict) {
			t.Errorf("exit code %d, want %d and %q\n%s%s", code, expected.code, expected.text, out, errs)
		}
		r := readCapacity(t, dir)
		if (r.Recommended != nil) != (expected.code == judge.ExitPassed) ||
			len(r.Points) != 1 || r.Points[0].Throughput != 1000 {
			t.Errorf("%s: the file has %+v", target, r)
		}
		if (r.Outlook != nil) != (r.Recommended != nil) || r.Outlook != nil && (len(r.Outlook.Trials) != 2 ||
			!r.Outlook.Trials[1].Recovered() || r.Outlook.UnreadExpireSeconds != 3600) {
			t.Errorf("%s: the outlook is %+v", target, r.Outlook)
		}
		points, err := os.ReadFile(filepath.Join(dir, fileCapacityPoints))
		want := "processes,repeat,throughput,failed,error,limit,utilisation\n1,1,1000,0,0,,\n"
		if err != nil || string(points) != want {
			t.Errorf("the points are %q, %v; want %q", points, err, want)
		}
		for _, name := range []string{"report.html", "report.md", "capacity.png", "capacity.svg"} {
			if file, err := os.Stat(filepath.Join(dir, name)); err != nil || file.Size() < 500 {
				t.Errorf("%s: %v, %v", name, file, err)
			}
		}
		page, err := os.ReadFile(filepath.Join(dir, "report.html"))
		if err != nil || !strings.Contains(string(page), r.Headline) ||
			!strings.Contains(string(page), "capacity "+path+" --seed 1 --world virtual --target "+target) {
			t.Errorf("%v: the page has no %q\n%s", err, r.Headline, page)
		}
	}
}

// TestCapacityOfALittleRedis: what waits in the steady state does not fit, so the target is not carried; with exit
// code 13, and no map of how a count recovers that is not recommended.
func TestCapacityOfALittleRedis(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	code, out, errs := call("capacity", scenarioFile(t, quick), "--target", "500/s", "--most", "1000/s", "--processes", "1",
		"--outage", "500ms", "--redis-memory", "100KiB", "--price", "redis=1", "--map", "--out", dir)
	if code != judge.ExitExpectation || !strings.HasPrefix(out, "No recommendation: what waits at 500 spans/s, without any fault, takes ") ||
		!strings.Contains(out, "\nGive Redis more memory") || strings.Contains(out, "Run 1 process") {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
	if r := readCapacity(t, dir); r.Recommended != nil || r.Refused == "" || len(r.Outlook.Trials) != 2 || r.Stability != nil {
		t.Errorf("the file has %+v", r)
	}
}

// canceller ends a context when it reads a word.
type canceller struct {
	bytes.Buffer
	word   string
	cancel context.CancelFunc
}

func (c *canceller) Write(text []byte) (int, error) {
	if strings.Contains(string(text), c.word) {
		c.cancel()
	}
	return c.Buffer.Write(text)
}

// TestCapacityKeepsWhatWasFound when it is ended before the last count.
func TestCapacityKeepsWhatWasFound(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out := &bytes.Buffer{}
	c := capacityCommand{scenarioFlags: scenarioFlags{Scenario: scenarioFile(t, quick)},
		worldFlags: worldFlags{World: "virtual"}, Most: 1000, Precision: 0.1, Repeat: 1, Processes: []int{1, 2},
		Out: filepath.Join(t.TempDir(), "out")}
	err := c.Run(ctx, &streams{out: out, err: &canceller{word: "are sustained", cancel: cancel}})
	if err == nil || !strings.Contains(err.Error(), "2 processes at 1,000 spans/s: interrupted") ||
		!strings.Contains(out.String(), "Not all was measured: 2 processes") {
		t.Errorf("%v\n%s", err, out)
	}
	if r := readCapacity(t, c.Out); len(r.Points) != 1 || r.Unfinished == "" {
		t.Errorf("the file has %+v", r)
	}
}

func TestFit(t *testing.T) {
	const exact = "1,1\n2,1.8868\n4,3.0769\n6,3.5294\n8,3.5398\n10,3.3557\n"
	for text, want := range map[string]string{
		"processes,throughput\n" + exact:           "at 7 processes",
		"throughput, processes\n1,1\n2,2\n":        "want at least 4",
		"processes,throughput\n1,1\n2,x\n":         `3:3: throughput "x" is not a number`,
		"processes,rate\n" + exact:                 "no column throughput",
		"":                                         "no header",
		"processes,throughput\n" + exact + "12,-1": "point 7: throughput -1",
	} {
		path := filepath.Join(t.TempDir(), "points.csv")
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		code, out, errs := call("fit", path)
		if (code == judge.ExitPassed) != strings.Contains(want, "at 7") || !strings.Contains(out+errs, want) {
			t.Errorf("%q: exit code %d, want %q\n%s%s", text, code, want, out, errs)
		}
	}
}

// TestCapacityWhatIf: a report with prices beside another one, and flags that make no sense are
// refused before anything runs.
func TestCapacityWhatIf(t *testing.T) {
	path := scenarioFile(t, quick)
	first, second := filepath.Join(t.TempDir(), "first"), filepath.Join(t.TempDir(), "second")
	prices := filepath.Join(t.TempDir(), "prices.yaml")
	if err := os.WriteFile(prices, []byte("currency: EUR\nprocess: 0.05\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	flags := []string{"capacity", path, "--target", "500/s", "--most", "1000/s", "--processes", "1", "--outage", "0s"}
	if code, out, errs := call(append(flags, "--out", first)...); code != judge.ExitPassed {
		t.Fatalf("exit code %d\n%s%s", code, out, errs)
	}
	code, out, errs := call(append(flags, "--out", second, "--prices", prices, "--price", "redis=0.4",
		"--against", first)...)
	if code != judge.ExitPassed || !strings.Contains(out, "A million spans cost 0.25 EUR, an hour costs 0.45 EUR.") ||
		!strings.Contains(out, "Beside "+first) {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
	page, err := os.ReadFile(filepath.Join(second, "report.md"))
	if err != nil || !strings.Contains(string(page), "| 1 process sustains per second | at least 1,000 | at least 1,000 | - |") {
		t.Errorf("%v: %s", err, page)
	}
	code, out, errs = call(append(flags, "--out", filepath.Join(t.TempDir(), "third"), "--headroom", "0.2", "--set",
		"pipeline.max_batch=77", "--cost", "redis.call=31us", "--price", "redis=0.4", "--json", "--against", second)...)
	var third capacity.Report
	if err := json.Unmarshal([]byte(out), &third); code != judge.ExitPassed || err != nil || third.Against == nil ||
		third.Against.Dir != second || len(third.Against.Rows) == 0 || len(third.Against.Notes) > 0 ||
		third.Against.Differs != "headroom (30 %, and then 20 %), costs redis.call (30us, and then 31us), pipeline.max_batch (1000, and then 77)" {
		t.Errorf("exit code %d, %v: %+v\n%s", code, err, third.Against, errs)
	}
	ended, other := filepath.Join(t.TempDir(), "ended"), filepath.Join(t.TempDir(), "other")
	for dir, text := range map[string]string{
		ended: `{"scenario": "quick", "points": [{"processes": 1}], "unfinished": "interrupted"}`,
		other: `{"scenario": "slow", "points": [{"processes": 1}]}`,
	} {
		if err := errors.Join(os.Mkdir(dir, 0o755), os.WriteFile(filepath.Join(dir, fileCapacity), []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	old := filepath.Join(first, "recovery.png")
	if err := os.WriteFile(old, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if code, _, errs := call(append(flags, "--out", first)...); code != judge.ExitPassed {
		t.Fatalf("exit code %d\n%s", code, errs)
	}
	if _, err := os.Stat(old); err == nil {
		t.Error("a chart of an earlier report is among the results")
	}
	for want, more := range map[string][]string{
		"is where the results go":                                {"--against", first, "--out", filepath.Join(second, "..", "..", filepath.Base(filepath.Dir(first)), "first")},
		"--target 0/s must be at least 1/s":                      {"--target", "0/s"},
		"--target 0.4/s must be":                                 {"--target", "0.4/s"},
		"no such file":                                           {"--against", filepath.Join(first, "none")},
		"is not finished, so it cannot be":                       {"--against", ended},
		"a report of the scenario slow, and this is quick: name": {"--against", other},
		`unknown key "proces"`:                                   {"--price", "proces=1"},
		"redis: is -1, want a price":                             {"--price", "redis=-1"},
		"give --world real --kafka":                              {"--topic", "spans"},
		`--retention: "-1h" is negative: write 0s or more`:       {"--retention=-1h"},
		`--outage: "-1s" is negative: write 0s or more`:          {"--outage=-1s"},
		"is not above 0":                                         {"--redis-memory", "0"},
	} {
		code, out, errs := call(slices.Concat(flags, []string{"--out", filepath.Join(t.TempDir(), "out")}, more)...)
		if code != judge.ExitUsage || !strings.Contains(errs, want) {
			t.Errorf("%v: exit code %d, want %q\n%s%s", more, code, want, out, errs)
		}
	}
}

// TestCapacityWithoutATarget refuses what is said of the count that would carry it. No trials it does not
// make in any case.
func TestCapacityWithoutATarget(t *testing.T) {
	flags := []string{"capacity", scenarioFile(t, quick), "--most", "1000/s", "--processes", "1", "--out",
		filepath.Join(t.TempDir(), "out")}
	for flag, value := range map[string]string{"--headroom": "30%", "--outage": "2s", "--map": "", "--redis-memory": "1GiB", "--retention": "1h",
		"--retention-bytes": "1GiB", "--topic": "spans", "--prices": "prices.yaml", "--price": "process=1"} {
		more := append(slices.Clone(flags), flag)
		if value != "" {
			more = append(more, value)
		}
		code, out, errs := call(more...)
		if code != judge.ExitUsage || !strings.Contains(errs, flag+": for the count that carries the target; give --target") {
			t.Errorf("%s: exit code %d\n%s%s", flag, code, out, errs)
		}
	}
	dir := flags[len(flags)-1]
	code, out, errs := call(append(flags, "--outage", "0s", "--rate", "constant 700/s")...)
	page, err := os.ReadFile(filepath.Join(dir, fileCapacityPage))
	if code != judge.ExitPassed || err != nil || strings.Contains(string(page), "--headroom") ||
		!strings.Contains(string(page), "--rate &#39;constant 700/s&#39;") || readCapacity(t, dir).Points[0].Probes[0].Rate != 700 {
		t.Errorf("exit code %d, %v; the command to make it again must not be refused, and the search begins at 700/s\n%s%s%s",
			code, err, out, errs, page)
	}
}

// TestCapacityRefusesWhatItDrops: a rate where the target says which is tried first, and what it does in any
// case. Its help says what a rate is for.
func TestCapacityRefusesWhatItDrops(t *testing.T) {
	path := scenarioFile(t, quick)
	for want, more := range map[string][]string{
		"--rate: with --target the search begins at the target": {"--target", "500/s", "--rate", "constant 700/s"},
		"--no-faults: a search leaves all faults out":           {"--no-faults"},
		"--set duration=60s: --duration sets how long":          {"--set", "duration=60s"},
		"--set faults=[]: a search leaves all faults out":       {"--set", "faults=[]"},
		"--set topology.flusher_processes=2: --processes":       {"--set", "topology.flusher_processes=2"},
		"--rate sets where the search begins; leave it out":     {"--set", "workload.rate=constant 7/s"},
		"--set workload.rate=constant 7/s: with --target the":   {"--target", "500/s", "--set", "workload.rate=constant 7/s"},
		"--set port_faults=[]: a search leaves those of":        {"--set", "port_faults=[]"},
		"restarts_min=1: a search leaves all faults out, and":   {"--set", "expectations.restarts_min=1"},
		"--set expectations.end=budget: a search leaves all":    {"--set", "expectations.end=budget"},
		"throughput_min=9/s: a search also goes below it":       {"--set", "expectations.throughput_min=9/s"},
	} {
		code, out, errs := call(append([]string{"capacity", path, "--most", "1000/s", "--processes", "1", "--outage", "0s",
			"--out", filepath.Join(t.TempDir(), "out")}, more...)...)
		if code != judge.ExitUsage || !strings.Contains(errs, want) {
			t.Errorf("%v: exit code %d, want %q\n%s%s", more, code, want, out, errs)
		}
	}
	for command, want := range map[string]string{"run": "instead of the scenario's.",
		"capacity": "instead of the scenario's: without --target, the search begins at its highest rate."} {
		_, out, _ := call(command, "--help")
		if help := strings.Join(strings.Fields(out), " "); !strings.Contains(help, want) {
			t.Errorf("the help of %s has no %q\n%s", command, want, out)
		}
	}
}

// TestCapacityAtALowRate: what waits goes up and down as batches move against whole seconds, which is
// not mistaken for growth.
func TestCapacityAtALowRate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	code, out, errs := call("capacity", "steady", "--target", "5000/s", "--processes", "1", "--precision", "0.9",
		"--outage", "0s", "--most", "20000/s", "--out", dir)
	if code != 0 || !strings.Contains(out, "1 process carries 5,000 spans/s") {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
}

// TestCapacityOfLongTraces: traces that go on for longer than the scenario's load, at a rate that is not
// the scenario's, are no reason to call a rate too high. How long a run takes, the rate says.
func TestCapacityOfLongTraces(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	path := scenarioFile(t, strings.Replace(quick, "constant 400/s", "constant 1000000/s", 1))
	flags := []string{"capacity", path, "--target", "300/s", "--processes", "2", "--outage", "0s",
		"--most", "390/s", "--set", "workload.traces_at_once=300", "--set", "pipeline.timeout=30s", "--set", "pipeline.root_timeout=30s",
		"--set", "expectations.drain_max=2m", "--out", dir}
	code, out, errs := call(flags...)
	if code != 0 || !strings.Contains(out, "2 processes carry 300 spans/s with 30 % headroom (95 %: 2; fewer were not "+
		"tried); with 2 processes no rate up to 390 spans/s was too high.") {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
	if r := readCapacity(t, dir); r.Partitions != 2 || r.Points[0].Throughput != 390 || r.Points[0].Probes[0].Waiting < 3000 {
		t.Errorf("%+v", r.Points)
	}
	code, out, errs = call(append(flags, "--duration", "35s")...)
	if code != judge.ExitUsage || !strings.Contains(errs, "with 2 processes: 390 spans/s cannot be judged: a run is only "+
		"steady after ") || !strings.Contains(errs, " s at that rate, and lasts 35s: set --duration ") {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
}

// TestCapacityWithoutFaults: what is expected of the faults goes with them, and not what is not; what no
// rate keeps is in the headline.
func TestCapacityWithoutFaults(t *testing.T) {
	path := scenarioFile(t, quick+`faults: [at 100ms crash any worker]
expectations: {figures: [pauses >= 1, workers.0.restarts > 0, freshness_seconds.p99 <= 1h]}
`)
	if code, out, errs := call("run", path, "--no-faults", "--out", filepath.Join(t.TempDir(), "run")); code != 0 ||
		!strings.Contains(out, "freshness_seconds.p99 <= 1h") {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
	flags := []string{"capacity", path, "--target", "500/s", "--processes", "1", "--outage", "0s", "--most", "700/s",
		"--out", filepath.Join(t.TempDir(), "out")}
	if code, out, errs := call(flags...); code != 0 {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
	code, out, errs := call(append(flags, "--set", "expectations.freshness_p99_max=1ms")...)
	if code != judge.ExitExpectation || !strings.Contains(out, "No recommendation: with 1 process not even ") ||
		!strings.Contains(out, " spans/s are sustained: freshness_p99_max: 0.") ||
		!strings.Contains(out, "what is required (freshness_p99_max)") || strings.Count(errs, " spans/s\n") > 3 {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
}

// TestCapacityProgress names the repeat of each run that goes on.
func TestCapacityProgress(t *testing.T) {
	c := capacityCommand{Repeat: 3}
	got := c.progress([]capacity.Job{{Processes: 4, Repeat: 2, Rate: 1900}, {Processes: 4, Repeat: 2, Rate: 2000},
		{Processes: 4, Repeat: 3, Rate: 1950}})
	const want = "4 processes, repeat 2 of 3: 1,900 and 2,000, repeat 3 of 3: 1,950 spans/s"
	if got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestCapacityEndsByItsReport: safety weighs more than what was refused or is missing, and that is said.
func TestCapacityEndsByItsReport(t *testing.T) {
	missing := errors.New("interrupted")
	for _, c := range []struct {
		report     capacity.Report
		unfinished error
		want       error
	}{
		{capacity.Report{}, nil, nil},
		{capacity.Report{}, missing, missing},
		{capacity.Report{Refused: "no"}, nil, exitError(judge.ExitExpectation)},
		{capacity.Report{Unsafe: []string{"it"}}, nil, exitError(judge.ExitSafety)},
		{capacity.Report{Unsafe: []string{"it"}, Refused: "no"}, missing, exitError(judge.ExitSafety)},
	} {
		var errs bytes.Buffer
		got := (&capacityCommand{}).verdict(&errs, &c.report, c.unfinished)
		if got != c.want || len(c.report.Unsafe) > 0 && strings.Contains(errs.String(), "interrupted") != (c.unfinished != nil) {
			t.Errorf("%+v, %v: %v, %q", c.report, c.unfinished, got, errs.String())
		}
	}
}

// interruptedLate is a context that ended when nothing was left to do.
type interruptedLate struct{ context.Context }

func (interruptedLate) Err() error { return context.Canceled }

// TestCapacityWithoutAPoint: what was not safe is said, and is how the command ends, though nothing else was
// found.
func TestCapacityWithoutAPoint(t *testing.T) {
	for defect, want := range map[string]int{"": judge.ExitEnvironment, "wrong-queue": judge.ExitSafety} {
		c := capacityCommand{scenarioFlags: scenarioFlags{Scenario: scenarioFile(t, quick)},
			worldFlags: worldFlags{World: "virtual", Defect: defect}, Most: 1000, Precision: 0.1, Repeat: 1, Processes: []int{1},
			Out: filepath.Join(t.TempDir(), "out")}
		var out, errs bytes.Buffer
		err := c.Run(interruptedLate{t.Context()}, &streams{out: &out, err: &errs})
		code := exitCode(err, &errs)
		if code != want || strings.Count(errs.String(), "simulate: 1 process at 400 spans/s: interrupted") != 1 ||
			strings.Contains(errs.String(), "simulate: safety was violated with 1 process at 400 spans/s: conservation: ") !=
				(defect != "") ||
			strings.HasPrefix(out.String(), "verdict: safety violated (with 1 process at 400 spans/s: conservation: ") !=
				(defect != "") {
			t.Errorf("%q: exit code %d\n%s%s", defect, code, &out, &errs)
		}
	}
}

// TestUnsafeWhenInterrupted: a run that was interrupted shows nothing, but that it was not safe.
func TestUnsafeWhenInterrupted(t *testing.T) {
	for defect, want := range map[string]bool{"": false, "wrong-queue": true} {
		in := worldFlags{World: "virtual", Defect: defect}
		s, err := scenarioFlags{Scenario: scenarioFile(t, quick)}.load(in, "duration=9s")
		if err != nil {
			t.Fatal(err)
		}
		cfg, err := in.config(s, &bytes.Buffer{})
		if err != nil {
			t.Fatal(err)
		}
		ctx := interruptedLate{t.Context()}
		p, err := probe(ctx, cfg, capacity.Job{Processes: 1, Repeat: 1, Rate: 400}, true)
		if err == nil || (p.Unsafe != "") != want || (p.Rate > 0) != want {
			t.Errorf("%q: %+v, %v", defect, p, err)
		}
		plan := capacity.Storm(cfg.Scenario, 1, 400, 800)
		// A new worker would find what the defect has lost, and a trial that is ended early loses nothing yet.
		plan.Faults, plan.Watched = nil, time.Second
		trials, err := runTrials(ctx, &bytes.Buffer{}, cfg, []capacity.TrialPlan{plan})
		if err == nil || len(trials) != 1 || (trials[0].Unsafe != "") != want || isNot(trials[0]) == want {
			t.Errorf("%q: %+v, %v", defect, trials, err)
		}
	}
}

// TestSideBySide keeps what was done beside what failed, in its place.
func TestSideBySide(t *testing.T) {
	planted := errors.New("planted")
	got, err := sideBySide([]int{1, 2, 3}, func(n int) (int, error) {
		if n == 2 {
			return 0, planted
		}
		return 10 * n, nil
	})
	if !errors.Is(err, planted) || !slices.Equal(got, []int{10, 0, 30}) {
		t.Errorf("%v, %v", got, err)
	}
}
