package pipeline

import (
	"cmp"
	"log/slog"
	"math"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/buffer"
	"sluice/consumer"
	"sluice/consumer/ingest"
	"sluice/flusher"
	"sluice/internal/check"
	"sluice/internal/kafkaio"
	"sluice/internal/process/worker"
)

// Mode is what workers are.
type Mode string

// The modes.
const (
	// ModeProcess makes every worker an OS process of its own.
	ModeProcess Mode = "process"
	// ModeGoroutine keeps workers in this process: a hung one cannot be killed, only fenced off.
	ModeGoroutine Mode = "goroutine"
)

// Config is everything that a pipeline is made with.
//
// Its memory is bounded by names: beside the Go runtime, this process holds of all assigned partitions
// together Source.HeldBytesTotal of fetched messages, Ingest.BytesMax of those that wait for their
// batches or are in work (of each, a fetch and a poll more), one fetch of Source.FetchBytesMax per
// broker, and dead letters up to Producer.BufferedBytesMax. A worker holds two portions of
// Worker.MaxFlushBytes as loaded and as encoded, and Limits.MemoryMax is where its collector works
// against further growth.
type Config struct {
	Redis Redis
	Kafka Kafka

	// InputTopic is read, OutputTopic takes the segments, DeadLetterTopic what is not a span and what
	// no broker accepts. Default "ingest-spans", "buffered-segments", "ingest-spans-dlq".
	InputTopic, OutputTopic, DeadLetterTopic string
	// Group is the consumer group. Default "sluice".
	Group string
	// InstanceID makes the membership static, so that a restart moves no partition. Empty: dynamic.
	InstanceID string

	// CreateTopics creates missing topics at start, with Partitions partitions (the dead-letter
	// topic too) and Replication replicas. The default of both is kafkaio.BrokerDefault.
	CreateTopics bool
	Partitions   int32
	Replication  int16

	// Options are those of buffer and codec.
	Options buffer.Options

	// Mode is what workers are. Default ModeProcess.
	Mode Mode
	// Limits bound each worker process. They mean nothing for goroutines.
	Limits worker.Limits

	// Flusher is the supervisor's part.
	Flusher flusher.Config
	// Worker is each worker's part; OutputTopic and DeadLetterTopic of it are those above, and what
	// it waits for without a sign of life is at most a quarter of Flusher.MaxUnhealthy.
	Worker flusher.WorkerConfig
	// Ingest is the loop's part; topics and options of it are those above.
	Ingest ingest.Config
	// Source is the consumer's part; topic, group and instance id of it are those above.
	Source kafkaio.SourceConfig
	// Producer is the part of each producer: one here for dead letters, one per worker. Its topics
	// are those above.
	Producer kafkaio.ProducerConfig

	// Wrap changes the ports that the consumer gets. Workers returns what workers are in place of
	// RunWorker alone, and the settings of that role, which hold those of RunWorker. The harness uses
	// both. Nil: as they are.
	Wrap    func(*consumer.Ports)                                     `json:"-"`
	Workers func(own []byte) (role *worker.Role, all []byte, _ error) `json:"-"`

	// KillSwitch returns the rules of the moment. Nil drops nothing.
	KillSwitch func() *buffer.KillSwitch `json:"-"`
	// Events hears every transition of the supervisor, IngestEvents what an operator must know of
	// the input, AuditEvents of the store; all are logged before. They must not block. Nil: nobody
	// listens.
	Events       func(flusher.Event)       `json:"-"`
	IngestEvents func(ingest.Event)        `json:"-"`
	AuditEvents  func(consumer.AuditEvent) `json:"-"`
	// Fresh hears of each worker how long after their deadlines segments were acknowledged, as
	// Freshness sums it up. It must not block. Nil: nobody listens.
	Fresh func(worker int, samples []time.Duration) `json:"-"`
	// Hooks returns what observes a Kafka client of this process (metrics): "source" and
	// "dead-letters". Nil: nothing does.
	Hooks func(client string) []kgo.Hook `json:"-"`
	// Log receives what an operator must know, the workers' logs too. Nil: slog.Default().
	Log *slog.Logger `json:"-"`
}

