package wall

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// What the group has not committed and what the collector has not entered is kept, and the rest is
// deleted a round later.
func TestTrimKeepsWhatIsToBeRead(t *testing.T) {
	topics := []string{"in", "out", "letters"}
	kafka, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(2, topics...))
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
	for _, topic := range topics {
		for i := range 20 {
			r := &kgo.Record{Topic: topic, Partition: int32(i % 2), Value: []byte("x")}
			if err := client.ProduceSync(t.Context(), r).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
	}
	s := &System{
		endpoints: endpoints{input: "in", output: "out", letters: "letters", group: "readers"},
		collector: &collector{client: client, next: map[string]map[int32]int64{"out": {}, "letters": {}}},
	}
	trim := &trimmer{System: s, admin: kadm.NewClient(client)}
	round := func(want map[string]int64) {
		t.Helper()
		trim.round(t.Context())
		for _, topic := range topics {
			for partition := range int32(2) {
				name := fmt.Sprintf("%s-%d", topic, partition)
				if begin := kafka.PartitionInfo(topic, partition).LogStartOffset; begin != want[name] {
					t.Errorf("%s begins at %d, want %d", name, begin, want[name])
				}
			}
		}
	}
	commit := func(at int64) {
		t.Helper()
		offsets := kadm.Offsets{}
		offsets.AddOffset("in", 0, at, -1)
		if err := trim.admin.CommitAllOffsets(t.Context(), "readers", offsets); err != nil {
			t.Fatal(err)
		}
	}
	round(nil) // there is no group
	round(nil)
	commit(4) // of one partition: the other has none
	s.collector.next["out"][1] = 7
	round(nil)
	commit(6)
	s.collector.next["letters"][0] = 10
	round(map[string]int64{"in-0": 4, "out-1": 7})
	want := map[string]int64{"in-0": 6, "out-1": 7, "letters-0": 10}
	round(want)
	commit(5) // an earlier one
	round(want)
	round(want)

	// A Kafka that fails ends nothing, and takes nothing back.
	commit(9)
	outage := kafka.Fault(kfake.Fault{Count: -1})
	round(want)
	outage.Remove()
	round(want)
	want["in-0"] = 9
	round(want)
}
