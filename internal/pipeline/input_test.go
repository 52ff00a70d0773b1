package pipeline

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/alicebob/miniredis/v2"

	"sluice/buffer"
	"sluice/buffer/redisstore"
	"sluice/consumer"
	"sluice/internal/kafkaio"
	"sluice/internal/syncbuf"
)

// starting is a pipeline whose Redis was told of the first shards up to these offsets.
func starting(t *testing.T, next ...int64) (*Pipeline, *syncbuf.Buffer) {
	t.Helper()
	cfg := redisstore.DefaultConfig()
	cfg.Addresses = []string{miniredis.RunT(t).Addr()}
	store, err := redisstore.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	for shard, offset := range next {
		err := store.Enqueue(t.Context(), buffer.Shard(shard), buffer.QueueUpdate{
			Clock: buffer.Seconds(1), Wall: buffer.Seconds(1), Next: offset,
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	var out syncbuf.Buffer
	return &Pipeline{store: store, log: slog.New(slog.NewTextHandler(&out, nil))}, &out
}

// TestStartsSayWhatIsWrong: where Redis and the group disagree, it is said who has lost something, and only
// what is certain: without spans the group goes ahead of Redis, too.
func TestStartsSayWhatIsWrong(t *testing.T) {
	p, out := starting(t, 100, 100, 100, 100, 100)
	p.onStarts(t.Context(), []kafkaio.Start{
		{Partition: 0, Offset: 100, Queued: true}, {Partition: 1, Offset: 120},
		{Partition: 2, Offset: 130, Queued: true}, {Partition: 3, Offset: 120, Set: true},
		{Partition: 4, Offset: 101, Queued: true}, {Partition: 5, Offset: 7}, {Partition: 6, None: true},
	})
	want := []string{
		"set ahead: messages in between are not read\" partition=3 from=100 to=120 messages=20",
		"redis knows nothing of partitions", "partitions=[5]",
		"level=ERROR msg=\"redis is behind what the group has committed",
		"partitions=\"[2 4]\" from=\"[100 100]\" to=\"[130 101]\" messages=31",
	}
	for _, text := range want {
		if strings.Count(out.String(), text) != 1 {
			t.Errorf("%q is not said once", text)
		}
	}
	if lines := strings.Count(out.String(), "\n"); lines != 3 || p.setBacks.losses != 1 {
		t.Errorf("%d lines and %d losses, want 3 and 1", lines, p.setBacks.losses)
	}
	if t.Failed() {
		t.Log(out.String())
	}
}

// TestALossIsSaidOnce: a partition that comes back is as far behind as before until its next batch, and what
// the audit has seen is not found again in the offsets.
func TestALossIsSaidOnce(t *testing.T) {
	at := func(partition int32) []kafkaio.Start {
		return []kafkaio.Start{{Partition: partition, Offset: 130, Queued: true}}
	}
	p, out := starting(t, 100, 100, 100)
	for _, partition := range []int32{0, 0, 1} {
		p.onStarts(t.Context(), at(partition))
	}
	p.onAudit(consumer.AuditEvent{Loss: &consumer.Loss{Possible: true}})
	p.onStarts(t.Context(), at(0))
	if said := strings.Count(out.String(), "redis is behind"); said != 2 || p.setBacks.losses != 2 {
		t.Errorf("said %d times and %d losses, want once of each partition:\n%v", said, p.setBacks.losses, out)
	}
	p.onAudit(consumer.AuditEvent{Loss: &consumer.Loss{}})
	p.onStarts(t.Context(), at(2))
	if said := strings.Count(out.String(), "redis is behind"); said != 2 || p.setBacks.losses != 2 {
		t.Errorf("what the audit has said is said again:\n%v", fmt.Sprint(out))
	}
}
