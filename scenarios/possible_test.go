package scenarios

import (
	"errors"
	"os"
	"strings"
	"testing"
)

// TestNothingButTheScenarioRestartsWorkers: what waits for a restart that nothing brings about is
// wrong, unless something beside the scenario may.
func TestNothingButTheScenarioRestartsWorkers(t *testing.T) {
	const head = "name: x\nduration: 20s\ntopology: {flusher_processes: 4}\n" +
		"pipeline: {root_timeout: 2s, max_unhealthy: 3s}\n"
	for text, want := range map[string]string{
		"faults: [when worker 1 restarted crash worker 1]":                                                              "x:5:10: faults[0]: no fault before it makes worker 1 restart",
		"faults: [at 1s crash worker 0, when worker 1 restarted crash worker 1]":                                        "x:5:32: faults[1]: no fault",
		"faults: [at 1s hang worker 1 for 500ms, when worker 1 restarted crash worker 1]":                               "faults[1]: no fault",
		"faults: [when worker 1 restarted crash worker 2, when worker 2 restarted crash worker 1]":                      "faults[0]: no fault",
		"faults: [at 1s hang worker 1, when worker 1 restarted crash worker 2, when worker 2 restarted crash worker 1]": "",
		"faults: [every 5s crash any worker, when worker 3 restarted crash worker 3]":                                   "",
		"faults: [at 1s refuse redis for 9s, when worker 3 restarted crash worker 3]":                                   "",
		"expectations: {restarts_min: 1}":                                                                               "expectations.restarts_min: no fault of the scenario makes a worker restart",
		"expectations: {end: budget}":                                                                                   "expectations.end: no fault of the scenario makes a worker restart",
	} {
		_, _, err := Around{}.read("x", []byte(head+text), nil)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
		if _, _, err := (Around{Restarts: true}).read("x", []byte(head+text), nil); err != nil {
			t.Errorf("%s: with a defect that ends workers: %v", text, err)
		}
	}
}

