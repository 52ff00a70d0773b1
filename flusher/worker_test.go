package flusher_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sluice/buffer"
	"sluice/flusher"
)

func TestWorkerFlushesWhatIsDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.encoder.limit = 2
		b.feed.put(t, 7, 10, 11, 12)
		delivery := buffer.DeliveryID{Partition: 7, Number: deliveries.Load()}
		b.start(fence(t, b.store, 7)...)
		eventually(t, 3*time.Second, "store is empty", b.empty)
		if err := b.join(); err != nil {
			t.Fatal(err)
		}
		records := b.broker.all()
		if len(records) != 2 {
			t.Fatalf("%d records, want 2 chunks", len(records))
		}
		r := records[1]
		want := map[string]string{
			flusher.HeaderSegment: "000000000000000a", flusher.HeaderProject: "1",
			flusher.HeaderTrace:      "00000000000000000000000000000001",
			flusher.HeaderGeneration: delivery.String(), flusher.HeaderChunkIndex: "1",
			flusher.HeaderChunkCount: "2", flusher.HeaderChunkPart: "",
		}
		for key, value := range want {
			if got := header(r, key); got != value {
				t.Errorf("header %s is %q, want %q", key, got, value)
			}
		}
		if string(r.Key) != want[flusher.HeaderTrace] || r.Topic != "buffered-segments" {
			t.Errorf("key %s on topic %s", r.Key, r.Topic)
		}
		status, _ := b.inbox.last()
		if status.Segments != 1 || status.Spans != 3 || status.Bytes != 300 || status.Records != 2 ||
			status.Stage != flusher.StageStopped {
			t.Errorf("status %+v", status)
		}
		if fresh := b.inbox.drain(); len(fresh) != 1 || fresh[0] < 0 || fresh[0] > 200*time.Millisecond {
			t.Errorf("freshness %v, want one below two idle sleeps", fresh)
		}
	})
}

// A shard whose first input lags is leased by the wall clock before the worker knows the drift.
func TestWorkerPutsBackWhatItLeasedTooEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		owners := fence(t, b.store, 0)
		traces, _ := buffer.Group([]buffer.Span{span(0, 10)})
		wall := buffer.InstantOf(time.Now())
		delivery := buffer.Delivery{Clock: wall.Add(-time.Minute), ID: buffer.DeliveryID{Number: 1}}
		attached, err := b.store.Attach(t.Context(), delivery, traces)
		if err != nil {
			t.Fatal(err)
		}
		due := buffer.Due{Generation: attached[0].Live[0].Generation,
			Deadline: delivery.Clock.Add(10 * time.Second)}
		if err := b.store.Enqueue(t.Context(), 0, buffer.QueueUpdate{
			Clock: delivery.Clock, Wall: wall, Due: []buffer.Due{due},
		}); err != nil {
			t.Fatal(err)
		}
		b.start(owners[0])
		time.Sleep(9 * time.Second)
		if records := b.broker.all(); len(records) != 0 {
			t.Fatalf("flushed a second before its deadline: %v", records)
		}
		eventually(t, 2*time.Second, "store is empty", b.empty)
		if err := b.join(); err != nil {
			t.Fatal(err)
		}
	})
}

// The clock of a shard is set back while a segment of it is on its way to Kafka: how fresh that was
// does not depend on it.
func TestFreshnessDoesNotGoBackWithTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.broker.delay = 500 * time.Millisecond
		b.feed.put(t, 0, 10)
		owners := fence(t, b.store, 0)
		time.Sleep(time.Second)
		wall := buffer.InstantOf(time.Now())
		b.faulty.set(func(step string, after bool) error {
			if step != "load" || after {
				return nil
			}
			return b.store.Enqueue(t.Context(), 0,
				buffer.QueueUpdate{Clock: wall.Add(-time.Minute), Wall: wall})
		})
		b.start(owners...)
		eventually(t, 2*time.Second, "store is empty", b.empty)
		if err := b.join(); err != nil {
			t.Fatal(err)
		}
		fresh := b.inbox.drain()
		if len(fresh) != 1 || fresh[0] < b.broker.delay || fresh[0] > 2*time.Second {
			t.Errorf("freshness %v, want one that has waited %v for Kafka", fresh, b.broker.delay)
		}
	})
}

