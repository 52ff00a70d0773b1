package kafkaio

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

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

// kept is a topic of two partitions: of the first there is much, in small batches; the other has one
// batch, which is larger than what a partition may bring in one answer.
func kept(t *testing.T, cfg Config) (topic string, small int) {
	topic = topicsFor(t, cfg, 2, "spans")[0]
	client, err := kgo.NewClient(kgo.SeedBrokers(cfg.Brokers...), kgo.DefaultProduceTopic(topic),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(kgo.NoCompression()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	small = 300
	for range small {
		r := &kgo.Record{Partition: 0, Value: make([]byte, 3<<10)}
		if err := client.ProduceSync(bounded(t), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	if err := client.ProduceSync(bounded(t), &kgo.Record{Partition: 1, Value: make([]byte, 64<<10)}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	return topic, small
}

// narrow reads a topic by answers of few batches.
func narrow(t *testing.T, cfg Config, topic string) *Source {
	return source(t, cfg, func(sc *SourceConfig) {
		sc.Topic, sc.Group = topic, t.Name()
		sc.FetchBytesMax, sc.FetchPartitionBytesMax = 256<<10, 8<<10
		sc.FetchWait, sc.FetchLateMax = 50*time.Millisecond, 200*time.Millisecond
	})
}

// TestABatchThatIsKeptBackIsSilent while there is room left for it in each answer: it is larger than
// what a partition may bring, and others are given before it.
func TestABatchThatIsKeptBackIsSilent(t *testing.T) {
	cluster := fake(t)
	cluster.ControlKey(kmsg.Fetch.Int16(), func(request kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		for _, topic := range request.(*kmsg.FetchRequest).Topics {
			slices.SortFunc(topic.Partitions, func(a, b kmsg.FetchRequestTopicPartition) int {
				return int(a.Partition - b.Partition)
			})
		}
		return nil, nil, false
	})
	cfg, _ := configFor(cluster.ListenAddrs()...)
	topic, small := kept(t, cfg)
	s := narrow(t, cfg, topic)
	var silent, heard int
	var since time.Time // when the first came
	for read := 0; read < small; {
		fetch, err := s.Poll(bounded(t), 10, pollWait)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range fetch.Batches {
			if b.Partition == 1 && read < small-10 {
				t.Fatalf("the large batch came after %d of the others", read)
			}
			if b.Partition == 0 {
				read += len(b.Messages)
			}
		}
		switch {
		case since.IsZero():
			if read > 0 {
				since = time.Now()
			}
		case time.Since(since) < 200*time.Millisecond || read > small-10:
		case slices.Contains(fetch.Silent, 1):
			silent++
		case fetch.InTouch: // else the machine stood still, and nothing is said of any partition
			heard++
		}
		time.Sleep(5 * time.Millisecond)
	}
	if silent < 20 || heard > 0 {
		t.Errorf("it was silent %d times, and heard %d times", silent, heard)
	}
	eventually(t, "the large batch is read, and the partition is heard", func() bool {
		fetch, err := s.Poll(bounded(t), 10, pollWait)
		if err != nil {
			t.Fatal(err)
		}
		return fetch.InTouch && !slices.Contains(fetch.Silent, 1)
	})
}

// TestRealLargeBatchHasItsTurn: a broker keeps a batch back that is larger than what a partition may bring,
// for no longer than until the partition is the first in turn.
func TestRealLargeBatchHasItsTurn(t *testing.T) {
	cfg, _ := configFor(strings.Split(servertest.KafkaAddr(t), ",")...)
	topic, small := kept(t, cfg)
	s := narrow(t, cfg, topic)
	for read := 0; ; {
		fetch, err := s.Poll(bounded(t), 10, pollWait)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range fetch.Batches {
			if b.Partition == 1 {
				if read > small/2 {
					t.Errorf("it came after %d of %d others", read, small)
				}
				return
			}
			read += len(b.Messages)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// TestRealAfterATransaction: behind its last message is a mark, and when that was read nothing is left.
func TestRealAfterATransaction(t *testing.T) {
	cfg, _ := configFor(strings.Split(servertest.KafkaAddr(t), ",")...)
	topic := topicsFor(t, cfg, 1, "spans")[0]
	client, err := kgo.NewClient(kgo.SeedBrokers(cfg.Brokers...), kgo.TransactionalID(t.Name()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := client.ProduceSync(bounded(t), &kgo.Record{Topic: topic, Value: []byte("one")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	if err := client.EndTransaction(bounded(t), kgo.TryCommit); err != nil {
		t.Fatal(err)
	}
	s := narrow(t, cfg, topic)
	for read := 0; read == 0; {
		fetch, err := s.Poll(bounded(t), 10, pollWait)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range fetch.Batches {
			read += len(b.Messages)
			if len(b.Messages) != 1 || string(b.Messages[0].Value) != "one" {
				t.Errorf("read %v, want what was committed alone", b.Messages)
			}
		}
	}
	if s.touch.more(0) {
		t.Error("it is known to have more")
	}
	admin := administrator(t, cfg)
	ends, err := admin.ListEndOffsets(bounded(t), topic)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := admin.DeleteRecords(bounded(t), ends.Offsets()); err != nil {
		t.Fatal(err)
	}
	other, err := kgo.NewClient(kgo.SeedBrokers(cfg.Brokers...))
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := other.ProduceSync(bounded(t), &kgo.Record{Topic: topic, Value: []byte("two")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	for read := 0; read == 0; {
		fetch, err := s.Poll(bounded(t), 10, pollWait)
		if err != nil {
			t.Fatal(err)
		}
		if len(fetch.Gaps) > 0 {
			t.Errorf("the mark is taken for a message that is missing: %v", fetch.Gaps)
		}
		for _, b := range fetch.Batches {
			read += len(b.Messages)
		}
	}
}
