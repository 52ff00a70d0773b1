package sim

import (
	"context"
	"errors"
	"testing"
	"time"

	"sluice/buffer"
	"sluice/consumer/ingest"
	"sluice/flusher"
	"sluice/internal/ledger"
	"sluice/scenarios"
)

// TestAnAcknowledgementThatIsLost: the record is there, once, and its producer knows nothing of that until it has
// sent it again.
func TestAnAcknowledgementThatIsLost(t *testing.T) {
	for text, before := range map[string]bool{
		"black-hole kafka answers": true, "refuse kafka": false, "crash kafka": false,
	} {
		r := newRig(t)
		cpu := &processor{k: r.k, on: r.on.pipeline.Share("worker", 0), used: new(time.Duration)}
		producer := r.newProducer(r.k.Main(), cpu, 0)
		var undo func() error
		breaks := func() (err error) {
			undo, err = r.Break(parse(t, "at 1s "+text+" for 1m"))
			return err
		}
		if before {
			if err := breaks(); err != nil {
				t.Fatal(err)
			}
		}
		future := producer.Produce(t.Context(), flusher.Record{Topic: letterTopic, Key: []byte("k")})
		for r.offset == 0 {
			_ = r.k.Sleep(t.Context(), r.hop)
		}
		if !before {
			_ = r.k.Sleep(t.Context(), r.costs.Acknowledge/2)
			if err := breaks(); err != nil {
				t.Fatal(err)
			}
		}
		wait, cancel := r.k.WithTimeout(context.Background(), time.Second)
		if err := future.Wait(wait); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: its producer hears of it: %v", text, err)
		}
		cancel()
		if err := undo(); err != nil {
			t.Fatal(err)
		}
		if err := future.Wait(t.Context()); err != nil || r.offset != 1 {
			t.Errorf("%s is over: %v, it is there %d times", text, err, r.offset)
		}
	}
}

// TestWhatFails: a broker that fails takes neither segments nor dead letters, a partition only no segments.
func TestWhatFails(t *testing.T) {
	for text, letters := range map[string]bool{"fail kafka": false, "fail partition 0": true} {
		r := newRig(t)
		undo, err := r.Break(parse(t, "at 1s "+text+" for 1m"))
		if err != nil {
			t.Fatal(err)
		}
		takes := func(topic string) bool {
			s := &sending{record: flusher.Record{Topic: topic}}
			return r.take(s, 0) && s.decided
		}
		if takes(outputTopic) || takes(letterTopic) != letters {
			t.Errorf("%s: a segment is taken, or whether a dead letter is taken is not %v", text, letters)
		}
		if err := undo(); err != nil {
			t.Fatal(err)
		}
		if !takes(letterTopic) || r.failing[0] != 0 {
			t.Errorf("%s is over, and something is not taken", text)
		}
	}
}

// TestALeaderThatIsDeposed has what it was just given, or not; nobody says so, and it is there once.
func TestALeaderThatIsDeposed(t *testing.T) {
	s := scenarios.Default()
	s.Topology.Partitions = 1
	r := newRigOf(t, s)
	l := &lane{producer: &producer{kafka: r.kafka}}
	const n = 100
	var list []*sending
	for range n {
		list = append(list, &sending{record: flusher.Record{Topic: letterTopic}})
	}
	_ = r.k.Sleep(context.Background(), time.Second)
	undo := r.depose([]int32{0})
	for _, s := range list {
		if l.take(s, 0) || s.decided {
			t.Fatal("it is acknowledged")
		}
	}
	there := r.offset
	if there < n/4 || there > n-n/4 {
		t.Errorf("the next leader has %d of %d records", there, n)
	}
	for _, s := range list {
		if l.take(s, r.k.Elapsed()) {
			t.Fatal("there is no leader")
		}
	}
	if r.offset != there {
		t.Errorf("%d more were taken without a leader", r.offset-there)
	}
	_ = undo()
	for _, s := range list {
		if !l.take(s, r.k.Elapsed()) || !s.decided {
			t.Fatal("it is refused")
		}
	}
	if r.offset != n {
		t.Errorf("%d records are there, of %d", r.offset, n)
	}
}

// TestRecordsGatherWhileARequestIsMade: what is produced while the process computes what a request of
// records takes goes with the next one, so that a flood of records needs few.
func TestRecordsGatherWhileARequestIsMade(t *testing.T) {
	const n, perRecord = 1000, 100 * time.Microsecond
	r := newRig(t)
	on := newHosts(r.k, Hosts{Cores: 2}, Network{})
	cpu := &processor{k: r.k, on: on.pipeline.Share("worker", 0), used: &on.workers}
	producer := r.newProducer(r.k.Main(), cpu, perRecord)
	r.kafka.costs.Request = time.Nanosecond
	r.kafka.costs.Record, r.kafka.costs.KB = 0, 0
	ctx := context.Background()
	for range n {
		producer.Produce(ctx, flusher.Record{Topic: letterTopic, Key: []byte("k")})
		_ = r.k.Sleep(ctx, perRecord/2)
	}
	if err := producer.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	if r.offset != n {
		t.Errorf("%d of %d records are there", r.offset, n)
	}
	if on.workers != n*perRecord {
		t.Errorf("the process computed %v, want %v", on.workers, n*perRecord)
	}
	// Each takes as long to make as the one before it, and twice as many have come meanwhile: 2 ms of
	// linger are 40 records, then 80, and so on.
	requests := int(r.kafka.used / (2 * time.Nanosecond))
	if requests < 2 || requests > 8 {
		t.Errorf("%d requests for %d records", requests, n)
	}
}

