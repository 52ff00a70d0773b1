package flusher_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sluice/buffer"
	"sluice/buffer/memstore"
	"sluice/flusher"
	"sluice/internal/wallclock"
)

// textEncoder writes a segment as "flush_id segment: span span ...": one span per word, cut into
// chunks of at most limit spans (0: no limit).
type textEncoder struct {
	limit  int
	refuse map[buffer.SpanID]bool // spans that cannot be written
	pad    int                    // how many bytes each word is longer than an id
}

func (e textEncoder) Encode(g buffer.Generation, spans []buffer.Span) ([]buffer.Chunk, error) {
	if len(spans) == 0 {
		return nil, errors.New("no spans")
	}
	limit := e.limit
	if limit == 0 {
		limit = len(spans)
	}
	count := (len(spans) + limit - 1) / limit
	var chunks []buffer.Chunk
	for index := range count {
		part := spans[index*limit : min((index+1)*limit, len(spans))]
		text := fmt.Sprintf("%d/%v/%v/%d", g.Project, g.Trace, g.Segment, index)
		for _, span := range part {
			if e.refuse[span.ID] {
				return nil, fmt.Errorf("span %v cannot be written", span.ID)
			}
			text += " " + span.ID.String() + strings.Repeat("-", e.pad)
		}
		sum := sha256.Sum256([]byte(text))
		id := hex.EncodeToString(sum[:16])
		chunks = append(chunks, buffer.Chunk{
			Index: index, Count: count, FlushID: id, Spans: part, Value: []byte(id + " " + text),
		})
	}
	return chunks, nil
}

// EncodePart marks each of the values with a last word, "part".
func (e textEncoder) EncodePart(
	g buffer.Generation, spans []buffer.Span,
) ([]buffer.Chunk, error) {
	chunks, err := e.Encode(g, spans)
	for i := range chunks {
		chunks[i].Value = append(chunks[i].Value, " part"...)
	}
	return chunks, err
}

// broker is a Kafka that keeps what it was sent.
type broker struct {
	delay time.Duration // from produce to acknowledgement
	// refuse decides the fate of a record before the broker has it; lose, whether the answer says
	// that its fate is unknown although the broker has it.
	refuse func(r flusher.Record) error
	lose   func(r flusher.Record) error

	mu      sync.Mutex
	down    time.Time // no acknowledgement before
	records []flusher.Record
}

func (b *broker) Produce(_ context.Context, r flusher.Record) flusher.Future {
	f := &ack{broker: b, ready: time.Now().Add(b.delay)}
	if b.refuse != nil {
		if f.err = b.refuse(r); f.err != nil {
			return f
		}
	}
	b.mu.Lock()
	b.records = append(b.records, r)
	b.mu.Unlock()
	if b.lose != nil {
		f.err = b.lose(r)
	}
	return f
}

func (b *broker) Flush(context.Context) error { return nil }

func (b *broker) all() []flusher.Record {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]flusher.Record(nil), b.records...)
}

func (b *broker) stop(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.down = time.Now().Add(d)
}

type ack struct {
	broker *broker
	ready  time.Time
	err    error
}

func (f *ack) Wait(ctx context.Context) error {
	for {
		f.broker.mu.Lock()
		until := f.ready
		if f.broker.down.After(until) {
			until = f.broker.down
		}
		f.broker.mu.Unlock()
		left := time.Until(until)
		if left <= 0 {
			return f.err
		}
		if err := (wallclock.Clock{}).Sleep(ctx, left); err != nil {
			return err
		}
	}
}

// inbox keeps what a worker reports.
type inbox struct {
	mu      sync.Mutex
	status  flusher.Status
	at      time.Time
	fresh   []time.Duration
	silence time.Duration   // the longest between two reports
	records map[uint64]bool // the counts of records that were reported
}

func newInbox() *inbox { return &inbox{at: time.Now(), records: make(map[uint64]bool)} }

func (i *inbox) Report(status flusher.Status) {
	i.mu.Lock()
	defer i.mu.Unlock()
	now := time.Now()
	i.silence = max(i.silence, now.Sub(i.at))
	i.status, i.at = status, now
	i.records[status.Records] = true
}

func (i *inbox) Fresh(samples []time.Duration) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.fresh = append(i.fresh, samples...)
}

func (i *inbox) last() (flusher.Status, time.Time) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.status, i.at
}

