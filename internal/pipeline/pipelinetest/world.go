// Package pipelinetest is what end-to-end tests of the pipeline need: servers, topics of their own,
// a load, and a ledger that says exactly what became of every span.
//
//	w := pipelinetest.Real(t)
//	go w.Send(ctx, 40_000, 20_000)
//	... run one or more pipelines with w.Config() ...
//	w.AwaitSettled(t)
//	w.CheckNothingLost(t, pipelinetest.RepeatsAllowed)
package pipelinetest

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"

	"sluice/internal/kafkaio"
	"sluice/internal/ledger"
	"sluice/internal/load"
	"sluice/internal/pipeline"
	"sluice/internal/servers/servertest"
	"sluice/internal/wallclock"
	"sluice/scenarios"
)

// World is a set of servers with topics, a consumer group and a key namespace of its own.
type World struct {
	// Redis and Kafka are addresses.
	Redis, Kafka []string
	// Partitions of the input topic.
	Partitions int
	// Behind is how far the timestamps of Send are behind the wall clock. Default 0.
	Behind time.Duration

	name     string
	tweaks   []func(*pipeline.Config)
	scenario scenarios.Scenario
	ledger   *ledger.Ledger
	sender   *kgo.Client
	readers  chan struct{} // closed when the output is no longer read
}

// Partitions is the number of partitions of a world's input topic.
const Partitions = 6

var worlds atomic.Int64

// Fakes returns a world of miniredis and kfake, over TCP.
func Fakes(tb testing.TB) *World {
	tb.Helper()
	redis := miniredis.RunT(tb)
	kafka, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(kafka.Close)
	return On(tb, []string{redis.Addr()}, kafka.ListenAddrs())
}

// Real returns a world on a single Redis and Kafka.
func Real(tb testing.TB) *World {
	tb.Helper()
	redis := servertest.RedisAddr(tb)
	return On(tb, []string{redis}, strings.Split(servertest.KafkaAddr(tb), ","))
}

// Cluster returns a world on Redis Cluster and Kafka.
func Cluster(tb testing.TB) *World {
	tb.Helper()
	redis := servertest.RedisCluster(tb)
	return On(tb, redis, strings.Split(servertest.KafkaAddr(tb), ","))
}

