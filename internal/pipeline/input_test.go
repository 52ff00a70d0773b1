package pipeline

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

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
	p := &Pipeline{store: store, log: slog.New(slog.NewTextHandler(&out, nil))}
	p.cfg.Redis.Addresses, p.cfg.Redis.Namespace = cfg.Addresses, cfg.Namespace
	return p, &out
}

// TestStartsSayWhatIsWrong: where Redis and the group disagree, it is said who has lost something, and only
// what is certain: without spans the group goes ahead of Redis, too.
func TestStartsSayWhatIsWrong(t *testing.T) {
	p, out := starting(t, 100, 100, 100, 100, 100, 100)
	p.onStarts(t.Context(), []kafkaio.Start{
		{Partition: 0, Offset: 100, Queued: true}, {Partition: 1, Offset: 120},
		{Partition: 2, Offset: 130, Queued: true}, {Partition: 3, Offset: 120, Set: true},
		{Partition: 4, Offset: 101, Queued: true}, {Partition: 5, None: true},
		{Partition: 6, Offset: 7}, {Partition: 7, None: true},
	})
	want := []string{
		"set ahead: messages in between are not read\" partition=3 from=100 to=120 messages=20",
		"redis knows nothing of partitions", "or the slice is a new one", "partitions=[6] namespace=sluice: slice=\"\"",
		"If another topic was read into this namespace before", "partition=5 from=100 to=0",
		"level=ERROR msg=\"redis is behind what the group has committed",
		"partitions=\"[2 4]\" from=\"[100 100]\" to=\"[130 101]\" messages=31",
	}
	for _, text := range want {
		if strings.Count(out.String(), text) != 1 {
			t.Errorf("%q is not said once", text)
		}
	}
	if lines := strings.Count(out.String(), "\n"); lines != 4 || p.setBacks.losses != 1 {
		t.Errorf("%d lines and %d losses, want 4 and 1", lines, p.setBacks.losses)
	}
	if t.Failed() {
		t.Log(out.String())
	}
}

