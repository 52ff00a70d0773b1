package wall

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"

	"sluice/internal/harness"
	"sluice/internal/kafkaio"
	"sluice/internal/load"
	"sluice/scenarios"
)

// sending is a sender beside a Kafka of its own.
type sending struct {
	*sender
	kafka *kfake.Cluster
	addrs []string
}

const sendingPartitions = 4

// to are endpoints for a load to a topic.
func to(kafka []string, topic string) endpoints {
	return endpoints{kafka: kafka, names: names{input: topic}, connection: kafkaio.DefaultConfig(kafka...)}
}

func newSending(t *testing.T, s scenarios.Scenario) *sending {
	t.Helper()
	s.Topology.Partitions = sendingPartitions
	kafka, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(sendingPartitions, "in"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(kafka.Close)
	g := load.NewGenerator(s)
	out := &sending{kafka: kafka, addrs: kafka.ListenAddrs()}
	out.sender, err = newSender(&System{
		endpoints: to(out.addrs, "in"),
		setup:     harness.Setup{Scenario: s, Load: g, Sink: harness.NewSink(s, g, nil)},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(out.sender.close)
	return out
}

// received returns everything that is in the topic, partition by partition in its order.
func (s *sending) received(t *testing.T) []*kgo.Record {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(s.addrs...), kgo.ConsumeTopics("in"),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ends, err := kadm.NewClient(client).ListEndOffsets(t.Context(), "in")
	if err != nil {
		t.Fatal(err)
	}
	missing := int64(0)
	ends.Each(func(end kadm.ListedOffset) { missing += end.Offset })
	var records []*kgo.Record
	for int64(len(records)) < missing {
		fetches := client.PollFetches(t.Context())
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		records = append(records, fetches.Records()...)
	}
	slices.SortStableFunc(records, func(a, b *kgo.Record) int {
		return int(a.Partition - b.Partition)
	})
	return records
}

// brisk is a load of 200 ms.
func brisk() scenarios.Scenario {
	s := scenarios.Default()
	s.Duration = 200 * time.Millisecond
	s.Workload.Rate.From = 10_000
	s.Workload.Duplicates, s.Workload.Bad, s.Workload.Headless = 0.05, 0.05, 0.1
	s.Workload.Disorder = 0.2
	return s
}

// TestTheSameIsSentByAnyNumberOfProducers compares what arrives, and the order in each trace.
func TestTheSameIsSentByAnyNumberOfProducers(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	var first []string
	for _, producers := range []int{1, 3} {
		t.Run(fmt.Sprint(producers), func(t *testing.T) {
			s := brisk()
			s.Workload.Producers = producers
			sending := newSending(t, s)
			if err := sending.run(t.Context(), time.Now()); err != nil {
				t.Fatal(err)
			}
			traces := map[string][]string{}
			messages, busy := 0, 0
			for _, r := range sending.received(t) {
				messages++
				key := string(r.Key)
				traces[key] = append(traces[key], fmt.Sprintf("%d %s", r.Partition, r.Value))
			}
			var all []string
			for key, trace := range traces {
				all = append(all, key+": "+strings.Join(trace, "\n"))
			}
			slices.Sort(all)
			if first == nil {
				first = all
			}
			if !slices.Equal(all, first) {
				t.Errorf("%d messages of %d keys, not the same as with one producer", messages, len(all))
			}
			for _, p := range sending.producers {
				if p.lag.messages > 0 {
					busy++
				}
			}
			balance := sending.sink.Ledger.Balance(0)
			if balance.Messages != int64(messages) || balance.BadSent == 0 || busy != producers {
				t.Errorf("%d messages arrived, %d producers sent; balance is %+v", messages, busy, balance)
			}
			if waiting, _ := sending.acks.state(); waiting != 0 || sending.acks.most.Load() == 0 {
				t.Errorf("%d messages wait", waiting)
			}
		})
	}
}

// TestAnOutageDelaysTheLoad refuses every message until all are long due, with a buffer that holds
// a few: nothing fails, and the delay is Kafka's fault.
func TestAnOutageDelaysTheLoad(t *testing.T) {
	s := brisk()
	s.Duration = 100 * time.Millisecond
	sending := newSending(t, s)
	const outage = 1500 * time.Millisecond
	start := time.Now()
	sending.kafka.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		if time.Since(start) > outage {
			return nil, nil, false
		}
		sending.kafka.KeepControl()
		return nil, errors.New("planted: the connection is cut"), true
	})
	sending.producers[0].bound(t, 50)
	if err := sending.run(t.Context(), start); err != nil {
		t.Fatal(err)
	}
	if arrived, sent := len(sending.received(t)), sending.sink.Ledger.Balance(0).Messages; int64(arrived) !=
		sent {
		t.Errorf("%d messages arrived of %d", arrived, sent)
	}
	text, limited := sending.limit()
	if limited || !strings.HasPrefix(text, "Kafka held the load up") {
		t.Errorf("the limit is %q, the harness' own: %v", text, limited)
	}
	if late := time.Duration(sending.behind.Load()); late < time.Second {
		t.Errorf("the load was only %v behind", late)
	}
}

// TestADeadKafkaEndsTheLoad lets Kafka go away, or fall silent, with room for all messages in the
// producers' buffers, or not.
func TestADeadKafkaEndsTheLoad(t *testing.T) {
	for _, c := range []struct {
		name   string
		silent bool
		buffer int
	}{
		{"gone, messages in the buffer", false, inFlightMax}, {"gone, messages at the door", false, 50},
		{"silent, messages in the buffer", true, inFlightMax}, {"silent, messages at the door", true, 50},
	} {
		t.Run(c.name, func(t *testing.T) {
			if !c.silent { // a kfake that is to be silent leaves goroutines behind
				defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
			}
			s := brisk()
			s.Workload.Producers = 2
			s.Expectations.DrainMax = 300 * time.Millisecond
			sending := newSending(t, s)
			for _, p := range sending.producers {
				p.bound(t, c.buffer)
			}
			if c.silent {
				over := make(chan struct{})
				defer close(over)
				sending.kafka.ControlKey(int16(kmsg.Produce),
					func(kmsg.Request) (kmsg.Response, error, bool) {
						sending.kafka.KeepControl()
						sending.kafka.SleepControl(func() { <-over })
						return nil, errors.New("planted: the connection is cut"), true
					})
			} else {
				sending.kafka.Close()
			}
			err := sending.run(t.Context(), time.Now())
			if err == nil || !strings.Contains(err.Error(), "for 300ms Kafka has acknowledged nothing, with ") {
				t.Errorf("the error is %v", err)
			}
			sending.close()
		})
	}
}

// bound gives the producer a buffer of so many messages.
func (p *producer) bound(t *testing.T, messages int) {
	t.Helper()
	client, err := kgo.NewClient(append(p.client.Opts(), kgo.MaxBufferedRecords(messages))...)
	if err != nil {
		t.Fatal(err)
	}
	p.client.Close()
	p.client = client
}

func TestAnEndFromOutsideEndsTheLoad(t *testing.T) {
	s := brisk()
	s.Duration = time.Hour
	sending := newSending(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(100*time.Millisecond, cancel)
	if err := sending.run(ctx, time.Now()); !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
}

// TestJump shifts all partitions forward, one of them by less, and one back; a jump that is over ends no other.
func TestJump(t *testing.T) {
	sending := newSending(t, brisk())
	sending.jump(2, -90*time.Minute)
	sending.jump(1, 5*time.Minute)
	sending.jump(-1, 30*time.Minute)
	sending.jump(1, -5*time.Minute)
	sending.jump(3, -30*time.Minute)
	start := time.Now()
	if err := sending.run(t.Context(), start); err != nil {
		t.Fatal(err)
	}
	took := time.Since(start)
	for _, r := range sending.received(t) {
		shift := map[int32]time.Duration{2: -time.Hour, 3: 0}
		from, ok := shift[r.Partition]
		if !ok {
			from = 30 * time.Minute
		}
		from -= time.Millisecond // timestamps are cut to milliseconds
		if off := r.Timestamp.Sub(start); off < from || off > from+took+time.Millisecond {
			t.Fatalf("a message of partition %d has a timestamp %v after the start", r.Partition, off)
		}
	}
}

// TestLag plays the end of the hold-up of a load: late messages, and how long buffers were full.
func TestLag(t *testing.T) {
	type event struct{ late, full time.Duration }
	const ms = time.Millisecond
	for _, c := range []struct {
		name    string
		events  []event
		text    string
		limited bool
	}{
		{"on time", []event{{-5 * ms, 0}, {ms, 0}, {900 * ms, 0}}, "", false},
		{"the generator", []event{{0, 0}, {1200 * ms, 100 * ms}, {3 * time.Second, 100 * ms}},
			"the load generator did not keep up: 67 % of the messages were handed over more than 1s " +
				"late, at most 3s; Kafka acknowledged within 7s, at most 9 messages waited for that", true},
		{"Kafka", []event{{0, 0}, {0, 400 * ms}, {2 * time.Second, 2 * time.Second}},
			"Kafka held the load up, for 5s the buffer for what it had not acknowledged was full: 33 % " +
				"of the messages were handed over more than 1s late, at most 2s; Kafka acknowledged " +
				"within 7s, at most 9 messages waited for that", false},
		// What was full before the load was last on time excuses nothing.
		{"Kafka, but long ago", []event{{0, 5 * time.Second}, {2 * time.Second, 5 * time.Second}},
			"the load generator did not keep up: 50 % of the messages were handed over more than 1s " +
				"late, at most 2s; Kafka acknowledged within 7s, at most 9 messages waited for that", true},
		{"a moment", append(make([]event, 999), event{2 * time.Second, 0}),
			"the load generator did not keep up: 0.1 % of the messages were handed over more than 1s " +
				"late, at most 2s; Kafka acknowledged within 7s, at most 9 messages waited for that", false},
	} {
		var l lag
		for _, e := range c.events {
			l.add(e.late, e.full)
		}
		text, limited := l.limit(5*time.Second, 7*time.Second, 9)
		if text != c.text || limited != c.limited {
			t.Errorf("%s: %q, %v", c.name, text, limited)
		}
	}
}

func TestFullnessCountsNoTimeTwice(t *testing.T) {
	var f fullness
	for _, times := range [][2]time.Duration{{0, 4}, {1, 3}, {3, 6}, {8, 9}} {
		f.add(times[0], times[1])
	}
	if f.sum() != 7 {
		t.Errorf("the sum is %d", f.sum())
	}
}
