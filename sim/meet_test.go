package sim_test

import (
	"bytes"
	"testing"

	"sluice/internal/judge"
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
