package wall_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/internal/worlds/wall"
	"sluice/scenarios"
)

func parseFault(t *testing.T, what string) scenarios.Fault {
	t.Helper()
	var f scenarios.Fault
	if err := f.UnmarshalText([]byte("at 1s " + what)); err != nil {
		t.Fatal(err)
	}
	return f
}

// Bounds of the questions that the tests ask: for one that must be answered, and one that must not.
const (
	answerMax  = 20 * time.Second
	silenceMin = 300 * time.Millisecond
)

// bench is a run under test, with plain clients beside it.
type bench struct {
	t *testing.T
	s *wall.System
}

// redis asks a server of Redis one question. pipeline tells whether by the pipeline's way.
func (b bench) redis(
	node int, pipeline bool, within time.Duration, words ...string,
) (string, error) {
	client, err := rueidis.NewClient(rueidis.ClientOption{
		InitAddress: []string{b.s.RedisAddr(node, pipeline)}, ForceSingleClient: true,
		DisableCache: true, DisableRetry: true,
		Dialer: net.Dialer{Timeout: within}, ConnWriteTimeout: within,
	})
	if err != nil {
		return "", err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(b.t.Context(), within)
	defer cancel()
	answer, err := client.Do(ctx, client.B().Arbitrary(words...).Build()).ToAny()
	return fmt.Sprint(answer), err
}

func (b bench) redisAnswers(node int, pipeline bool) {
	b.t.Helper()
	if answer, err := b.redis(node, pipeline, answerMax, "PING"); err != nil || answer != "PONG" {
		b.t.Errorf("redis answers %q, %v", answer, err)
	}
}

func (b bench) redisIsSilent(node int, pipeline bool) {
	b.t.Helper()
	if answer, err := b.redis(node, pipeline, silenceMin, "PING"); err == nil {
		b.t.Errorf("redis answers %q", answer)
	}
}

// kafka returns a client as the pipeline has it, or as the harness has it.
func (b bench) kafka(pipeline bool, opts ...kgo.Opt) *kgo.Client {
	b.t.Helper()
	client, err := kgo.NewClient(slices.Concat(b.s.KafkaOpts(pipeline), opts)...)
	if err != nil {
		b.t.Fatal(err)
	}
	return client
}

func (b bench) kafkaAnswer(pipeline bool, within time.Duration) error {
	client := b.kafka(pipeline, kgo.RetryTimeout(within), kgo.RequestTimeoutOverhead(within))
	defer client.Close()
	ctx, cancel := context.WithTimeout(b.t.Context(), within)
	defer cancel()
	_, err := kadm.NewClient(client).BrokerMetadata(ctx)
	return err
}

func (b bench) kafkaAnswers(pipeline bool) {
	b.t.Helper()
	if err := b.kafkaAnswer(pipeline, answerMax); err != nil {
		b.t.Errorf("kafka: %v", err)
	}
}

func (b bench) kafkaIsSilent(pipeline bool) {
	b.t.Helper()
	if b.kafkaAnswer(pipeline, silenceMin) == nil {
		b.t.Error("kafka answers")
	}
}

// produce sends one record and does not try again for long.
func (b bench) produce(topic string, partition int32, tries int) error {
	client := b.kafka(true, kgo.RecordRetries(tries), kgo.DisableIdempotentWrite(),
		kgo.RecordPartitioner(kgo.ManualPartitioner()))
	defer client.Close()
	ctx, cancel := context.WithTimeout(b.t.Context(), answerMax)
	defer cancel()
	return client.ProduceSync(ctx, &kgo.Record{Topic: topic, Partition: partition,
		Value: []byte("x")}).FirstErr()
}

func (b bench) takes(topic string, partition int32) {
	b.t.Helper()
	if err := b.produce(topic, partition, 1000); err != nil {
		b.t.Errorf("produce to %s, partition %d: %v", topic, partition, err)
	}
}

func (b bench) refuses(topic string, partition int32) {
	b.t.Helper()
	b.refusesAs(topic, partition, kerr.NotEnoughReplicas)
}

func (b bench) refusesAs(topic string, partition int32, as error) {
	b.t.Helper()
	deadline := time.Now().Add(answerMax)
	for err := error(nil); !errors.Is(err, as); {
		if time.Now().After(deadline) {
			b.t.Fatalf("produce to %s, partition %d: %v; want %v", topic, partition, err, as)
		}
		err = b.produce(topic, partition, 0)
	}
}

// log returns from where to where a partition is there.
func (b bench) log(topic string, partition int32) (start, end int64) {
	b.t.Helper()
	client := b.kafka(false)
	defer client.Close()
	ctx, cancel := context.WithTimeout(b.t.Context(), answerMax)
	defer cancel()
	starts, err := kadm.NewClient(client).ListStartOffsets(ctx, topic)
	if err != nil {
		b.t.Fatal(err)
	}
	ends, err := kadm.NewClient(client).ListEndOffsets(ctx, topic)
	if err != nil {
		b.t.Fatal(err)
	}
	from, _ := starts.Lookup(topic, partition)
	to, _ := ends.Lookup(topic, partition)
	return from.Offset, to.Offset
}

// leader returns the number of the broker that leads a partition, by the order of addresses.
func (b bench) leader(topic string, partition int32) int {
	b.t.Helper()
	client := b.kafka(false, kgo.SeedBrokers(b.s.KafkaAddrs()...))
	defer client.Close()
	ctx, cancel := context.WithTimeout(b.t.Context(), answerMax)
	defer cancel()
	metadata, err := kadm.NewClient(client).Metadata(ctx, topic)
	if err != nil {
		b.t.Fatal(err)
	}
	leads := metadata.Topics[topic].Partitions[partition].Leader
	for _, broker := range metadata.Brokers {
		if broker.NodeID == leads {
			return slices.Index(b.s.KafkaAddrs(), fmt.Sprintf("%s:%d", broker.Host, broker.Port))
		}
	}
	return -1
}

func (b bench) set(node int, key string) error {
	_, err := b.redis(node, false, answerMax, "SET", key, "v")
	return err
}
