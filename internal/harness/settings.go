package harness

import (
	"sluice/consumer"
	"sluice/consumer/ingest"
	"sluice/flusher"
	"sluice/scenarios"
)

// Settings are those of the scenario's consumers, or what is planted made of them.
func (s Setup) Settings() consumer.Settings {
	c := Settings(s.Scenario)
	s.Planted.Settings(&c)
	return c
}

// Settings are those of the scenario's consumers. The topics are the world's to name.
func Settings(s scenarios.Scenario) consumer.Settings {
	c := consumer.Settings{
		Flusher: flusher.DefaultConfig(), Worker: flusher.DefaultWorkerConfig(),
		Ingest: ingest.DefaultConfig("", ""),
	}
	c.Options = c.Ingest.Options
	c.Options.Timeout, c.Options.RootTimeout = s.Pipeline.Timeout, s.Pipeline.RootTimeout
	c.Options.MaxSegmentAge = s.Pipeline.MaxSegmentAge
	c.Options.MaxSegmentBytes = s.Pipeline.MaxSegmentBytes
	c.Flusher.Processes = s.Topology.Workers()
	c.Flusher.MaxUnhealthy = s.Pipeline.MaxUnhealthy
	c.Flusher.BackpressureAfter = s.Pipeline.BackpressureAfter
	c.Flusher.RestartBudget = s.Pipeline.RestartBudget
	c.Flusher.MaxMemory = s.Pipeline.MaxMemory
	c.Flusher.ShutdownTimeout = ShutdownMax
	c.Worker.MaxFlushSegments = s.Pipeline.MaxFlushSegments
	c.Ingest.MaxBatch, c.Ingest.MaxBatchWait = s.Pipeline.MaxBatch, s.Pipeline.MaxBatchWait
	return c
}
