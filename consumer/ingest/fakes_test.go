package ingest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"sluice/buffer"
	"sluice/flusher"
)

// text decodes "trace span parent": single letters, where a span that is its own parent is a root
// and "bad" is none.
type text struct{}

func (text) Decode(value []byte) (buffer.Decoded, error) {
	words := strings.Fields(string(value))
	if len(words) != 3 {
		return buffer.Decoded{}, fmt.Errorf("%q is not \"trace span parent\"", value)
	}
	span := buffer.Span{
		TraceKey: buffer.TraceKey{Project: 1, Trace: buffer.TraceID{words[0][0]}},
		Root:     words[1] == words[2],
		Size:     len(value),
		Payload:  value,
	}
	copy(span.ID[:], words[1])
	copy(span.Parent[:], words[2])
	return buffer.Decoded{Span: span, Organization: int64(words[0][0])}, nil
}

// broker is Kafka: the source with its group, and the dead-letter topic.
type broker struct {
	mu        sync.Mutex
	logs      map[int32][]flusher.Message
	position  map[int32]int64 // of the next message to poll; absent if not assigned
	committed map[int32]int64 // offset behind the last commit
	paused    map[int32]bool
	changes   []flusher.Fetch
	released  []int32
	letters   []flusher.Record
	wake      chan struct{}
	inTouch   atomic.Bool // what a poll without messages says, of all but the silent
	silent    atomic.Pointer[[]int32]
	perFetch  int          // how many messages of a partition a poll brings at most; 0: as many as it may
	fetches   atomic.Int64 // polls that brought something

	before      func(call string) error    // of every call; an error is its answer
	after       func(call string) error    // the same, when the effect has happened
	check       func([]flusher.Message)    // what a commit says to be safe
	refuse      func(flusher.Record) error // the fate of a dead letter
	commitError error
}

func newBroker() *broker {
	return &broker{
		logs:      make(map[int32][]flusher.Message),
		position:  make(map[int32]int64),
		committed: make(map[int32]int64),
		paused:    make(map[int32]bool),
		wake:      make(chan struct{}, 1),
		before:    func(string) error { return nil },
		after:     func(string) error { return nil },
		check:     func([]flusher.Message) {},
		refuse:    func(flusher.Record) error { return nil },
	}
}

// append adds messages to a partition's log, all of that time.
func (b *broker) append(partition int32, at time.Time, values ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, value := range values {
		offset := int64(len(b.logs[partition]))
		b.logs[partition] = append(b.logs[partition], flusher.Message{
			Position: buffer.Position{Partition: partition, Offset: offset},
			Time:     at,
			Key:      []byte("key"),
			Value:    []byte(value),
		})
	}
	b.poke()
}

func (b *broker) poke() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// change reports a change of the assignment and moves the positions.
func (b *broker) change(f flusher.Fetch) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range append(slices.Clone(f.Revoked), f.Lost...) {
		delete(b.position, p)
		delete(b.paused, p)
	}
	for _, p := range f.Assigned {
		b.position[p] = b.committed[p]
		delete(b.paused, p)
	}
	b.changes = append(b.changes, f)
	b.poke()
}

func (b *broker) Poll(ctx context.Context, limit int, wait time.Duration) (flusher.Fetch, error) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		if err := b.before("poll"); err != nil {
			return flusher.Fetch{}, err
		}
		if err := ctx.Err(); err != nil {
			return flusher.Fetch{}, err
		}
		if fetch, ok := b.fetch(limit); ok {
			return fetch, nil
		}
		select {
		case <-b.wake:
		case <-ctx.Done():
		case <-timer.C:
			return b.quiet(), nil
		}
	}
}

// quiet is what a poll says that has nothing.
func (b *broker) quiet() flusher.Fetch {
	fetch := flusher.Fetch{InTouch: b.inTouch.Load()}
	if silent := b.silent.Load(); silent != nil {
		fetch.Silent = *silent
	}
	return fetch
}

func (b *broker) fetch(limit int) (flusher.Fetch, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.changes) > 0 {
		change := b.changes[0]
		b.changes = b.changes[1:]
		change.InTouch = b.inTouch.Load()
		return change, true
	}
	fetch := b.quiet()
	for _, p := range slices.Sorted(maps.Keys(b.position)) {
		rest := b.logs[p][b.position[p]:]
		if b.paused[p] || len(rest) == 0 {
			continue
		}
		rest = rest[:min(limit, len(rest))]
		if b.perFetch > 0 {
			rest = rest[:min(b.perFetch, len(rest))]
		}
		b.position[p] += int64(len(rest))
		rest = slices.Clip(rest)
		fetch.Batches = append(fetch.Batches, flusher.Batch{Partition: p, Messages: rest})
	}
	if len(fetch.Batches) > 0 {
		b.fetches.Add(1)
	}
	return fetch, len(fetch.Batches) > 0
}

