package kafkaio

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/internal/servers/servertest"
)

// TestRealIdlePartitionIsHeardOf while the answers of the broker are full of others for longer than
// silence takes: it passes over what has nothing.
func TestRealIdlePartitionIsHeardOf(t *testing.T) {
	cfg, _ := configFor(strings.Split(servertest.KafkaAddr(t), ",")...)
	topic := topicsFor(t, cfg, 3, "spans")[0]
	client, err := kgo.NewClient(kgo.SeedBrokers(cfg.Brokers...), kgo.DefaultProduceTopic(topic),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(kgo.NoCompression()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	const many = 1000
	records := []*kgo.Record{{Partition: 2, Value: []byte("one")}}
	for n := range 2 * many {
		records = append(records, &kgo.Record{Partition: int32(n % 2), Value: make([]byte, 20<<10)})
	}
	if err := client.ProduceSync(bounded(t), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	s := source(t, cfg, func(sc *SourceConfig) {
		sc.Topic, sc.Group = topic, t.Name()
		sc.FetchBytesMax, sc.FetchPartitionBytesMax = 256<<10, 128<<10
		sc.FetchWait, sc.FetchLateMax = 50*time.Millisecond, 200*time.Millisecond
		sc.HeldBytesMax, sc.HeldBytesTotal = 100<<20, 1<<30 // what pauses leaves room for others
	})
	var heard, silent int
	var since time.Time // when it was known that the third partition is read as it comes
	for read := 0; read < len(records); {
		fetch, err := s.Poll(bounded(t), 10, pollWait)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range fetch.Batches {
			read += len(b.Messages)
			if b.Partition == 2 {
				since = time.Now()
			}
		}
		switch {
		case since.IsZero() || time.Since(since) < 400*time.Millisecond || read == len(records):
		case slices.Contains(fetch.Silent, 2):
			silent++
		default:
			heard++
		}
		time.Sleep(5 * time.Millisecond) // so that the broker always has more than an answer takes
	}
	if silent > heard/4 { // a machine that stands still for a moment may answer late
		t.Errorf("it was silent %d times, and heard %d times", silent, heard)
	}
}