func (i *inbox) drain() []time.Duration {
	i.mu.Lock()
	defer i.mu.Unlock()
	fresh := i.fresh
	i.fresh = nil
	return fresh
}

// feed stores spans the way ingest does. Span n has id n; it belongs to trace n/10 and is filed
// below that trace's root, whose id is 10*(n/10).
type feed struct {
	store   buffer.Store
	options buffer.Options
	whole   bool // the clocks of batches are whole seconds, as ingest's are
	// back is by how much the host's clock was set back; nil: it was not.
	back *atomic.Int64
	// late is by how much the clocks of batches are behind the host's.
	late time.Duration
}

func newFeed(store buffer.Store) feed {
	options := buffer.DefaultOptions()
	options.Timeout, options.RootTimeout = 2*time.Second, time.Second
	return feed{store: store, options: options}
}

func spanID(n int) buffer.SpanID {
	var id buffer.SpanID
	id[6], id[7] = byte(n>>8), byte(n)
	return id
}

func traceOf(n int) buffer.TraceKey {
	key := buffer.TraceKey{Project: 1}
	key.Trace[14], key.Trace[15] = byte(n/10>>8), byte(n/10)
	return key
}

func span(shard buffer.Shard, n int) buffer.Span {
	root := n - n%10
	return buffer.Span{
		TraceKey: traceOf(n), ID: spanID(n), Parent: spanID(root), Root: n == root, Size: 100,
		Payload:  []byte(strings.Repeat("x", 100)),
		Position: buffer.Position{Partition: int32(shard), Offset: int64(n)},
	}
}

// deliveries counts the batches of all worlds.
var deliveries atomic.Int64

// put ingests spans as one batch of a shard, with the clock of now. It does it all again if the
// store fails in between, as a redelivery would.
func (f feed) put(t testing.TB, shard buffer.Shard, numbers ...int) {
	t.Helper()
	now := buffer.InstantOf(time.Now())
	wall := now
	if f.back != nil {
		wall = wall.Add(-time.Duration(f.back.Load()))
	}
	now = now.Add(-f.late)
	if f.whole {
		now = now.WholeSeconds()
	}
	spans := make([]buffer.Span, len(numbers))
	for i, n := range numbers {
		spans[i] = span(shard, n)
	}
	traces, _ := buffer.Group(spans)
	delivery := buffer.Delivery{Clock: now, ID: buffer.DeliveryID{
		Partition: int32(shard), Number: deliveries.Add(1)}}
	attached, err := f.store.Attach(t.Context(), delivery, traces)
	if err != nil {
		t.Fatal(err)
	}
	update := buffer.QueueUpdate{Clock: now, Wall: wall}
	for _, a := range attached {
		for _, live := range a.Live {
			update.Due = append(update.Due, buffer.Due{
				Generation: live.Generation, Deadline: buffer.Deadline(now, live, f.options),
			})
		}
		update.Merged = append(update.Merged, a.Merged...)
	}
	if err := f.store.Enqueue(t.Context(), shard, update); err != nil {
		t.Fatal(err)
	}
}

func newStore() *memstore.Store { return memstore.New(buffer.DefaultOptions()) }

func leftovers(t testing.TB, store *memstore.Store) buffer.Leftovers {
	t.Helper()
	left, err := store.Leftovers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return left
}

// fence makes owners of the shards, as a supervisor does.
func fence(t testing.TB, store buffer.Store, shards ...buffer.Shard) []buffer.Fenced {
	t.Helper()
	owners := make([]buffer.Fenced, len(shards))
	for i, shard := range shards {
		for range 2 {
			fenced, err := store.Fence(t.Context(), shard, buffer.AnyEpoch)
			if err != nil {
				t.Fatal(err)
			}
			owners[i] = fenced
		}
	}
	return owners
}

// idsIn returns the span ids of an output record's value.
func idsIn(value []byte) []string { return strings.Fields(string(value))[2:] }

// header returns a record's header, or "".
func header(r flusher.Record, key string) string {
	for _, h := range r.Headers {
		if h.Key == key {
			return string(h.Value)
		}
	}
	return ""
}

// eventually waits, in the bubble's time, until a condition holds.
func eventually(t testing.TB, within time.Duration, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(within); !condition(); {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", within, what)
		}
		time.Sleep(max(time.Millisecond, within/1000))
	}
}
