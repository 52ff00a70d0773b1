package harness

import (
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
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
	r := &run{
		servers: &world{endpoints: endpoints{
			redis: []string{redis.Addr()}, namespace: "run", input: "in", group: "readers",
		}},
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
	wants := func(when string, waiting int64, keys int, hopeless bool) {
		t.Helper()
		left := r.remains(t.Context())
		if left.Err != nil || left.Waiting != waiting || len(left.Keys) != keys ||
			left.Hopeless() != hopeless {
			t.Errorf("%s: %+v (%v), hopeless %v; want %d waiting, %d keys, hopeless %v", when, left,
				left.Err, left.Hopeless(), waiting, keys, hopeless)
		}
	}
	wants("nothing is committed", 10, 0, false)
	commit(0, 4)
	wants("a part is committed", 6, 0, false)
	commit(0, 5)
	commit(1, 5)
	wants("all is committed", 0, 0, true)
	for key, value := range map[string]string{"run:t:1": "span", "run:{1}:owner": "2", "other:{1}:queue": "x"} {
		if err := redis.Set(key, value); err != nil {
			t.Fatal(err)
		}
	}
	wants("a span is in no queue", 0, 1, true)
	for _, name := range []string{"queue", "leased"} {
		key := "run:{1}:" + name
		if err := redis.Set(key, "x"); err != nil {
			t.Fatal(err)
		}
		wants("a span is in "+name, 0, 2, false)
		redis.Del(key)
	}
	redis.Close()
	if left := r.remains(t.Context()); left.Err == nil || left.Hopeless() {
		t.Errorf("without redis: %+v, hopeless %v", left, left.Hopeless())
	}
}
