package kafkaio

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sluice/flusher"
)

func TestRecordsArriveAsTheyWere(t *testing.T) {
	cluster := fake(t, kfake.SeedTopics(3, "segments"))
	cfg, _ := configFor(cluster.ListenAddrs()...)
	p := producer(t, cfg, "segments")
	var futures []flusher.Future
	for range 500 {
		futures = append(futures, p.Produce(t.Context(), record("segments", 100)))
	}
	if err := p.Flush(bounded(t)); err != nil {
		t.Fatal(err)
	}
	for _, f := range futures {
		if err := f.Wait(bounded(t)); err != nil {
			t.Fatal(err)
		}
	}
	for _, got := range read(t, cfg, "segments", 500) {
		if string(got.Key) != "key" || string(got.Value) != string(random(100)) ||
			len(got.Headers) != 1 || got.Headers[0].Key != "h" || string(got.Headers[0].Value) != "v" {
			t.Fatalf("read %v", got)
		}
	}
}

func TestLimitFollowsTheTopic(t *testing.T) {
	cluster := fake(t, kfake.SeedTopics(1, "plain"))
	wide := map[string]string{"max.message.bytes": "5000000"}
	if err := cluster.CreateTopic("wide", 1, wide); err != nil {
		t.Fatal(err)
	}
	cfg, _ := configFor(cluster.ListenAddrs()...)
	p := producer(t, cfg, "plain", "wide")
	if got := p.RecordBytesMax("wide"); got != 5_000_000-batchBytes {
		t.Errorf("RecordBytesMax = %d", got)
	}
	fits := record("wide", p.RecordBytesMax("wide")-100)
	if err := p.Produce(t.Context(), fits).Wait(bounded(t)); err != nil {
		t.Errorf("a record that the topic takes: %v", err)
	}
	for topic, size := range map[string]int{"wide": 5_000_001, "plain": 2_000_000} {
		err := p.Produce(t.Context(), record(topic, size)).Wait(bounded(t))
		if !errors.Is(err, flusher.ErrRecordTooLarge) || !strings.Contains(err.Error(), topic) {
			t.Errorf("%d bytes to %s: %v, want ErrRecordTooLarge", size, topic, err)
		}
	}
	if p.RefusesAbove("wide") != p.RecordBytesMax("wide") || p.RefusesAbove("unheard") != 0 {
		t.Errorf("it refuses records above %d, and of another topic above %d bytes, want %d and 0 (not known)",
			p.RefusesAbove("wide"), p.RefusesAbove("unheard"), p.RecordBytesMax("wide"))
	}
	pc := DefaultProducerConfig("wide")
	pc.Compression = "lz4"
	packed, err := NewProducer(bounded(t), cfg, pc)
	if err != nil {
		t.Fatal(err)
	}
	defer packed.Close()
	if got := packed.RefusesAbove("wide"); got != 0 {
		t.Errorf("with compression it refuses records above %d bytes, want 0: not known", got)
	}
	small := record("plain", 10)
	if err := p.Produce(t.Context(), small).Wait(bounded(t)); err != nil {
		t.Errorf("after a refusal: %v", err)
	}
}

// The broker refuses a batch as a whole: those of its records that are fine alone go out alone.
func TestRecordsOfARefusedBatchAreJudgedAlone(t *testing.T) {
	cluster := fake(t, kfake.SeedTopics(1, "segments"))
	cluster.ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		return refuseAbove(req.(*kmsg.ProduceRequest), 20_000)
	})
	cfg, _ := configFor(cluster.ListenAddrs()...)
	p := producer(t, cfg, "segments")
	var futures []flusher.Future
	for range 50 {
		futures = append(futures, p.Produce(t.Context(), record("segments", 1000)))
	}
	big := p.Produce(t.Context(), record("segments", 30_000))
	if err := p.Flush(bounded(t)); err != nil {
		t.Fatal(err)
	}
	for i, f := range futures {
		if err := f.Wait(bounded(t)); err != nil {
			t.Fatalf("record %d: %v", i, err)
		}
	}
	if err := big.Wait(bounded(t)); !errors.Is(err, flusher.ErrRecordTooLarge) {
		t.Errorf("the one that is too large: %v", err)
	}
	read(t, cfg, "segments", 50)
}

