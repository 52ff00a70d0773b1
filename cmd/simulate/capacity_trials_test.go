package main

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/internal/capacity"
	"sluice/internal/harness"
	"sluice/internal/judge"
	"sluice/internal/rundir"
	"sluice/internal/servers/servertest"
	"sluice/reports"
	"sluice/sim"
)

// TestTrialsThatWereNotMade are not in the report.
func TestTrialsThatWereNotMade(t *testing.T) {
	s, err := scenarioFlags{Scenario: scenarioFile(t, quick)}.load(worldFlags{World: "virtual"})
	if err != nil {
		t.Fatal(err)
	}
	cfg := harness.Config{Scenario: s.Scenario, World: sim.World{}}
	none := time.Duration(0)
	for _, flags := range []outlookFlags{{}, {Outage: &none, Map: true}} {
		c := capacityCommand{outlookFlags: flags}
		r := capacity.NewReport("quick", "virtual", 400, 0, []capacity.Point{{Processes: 1, Throughput: 800, Failed: 900}})
		err := c.look(interruptedLate{t.Context()}, &bytes.Buffer{}, cfg, r)
		if err == nil || len(r.Outlook.Trials) > 0 || flags.Map && (r.Stability == nil || len(r.Stability.Cells) > 0) {
			t.Errorf("map %v: %v, %+v, %+v", flags.Map, err, r.Outlook.Trials, r.Stability)
		}
	}
}

// TestCapacityTrials: of the trials that are made without being asked for, those that cannot be are left out,
// each for itself, and the report says why; one that was asked for is refused before anything is measured.
func TestCapacityTrials(t *testing.T) {
	path := scenarioFile(t, quick)
	flags := []string{"capacity", path, "--target", "500/s", "--most", "700/s", "--processes", "1"}
	dir := filepath.Join(t.TempDir(), "out")
	code, out, errs := call(append(flags, "--set", "topology.flusher_mode=goroutine", "--out", dir)...)
	r := readCapacity(t, dir)
	if code != judge.ExitPassed || r.Outlook == nil || len(r.Outlook.Trials) != 1 || len(r.Outlook.Untried) != 1 ||
		!strings.Contains(out, "When all workers are killed at once: not tried. Only a worker that is a process can crash") ||
		!strings.Contains(out, "When Redis is stopped for 2s at 500 spans/s, ") {
		t.Fatalf("exit code %d, %+v\n%s%s", code, r.Outlook, out, errs)
	}
	if trial := r.Outlook.Trials[0]; trial.Refused == 0 || trial.BatchGain <= 1 ||
		!strings.Contains(out, " tries of a batch were refused, so that each was tried ") {
		t.Errorf("%+v\n%s", trial, out)
	}
	given := append(flags, "--world", "real", "--redis", "127.0.0.1:1", "--kafka", "127.0.0.1:1", "--out", dir+"2")
	for _, asked := range [][]string{{"--outage", "3s"}, {"--map", "--outage", "0s"}, {"--map"}} {
		code, out, errs := call(append(given, asked...)...)
		if want := asked[0]; code != judge.ExitUsage || !strings.Contains(errs, want) ||
			!strings.Contains(errs, "use --servers start") {
			t.Errorf("%v: exit code %d\n%s%s", asked, code, out, errs)
		}
	}
	code, out, errs = call(append(given, "--outage", "0s")...)
	if code != judge.ExitEnvironment || strings.Contains(errs, "--servers") {
		t.Errorf("without trials: exit code %d\n%s%s", code, out, errs)
	}
}

// TestCapacityOnGivenServers recommends on servers of others with the trial that is possible there.
func TestCapacityOnGivenServers(t *testing.T) {
	redis, kafka := servertest.RedisAddr(t), servertest.KafkaAddr(t)
	var dir, out, errs string
	code := judge.ExitExpectation
	for try := 0; try < 3 && code == judge.ExitExpectation; try++ { // a busy machine may not carry even this
		dir = filepath.Join(t.TempDir(), "out")
		code, out, errs = call("capacity", scenarioFile(t, quick), "--world", "real", "--redis", redis, "--kafka", kafka,
			"--target", "300/s", "--headroom", "0", "--most", "300/s", "--processes", "1", "--out", dir)
	}
	if code != judge.ExitPassed {
		t.Fatalf("exit code %d\n%s%s", code, out, errs)
	}
	r := readCapacity(t, dir)
	if r.Recommended == nil || r.Unfinished != "" || r.Outlook == nil || len(r.Outlook.Trials) != 1 ||
		!r.Outlook.Trials[0].Recovered() || len(r.Outlook.Untried) != 1 ||
		!strings.Contains(out, "When Redis is stopped for 2s: not tried. Stop redis for 2s: world real does that only to servers of its own") {
		t.Errorf("%+v\n%s", r.Outlook, out)
	}
}

// TestInputPausesAsForecast: in the virtual world, a broker that takes nothing from the workers pauses the input as
// soon as the report says, where leases are full, and not at all where they are not; one that is stopped lets
// nothing be read.
func TestInputPausesAsForecast(t *testing.T) {
	const fault, after = 8.0, 10.0 // seconds
	for _, c := range []struct {
		rate, fault string
		pauses      bool
	}{{"20000/s", "fail", true}, {"3000/s", "fail", false}, {"20000/s", "stop", false}} {
		dir := filepath.Join(t.TempDir(), "out")
		code, out, errs := call("run", "steady", "--rate", "constant "+c.rate, "--duration", "20s", "--out", dir,
			"--set", "topology.flusher_processes=1", "--set", "expectations.freshness_p99_max=off",
			"--set", fmt.Sprintf("faults=[at %vs %s kafka for 11s]", fault, c.fault))
		if code != judge.ExitPassed {
			t.Fatalf("exit code %d\n%s%s", code, out, errs)
		}
		text, err := os.ReadFile(filepath.Join(dir, rundir.FileSamples))
		if err != nil {
			t.Fatal(err)
		}
		samples, err := reports.ReadCSV[reports.Sample](bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		first, grown := math.Inf(1), int64(0)
		for _, s := range samples {
			if s.Paused > 0 {
				first = min(first, s.T)
			}
			if s.T > fault+1 && s.T < fault+after {
				grown = s.RedisBytes - samples[at(samples, fault+1)].RedisBytes
			}
		}
		if c.pauses != !math.IsInf(first, 1) || c.pauses && (first < fault+after || first > fault+after+1.2) {
			t.Errorf("%+v: input paused at %v s", c, first)
		}
		if reads := grown > 0; reads != (c.fault == "fail") {
			t.Errorf("%+v: Redis took %d bytes meanwhile", c, grown)
		}
	}
}

// at is the first sample from a time on.
func at(samples []reports.Sample, from float64) int {
	return slices.IndexFunc(samples, func(s reports.Sample) bool { return s.T >= from })
}