// On returns a world on these servers, whose Config is changed by the tweaks: logins, for example.
// Its topics are created, and read from now on.
func On(tb testing.TB, redis, kafka []string, tweaks ...func(*pipeline.Config)) *World {
	tb.Helper()
	w := &World{
		Redis: redis, Kafka: kafka, Partitions: Partitions,
		tweaks:   tweaks,
		name:     fmt.Sprintf("e2e-%d-%d", time.Now().UnixNano(), worlds.Add(1)),
		scenario: scenarios.Default(),
		readers:  make(chan struct{}),
	}
	w.scenario.Topology.Partitions = w.Partitions
	w.scenario.Workload.Disorder = 0.2
	w.ledger = ledger.New(load.NewRecipe(w.scenario.Workload, w.Partitions, w.scenario.Seed))
	c := w.Config()
	w.createTopics(tb, c)
	w.sender = w.client(tb, c,
		kgo.DefaultProduceTopic(c.InputTopic), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	tb.Cleanup(w.sender.Close)
	w.read(tb, c)
	return w
}

func (w *World) createTopics(tb testing.TB, c pipeline.Config) {
	tb.Helper()
	admin := kadm.NewClient(w.client(tb, c))
	defer admin.Close()
	answers, err := admin.CreateTopics(tb.Context(), int32(w.Partitions), 1, nil,
		c.InputTopic, c.OutputTopic, c.DeadLetterTopic)
	if err = cmp.Or(err, answers.Error()); err != nil {
		tb.Fatal(err)
	}
	w.Await(tb, func() bool { // the answer may be ahead of the metadata
		topics, err := admin.ListTopics(tb.Context(), c.InputTopic, c.OutputTopic, c.DeadLetterTopic)
		return err == nil && len(topics) == 3 && topics.Error() == nil
	})
}

// client returns a client of the world's Kafka.
func (w *World) client(tb testing.TB, c pipeline.Config, opts ...kgo.Opt) *kgo.Client {
	tb.Helper()
	opts = append(opts, kgo.SeedBrokers(w.Kafka...))
	private, err := c.Kafka.TLS.Load(nil)
	if err != nil {
		tb.Fatal(err)
	}
	if private != nil {
		opts = append(opts, kgo.DialTLSConfig(private()))
	}
	if sasl := c.Kafka.SASL; sasl.Mechanism == kafkaio.Plain {
		opts = append(opts, kgo.SASL(plain.Auth{
			User: sasl.User, Pass: string(sasl.Password),
		}.AsMechanism()))
	}
	client, err := kgo.NewClient(opts...)
	if err != nil {
		tb.Fatal(err)
	}
	return client
}

// Config returns a configuration for this world: goroutine workers, two of them, and time-outs
// short enough for a test but longer than a busy machine keeps a program waiting: input that stops
// for longer than root_timeout is overtaken by its segment's flush, and the trace is split.
// Processes are for tests whose TestMain calls process.MaybeChild.
func (w *World) Config() pipeline.Config {
	c := pipeline.DefaultConfig()
	c.Redis.Addresses, c.Redis.Namespace = w.Redis, w.name+":"
	c.Kafka.Brokers = w.Kafka
	c.InputTopic, c.OutputTopic = w.name+"-in", w.name+"-out"
	c.DeadLetterTopic = pipeline.DeadLetterTopicOf(c.InputTopic)
	c.Group = w.name
	c.Mode = pipeline.ModeGoroutine
	c.Flusher.Processes = 2
	c.Flusher.ShutdownTimeout = 10 * time.Second
	c.Options.Timeout, c.Options.RootTimeout = 10*time.Second, 5*time.Second
	for _, tweak := range w.tweaks {
		tweak(&c)
	}
	return c
}

// Args returns flags of cmd/run that say the same as Config.
func (w *World) Args() []string {
	c := w.Config()
	return []string{
		"--redis", strings.Join(w.Redis, ","), "--kafka", strings.Join(w.Kafka, ","),
		"--redis-namespace", c.Redis.Namespace, "--group", c.Group,
		"--input-topic", c.InputTopic, "--output-topic", c.OutputTopic,
		"--timeout", c.Options.Timeout.String(), "--root-timeout", c.Options.RootTimeout.String(),
		"--flusher-processes", fmt.Sprint(c.Flusher.Processes), "--http", "off",
	}
}

// Send sends so many spans (and what is open of their traces) at so many per second. It may be
// called once.
func (w *World) Send(ctx context.Context, spans, perSecond int) error {
	s := w.scenario
	s.Workload.Rate = scenarios.Rate{
		Shape: scenarios.ShapeConstant, From: scenarios.PerSecond(perSecond),
	}
	s.Duration = time.Duration(spans) * time.Second / time.Duration(perSecond)
	began := time.Now()
	return w.send(ctx, s, func(at time.Duration) (time.Time, error) {
		timestamp := began.Add(at - w.Behind)
		wait := at - time.Since(began)
		if wait <= 2*time.Millisecond {
			return timestamp, nil
		}
		return timestamp, wallclock.Clock{}.Sleep(ctx, wait)
	})
}

// send sends a load. pace returns each message's timestamp (zero: now) when it is due.
func (w *World) send(
	ctx context.Context, s scenarios.Scenario, pace func(at time.Duration) (time.Time, error),
) error {
	generator := load.NewGenerator(s)
	var refused atomic.Pointer[error]
	for m := (load.Message{}); generator.Next(&m); {
		timestamp, err := pace(m.At)
		if err != nil {
			return err
		}
		w.ledger.Sent(m.Seq, m.Root, m.At)
		record := &kgo.Record{
			Partition: m.Partition, Key: m.Key, Value: m.Value, Timestamp: timestamp,
		}
		w.sender.Produce(ctx, record, func(_ *kgo.Record, err error) {
			if err != nil {
				refused.Store(&err)
			}
		})
	}
	if err := w.sender.Flush(ctx); err != nil {
		return err
	}
	if err := refused.Load(); err != nil {
		return *err
	}
	return nil
}

// SendRaw sends one message as it is, without an entry in the ledger.
func (w *World) SendRaw(tb testing.TB, partition int32, value []byte) {
	tb.Helper()
	record := &kgo.Record{Partition: partition, Value: value}
	if err := w.sender.ProduceSync(tb.Context(), record).FirstErr(); err != nil {
		tb.Fatal(err)
	}
}