// TestASliceThatNobodyServesIsSaid: when the last consumer of another slice has gone, nobody flushes what it
// left; it is said once, each time. While the brokers or Redis are away nobody's input moves on; and one shard
// whose input does, though nothing waits there, is enough to know that somebody serves the slice.
func TestASliceThatNobodyServesIsSaid(t *testing.T) {
	p, out := starting(t)
	queue := func(slice string, seen time.Time, shards buffer.Shard) {
		t.Helper()
		cfg := redisstore.DefaultConfig()
		cfg.Addresses, cfg.Slice = p.cfg.Redis.Addresses, slice
		store, err := redisstore.Open(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		update := buffer.QueueUpdate{Clock: buffer.Seconds(1), Wall: buffer.Seconds(1), Seen: buffer.InstantOf(seen)}
		for shard := range shards {
			if shard > 0 && slice != "empty" {
				update.Due = []buffer.Due{{Generation: buffer.Generation{Segment: buffer.SpanID{1}}, Deadline: 9}}
			}
			if err := store.Enqueue(t.Context(), shard, update); err != nil {
				t.Fatal(err)
			}
		}
	}
	long := time.Now().Add(-time.Hour)
	queue("gone", long, 3)
	queue("empty", long, 3)
	queue("served", long, 3)          // long ago by our clock
	queue(p.cfg.Redis.Slice, long, 3) // ours
	inTouch := true
	p.others.inTouch = func() bool { return inTouch }
	audit := rounds{p.store, p.onRound, p.others.pause}
	seen := func(slice string) {
		t.Helper()
		long = long.Add(time.Second)
		queue(slice, long, 1)
	}
	round := func(later time.Duration) { // after the one before
		t.Helper()
		seen("served")
		p.others.looked = time.Time{}
		for slice, s := range p.others.stands {
			if !s.since.IsZero() {
				s.since = s.since.Add(-later)
			}
			p.others.stands[slice] = s
		}
		for from := ""; ; {
			swept, err := audit.Sweep(t.Context(), from, 10)
			if err != nil {
				t.Fatal(err)
			}
			if from = swept.Next; from == "" {
				break
			}
		}
	}
	said := func(why string, times int) {
		t.Helper()
		if text := out.String(); strings.Count(text, "\n") != times ||
			strings.Count(text, "slice=gone segments=2 ") != times {
			t.Fatalf("%s: want %d lines, each of slice gone and its 2 segments:\n%s", why, times, text)
		}
	}
	round(0)
	said("at first sight it may be about to start", 0)
	inTouch = false
	round(forsakenAfter)
	inTouch = true
	round(forsakenAfter)
	said("the brokers were away", 0)
	if _, err := audit.Sweep(t.Context(), p.cfg.Redis.Addresses[0]+" nowhere", 10); err == nil {
		t.Error("a sweep from nowhere does not fail")
	}
	round(forsakenAfter)
	said("redis was away", 0)
	round(forsakenAfter)
	round(forsakenAfter)
	said("nobody came", 1)
	seen("gone")
	round(forsakenAfter)
	said("somebody came", 1)
	round(forsakenAfter)
	said("and left again", 2)
}

// TestALossIsSaidOnce: a partition that comes back is as far behind as before until its next batch, and what
// the audit has seen is not found again in the offsets.
func TestALossIsSaidOnce(t *testing.T) {
	at := func(partition int32) []kafkaio.Start {
		return []kafkaio.Start{{Partition: partition, Offset: 130, Queued: true}}
	}
	p, out := starting(t, 100, 100, 100)
	setBack := func(partition int32) {
		t.Helper()
		err := p.store.Enqueue(t.Context(), buffer.Shard(partition), buffer.QueueUpdate{Next: 100})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, partition := range []int32{0, 0, 1} {
		p.onStarts(t.Context(), at(partition))
		setBack(partition) // as if it had taken no note
	}
	p.onAudit(consumer.AuditEvent{Loss: &consumer.Loss{Possible: true}})
	p.onStarts(t.Context(), at(0))
	if said := strings.Count(out.String(), "redis is behind"); said != 2 || p.setBacks.losses != 1 {
		t.Errorf("said %d times and %d losses, want once of each partition, and one:\n%v",
			said, p.setBacks.losses, out)
	}
	p.onAudit(consumer.AuditEvent{Loss: &consumer.Loss{}})
	p.onStarts(t.Context(), at(2))
	if said := strings.Count(out.String(), "redis is behind"); said != 2 || p.setBacks.losses != 1 {
		t.Errorf("what the audit has said is said again:\n%v", fmt.Sprint(out))
	}
}

// TestAWipeIsOneLoss: a Redis that was wiped knows nothing of a partition, also when a worker has fenced it
// and no batch has come: that is said once of each, with no number of messages, and is one loss if Redis is
// known to have been told of something. Under a new slice nothing is lost, and it need not be known.
func TestAWipeIsOneLoss(t *testing.T) {
	p, out := starting(t)
	for shard := range buffer.Shard(3) {
		if _, err := p.store.Fence(t.Context(), shard, buffer.AnyEpoch); err != nil {
			t.Fatal(err)
		}
	}
	at := func(queued bool, partitions ...int32) {
		var starts []kafkaio.Start
		for _, number := range partitions {
			starts = append(starts, kafkaio.Start{Partition: number, Offset: 4_000_000_000, Queued: queued})
		}
		p.onStarts(t.Context(), starts)
	}
	said := func(lines int, losses uint64) {
		t.Helper()
		if n := strings.Count(out.String(), "redis knows nothing"); n != lines || p.setBacks.losses != losses {
			t.Errorf("said %d times and %d losses, want %d and %d", n, p.setBacks.losses, lines, losses)
		}
	}
	at(false, 0, 6)
	said(1, 0)
	at(true, 0, 1, 7)
	said(2, 1)
	at(true, 0, 1, 6, 7)
	said(2, 1)
	at(true, 2)
	said(3, 1)
	for _, text := range []string{"partitions=[6]", "partitions=\"[0 1 7]\"", "partitions=[2]"} {
		if strings.Count(out.String(), text) != 1 {
			t.Errorf("%q is not said once", text)
		}
	}
	if strings.Contains(out.String(), "messages=") || strings.Contains(out.String(), "redis is behind") {
		t.Error("it is said how much is lost, which nobody knows")
	}
	if t.Failed() {
		t.Log(out.String())
	}
}

// TestALossIsSaidByOneMember: who gets a partition later does not find again what was said, whether it was
// set back or forgotten; what is set back once more is said once more. An offset that is ahead stays.
func TestALossIsSaidByOneMember(t *testing.T) {
	p, out := starting(t, 100, 100, 140)
	starts := func(p *Pipeline) {
		p.onStarts(t.Context(), []kafkaio.Start{
			{Partition: 0, Offset: 130, Queued: true}, {Partition: 1, Offset: 120},
			{Partition: 2, Offset: 130}, {Partition: 3, Offset: 130, Queued: true}, {Partition: 4, Offset: 5},
		})
	}
	said := func(p *Pipeline, behind, forgot int, losses uint64) {
		t.Helper()
		text := out.String()
		if strings.Count(text, "redis is behind") != behind || strings.Count(text, "redis knows nothing") != forgot ||
			p.setBacks.losses != losses {
			t.Errorf("%d losses, want %d; want it said %d and %d times:\n%s", p.setBacks.losses, losses, behind, forgot, text)
		}
	}
	starts(p)
	said(p, 1, 1, 1)
	if _, err := p.store.Fence(t.Context(), 4, buffer.AnyEpoch); err != nil { // as its worker does
		t.Fatal(err)
	}
	second := &Pipeline{store: p.store, log: p.log}
	starts(second)
	said(second, 1, 1, 0)
	left, err := p.store.Positions(t.Context(), []buffer.Shard{0, 1, 2, 3, 4})
	if err != nil || left[0].Next != 130 || left[1].Next != 100 || left[2].Next != 140 || left[3].Next != 130 ||
		left[4].Next != 0 {
		t.Errorf("%v, %v; want 130 and 130 where the loss is certain, and the others as they were", left, err)
	}
	if err := p.store.Advance(t.Context(), map[buffer.Shard]int64{2: 130}); err != nil {
		t.Fatal(err)
	}
	if left, err = p.store.Positions(t.Context(), []buffer.Shard{2}); err != nil || left[2].Next != 140 {
		t.Errorf("%v, %v; want the offset that is ahead to stay", left, err)
	}
	if err := p.store.Enqueue(t.Context(), 0, buffer.QueueUpdate{Next: 90}); err != nil {
		t.Fatal(err)
	}
	starts(second)
	said(second, 2, 1, 1)
}
