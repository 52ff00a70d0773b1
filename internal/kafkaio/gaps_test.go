package kafkaio

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/flusher"
	"sluice/internal/servers/servertest"
)

// deleteUntil deletes the messages of a partition below an offset.
func deleteUntil(t *testing.T, cfg Config, topic string, partition int32, offset int64) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(cfg.Brokers...))
	if err != nil {
		t.Fatal(err)
	}
	admin := kadm.NewClient(client)
	defer admin.Close()
	offsets := make(kadm.Offsets)
	offsets.AddOffset(topic, partition, offset, -1)
	answers, err := admin.DeleteRecords(bounded(t), offsets)
	if err == nil {
		err = answers.Error()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Messages are deleted before the group comes back, and again while it does not read: each gap is
// said once, with its bounds, and what is left is read.
func TestRealMessagesDeletedUnread(t *testing.T) {
	cfg, _ := configFor(strings.Split(servertest.KafkaAddr(t), ",")...)
	topic := topicsFor(t, cfg, 1, "spans")[0]
	mine := func(sc *SourceConfig) { sc.Topic, sc.Group = topic, t.Name() }
	load(t, cfg, topic, 0, 10, 0)
	first := source(t, cfg, mine)
	read := poll(t, first, 100, 10)[0]
	if err := first.Commit(bounded(t), []flusher.Message{read[9]}); err != nil {
		t.Fatal(err)
	}
	first.Close()
	load(t, cfg, topic, 10, 20, 0)
	deleteUntil(t, cfg, topic, 0, 25)

	second := source(t, cfg, mine)
	got, gaps := pollAll(t, second, 100, 5)
	if got[0][0].Position.Offset != 25 {
		t.Errorf("it goes on at %d, want 25", got[0][0].Position.Offset)
	}
	is := func(gaps []flusher.Gap, from, to int64) {
		t.Helper()
		if diff := cmp.Diff([]flusher.Gap{{From: from, To: to}}, gaps); diff != "" {
			t.Error(diff)
		}
	}
	is(gaps, 10, 25)

	load(t, cfg, topic, 30, 1, 0)
	eventually(t, "one message is fetched, and no more before it is polled", func() bool {
		return second.client.BufferedFetchRecords() == 1
	})
	load(t, cfg, topic, 31, 19, 0)
	deleteUntil(t, cfg, topic, 0, 45)
	got, gaps = pollAll(t, second, 100, 6)
	if got[0][0].Position.Offset != 30 || got[0][1].Position.Offset != 45 {
		t.Errorf("it reads %d and %d, want what it had fetched and then 45", got[0][0].Position.Offset,
			got[0][1].Position.Offset)
	}
	is(gaps, 31, 45)
}

// TestReadBeforeTheFirstCommit: that the group has no offset of a partition is news unless this member had it
// before, without one, and committed nothing. Up to where it had read tells whether others have read on.
func TestReadBeforeTheFirstCommit(t *testing.T) {
	g := newGaps()
	none, five := kgo.NewOffset().At(-1), kgo.NewOffset().At(5)
	for i, step := range []struct {
		joined kgo.Offset
		before int64
		read   int64 // after that
		commit bool  // then
	}{
		{none, 0, 7, false}, {none, 7, 9, false}, {none, 9, 9, true}, {none, 0, 4, false}, {none, 4, 4, false},
		{five, 0, 8, false}, {none, 0, 3, false},
	} {
		g.joined(map[int32]kgo.Offset{3: step.joined})
		if got := g.readBefore(3); got != step.before {
			t.Errorf("step %d: read up to %d before, want %d", i, got, step.before)
		}
		records := []*kgo.Record{{Offset: step.read - 1}}
		g.read(kgo.FetchTopicPartition{FetchPartition: kgo.FetchPartition{Partition: 3, Records: records}}, records)
		if step.commit {
			g.commit(map[int32]kgo.EpochOffset{3: {Offset: step.read}})
		}
	}
}

// Of a partition of which the group has committed nothing, what is deleted after the member has joined
// and before it reads is a gap; what was deleted before is none that anybody could know of.
func TestRealMessagesDeletedBeforeTheFirstCommit(t *testing.T) {
	cfg, _ := configFor(strings.Split(servertest.KafkaAddr(t), ",")...)
	topic := topicsFor(t, cfg, 1, "spans")[0]
	load(t, cfg, topic, 0, 5, 0)
	deleteUntil(t, cfg, topic, 0, 5)
	joined := make(chan []Start, 1)
	s := source(t, cfg, func(sc *SourceConfig) {
		sc.Topic, sc.Group = topic, t.Name()
		sc.Starts = func(_ context.Context, starts []Start) {
			load(t, cfg, topic, 5, 10, 0)
			deleteUntil(t, cfg, topic, 0, 12)
			joined <- starts
		}
	})
	_, gaps := pollAll(t, s, 100, 3)
	if starts := <-joined; len(starts) != 1 || !starts[0].None || starts[0].Offset != 5 {
		t.Errorf("it starts at %+v, want 5", starts)
	}
	if diff := cmp.Diff([]flusher.Gap{{From: 5, To: 12}}, gaps); diff != "" {
		t.Error(diff)
	}
}

// What a transaction did not commit is not read, and the offsets that it takes are no gap.
func TestRealTransactions(t *testing.T) {
	cfg, _ := configFor(strings.Split(servertest.KafkaAddr(t), ",")...)
	topic := topicsFor(t, cfg, 1, "spans")[0]
	client, err := kgo.NewClient(kgo.SeedBrokers(cfg.Brokers...), kgo.TransactionalID(t.Name()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for i, end := range []kgo.TransactionEndTry{kgo.TryCommit, kgo.TryAbort, kgo.TryCommit} {
		if err := client.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		for range 5 {
			client.Produce(t.Context(), &kgo.Record{Topic: topic, Value: fmt.Appendf(nil, "%d", i)}, nil)
		}
		if err := client.Flush(bounded(t)); err != nil {
			t.Fatal(err)
		}
		if err := client.EndTransaction(bounded(t), end); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		uncommitted bool
		want        []string
	}{{false, []string{"0", "2"}}, {true, []string{"0", "1", "2"}}} {
		s := source(t, cfg, func(sc *SourceConfig) {
			sc.Topic, sc.Group = topic, fmt.Sprint(t.Name(), c.uncommitted)
			sc.Uncommitted = c.uncommitted
		})
		messages, gaps := pollAll(t, s, 100, 5*len(c.want))
		if len(gaps) > 0 {
			t.Errorf("a transaction is taken for a gap: %v", gaps)
		}
		for i, m := range messages[0] {
			if i/5 >= len(c.want) || string(m.Value) != c.want[i/5] {
				t.Errorf("message %d is of transaction %s, want five of each of %v", i, m.Value, c.want)
			}
		}
		s.Close()
	}
}

// Partitions that are added while the topic is read are read soon.
func TestRealPartitionsAdded(t *testing.T) {
	cfg, _ := configFor(strings.Split(servertest.KafkaAddr(t), ",")...)
	topic := topicsFor(t, cfg, 1, "spans")[0]
	load(t, cfg, topic, 0, 1, 0)
	s := source(t, cfg, func(sc *SourceConfig) { sc.Topic, sc.Group = topic, t.Name() })
	poll(t, s, 100, 1)
	client, err := kgo.NewClient(kgo.SeedBrokers(cfg.Brokers...))
	if err != nil {
		t.Fatal(err)
	}
	admin := kadm.NewClient(client)
	defer admin.Close()
	if _, err := admin.CreatePartitions(bounded(t), 2, topic); err != nil {
		t.Fatal(err)
	}
	// The broker answers once the controller has them; its own metadata may come a little later.
	for ctx, known := bounded(t), 0; known < 3; time.Sleep(10 * time.Millisecond) {
		topics, err := admin.ListTopics(ctx, topic)
		if err != nil {
			t.Fatal(err)
		}
		known = len(topics[topic].Partitions)
	}
	load(t, cfg, topic, 0, 3, 1, 2)
	got := poll(t, s, 100, 6)
	if len(got[1]) != 3 || len(got[2]) != 3 {
		t.Errorf("read %d and %d messages of the new partitions, want 3 of each", len(got[1]), len(got[2]))
	}
}

// What is unread is counted from what is committed, or from where the log begins by now.
func TestRealUnread(t *testing.T) {
	cfg, _ := configFor(strings.Split(servertest.KafkaAddr(t), ",")...)
	topic := topicsFor(t, cfg, 2, "spans")[0]
	client, err := kgo.NewClient(kgo.SeedBrokers(cfg.Brokers...))
	if err != nil {
		t.Fatal(err)
	}
	admin := kadm.NewClient(client)
	defer admin.Close()
	_, err = admin.AlterTopicConfigs(bounded(t), []kadm.AlterConfig{
		{Name: "retention.ms", Value: kadm.StringPtr("7200000")}}, topic)
	if err != nil {
		t.Fatal(err)
	}
	load(t, cfg, topic, 0, 10, 0)
	load(t, cfg, topic, 0, 4, 1)
	s := source(t, cfg, func(sc *SourceConfig) { sc.Topic, sc.Group = topic, t.Name() })
	messages := poll(t, s, 100, 14)
	is := func(want map[int32]Unread) {
		t.Helper()
		got, kept, err := s.Unread(bounded(t))
		if err != nil || fmt.Sprint(got) != fmt.Sprint(want) || kept != 2*time.Hour {
			t.Errorf("unread %v, kept for %v (%v), want %v and 2 h", got, kept, err, want)
		}
	}
	is(map[int32]Unread{0: {0, 0, 10}, 1: {0, 0, 4}})
	if at := s.Committed(); len(at) != 0 {
		t.Errorf("%v is committed, want nothing", at)
	}
	if err := s.Commit(bounded(t), []flusher.Message{messages[0][5], messages[1][3]}); err != nil {
		t.Fatal(err)
	}
	is(map[int32]Unread{0: {0, 6, 10}, 1: {0, 4, 4}})
	deleteUntil(t, cfg, topic, 0, 8)
	is(map[int32]Unread{0: {8, 8, 10}, 1: {0, 4, 4}})
	at := map[int32]int64{0: 6, 1: 4}
	if got := s.Committed(); !maps.Equal(got, at) {
		t.Errorf("%v is committed, want %v", got, at)
	}
	s.Close()
	again := source(t, cfg, func(sc *SourceConfig) { sc.Topic, sc.Group = topic, t.Name() })
	eventually(t, "the next member knows it before it commits", func() bool {
		if _, err := again.Poll(bounded(t), 10, pollWait); err != nil {
			t.Fatal(err)
		}
		return maps.Equal(again.Committed(), at)
	})
}
