package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/internal/servers/servertest"
)

// TestRetentionOfATopic is read from a real Kafka, where it is not given.
func TestRetentionOfATopic(t *testing.T) {
	kafka := strings.Split(servertest.KafkaAddr(t), ",")
	client, err := kgo.NewClient(kgo.SeedBrokers(kafka...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	text := func(s string) *string { return &s }
	for i, c := range []struct {
		configs map[string]*string
		given   outlookFlags
		age     time.Duration
		bytes   bytesFlag
	}{
		{map[string]*string{"retention.ms": text("7200000"), "retention.bytes": text("1000000")}, outlookFlags{},
			2 * time.Hour, 1_000_000},
		{map[string]*string{"retention.ms": text("7200000")}, outlookFlags{Retention: time.Minute}, time.Minute, 0},
		{nil, outlookFlags{}, 7 * 24 * time.Hour, 0}, // Kafka's own
		{map[string]*string{"retention.ms": text("-1")}, outlookFlags{}, 0, 0},
	} {
		c.given.Topic = fmt.Sprintf("retention-%d", i)
		if _, err := admin.CreateTopic(t.Context(), 1, 1, c.configs, c.given.Topic); err != nil {
			t.Fatal(err)
		}
		err := c.given.complete(t.Context(), worldFlags{Kafka: kafka})
		if err != nil || c.given.Retention != c.age || c.given.RetentionBytes != c.bytes {
			t.Errorf("%v: %v and %d bytes, want %v and %d: %v", c.configs, c.given.Retention,
				c.given.RetentionBytes, c.age, c.bytes, err)
		}
	}
	nowhere := outlookFlags{Topic: "nowhere"}
	if err := nowhere.complete(t.Context(), worldFlags{Kafka: kafka}); err == nil ||
		!strings.Contains(err.Error(), `kafka has no topic "nowhere"`) {
		t.Errorf("of a topic that is not there: %v", err)
	}
}
