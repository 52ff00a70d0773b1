package main

import (
	"errors"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sluice/internal/judge"
	"sluice/reports"
)

// replayed runs the command that a last line ends with, and returns its exit code.
func replayed(t *testing.T, line string, more ...string) int {
	t.Helper()
	command := regexp.MustCompile(`; replay: \S.*?simulate (\w+ .*)$`).FindStringSubmatch(line)
	if command == nil {
		t.Fatalf("no command in %q", line)
	}
	words := regexp.MustCompile(`'[^']*'|\S+`).FindAllString(command[1], -1)
	for i := range words {
		words[i] = strings.Trim(words[i], "'")
	}
	code, _, _ := call(append(words, more...)...)
	return code
}

// TestVerdictLine has the form of a run's last line, whatever command it ends.
func TestVerdictLine(t *testing.T) {
	for want, got := range map[string]string{
		"verdict: passed":                               verdictLine(judge.ExitPassed, "nothing", "simulate x"),
		"verdict: unknown (interrupted)":                verdictLine(codeOf(errors.New("it")), "interrupted", ""),
		"verdict: unknown (deadlock); replay: x":        verdictLine(judge.ExitEnvironment, "deadlock\nworker 1 waits", "x"),
		"verdict: expectation missed (a; and 2 more)":   verdictLine(judge.ExitExpectation, shortly([]string{"a", "b", "c"}), ""),
		"verdict: safety violated; replay: simulate x":  verdictLine(codeOf(exitError(judge.ExitSafety)), shortly(nil), "simulate x"),
		"verdict: liveness violated (a); replay: y --z": verdictLine(judge.ExitLiveness, shortly([]string{"a"}), "y --z"),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestSweepSaysHowToSeeItAgain: the last line names the first of the worst runs, and the command makes that run.
func TestSweepSaysHowToSeeItAgain(t *testing.T) {
	out := func() string { return filepath.Join(t.TempDir(), "out") }
	strict := scenarioFile(t, quick+"expectations: {freshness_p99_max: 1ms}\n")
	for _, c := range []struct {
		args       []string
		code       int
		start, end string
	}{
		{[]string{strict, "--processes", "1,2", "--repeat", "1", "--rate", "constant 300/s"}, judge.ExitExpectation,
			"verdict: expectation missed (1 process, repeat 1: freshness_p99_max); replay: ",
			" run " + strict + " --seed 1 --rate 'constant 300/s' --set topology.flusher_processes=1 --world virtual"},
		{[]string{"kill-skipped", "--over", "topology.partitions=4", "--repeat", "1", "--seed", "2", "--defect", "kill-skipped"},
			judge.ExitSafety, "verdict: safety violated (topology.partitions 4, repeat 1: process limit); replay: ",
			" run kill-skipped --seed 2 --set topology.partitions=4 --world virtual --defect kill-skipped"},
	} {
		code, text, errs := call(append([]string{"sweep", "--out", out()}, c.args...)...)
		if last := lastLine(text); code != c.code || !strings.HasPrefix(last, c.start) || !strings.HasSuffix(last, c.end) {
			t.Errorf("%v: exit code %d\n%s%s", c.args, code, text, errs)
		} else if again := replayed(t, last, "--out", out()); again != code {
			t.Errorf("%v: exit code %d, and of its replay %d", c.args, code, again)
		}
	}
}

// TestSweepOfWhatIsDrawn is replayed by the scenario that was drawn, which another seed does not draw.
func TestSweepOfWhatIsDrawn(t *testing.T) {
	c := sweepCommand{scenarioFlags: scenarioFlags{Scenario: "swarm"}, worldFlags: worldFlags{World: "virtual"}}
	s, err := c.load(c.worldFlags)
	if err != nil {
		t.Fatal(err)
	}
	got := c.one(s, "runs/swarm-sweep", reports.OverProcesses, reports.SweepRun{Value: "2", Seed: 5})
	want := " run runs/swarm-sweep/scenario.yaml --seed 5 --set topology.flusher_processes=2 --world virtual"
	if len(s.ports) > 0 {
		want += " --port-fault " + quote(strings.ReplaceAll(s.ports.String(), "\n", ", "))
	}
	if !strings.HasSuffix(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestLastLinesSayHowToSeeItAgain: of commands that judge by a run that is made again, or search.
func TestLastLinesSayHowToSeeItAgain(t *testing.T) {
	dir := failing(t)
	alter(t, filepath.Join(dir, "result.json"), `"digest": "`, `"digest": "0`)
	for _, args := range [][]string{
		{"replay", dir}, {"certainty", dir, "--runs", "4"},
		{"explore", "protocol", "--workers", "1", "--traces", "1", "--spans", "1", "--faults", "1", "--defect", "ack-first"},
	} {
		code, text, errs := call(args...)
		last := lastLine(text)
		if code == judge.ExitPassed || !strings.HasPrefix(last, "verdict: ") {
			t.Errorf("%v: exit code %d\n%s%s", args, code, text, errs)
		} else if again := replayed(t, last); again != code {
			t.Errorf("%v: exit code %d, and of its replay %d: %s", args, code, again, last)
		}
	}
}

// TestSeedsSayWhatIsNotCovered in the last line, which is all that --quiet prints.
func TestSeedsSayWhatIsNotCovered(t *testing.T) {
	var text strings.Builder
	table := seedsTable{Verdict: "not passed", Runs: 2, Planned: 2, Scenarios: []seedsRow{{Passed: 2}},
		Empty: []reports.CoverageCell{{Fault: "crash", Part: reports.PartWorker, Stage: "load"}}}
	err := table.writeVerdict(&text)
	if want := "verdict: not passed (not covered: " + table.Empty[0].String() + "); 2 of 2 passed\n"; err != nil || text.String() != want {
		t.Errorf("%v, %q, want %q", err, text.String(), want)
	}
}
