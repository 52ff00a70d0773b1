package harness

import (
	"errors"
	"testing"

	"sluice/scenarios"
)

// TestTheLimitsOfAScenarioAreTheSystems: what a scenario may ask for at its limits, the parts of the
// system take.
func TestTheLimitsOfAScenarioAreTheSystems(t *testing.T) {
	for _, sets := range [][]string{
		{"pipeline.timeout=1ms", "pipeline.root_timeout=1ms", "pipeline.max_unhealthy=100ms",
			"pipeline.max_segment_bytes=1B", "pipeline.max_flush_segments=1", "pipeline.backpressure_after=0s",
			"pipeline.restart_budget=0", "pipeline.max_memory=0.000001", "pipeline.max_batch=1",
			"pipeline.max_batch_wait=0s", "topology.partitions=1", "topology.flusher_processes=1"},
		{"pipeline.timeout=1000h", "pipeline.root_timeout=999h", "pipeline.max_segment_age=1000h",
			"pipeline.max_unhealthy=1000h", "pipeline.max_segment_bytes=off",
			"pipeline.max_flush_segments=100000", "pipeline.backpressure_after=1000h",
			"pipeline.restart_budget=1000000", "pipeline.max_memory=off", "pipeline.max_batch=100000",
			"pipeline.max_batch_wait=1000h", "topology.partitions=256", "topology.flusher_processes=256",
			"expectations.drain_max=1000h"},
	} {
		s, _, err := scenarios.ReadWith("x", []byte("name: x"), sets...)
		if err != nil {
			t.Error(err)
			continue
		}
		c := Settings(s).Bounded()
		c.Ingest.InputTopic, c.Ingest.DeadLetterTopic = "in", "dlq"
		if err := errors.Join(c.Options.Validate(), c.Flusher.Validate(), c.Worker.Validate(),
			c.Ingest.Validate()); err != nil {
			t.Errorf("%q: %v", sets, err)
		}
	}
}
