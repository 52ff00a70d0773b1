package pipeline

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"sluice/buffer"
	"sluice/buffer/redisstore"
	"sluice/consumer/ingest"
)

// fakeStore is on a Redis in this process.
func fakeStore(t *testing.T) *redisstore.Store {
	t.Helper()
	c := redisstore.DefaultConfig()
	c.Addresses = []string{miniredis.RunT(t).Addr()}
	store, err := redisstore.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	return store
}

// TestDepthsDuringAnOutageOfTheInput: the shard's clock stops soon after the input was last seen, so nothing
// is due for a worker, however long it lasts. Input that comes later than a deadline makes it overdue.
func TestDepthsDuringAnOutageOfTheInput(t *testing.T) {
	store := fakeStore(t)
	const shard, unseen, outage = buffer.Shard(3), 2 * time.Second, 5 * time.Minute
	began := buffer.InstantOf(noon)
	enqueue := func(update buffer.QueueUpdate) {
		t.Helper()
		if err := store.Enqueue(t.Context(), shard, update); err != nil {
			t.Fatal(err)
		}
	}
	is := func(now, wall buffer.Instant, due int64, overdue time.Duration) {
		t.Helper()
		found, err := view{wall: wall, unseen: unseen}.depths(t.Context(), store, []buffer.Shard{shard})
		d := found[shard]
		if err != nil || d.Queued != 1 || d.Due != due || d.Overdue != overdue || d.Now != now {
			t.Errorf("%+v, %v; want one queued, %d due for %v, by %v", d, err, due, overdue, now)
		}
	}
	enqueue(buffer.QueueUpdate{Clock: began, Wall: began, Seen: began, Due: []buffer.Due{{
		Generation: buffer.Generation{Segment: buffer.SpanID{1}}, Deadline: began.Add(10 * time.Second),
	}}})
	is(began, began.Add(outage), 0, 0)
	fenced, err := store.Fence(t.Context(), shard, buffer.AnyEpoch)
	if err == nil {
		_, err = store.Lease(t.Context(), fenced.Owner, began.Add(unseen), 10)
	}
	if err != nil {
		t.Fatal(err)
	}
	is(began.Add(unseen), began.Add(outage), 0, 0) // as far as the worker got
	began = began.Add(outage)
	enqueue(buffer.QueueUpdate{Clock: began, Wall: began, Seen: began})
	is(began, began, 1, outage-10*time.Second)
}

// TestDepthsWhileAWorkerIsDown: its input pauses, so that neither batches nor ticks nor the worker move the
// clock on. What falls due meanwhile is overdue all the same, for as long as it is, also in a shard that was
// quiet before. If only Redis is full, input is seen, and the clock is as it was.
func TestDepthsWhileAWorkerIsDown(t *testing.T) {
	store := fakeStore(t)
	const busy, quiet, fresh, unseen = buffer.Shard(0), buffer.Shard(1), buffer.Shard(2), 2 * time.Second
	began := buffer.InstantOf(noon)
	enqueue := func(shard buffer.Shard, update buffer.QueueUpdate) {
		t.Helper()
		if err := store.Enqueue(t.Context(), shard, update); err != nil {
			t.Fatal(err)
		}
	}
	due := []buffer.Due{{Generation: buffer.Generation{Segment: buffer.SpanID{1}}, Deadline: began.Add(10 * time.Second)}}
	enqueue(busy, buffer.QueueUpdate{Clock: began, Wall: began, Seen: began, Due: due})
	enqueue(quiet, buffer.QueueUpdate{Clock: began, Wall: began, Seen: began, Due: due})
	enqueue(quiet, buffer.QueueUpdate{Tick: true, Wall: began.Add(4 * time.Second)})
	paused := began.Add(5 * time.Second)
	enqueue(busy, buffer.QueueUpdate{Clock: paused, Wall: paused, Seen: paused})
	is := func(shard buffer.Shard, after time.Duration, paused map[buffer.Shard]buffer.Instant, overdue time.Duration) {
		t.Helper()
		v := view{wall: began.Add(after), unseen: unseen, paused: paused}
		found, err := v.depths(t.Context(), store, []buffer.Shard{shard})
		if d := found[shard]; err != nil || d.Overdue != overdue || (d.Due == 1) != (overdue > 0) {
			t.Errorf("shard %d after %v: %+v, %v; want overdue for %v", shard, after, d, err, overdue)
		}
	}
	by := map[buffer.Shard]buffer.Instant{busy: paused, quiet: paused, fresh: paused}
	is(busy, 9*time.Second, by, 0)
	is(busy, time.Hour, by, time.Hour-10*time.Second)
	is(busy, time.Hour, nil, 0)
	is(quiet, time.Hour, by, time.Hour-15*time.Second) // its clock stood from the last Lease to the pause
	is(fresh, time.Hour, by, 0)

	// Where brokers answered, the ticks count that came before the pause: it does not jump back then.
	v := view{wall: began.Add(time.Hour), unseen: unseen, paused: by, answered: noon.Add(-time.Hour)}
	found, err := v.depths(t.Context(), store, []buffer.Shard{quiet})
	if want := time.Hour - 11*time.Second; err != nil || found[quiet].Overdue != want {
		t.Errorf("%+v, %v; want overdue for %v", found, err, want)
	}

	// The brokers were away: what was not seen in that time does not count, nor do ticks while Redis is full.
	by[quiet] = began.Add(30 * time.Minute)
	is(quiet, time.Hour, by, 30*time.Minute-10*time.Second)
	enqueue(quiet, buffer.QueueUpdate{Tick: true, Wall: began.Add(time.Hour)})
	is(quiet, time.Hour, by, 0)
}