// refuseAbove answers like a broker whose limit was lowered.
func refuseAbove(req *kmsg.ProduceRequest, limit int) (kmsg.Response, error, bool) {
	answer := req.ResponseKind().(*kmsg.ProduceResponse)
	refused := false
	for _, topic := range req.Topics {
		out := kmsg.NewProduceResponseTopic()
		out.Topic, out.TopicID = topic.Topic, topic.TopicID
		for _, p := range topic.Partitions {
			one := kmsg.NewProduceResponseTopicPartition()
			one.Partition = p.Partition
			if len(p.Records) > limit {
				one.ErrorCode = kerr.MessageTooLarge.Code
				refused = true
			}
			out.Partitions = append(out.Partitions, one)
		}
		answer.Topics = append(answer.Topics, out)
	}
	return answer, nil, refused
}

func TestPassingErrorsAreRetriedWithoutDoubles(t *testing.T) {
	for _, cause := range []*kerr.Error{
		kerr.NotLeaderForPartition, kerr.NotEnoughReplicasAfterAppend, kerr.RequestTimedOut,
	} {
		cluster := fake(t, kfake.SeedTopics(1, "segments"))
		cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: cause, Count: 3})
		cfg, _ := configFor(cluster.ListenAddrs()...)
		p := producer(t, cfg, "segments")
		for i := range 5 {
			if err := p.Produce(t.Context(), record("segments", 10)).Wait(bounded(t)); err != nil {
				t.Errorf("%v, record %d: %v", cause, i, err)
			}
		}
		if got := cluster.PartitionInfo("segments", 0).HighWatermark; got != 5 {
			t.Errorf("%v: %d records in the topic, want 5", cause, got)
		}
	}
}

func TestLostAnswerDoesNotDouble(t *testing.T) {
	cluster := fake(t, kfake.SeedTopics(1, "segments"))
	cfg, _ := configFor(cluster.ListenAddrs()...)
	p := producer(t, cfg, "segments")
	if err := p.Produce(t.Context(), record("segments", 10)).Wait(bounded(t)); err != nil {
		t.Fatal(err)
	}
	cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.RequestTimedOut, Count: 2})
	if err := p.Produce(t.Context(), record("segments", 11)).Wait(bounded(t)); err != nil {
		t.Fatal(err)
	}
	if got := cluster.PartitionInfo("segments", 0).HighWatermark; got != 2 {
		t.Errorf("%d records in the topic, want 2", got)
	}
}

func TestRefusalIsAnErrorAndTheNextRecordGoes(t *testing.T) {
	cluster := fake(t, kfake.SeedTopics(1, "segments"))
	for _, cause := range []*kerr.Error{kerr.TopicAuthorizationFailed, kerr.InvalidProducerEpoch} {
		cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: cause})
		cfg, _ := configFor(cluster.ListenAddrs()...)
		p := producer(t, cfg, "segments")
		err := p.Produce(t.Context(), record("segments", 10)).Wait(bounded(t))
		if errors.Is(err, flusher.ErrRecordTooLarge) ||
			cause == kerr.TopicAuthorizationFailed && !errors.Is(err, cause) {
			t.Errorf("%v: %v", cause, err)
		}
		if err := p.Produce(t.Context(), record("segments", 10)).Wait(bounded(t)); err != nil {
			t.Errorf("after %v: %v", cause, err)
		}
	}
}

