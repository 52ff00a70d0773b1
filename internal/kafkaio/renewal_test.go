package kafkaio

import (
	"errors"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sluice/internal/servers/servertest"
)

// A producer that knows a topic goes on with the one that is created in its place. What it hands over
// meanwhile may fail, and is to be handed over again: older brokers go by the name alone.
func TestRealTopicCreatedAgain(t *testing.T) {
	cfg, _ := configFor(strings.Split(servertest.KafkaAddr(t), ",")...)
	topic := topicsFor(t, cfg, 1, "segments")[0]
	p := producer(t, cfg, topic)
	if err := p.Produce(t.Context(), record(topic, 10)).Wait(bounded(t)); err != nil {
		t.Fatal(err)
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(cfg.Brokers...))
	if err != nil {
		t.Fatal(err)
	}
	admin := kadm.NewClient(client)
	defer admin.Close()
	if _, err := admin.DeleteTopic(bounded(t), topic); err != nil {
		t.Fatal(err)
	}
	if _, err := admin.CreateTopic(bounded(t), 1, 1, nil, topic); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the new topic takes a record", func() bool {
		return p.Produce(t.Context(), record(topic, 10)).Wait(bounded(t)) == nil
	})
	if n := len(read(t, cfg, topic, 1)); n != 1 {
		t.Errorf("the new topic has %d records, want one", n)
	}
}

// A topic that is deleted before its first fetch: the client looks for its offsets for ever, and says
// nothing.
func TestTopicDeletedBeforeItsFirstFetchIsSaid(t *testing.T) {
	cluster := fake(t, kfake.SeedTopics(1, "spans"))
	cfg, _ := configFor(cluster.ListenAddrs()...)
	cluster.ControlKey(kmsg.ListOffsets.Int16(), func(r kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		answer := r.ResponseKind().(*kmsg.ListOffsetsResponse)
		for _, topic := range r.(*kmsg.ListOffsetsRequest).Topics {
			none := kmsg.NewListOffsetsResponseTopic()
			none.Topic = topic.Topic
			for _, p := range topic.Partitions {
				unknown := kmsg.NewListOffsetsResponseTopicPartition()
				unknown.Partition, unknown.ErrorCode = p.Partition, kerr.UnknownTopicOrPartition.Code
				none.Partitions = append(none.Partitions, unknown)
			}
			answer.Topics = append(answer.Topics, none)
		}
		return answer, nil, true
	})
	s := source(t, cfg, nil)
	assigned(t, s)
	client, err := kgo.NewClient(kgo.SeedBrokers(cfg.Brokers...))
	if err != nil {
		t.Fatal(err)
	}
	admin := kadm.NewClient(client)
	defer admin.Close()
	if _, err := admin.DeleteTopic(bounded(t), "spans"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the source says that its topic is not there", func() bool {
		if _, err := s.Poll(t.Context(), 10, pollWait); err != nil {
			t.Fatal(err)
		}
		return errors.Is(s.Troubles().Of(fetching), kerr.UnknownTopicOrPartition)
	})
}
