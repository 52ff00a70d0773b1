package pipeline

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sluice/flusher"
	"sluice/internal/kafkaio"
)

// TestAWorkersProducerTakesAllItHas, however large a segment is, also while Kafka acknowledges nothing: who
// waits in Produce gives no sign of life, and is killed for it.
func TestAWorkersProducerTakesAllItHas(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "buffered-segments", "ingest-spans-dlq"))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	again := make(chan struct{})
	defer close(again)
	cluster.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		cluster.SleepControl(func() { <-again })
		return nil, nil, false
	})
	c := DefaultConfig()
	c.Kafka.Brokers = cluster.ListenAddrs()
	kafka, err := c.Kafka.Connection(nil)
	if err != nil {
		t.Fatal(err)
	}
	producer, err := kafkaio.NewProducer(t.Context(), kafka, c.workerProducer())
	if err != nil {
		t.Fatal(err)
	}
	defer producer.Close()
	taken, value := make(chan struct{}), make([]byte, 900<<10)
	go func() {
		defer close(taken)
		for range c.Producer.BufferedBytesMax/len(value) + 10 {
			producer.Produce(t.Context(), flusher.Record{Topic: c.OutputTopic, Value: value})
		}
		for range c.Producer.BufferedRecordsMax {
			producer.Produce(t.Context(), flusher.Record{Topic: c.OutputTopic})
		}
	}()
	select {
	case <-taken:
	case <-time.After(20 * time.Second):
		t.Error("Produce waits for Kafka")
	}
}