func (b *broker) positionOf(partition int32) int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.position[partition]
}

func (b *broker) Pause(partitions ...int32)  { b.pause(partitions, true) }
func (b *broker) Resume(partitions ...int32) { b.pause(partitions, false) }

func (b *broker) pause(partitions []int32, paused bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range partitions {
		b.paused[p] = paused
	}
}

func (b *broker) isPaused(p int32) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.paused[p]
}

func (b *broker) Commit(_ context.Context, last []flusher.Message) error {
	if err := b.before("commit"); err != nil {
		return err
	}
	b.mu.Lock()
	err := b.commitError
	if some := (*flusher.NotCommitted)(nil); err == nil || errors.As(err, &some) {
		b.check(last)
		for _, m := range last {
			if some != nil && slices.Contains(some.Partitions, m.Position.Partition) {
				continue
			}
			b.committed[m.Position.Partition] = m.Position.Offset + 1
		}
	}
	b.mu.Unlock()
	return errors.Join(err, b.after("commit"))
}

func (b *broker) committedAt(p int32) int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.committed[p]
}

func (b *broker) Released(partitions ...int32) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.released = append(b.released, partitions...)
}

func (b *broker) releasedNow() []int32 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.released)
}

// outcome is a future that is done.
type outcome struct{ err error }

func (o outcome) Wait(context.Context) error { return o.err }

func (b *broker) Produce(_ context.Context, record flusher.Record) flusher.Future {
	if err := b.before("produce"); err != nil {
		return outcome{err}
	}
	b.mu.Lock()
	err := b.refuse(record)
	if err == nil {
		b.letters = append(b.letters, record)
	}
	b.mu.Unlock()
	return outcome{errors.Join(err, b.after("produce"))}
}

func (b *broker) Flush(context.Context) error { return nil }

func (b *broker) deadLetters() []flusher.Record {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.letters)
}

// faultyStore asks before and after every step of the store that ingest uses.
type faultyStore struct {
	buffer.Store
	before, after func(call string) error
	// room is how many more traces are taken; nil for all. Without room for all the store is full,
	// and answers for those that it took.
	room *atomic.Int64
	// taken counts how often each trace was attached.
	taken map[buffer.TraceKey]int
}

func (s faultyStore) Attach(
	ctx context.Context, delivery buffer.Delivery, traces []buffer.TraceBatch,
) ([]buffer.Attached, error) {
	if err := errors.Join(ctx.Err(), s.before("attach")); err != nil {
		return nil, err
	}
	all := traces
	if s.room != nil {
		traces = traces[:min(int(s.room.Load()), len(traces))]
		s.room.Add(-int64(len(traces)))
	}
	attached, err := s.Store.Attach(ctx, delivery, traces)
	for _, trace := range traces {
		if s.taken != nil {
			s.taken[trace.TraceKey]++
		}
	}
	if lost := errors.Join(err, s.after("attach")); lost != nil {
		return nil, lost
	}
	if len(traces) < len(all) {
		return append(attached, make([]buffer.Attached, len(all)-len(traces))...), buffer.ErrFull
	}
	return attached, nil
}

func (s faultyStore) Enqueue(
	ctx context.Context, shard buffer.Shard, update buffer.QueueUpdate,
) error {
	if err := errors.Join(ctx.Err(), s.before("enqueue")); err != nil {
		return err
	}
	return errors.Join(s.Store.Enqueue(ctx, shard, update), s.after("enqueue"))
}

// gate is closed for the shards in the map.
type gate struct {
	mu     sync.Mutex
	closed map[buffer.Shard]string
	full   atomic.Bool
}

func (g *gate) Closed() map[buffer.Shard]string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return maps.Clone(g.closed)
}

func (g *gate) Full() bool { return g.full.Load() }

func (g *gate) set(closed map[buffer.Shard]string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = closed
}

// assigner remembers what it was told.
type assigner struct {
	mu    sync.Mutex
	calls [][]buffer.Shard
}

func (a *assigner) Assign(shards []buffer.Shard) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.calls = append(a.calls, slices.Clone(shards))
}

func (a *assigner) last() []buffer.Shard {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.calls) == 0 {
		return nil
	}
	return a.calls[len(a.calls)-1]
}

// journal collects events in their text form.
type journal struct {
	mu    sync.Mutex
	lines []string
}

func (j *journal) add(e Event) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, e.String())
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Join(j.lines, "\n")
}

func (j *journal) count(part string) int { return strings.Count(j.String(), part) }