// A client that is refused a producer id keeps that for an answer, also when the cause is over.
func TestARefusedProducerIDIsAskedForAgain(t *testing.T) {
	for _, cause := range []*kerr.Error{kerr.UnknownServerError, kerr.ClusterAuthorizationFailed} {
		cluster := fake(t, kfake.SeedTopics(1, "segments"))
		refuse := func(key kmsg.Key, cause *kerr.Error, times int) {
			cluster.Fault(kfake.Fault{Keys: []kmsg.Key{key}, Err: cause, Count: times})
		}
		cfg, _ := configFor(cluster.ListenAddrs()...)
		p := producer(t, cfg, "segments")
		// again produces until it works, and returns what failed at first.
		again := func(what string, before func()) (first error) {
			t.Helper()
			eventually(t, what, func() bool {
				before()
				err := p.Produce(t.Context(), record("segments", 10)).Wait(bounded(t))
				first = cmp.Or(first, err)
				return err == nil
			})
			return first
		}
		refuse(kmsg.InitProducerID, cause, 2)
		err := again("a record goes when the id is not refused any more", func() {})
		if !errors.Is(err, cause) {
			t.Errorf("at first %v, want %v", err, cause)
		}
		refuse(kmsg.InitProducerID, cause, 2)
		if err := again("the next goes", func() {}); err != nil {
			t.Errorf("%v, though there is an id", err)
		}
		// The client that judges records alone has an id of its own.
		err = again("a record that is judged alone goes", func() {
			refuse(kmsg.Produce, kerr.MessageTooLarge, 1)
		})
		if !errors.Is(err, cause) {
			t.Errorf("alone at first %v, want %v", err, cause)
		}
		if err := p.Flush(bounded(t)); err != nil {
			t.Error(err)
		}
		if got := cluster.PartitionInfo("segments", 0).HighWatermark; got != 3 {
			t.Errorf("%v: %d records in the topic, want 3", cause, got)
		}
	}
}

func TestDeadBrokerIsWaitedForAndSaidOnce(t *testing.T) {
	network := newOutage()
	cluster := fake(t, kfake.SeedTopics(1, "segments"))
	cfg, book := configFor(cluster.ListenAddrs()...)
	cfg.Dial = network.dial
	p := producer(t, cfg, "segments")
	if err := p.Produce(t.Context(), record("segments", 10)).Wait(bounded(t)); err != nil {
		t.Fatal(err)
	}
	network.cut()
	future := p.Produce(t.Context(), record("segments", 10))
	eventually(t, "the outage is said", func() bool { return book.count("cannot be reached") > 0 })
	eventually(t, "several attempts", func() bool { return network.refused() > 3 })
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := future.Wait(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("Wait = %v, want the context's error", err)
	}
	network.mend()
	if err := future.Wait(bounded(t)); err != nil {
		t.Errorf("Wait = %v after the broker is back", err)
	}
	eventually(t, "its end is said", func() bool { return book.count("is back") == 1 })
	if got := book.count("cannot be reached"); got != 1 {
		t.Errorf("said %d times:\n%s", got, book)
	}
}

func TestProduceBlocksAtItsBound(t *testing.T) {
	network := newOutage()
	cluster := fake(t, kfake.SeedTopics(1, "segments"))
	cfg, _ := configFor(cluster.ListenAddrs()...)
	cfg.Dial = network.dial
	pc := DefaultProducerConfig("segments")
	pc.BufferedRecordsMax = 3
	p, err := NewProducer(bounded(t), cfg, pc)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	network.cut()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	blocked := make(chan error, 1)
	go func() {
		for range 3 {
			p.Produce(t.Context(), record("segments", 10))
		}
		blocked <- p.Produce(ctx, record("segments", 10)).Wait(context.Background())
	}()
	client, err := p.client.get()
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "three are in flight", func() bool { return client.BufferedProduceRecords() >= 3 })
	select {
	case err := <-blocked:
		t.Fatalf("a fourth was taken: %v", err)
	default:
	}
	cancel()
	if err := <-blocked; !errors.Is(err, context.Canceled) {
		t.Errorf("Wait = %v, want the context's error", err)
	}
}