// TestWhatCanHappenIsRight: what is beyond nothing by a hair.
func TestWhatCanHappenIsRight(t *testing.T) {
	for _, text := range []string{
		"duration: 10s\nworkload: {rate: constant 100/s, traces_at_once: 10, spans_per_trace: 5}\n" +
			"faults: [when 1040 spans sent crash worker 0]",
		"duration: 10s\nworkload: {rate: constant 100/s, traces_at_once: 1, spans_per_trace: 5}\n" +
			"pipeline: {root_timeout: 2s}\nfaults: [when 900 spans flushed crash worker 0]",
		"pipeline: {max_unhealthy: 3s}\nfaults: [at 1s hang worker 0, at 6900ms resume worker 0]",
		"faults: [at 1s hang worker 0 for 2s, at 2999ms resume worker 0]",
		"faults: [at 1s hang worker 0 for 2s, when 1 spans sent resume worker 0]",
		"faults: [every 4s hang any worker for 2s, at 9s resume worker 0]",
		"faults: [at 1s stop redis for 8s, at 8s hang redis for 1s]",
		"faults: [at 1s stop consumer for 20s, at 8s slow redis by 1ms]",
		"faults: [at 1s jump clock by 1h, at 2s jump clock by -144h]",
		"expectations: {figures: [pauses >= 1, pauses <= 1, pauses = 1]}",
		"expectations: {figures: [pauses > 0, pauses < 1]}", // no whole number, but that is not its business
		"topology: {flusher_processes: 4}\nfaults: [every 1s crash any worker]\n" +
			"expectations: {restarts_min: 8, worker_restarts_max: 2}",
		"workload: {rate: burst 1/s to 20/s for 1s every 10s}",
		"workload: {spans_per_trace: 1000000, traces_at_once: 1, rate: constant 20000/s}",
		"workload: {headless: 0.1, spans_per_trace: uniform 1..2}\nexpectations: {drain_max: 61s}",
		"pipeline: {root_timeout: 40s, max_segment_age: 5s}",
		// A load is over with its last span, and one whose traces are open then lasts longer.
		"duration: 10s\nworkload: {rate: \"step 300/s, 0/s at 1s\", spans_per_trace: 1}\n" +
			"expectations: {throughput_min: 300/s}",
		"duration: 10s\nworkload: {rate: constant 100/s, traces_at_once: 10, spans_per_trace: 5}\n" +
			"expectations: {throughput_min: 103/s}",
		"duration: 10s\nworkload: {rate: \"step 300/s, 0/s at 1s\", spans_per_trace: 1}\nfaults: [at 1s crash worker 0]",
		"duration: 10s\nworkload: {rate: \"step 300/s, 0/s at 1s\", spans_per_trace: 1}\n" +
			"faults: [at 500ms stop kafka for 5s, at 4s crash worker 0]", // the load waits for Kafka
		"duration: 10s\nworkload: {rate: \"step 300/s, 0/s at 1s\", spans_per_trace: 2}\nfaults: [at 9s crash worker 0]",
		"workload: {late: 0.05 by 5s}\npipeline: {root_timeout: 4s}",
		"duration: 10s\nworkload: {rate: 'step 300/s, 0/s at 1s', spans_per_trace: 1}\n" +
			"faults: [at 500ms depose partition 1 for 5s, at 4s crash worker 0]",
		"workload: {late: 0.05 by 5s, spans_per_trace: 1}\npipeline: {root_timeout: 4s}",
		"faults: [at 4s stop kafka for 10m, at 4s stop redis for 1h]",
		"duration: 20m\nfaults: [at 4s hang kafka broker 1 for 20m]",
		"name-of-200",
	} {
		name := "name: x\n"
		if text == "name-of-200" {
			name, text = "name: "+strings.Repeat("n", nameMax)+"\n", ""
		}
		if _, _, err := (Around{}).read("x", []byte(name+text), nil); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestOneStepBeyond is the same a hair further.
func TestOneStepBeyond(t *testing.T) {
	for text, want := range map[string]string{
		"duration: 10s\nworkload: {rate: \"step 300/s, 0/s at 1s\", spans_per_trace: 1}\n" +
			"expectations: {throughput_min: 301/s}": "the load sends 300/s at the most",
		"duration: 10s\nworkload: {rate: constant 100/s, traces_at_once: 10, spans_per_trace: 5}\n" +
			"expectations: {throughput_min: 104/s}": "the load sends 103/s at the most",
		"duration: 10s\nworkload: {rate: constant 100/s, traces_at_once: 10, spans_per_trace: 5}\n" +
			"faults: [when 1041 spans sent crash worker 0]": "at most 40 more",
		"duration: 10s\nworkload: {rate: constant 100/s, traces_at_once: 1, spans_per_trace: 5}\n" +
			"pipeline: {root_timeout: 2s}\nfaults: [when 901 spans flushed crash worker 0]": "which leaves 900",
		"pipeline: {max_unhealthy: 3s}\nfaults: [at 1s hang worker 0, at 7s resume worker 0]": "not frozen then",
		"faults: [at 2s hang worker 0 for 2s, at 1999ms resume worker 0]":                     "not frozen then",
		"faults: [at 1s hang worker 0 for 2s, at 2s resume consumer]":                         "freezes consumer",
		"faults: [at 1s stop redis for 9s, at 8s hang redis for 1s]":                          "redis is down then",
		"faults: [at 1s stop consumer for 9s, at 8s crash worker 0]":                          "consumer is down then",
		"faults: [at 1s jump clock by -145h]":                                                 "-144h to 1h",
		"duration: 1h\nfaults: [every 100ms crash any worker]":                                "35999 times",
		"expectations: {figures: [pauses >= 1, pauses < 1]}":                                  `within "pauses >= 1"`,
		"workload: {rate: burst 1/s to 20/s for 1s every 11s}":                                "would begin at 10s",
		"workload: {headless: 0.1}\nexpectations: {drain_max: 60s}":                           "x:3:27: expectations.drain_max: the last",
		"workload: {headless: 0.1}":                                                           "x:2:22: workload.headless: the last",
		"duration: 10s\nworkload: {rate: \"step 300/s, 0/s at 1s\", spans_per_trace: 1}\n" +
			"faults: [at 1001ms crash worker 0]": "at 1.001s is after the load has ended, which is with its last span, at 1s",
		"duration: 12s\nworkload: {rate: burst 0/s to 500/s for 200ms every 5s, spans_per_trace: 1}\n" +
			"faults: [at 11s crash worker 0]": "with its last span, at 10s: write an earlier time",
		"workload: {late: 0.05 by 5001ms}\npipeline: {root_timeout: 4s}": "workload.late: the last segments are due 1m",
		"faults: [at 4s stop kafka for 601s]":                            "no more than for 10m, or a longer duration",
		"duration: 20m\nfaults: [at 4s depose partition 1 for 21m]":      "may last for 21m: write no more than for 20m",
		"name-of-201": "1 to 200",
	} {
		name := "name: x\n"
		if text == "name-of-201" {
			name, text = "name: "+strings.Repeat("n", nameMax+1)+"\n", ""
		}
		_, _, err := (Around{}).read("x", []byte(name+text), nil)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want one problem with %q", text, err, want)
		}
	}
}

// TestAllIsSaidAtOnce: form, meaning, the command line and the world, in one go; and nothing that
// only follows from something else.
func TestAllIsSaidAtOnce(t *testing.T) {
	text, err := os.ReadFile("testdata/errors/both.yaml")
	if err != nil {
		t.Fatal(err)
	}
	none := errors.New("no world can")
	_, _, err = Around{Can: func(f Fault) error {
		if f.Verb != VerbCrash {
			return nil
		}
		return none
	}}.read("both.yaml", text, []string{"pipeline.timeout=5", "pipeline.max_batch=0", "workload.lat=never"})
	lines := strings.Split(err.Error(), "\n")
	want := []string{":3:1: unknown key", ":4:1: unknown key", ":6:17: pipeline.root_timeout", ":7:19: pipeline",
		":9:9: workload.rate", ":10:20: workload", ":11:15: workload", ":12:13: workload",
		":14:5: faults[0]: crash worker 7: no world can", ":15:5: faults[1]", `"5" has no unit`,
		"--set pipeline.max_batch=0: pipeline.max_batch: 0 must be 1 to 100000", "did you mean late?"}
	if len(lines) != len(want) {
		t.Fatalf("%d lines, want %d:\n%v", len(lines), len(want), err)
	}
	seen := map[string]bool{}
	for _, part := range want {
		found := false
		for _, line := range lines {
			found = found || strings.Contains(line, part)
			seen[line] = true
		}
		if !found {
			t.Errorf("%q is not said:\n%v", part, err)
		}
	}
	if len(seen) != len(lines) {
		t.Errorf("something is said twice:\n%v", err)
	}
}