// TestDepthsWhileAWorkerWaits: one that waits for an answer leases nothing, and its input is not paused yet. What
// falls due by the ticks is overdue all the same, but not what brokers did not answer for.
func TestDepthsWhileAWorkerWaits(t *testing.T) {
	began := buffer.InstantOf(noon)
	for _, c := range []struct {
		drift, answered, seen, want time.Duration
	}{
		{0, -time.Hour, time.Minute, time.Minute},
		{-time.Hour, -time.Hour, time.Minute, time.Minute},
		{0, 40 * time.Second, time.Minute, 20 * time.Second},
		{0, 2 * time.Minute, time.Minute, 0},
		{0, -time.Hour, -time.Minute, 0},
	} {
		clock := buffer.ShardClock{Now: began.Add(c.drift), Drift: c.drift, Inputs: 1, Seen: began}
		now := view{answered: noon.Add(c.answered)}.ticked(clock, clock.Now, began.Add(c.seen))
		if got := now.Sub(clock.Now); got != c.want {
			t.Errorf("%+v: it runs on by %v", c, got)
		}
	}
	clock := buffer.ShardClock{Now: began, Inputs: 1, Seen: began}
	if (view{}).ticked(clock, began, began.Add(time.Minute)) != began {
		t.Error("it runs on though no broker answers")
	}
	clock.Seen = 0
	if (view{answered: noon.Add(-time.Hour)}).ticked(clock, began, began.Add(time.Minute)) != began {
		t.Error("it runs on though the input does not tick")
	}
}

// TestClocksRunOnWhileOnlyWePause: not in an outage of the brokers, and after one only from its end.
func TestClocksRunOnWhileOnlyWePause(t *testing.T) {
	began := buffer.InstantOf(noon)
	partitions := []ingest.PartitionCounters{
		{Partition: 0, Assigned: true},
		{Partition: 1, Assigned: true, Paused: "worker 1 is down", PausedAt: began},
		{Partition: 2, Paused: "worker 2 is down", PausedAt: began},
	}
	for _, test := range []struct {
		answered time.Time
		want     map[buffer.Shard]buffer.Instant
	}{
		{time.Time{}, nil},
		{noon.Add(-time.Hour), map[buffer.Shard]buffer.Instant{1: began}},
		{noon.Add(time.Hour), map[buffer.Shard]buffer.Instant{1: began.Add(time.Hour)}},
	} {
		shards, paused := assigned(partitions, test.answered)
		if !slices.Equal(shards, []buffer.Shard{0, 1}) || !maps.Equal(paused, test.want) {
			t.Errorf("answered since %v: shards %v, paused %v; want 0 and 1, and %v",
				test.answered, shards, paused, test.want)
		}
	}
}
