package wall

import (
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/buffer"
	"sluice/buffer/redisstore"
)

// A run is hopeless once the group has committed all of the input and no queue names anything, and
// only if both are known.
func TestRemains(t *testing.T) {
	redis := miniredis.RunT(t)
	kafka, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(2, "in"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(kafka.Close)
	client, err := kgo.NewClient(kgo.SeedBrokers(kafka.ListenAddrs()...),
		kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	for i := range 10 {
		record := &kgo.Record{Topic: "in", Partition: int32(i % 2), Value: []byte("x")}
		if err := client.ProduceSync(t.Context(), record).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	s := &System{
		endpoints: endpoints{
			redis: []string{redis.Addr()},
			names: names{namespace: "run", input: "in", group: "readers"},
		},
		collector: &collector{client: client},
	}
	commit := func(partition int32, at int64) {
		t.Helper()
		offsets := kadm.Offsets{}
		offsets.AddOffset("in", partition, at, -1)
		if err := kadm.NewClient(client).CommitAllOffsets(t.Context(), "readers", offsets); err != nil {
			t.Fatal(err)
		}
	}
	wants := func(when string, waiting int64, held int, hopeless bool) {
		t.Helper()
		left := s.Remains(t.Context())
		if left.Err != nil || left.Waiting != waiting || len(left.Store.Held) != held ||
			left.Hopeless() != hopeless {
			t.Errorf("%s: %+v (%v), hopeless %v; want %d waiting, %d held, hopeless %v", when, left,
				left.Err, left.Hopeless(), waiting, held, hopeless)
		}
	}
	wants("nothing is committed", 10, 0, false)
	commit(0, 4)
	wants("a part is committed", 6, 0, false)
	commit(0, 5)
	commit(1, 5)
	wants("all is committed", 0, 0, true)
	c := redisstore.DefaultConfig()
	c.Addresses, c.Namespace = []string{redis.Addr()}, "run"
	store, err := redisstore.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	step := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	span := buffer.Span{ID: buffer.SpanID{1}, Parent: buffer.SpanID{1}, Root: true, Size: 1}
	delivery := buffer.Delivery{ID: buffer.DeliveryID{Partition: 1, Number: 1}}
	attached, err := store.Attach(t.Context(), delivery, []buffer.TraceBatch{
		{Subtrees: []buffer.Subtree{{Parent: span.ID, Spans: []buffer.Span{span}}}}})
	step(attached, err)
	wants("a span is in no queue", 0, 1, true)
	named := attached[0].Live[0].Generation
	step(nil, store.Enqueue(t.Context(), 1, buffer.QueueUpdate{Due: []buffer.Due{{Generation: named}}}))
	wants("a span is queued", 0, 1, false)
	fenced, err := store.Fence(t.Context(), 1, buffer.AnyEpoch)
	step(fenced, err)
	step(store.Lease(t.Context(), fenced.Owner, buffer.Seconds(1), 1))
	wants("a span is leased", 0, 1, false)
	step(nil, store.Release(t.Context(), fenced.Owner,
		buffer.Release{Done: []buffer.Generation{named}}))
	wants("a span is in no queue any more", 0, 1, true)
	redis.Close()
	if left := s.Remains(t.Context()); left.Err == nil || left.Hopeless() {
		t.Errorf("without redis: %+v, hopeless %v", left, left.Hopeless())
	}
}
