package pipeline

import (
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"sluice/buffer"
	"sluice/buffer/redisstore"
)

// TestDepthsDuringAnOutageOfTheInput: the shard's clock stops soon after the input was last seen, so nothing
// is due for a worker, however long it lasts. Input that comes later than a deadline makes it overdue.
func TestDepthsDuringAnOutageOfTheInput(t *testing.T) {
	c := redisstore.DefaultConfig()
	c.Addresses = []string{miniredis.RunT(t).Addr()}
	store, err := redisstore.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
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
		found, err := depths(t.Context(), store, []buffer.Shard{shard}, wall, unseen)
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
