package sim_test

import (
	"bytes"
	"testing"

	"sluice/internal/judge"
	"sluice/reports"
	"sluice/scenarios"
)

// TestFaultsThatMeet: each run is one in which the model, and not the pipeline, was at fault.
func TestFaultsThatMeet(t *testing.T) {
	const small = `
topology: {partitions: 4, flusher_processes: 2}
pipeline: {timeout: 3s, root_timeout: 2s, max_batch_wait: 100ms, max_unhealthy: 2s, backpressure_after: 2s}
workload: {rate: constant 100/s}
expectations: {split_spans_max: unlimited, duplicated_spans_max: unlimited}
`
	for name, text := range map[string]string{
		"a member is given a partition, and the coordinator is down before it has heard of that": `
duration: 12s
topology: {partitions: 2}
pipeline: {timeout: 1s, root_timeout: 1s}
workload: {rate: constant 100/s, traces_at_once: 1, spans_per_trace: 1}
faults: [at 1s rebalance for 1s, at 1500ms hang consumer for 5s, at 6s stop kafka broker 0 for 1s]
`,
		"a member is given up while it is frozen, and does not hear of that when it wakes": small + `
duration: 14s
faults: [at 2s rebalance for 11s, at 1s hang consumer for 8s, at 8500ms black-hole kafka for 3s]
`,
		"Kafka is slow by more than the run is long, for a second": small + `
duration: 8s
faults: [at 4s slow kafka by 1m for 1s]
`,
		"Redis was slow when its memory was asked for, and is full then": `
duration: 10s
topology: {partitions: 2, flusher_processes: 1}
pipeline: {timeout: 3s, root_timeout: 2s, max_batch_wait: 100ms, max_memory: 80%, backpressure_after: 500ms}
workload: {rate: constant 50/s}
faults: [at 2s slow redis by 1m for 500ms, at 5s fill redis for 4s]
expectations: {split_spans_max: unlimited, figures: ["pauses >= 1"]}
`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := scenarios.Read("meet.yaml", []byte("name: meet\n"+text))
			if err != nil {
				t.Fatal(err)
			}
			if outcome := run(t, s); outcome.Code != judge.ExitPassed {
				var text bytes.Buffer
				_ = outcome.WriteText(&text, "")
				t.Errorf("exit code %d\n%s", outcome.Code, &text)
			}
		})
	}
}

// TestNothingMovesOnAHostThatStandsStill: consumers that are to start or to stop meanwhile do so when it goes
// on, and none is frozen while another one cannot be.
func TestNothingMovesOnAHostThatStandsStill(t *testing.T) {
	s, err := scenarios.Read("still.yaml", []byte(`
name: still
duration: 19s
topology: {partitions: 4, flusher_processes: 2}
pipeline: {timeout: 3s, root_timeout: 2s, max_batch_wait: 100ms, max_unhealthy: 2s, backpressure_after: 2s}
workload: {rate: constant 100/s}
faults:
  - at 1s rebalance for 2s
  - at 2s crash consumer for 1s
  - at 2500ms hang host for 5s
  - at 4s rebalance for 2s
  - at 10s hang consumer for 1s
  - at 10100ms hang host for 1s
  - at 13s rebalance for 1s
  - at 13900ms black-hole redis for 1s
  - at 14300ms hang host for 1s
  - at 17s hang worker 1 for 500ms
  - at 17200ms hang host for 600ms
expectations: {split_spans_max: unlimited, duplicated_spans_max: unlimited}
`))
	if err != nil {
		t.Fatal(err)
	}
	outcome := run(t, s)
	if outcome.Code != judge.ExitPassed {
		t.Error(outcome.Verdict())
	}
	moves := map[reports.State]int{}
	for _, e := range outcome.Events {
		still := e.T > 2.6 && e.T < 7.5 || e.T > 17.3 && e.T < 17.7
		switch {
		case e.Kind == reports.EventWorker && still:
			t.Errorf("worker %d of consumer %d is %s at %.1fs", e.Worker, e.Consumer, e.State, e.T)
		case e.Kind == reports.EventConsumer && e.T > 0:
			moves[e.State]++
			if still {
				t.Errorf("consumer %d is %s at %.1fs", e.Consumer, e.State, e.T)
			}
		}
	}
	// The second consumer starts three times, and is frozen once: the first one is not while the second drains.
	for state, want := range map[reports.State]int{reports.StateStarting: 4, reports.StateStopped: 4,
		reports.StateHung: 5, reports.StateHealthy: 9} {
		if moves[state] != want {
			t.Errorf("%d times a consumer was %s, want %d", moves[state], state, want)
		}
	}
}

// TestALoadThatPausesIsNoFault: spans come apart whose trace got none for as long as its segment waits, which
// the judge explains by what the pipeline does, not by what was asked of it: batches that may wait for a
// second, or for hours, wait for 100 ms with a time-out of 2 s.
func TestALoadThatPausesIsNoFault(t *testing.T) {
	for name, wait := range map[string]string{
		"the default":         "",
		"as long as it waits": ", max_batch_wait: 100ms",
		"longer":              ", max_batch_wait: 1000h",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := scenarios.Read("pauses.yaml", []byte("name: pauses\nduration: 20s\n"+
				"pipeline: {timeout: 6s, root_timeout: 2s"+wait+"}\n"+
				"workload: {rate: constant 20/s, traces_at_once: 50}\n"))
			if err != nil {
				t.Fatal(err)
			}
			if outcome := run(t, s); outcome.Code != judge.ExitPassed {
				t.Error(outcome.Verdict())
			}
		})
	}
}