// DefaultConfig returns the defaults named at the fields, with servers on their usual local ports.
func DefaultConfig() Config {
	const input, output = "ingest-spans", "buffered-segments"
	dead := DeadLetterTopicOf(input)
	c := Config{
		Redis:           DefaultRedis(),
		Kafka:           DefaultKafka(),
		InputTopic:      input,
		OutputTopic:     output,
		DeadLetterTopic: dead,
		Group:           "sluice",
		Partitions:      kafkaio.BrokerDefault,
		Replication:     kafkaio.BrokerDefault,
		Options:         buffer.DefaultOptions(),
		Mode:            ModeProcess,
		Limits:          worker.DefaultLimits(),
		Flusher:         flusher.DefaultConfig(),
		Worker:          flusher.DefaultWorkerConfig(),
		Ingest:          ingest.DefaultConfig(input, dead),
		Source:          kafkaio.DefaultSourceConfig(input, "sluice"),
		Producer:        kafkaio.DefaultProducerConfig(output, dead),
	}
	// A quarter of the client's own default: this many bytes of dead letters can be in flight.
	c.Producer.BufferedBytesMax = 64 << 20
	return c
}

// DeadLetterTopicOf is the name of the dead-letter topic of an input topic if none is given.
func DeadLetterTopicOf(input string) string { return input + "-dlq" }

// Validate returns every fault of the config, joined, or nil.
func (c Config) Validate() error {
	var f check.Faults
	f.When(c.Mode != ModeProcess && c.Mode != ModeGoroutine,
		"flusher mode %q is unknown: want %q or %q", c.Mode, ModeProcess, ModeGoroutine)
	f.When(c.OutputTopic == c.InputTopic, "output topic and input topic are both %q", c.InputTopic)
	f.When(c.Partitions < 1 && c.Partitions != kafkaio.BrokerDefault,
		"partitions %d must be 1 or more (%d: the broker's default)", c.Partitions,
		kafkaio.BrokerDefault)
	f.When(c.Replication < 1 && c.Replication != kafkaio.BrokerDefault,
		"replication %d must be 1 or more (%d: the broker's default)", c.Replication,
		kafkaio.BrokerDefault)
	if c.Mode != ModeGoroutine {
		f.Add(c.Limits.Validate())
	}
	own := c.own()
	f.Add(c.Redis.Validate(), c.Kafka.Validate(), c.Flusher.Validate(), own.Worker.Validate(),
		own.Ingest.Validate(), c.source().Validate(), c.Producer.Validate())
	return f.Err()
}

// own are the consumer's own, with the topics.
func (c Config) own() consumer.Settings {
	w, i := c.Worker, c.Ingest
	w.InputTopic, w.OutputTopic, w.DeadLetterTopic = c.InputTopic, c.OutputTopic, c.DeadLetterTopic
	i.InputTopic, i.DeadLetterTopic = c.InputTopic, c.DeadLetterTopic
	return consumer.Settings{Options: c.Options, Flusher: c.Flusher, Worker: w, Ingest: i}.Bounded()
}

func (c Config) source() kafkaio.SourceConfig {
	s := c.Source
	s.Topic, s.Group, s.InstanceID = c.InputTopic, c.Group, c.InstanceID
	s.Store = c.Redis.name()
	// As in consumer.Settings.Bounded: what is late, and the time for which a clock runs on unseen, must
	// together be well inside of every time-out.
	shortest := min(c.Options.RootTimeout, c.Options.Timeout)
	s.FetchLateMax = min(s.FetchLateMax, shortest/4)
	s.FetchWait = min(s.FetchWait, max(shortest/8, fetchWaitMin))
	return s
}

// fetchWaitMin keeps an idle source from asking all the time.
const fetchWaitMin = 50 * time.Millisecond

func (c Config) producer(topics ...string) kafkaio.ProducerConfig {
	p := c.Producer
	p.Topics = topics
	return p
}

// workerProducer is that of a worker, which never makes it wait: it holds no more records than two portions
// of its own, however large one segment is, and who waits in Produce gives no sign of life.
func (c Config) workerProducer() kafkaio.ProducerConfig {
	p := c.producer(c.OutputTopic, c.DeadLetterTopic)
	p.BufferedRecordsMax, p.BufferedBytesMax = math.MaxInt32, math.MaxInt
	return p
}

func (c Config) topics() []string {
	return []string{c.InputTopic, c.OutputTopic, c.DeadLetterTopic}
}

func (c Config) log() *slog.Logger { return cmp.Or(c.Log, slog.Default()) }
