package servers_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"sluice/internal/servers"
	"sluice/internal/servers/servertest"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

const topic = "servers-round-trip"

// kafkaClient reads the topic from its start and writes to it.
func kafkaClient(t *testing.T, addr string) *kgo.Client {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.ConsumeTopics(topic),
		kgo.DefaultProduceTopic(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	check(t, err)
	t.Cleanup(client.Close)
	return client
}

// readOne returns the next record's value.
func readOne(t *testing.T, client *kgo.Client) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for {
		fetches := client.PollRecords(ctx, 1)
		if records := fetches.Records(); len(records) > 0 {
			return string(records[0].Value)
		}
		if ctx.Err() != nil {
			t.Fatalf("no record in 30s: %v", fetches.Err())
		}
	}
}

func TestKafkaKeepsPortAndRecordsOverOutages(t *testing.T) {
	t.Parallel()
	s := servertest.NewKafka(t)
	client := kafkaClient(t, s.Addr)
	_, err := kadm.NewClient(client).CreateTopic(t.Context(), 2, 1, nil, topic)
	check(t, err)
	outages := []struct {
		name       string
		begin, end func() error
	}{
		{"none", func() error { return nil }, func() error { return nil }},
		{"stopped", s.Stop, s.Start},
		{"killed", s.Kill, s.Start},
		{"frozen", s.Freeze, s.Thaw},
	}
	for _, o := range outages {
		value := "sent while " + o.name
		check(t, o.begin())
		acked := make(chan error, 1)
		client.Produce(t.Context(), kgo.StringRecord(value), func(_ *kgo.Record, err error) {
			acked <- err
		})
		check(t, o.end())
		if err := <-acked; err != nil {
			t.Fatalf("%s: %v", value, err)
		}
		if got := readOne(t, client); got != value {
			t.Errorf("read %q, want %q", got, value)
		}
	}
}

func TestKafkaCreatesNoTopicByItself(t *testing.T) {
	client, err := kgo.NewClient(kgo.SeedBrokers(servertest.KafkaAddr(t)))
	check(t, err)
	defer client.Close()
	_, err = kadm.NewClient(client).ListEndOffsets(t.Context(), "servers-never-created")
	check(t, err)
	topics, err := kadm.NewClient(client).ListTopics(t.Context(), "servers-never-created")
	check(t, err)
	if err := topics["servers-never-created"].Err; !errors.Is(err, kerr.UnknownTopicOrPartition) {
		t.Errorf("a topic that nobody created gives %v, want %v", err, kerr.UnknownTopicOrPartition)
	}
}

// TestAbsentBrokerLeavesTooFewReplicas takes a partition's second replica away and gives it back,
// over a restart too.
func TestAbsentBrokerLeavesTooFewReplicas(t *testing.T) {
	t.Parallel()
	s := servertest.NewKafka(t)
	check(t, s.AddAbsentBroker(t.Context()))
	client, err := kgo.NewClient(kgo.SeedBrokers(s.Addr), kgo.DefaultProduceTopic(topic),
		kgo.RecordPartitioner(kgo.ManualPartitioner()))
	check(t, err)
	defer client.Close()
	admin := kadm.NewClient(client)
	_, err = admin.CreateTopic(t.Context(), 2, 1,
		map[string]*string{"min.insync.replicas": kadm.StringPtr("2")}, topic)
	check(t, err)
	produce := func(partition int32, retries int) error {
		once, err := kgo.NewClient(kgo.SeedBrokers(s.Addr), kgo.RecordRetries(retries),
			kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.DisableIdempotentWrite())
		check(t, err)
		defer once.Close()
		return once.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Partition: partition,
			Value: []byte("x")}).FirstErr()
	}
	for range 2 {
		check(t, produce(1, 100))
		take := kadm.AlterPartitionAssignmentsReq{}
		take.Assign(topic, 1, []int32{1, servers.AbsentBroker})
		answer, err := admin.AlterPartitionAssignments(t.Context(), take)
		check(t, errors.Join(err, answer.Error()))
		eventually(t, "the partition has too few replicas", func() bool {
			return errors.Is(produce(1, 0), kerr.NotEnoughReplicas)
		})
		check(t, produce(0, 100))
		give := kadm.AlterPartitionAssignmentsReq{}
		give.CancelAssign(topic, 1)
		answer, err = admin.AlterPartitionAssignments(t.Context(), give)
		check(t, errors.Join(err, answer.Error()))
		check(t, produce(1, 100))
		check(t, s.Kill())
		check(t, s.Start())
	}
}
