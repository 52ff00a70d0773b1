package wall

import (
	"time"

	"sluice/internal/harness"
	"sluice/internal/pipeline"
)

// config returns the pipeline of a scenario.
func config(setup harness.Setup, e endpoints) pipeline.Config {
	s, c := setup.Scenario, pipeline.DefaultConfig()
	c.Redis, c.Kafka = e.access.Redis(e.redis), e.access.Kafka(e.kafka)
	c.Redis.Namespace = e.namespace
	c.Redis.Routes, c.Kafka.Routes = e.redisRoutes, e.kafkaRoutes
	c.InputTopic, c.OutputTopic, c.DeadLetterTopic = e.input, e.output, e.letters
	c.Group = e.group
	c.Partitions = int32(s.Topology.Partitions)
	c.Mode = pipeline.Mode(s.Topology.FlusherMode)
	own := setup.Settings()
	c.Options, c.Flusher, c.Worker, c.Ingest = own.Options, own.Flusher, own.Worker, own.Ingest
	c.Source.SessionTimeout = sessionTimeout
	return c
}

// sessionTimeout is the least that Kafka allows: a killed consumer's partitions are not to wait for
// long.
const sessionTimeout = 6 * time.Second