func TestWorkerOverlapsBatchesAndBoundsThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.cfg.MaxFlushBytes = 250 // two segments of one span
		b.cfg.MaxFlushSegments = 7
		for n := range 8 {
			b.feed.put(t, buffer.Shard(n%2), 10*n)
		}
		owners := fence(t, b.store, 0, 1)
		time.Sleep(time.Second)
		var sizes []int
		b.faulty.Store = countingStore{Store: b.store, loaded: &sizes}
		b.start(owners...)
		eventually(t, time.Second, "store is empty", b.empty)
		if err := b.join(); err != nil {
			t.Fatal(err)
		}
		// A cycle may take ceil(7/2) = 4 of each shard: 4 portions of two segments each.
		if want := []int{2, 2, 2, 2}; !slices.Equal(sizes, want) {
			t.Errorf("loaded %v segments at a time, want %v", sizes, want)
		}
		log := strings.Join(b.faulty.steps(), " ")
		want := "lease lease claim claim load load ack release load ack release load ack release"
		if !strings.Contains(log, want) {
			t.Errorf("steps\n%s\nwant the next load before the last ack:\n%s", log, want)
		}
	})
}

// countingStore notes how many generations each Load asks for.
type countingStore struct {
	buffer.Store
	loaded *[]int
}

func (c countingStore) Load(
	ctx context.Context, owner buffer.Owner, list []buffer.Generation,
) ([]buffer.Loaded, error) {
	*c.loaded = append(*c.loaded, len(list))
	return c.Store.Load(ctx, owner, list)
}

func TestWorkerSplitsWhatIsTooLarge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.encoder.limit = 5
		dlq := b.cfg.DeadLetterTopic
		b.broker.refuse = func(r flusher.Record) error {
			switch {
			case r.Topic == dlq && header(r, flusher.HeaderSpan) == spanID(12).String() &&
				len(r.Value) > 0,
				r.Topic != dlq && (strings.Count(string(r.Value), " 00000000000000") > 2 ||
					strings.Contains(string(r.Value), " "+spanID(11).String()) ||
					strings.Contains(string(r.Value), " "+spanID(12).String())):
				return fmt.Errorf("produce: %w", flusher.ErrRecordTooLarge)
			}
			return nil
		}
		b.feed.put(t, 0, 10, 11, 12, 13, 14, 15, 16)
		b.start(fence(t, b.store, 0)...)
		eventually(t, 5*time.Second, "store is empty", b.empty)
		if err := b.join(); err != nil {
			t.Fatal(err)
		}
		out := make(map[string]string)
		for _, r := range b.broker.all() {
			key := header(r, flusher.HeaderChunkPart) + "|" + header(r, flusher.HeaderValueBytes)
			if r.Topic == dlq {
				out[header(r, flusher.HeaderSpan)+"|"+header(r, flusher.HeaderValueBytes)] =
					fmt.Sprintf("%d payload bytes", len(r.Value))
				continue
			}
			out[key+header(r, flusher.HeaderChunkIndex)] = strings.Join(idsIn(r.Value), " ")
		}
		id := func(n int) string { return spanID(n).String() }
		want := map[string]string{
			"0.0.0|0":       id(10) + " part",
			id(11) + "|":    "100 payload bytes",
			id(12) + "|100": "0 payload bytes",
			"0.1.1|0":       id(13) + " " + id(14) + " part",
			"|1":            id(15) + " " + id(16),
		}
		if fmt.Sprint(out) != fmt.Sprint(want) {
			t.Errorf("records\n%v\nwant\n%v", out, want)
		}
		status, _ := b.inbox.last()
		if status.DeadLetters != 2 || status.Records != 3 || status.Spans != 7 {
			t.Errorf("status %+v, want 2 dead letters, 3 records, 7 spans", status)
		}
		var told []string
		for _, l := range b.letters {
			told = append(told, fmt.Sprintf("%v of %d bytes at %d, lost %v", l.Span, l.Bytes, l.At.Offset, l.Lost))
		}
		if want := []string{id(11) + " of 100 bytes at 11, lost false", id(12) + " of 100 bytes at 12, lost false",
			id(12) + " of 100 bytes at 12, lost true"}; !slices.Equal(told, want) {
			t.Errorf("told of %q, want %q", told, want)
		}
	})
}

func TestWorkerPutsAsideWhatCannotBeWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.cfg.InputTopic = "spans"
		b.encoder.refuse = map[buffer.SpanID]bool{spanID(12): true}
		b.feed.put(t, 0, 10, 11, 12, 13)
		b.start(fence(t, b.store, 0)...)
		eventually(t, 5*time.Second, "store is empty", b.empty)
		if err := b.join(); err != nil {
			t.Fatal(err)
		}
		records := b.broker.all()
		if key := string(records[1].Key); key != traceOf(12).Trace.String() {
			t.Errorf("the dead letter's key is %q, want the trace", key)
		}
		if len(records) != 3 || records[1].Topic != b.cfg.DeadLetterTopic ||
			!strings.Contains(header(records[1], flusher.HeaderError), "cannot be written") ||
			header(records[1], flusher.HeaderTopic) != "spans" ||
			header(records[1], flusher.HeaderOffset) != "12" {
			t.Errorf("records %v, want two halves and a dead letter", records)
		}
	})
}

func TestWorkerSendsBusyBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.feed.put(t, 5, 10)
		owners := fence(t, b.store, 0, 5)
		time.Sleep(time.Second)
		// Shard 5 has the segment in flight; then shard 0 gets it in its queue as well.
		other := owners[1].Owner
		leased, err := b.store.Lease(t.Context(), other, buffer.InstantOf(time.Now()), 1)
		if err != nil || len(leased.Due) != 1 {
			t.Fatal(leased, err)
		}
		g := []buffer.Generation{leased.Due[0].Generation}
		if _, err := b.store.Claim(t.Context(), other, g); err != nil {
			t.Fatal(err)
		}
		now := buffer.InstantOf(time.Now())
		if err := b.store.Enqueue(t.Context(), 0, buffer.QueueUpdate{
			Clock: now, Wall: now, Due: []buffer.Due{{Generation: g[0], Deadline: now}},
		}); err != nil {
			t.Fatal(err)
		}
		b.start(owners[0])
		time.Sleep(10 * time.Second)
		claims := 0
		for _, step := range b.faulty.steps() {
			if step == "claim" {
				claims++
			}
		}
		if claims < 2 || claims > 110 {
			t.Errorf("%d claims of a busy segment in 10 s, want one per idle sleep", claims)
		}
		if status, _ := b.inbox.last(); status.Segments != 0 {
			t.Errorf("flushed what is in flight elsewhere: %+v", status)
		}
		flushed := []buffer.Flushed{{Generation: g[0], Spans: []buffer.SpanID{spanID(10)}}}
		if _, err := b.store.Ack(t.Context(), other, flushed); err != nil {
			t.Fatal(err)
		}
		if err := b.store.Release(t.Context(), other, buffer.Release{Done: g}); err != nil {
			t.Fatal(err)
		}
		eventually(t, time.Second, "the gone one is released", b.empty)
		if err := b.join(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestWorkerReportsBackpressure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.cfg.MaxFlushSegments = 2
		b.broker.delay = time.Second
		for n := range 15 {
			b.feed.put(t, 0, 10*n)
		}
		b.start(fence(t, b.store, 0)...)
		since := func() time.Time {
			status, _ := b.inbox.last()
			return status.BackpressureSince
		}
		eventually(t, 3*time.Second, "backpressure", func() bool { return !since().IsZero() })
		begun := time.Now()
		time.Sleep(2500 * time.Millisecond)
		if since().IsZero() || since().After(begun) {
			t.Errorf("backpressure since %v, want the first full lease, before %v", since(), begun)
		}
		eventually(t, 10*time.Second, "no backpressure", func() bool { return since().IsZero() })
		if err := b.join(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestWorkerEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.broker.delay = 10 * time.Second
		b.feed.put(t, 0, 10)
		b.start(fence(t, b.store, 0)...)
		eventually(t, 2*time.Second, "produced", func() bool { return len(b.broker.all()) == 1 })
		b.stop()
		time.Sleep(time.Second)
		select {
		case <-b.ended:
			t.Fatal("ended with a record in flight")
		default:
		}
		if <-b.ended; b.err != nil || !b.empty() {
			t.Errorf("ended with %v, leaving %v", b.err, leftovers(t, b.store))
		}

		killed := newBench(t)
		killed.broker.delay = time.Hour
		killed.feed.put(t, 0, 10)
		killed.start(fence(t, killed.store, 0)...)
		eventually(t, 2*time.Second, "produced", func() bool { return len(killed.broker.all()) == 1 })
		begun := time.Now()
		killed.kill()
		if <-killed.ended; !errors.Is(killed.err, context.Canceled) || time.Since(begun) > 0 {
			t.Errorf("ended with %v after %v, want the context's error at once", killed.err,
				time.Since(begun))
		}

		// To be stopped while the store is down, with nothing in flight.
		idle := newBench(t)
		idle.faulty.set(func(string, bool) error { return buffer.ErrUnavailable })
		idle.start(fence(t, idle.store, 0)...)
		time.Sleep(time.Minute)
		begun = time.Now()
		if err := idle.join(); err != nil || time.Since(begun) > idle.cfg.RetryMax {
			t.Errorf("ended with %v after %v", err, time.Since(begun))
		}
	})
}

func TestWorkerRefusesBadSpecs(t *testing.T) {
	b := newBench(t)
	b.cfg.OutputTopic = ""
	b.cfg.MaxFlushSegments = 0
	b.start()
	<-b.ended
	for _, want := range []string{"output topic", "max_flush_segments", "no shards"} {
		if b.err == nil || !strings.Contains(b.err.Error(), want) {
			t.Errorf("error %v does not name %q", b.err, want)
		}
	}
}
