package kafkaio

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"sluice/flusher"
	"sluice/internal/servers/servertest"
)

// topicsFor creates topics of this test alone on the shared server.
func topicsFor(t *testing.T, cfg Config, partitions int32, names ...string) []string {
	t.Helper()
	for i := range names {
		names[i] = strings.ReplaceAll(t.Name(), "/", "-") + "-" + names[i]
	}
	if _, err := CreateTopics(bounded(t), cfg, partitions, 1, names...); err != nil {
		t.Fatal(err)
	}
	return names
}

func TestRealKafkaRoundTrip(t *testing.T) {
	cfg, _ := configFor(strings.Split(servertest.KafkaAddr(t), ",")...)
	topics := topicsFor(t, cfg, 3, "spans", "segments")
	if err := Check(bounded(t), cfg, topics...); err != nil {
		t.Fatal(err)
	}
	load(t, cfg, topics[0], 0, 1000, 0, 1, 2)
	s := source(t, cfg, func(sc *SourceConfig) { sc.Topic, sc.Group = topics[0], t.Name() })
	p := producer(t, cfg, topics[1])
	var futures []flusher.Future
	var last []flusher.Message
	for _, messages := range poll(t, s, 100, 3000) {
		for _, m := range messages {
			futures = append(futures, p.Produce(t.Context(), flusher.Record{
				Topic: topics[1], Key: fmt.Appendf(nil, "%d", m.Position.Partition), Value: m.Value,
			}))
		}
		last = append(last, messages[len(messages)-1])
	}
	if err := p.Flush(bounded(t)); err != nil {
		t.Fatal(err)
	}
	for _, f := range futures {
		if err := f.Wait(bounded(t)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Commit(bounded(t), last); err != nil {
		t.Error(err)
	}
	seen := make(map[string]bool)
	for _, record := range read(t, cfg, topics[1], 3000) {
		seen[string(record.Value)] = true
	}
	if len(seen) != 3000 {
		t.Errorf("%d different records, want 3000", len(seen))
	}
}

func TestRealKafkaRefusesWhatIsTooLarge(t *testing.T) {
	cfg, _ := configFor(strings.Split(servertest.KafkaAddr(t), ",")...)
	topic := topicsFor(t, cfg, 1, "segments")[0]
	p := producer(t, cfg, topic)
	largest := record(topic, p.RecordBytesMax(topic)-100)
	if err := p.Produce(t.Context(), largest).Wait(bounded(t)); err != nil {
		t.Errorf("a record of RecordBytesMax: %v", err)
	}
	err := p.Produce(t.Context(), record(topic, 3<<20)).Wait(bounded(t))
	if !errors.Is(err, flusher.ErrRecordTooLarge) {
		t.Errorf("3 MiB: %v, want ErrRecordTooLarge", err)
	}
}

func TestRealKafkaRebalance(t *testing.T) {
	cfg, _ := configFor(strings.Split(servertest.KafkaAddr(t), ",")...)
	topic := topicsFor(t, cfg, 4, "spans")[0]
	rebalance(t, cfg, topic, 0, 1, 2, 3)
}

// The server dies and comes back with its data: no record is lost or doubled, and the source reads
// on where it committed, whether or not the member lost its partitions meanwhile.
func TestRealKafkaOutage(t *testing.T) {
	server := servertest.NewKafka(t)
	cfg, book := configFor(server.Addr)
	topics := topicsFor(t, cfg, 2, "spans", "segments")
	load(t, cfg, topics[0], 0, 10, 0, 1)
	s := source(t, cfg, func(sc *SourceConfig) { sc.Topic, sc.Group = topics[0], t.Name() })
	p := producer(t, cfg, topics[1])
	got := poll(t, s, 100, 20)
	if err := s.Commit(bounded(t), []flusher.Message{got[0][9], got[1][9]}); err != nil {
		t.Fatal(err)
	}
	if err := p.Produce(t.Context(), record(topics[1], 10)).Wait(bounded(t)); err != nil {
		t.Fatal(err)
	}

	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	var futures []flusher.Future
	for range 100 {
		futures = append(futures, p.Produce(t.Context(), record(topics[1], 10)))
	}
	eventually(t, "both clients say that it is gone", func() bool {
		if _, err := s.Poll(t.Context(), 100, pollWait); err != nil {
			t.Fatal(err)
		}
		return book.count("cannot be reached") == 2
	})
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	for _, f := range futures {
		if err := f.Wait(bounded(t)); err != nil {
			t.Fatal(err)
		}
	}
	load(t, cfg, topics[0], 10, 1, 0)
	next := poll(t, s, 100, 1)[0]
	if len(next) != 1 || string(next[0].Value) != "0/10" {
		t.Errorf("reads on at %v", next)
	}
	if err := s.Commit(bounded(t), next); err != nil {
		t.Error(err)
	}
	if n := len(read(t, cfg, topics[1], 101)); n != 101 {
		t.Errorf("%d records, want 101", n)
	}
	if n := book.count("cannot be reached"); n != 2 {
		t.Errorf("said %d times by two clients:\n%s", n, book)
	}
}