// TestTheDigestIsOfWhatRecordsHold: what is written in another order, or under another key, is another run.
func TestTheDigestIsOfWhatRecordsHold(t *testing.T) {
	record := func(key, value string, headers ...string) flusher.Record {
		r := flusher.Record{Topic: letterTopic, Key: []byte(key), Value: []byte(value)}
		for i := 0; i < len(headers); i += 2 {
			r.Headers = append(r.Headers, flusher.Header{Key: headers[i], Value: []byte(headers[i+1])})
		}
		return r
	}
	seen := map[string]flusher.Record{}
	for _, record := range []flusher.Record{
		record("key", "ab"), record("key", "ba"), record("kez", "ab"), record("ab", "key"),
		record("k", "a", "h", "v"), record("k", "a", "v", "h"), record("k", "a", "h", "w"),
		record("k", "a", "h", "1", "i", "2"), record("k", "a", "i", "2", "h", "1"),
	} {
		write := func() string {
			r := newRig(t)
			r.keep(&sending{record: record}, size(record))
			return r.k.Digest()
		}
		digest := write()
		if again := write(); again != digest {
			t.Errorf("%+v: %s, and then %s", record, digest, again)
		}
		if other, ok := seen[digest]; ok {
			t.Errorf("%+v and %+v have one digest", record, other)
		}
		seen[digest] = record
	}
}

// TestAPartitionThatTakesNothingHoldsUpNoOther of its broker.
func TestAPartitionThatTakesNothingHoldsUpNoOther(t *testing.T) {
	s := scenarios.Default()
	s.Topology.Partitions = 2
	r := newRigOf(t, s)
	cpu := &processor{k: r.k, on: r.on.pipeline.Share("worker", 0), used: new(time.Duration)}
	producer := r.newProducer(r.k.Main(), cpu, 0)
	undo := r.depose([]int32{0})
	var futures [2][]flusher.Future
	for i := range 40 {
		key := []byte{byte(i)}
		on := ledger.PartitionOf(key, 2)
		futures[on] = append(futures[on], producer.Produce(t.Context(), flusher.Record{Topic: letterTopic, Key: key}))
		_ = r.k.Sleep(t.Context(), 10*time.Millisecond)
	}
	_ = r.k.Sleep(t.Context(), 2*resend)
	for on, list := range futures {
		for i, future := range list {
			ctx, cancel := r.k.WithTimeout(context.Background(), time.Millisecond)
			if err := future.Wait(ctx); (err == nil) != (on == 1) {
				t.Errorf("record %d for partition %d: %v", i, on, err)
			}
			cancel()
		}
	}
	_ = undo()
	if err := producer.Flush(context.Background()); err != nil || r.offset != 40 {
		t.Errorf("%d records are there, of 40: %v", r.offset, err)
	}
}

// TestWhatIsHeldBack: a partition that is paused though its gate is open is told of, once of each pause; not while
// the gate is closed or has just opened, as much waits as may, or the consumer ends.
func TestWhatIsHeldBack(t *testing.T) {
	r := newRig(t)
	r.poll("at first", 0, assigned)
	ended, told := false, 0
	gates := newInputContract(nil, r.k, 4, nil)
	w := &watchedSource{member: r.member, gates: gates, since: map[int32]time.Time{},
		cfg:    ingest.Config{MaxBatch: 2, BatchGrowth: 2, BytesMax: 10},
		ending: func() bool { return ended }, tell: func(buffer.Shard) { told++ }}
	lasts := func(when string, want int) {
		t.Helper()
		for range 20 { // of 100 ms
			if _, err := w.Poll(t.Context(), 10, 100*time.Millisecond); err != nil {
				t.Fatal(err)
			}
		}
		if told != want {
			t.Fatalf("%s: told %d times, want %d", when, told, want)
		}
		told = 0
	}
	event := func(kind flusher.EventKind) {
		gates.gate(flusher.Event{Kind: kind, Shards: []buffer.Shard{0}})
	}
	lasts("nothing is paused", 0)
	w.Pause(0)
	lasts("nothing asked for that", 1)
	w.Resume(0)
	lasts("it is read again", 0)
	event(flusher.EventGateClosed)
	w.Pause(0)
	lasts("its gate is closed", 0)
	event(flusher.EventGateOpened)
	for range 3 {
		if _, err := w.Poll(t.Context(), 10, 100*time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
	w.Resume(0)
	lasts("its gate has opened", 0)
	for range 4 {
		r.send()
	}
	lasts("four messages are read", 0)
	w.Pause(0)
	lasts("as many wait as may", 0)
	r.committed[0] = 1
	lasts("one less waits", 1)
	w.Resume(0)
	lasts("it is read once more", 0)
	w.Pause(0)
	w.cfg.BytesMax = 3
	lasts("it is as large as may be", 0)
	w.cfg.BytesMax = 10
	ended = true
	lasts("the consumer ends", 0)
	ended = false
	event(flusher.EventExhausted)
	lasts("its budget is used up", 0)
}
