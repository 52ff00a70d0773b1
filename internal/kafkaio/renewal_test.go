package kafkaio

import (
	"strings"
	"testing"

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
	admin := administrator(t, cfg)
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
