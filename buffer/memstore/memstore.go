// Package memstore is the reference Store: the buffer protocol in memory, as plainly as it can be
// said. Every other Store is compared with it, answer by answer.
//
// It trades speed for directness in one place above all: where another Store has to find out which
// generation holds a span, this one keeps a pointer.
package memstore

import (
	"context"
	"sync"

	"sluice/buffer"
)

// Store keeps everything in memory. It is safe for concurrent use.
type Store struct {
	options buffer.Options
	// forgotten is at least every epoch of the store whose data this one has lost.
	forgotten buffer.Epoch
	wayMax    int
	// along is how large a small trace is at most, and alongSpans of how many spans; see ReadAlong.
	along      buffer.Bytes
	alongSpans int

	mu     sync.Mutex
	traces map[buffer.TraceKey]*trace
	shards map[buffer.Shard]*shard
	beats  map[uint64]beats // by witness
	beat   uint64           // of all of them
	// order are the traces in the order in which they came, with what was one of them and is gone.
	order []place
	came  uint64 // traces so far
	// spare are traces of which nothing is held any more: they have room for the next ones.
	spare []*trace
}

var (
	_ buffer.Store     = (*Store)(nil)
	_ buffer.Inspector = (*Store)(nil)
	_ buffer.Auditor   = (*Store)(nil)
)

// New returns an empty store. Of the options it heeds MaxSegmentBytes.
func New(options buffer.Options) *Store {
	return &Store{
		options: options,
		wayMax:  buffer.WayMax,
		traces:  make(map[buffer.TraceKey]*trace),
		shards:  make(map[buffer.Shard]*shard),
		beats:   make(map[uint64]beats),
	}
}

// Wiped returns an empty store in place of this one, which has lost everything.
func (s *Store) Wiped() *Store {
	s.mu.Lock()
	defer s.mu.Unlock()
	empty := New(s.options)
	empty.forgotten, empty.wayMax = s.highest(), s.wayMax
	empty.ReadAlong(s.along, s.alongSpans)
	return empty
}

// TakeOver says that the store, an earlier Clone, takes the place of a later state, which is lost. New
// epochs are above those of both, as those that follow the clock are.
func (s *Store) TakeOver(from *Store) {
	from.mu.Lock()
	lost := from.highest()
	from.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forgotten = max(s.forgotten, lost)
}

// highest is at least every epoch there was. The lock must be held.
func (s *Store) highest() buffer.Epoch {
	highest := s.forgotten
	for _, sh := range s.shards { //order-free: the highest
		highest = max(highest, sh.epoch)
	}
	return highest
}

// ReadAlong has Claim answer with what is loaded, see [buffer.Claim], of a trace that is nothing but this
// one generation, of so many bytes and spans at most. By default it does not.
func (s *Store) ReadAlong(bytes buffer.Bytes, spans int) { s.along, s.alongSpans = bytes, spans }

// NewCramped returns one that allows ways of no more than so many redirects, in place of
// buffer.WayMax: the reference of stores for which every trace is a giant.
func NewCramped(options buffer.Options, wayMax int) *Store {
	s := New(options)
	s.wayMax = wayMax
	return s
}

// Attach implements buffer.Store.
func (s *Store) Attach(
	_ context.Context, delivery buffer.Delivery, batches []buffer.TraceBatch,
) ([]buffer.Attached, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	answers := make([]buffer.Attached, len(batches))
	live := make([]buffer.LiveGeneration, 0, len(batches)) // of all answers so far
	for i := range batches {
		key := batches[i].TraceKey
		t, ok := s.traces[key]
		if !ok {
			t = s.newTrace(key)
			s.enter(t)
		}
		from := len(live)
		answers[i], live = t.attach(delivery, batches[i].Subtrees, s.options.MaxSegmentBytes, live)
		if to := len(live); to > from {
			answers[i].Live = live[from:to:to]
		}
		s.forgetIfEmpty(t)
	}
	return answers, nil
}

// Claim implements buffer.Store.
func (s *Store) Claim(
	_ context.Context, owner buffer.Owner, generations []buffer.Generation,
) ([]buffer.Claim, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	claims, by := make([]buffer.Claim, len(generations)), &owner // which is one for all
	for i, name := range generations {
		if t, ok := s.traces[name.TraceKey]; ok {
			claims[i] = t.claim(by, name)
			if c := &claims[i]; c.State == buffer.ClaimOwned && buffer.Bytes(c.Bytes) <= s.along &&
				c.Spans <= s.alongSpans && t.isOne() {
				loaded := t.load(owner, name)
				c.Loaded = &loaded
			}
		}
	}
	return claims, nil
}

// Load implements buffer.Store.
func (s *Store) Load(
	_ context.Context, owner buffer.Owner, generations []buffer.Generation,
) ([]buffer.Loaded, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	loaded := make([]buffer.Loaded, len(generations))
	for i, name := range generations {
		if t, ok := s.traces[name.TraceKey]; ok {
			loaded[i] = t.load(owner, name)
		}
	}
	return loaded, nil
}

// Ack implements buffer.Store.
func (s *Store) Ack(
	_ context.Context, owner buffer.Owner, flushed []buffer.Flushed,
) ([]buffer.AckResult, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	results := make([]buffer.AckResult, len(flushed))
	for i := range flushed {
		if t, ok := s.traces[flushed[i].TraceKey]; ok {
			results[i] = t.ack(owner, flushed[i])
			s.forgetIfEmpty(t)
		}
	}
	return results, nil
}

// Holds tells whether anything of a trace is stored.
func (s *Store) Holds(key buffer.TraceKey) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.traces[key]
	return ok
}

// Traces returns of how many traces something is stored.
func (s *Store) Traces() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.traces)
}

func (s *Store) newTrace(key buffer.TraceKey) *trace {
	last := len(s.spare) - 1
	if last < 0 {
		t := newTrace(key, s.wayMax)
		t.held.ids, t.held.values = make([]buffer.SpanID, 0, few/2), make([]redirect, 0, few/2)
		return t
	}
	t := s.spare[last]
	s.spare = s.spare[:last]
	t.key, t.calls = key, 0
	return t
}

func (s *Store) forgetIfEmpty(t *trace) {
	if len(t.segments.ids) > 0 {
		return
	}
	delete(s.traces, t.key)
	t.number = 0
	if t.held.places == nil && t.segments.places == nil {
		t.held.clear()
		clear(t.room.segments[:]) // those that have moved to a larger list
		s.spare = append(s.spare, t)
	}
}

// Leftovers implements buffer.Inspector.
func (s *Store) Leftovers(context.Context) (buffer.Leftovers, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var left buffer.Leftovers
	for key := range s.traces { //order-free: sorted below
		left.Held = append(left.Held, key)
	}
	for n, sh := range s.shards { //order-free: sorted below
		shard := buffer.ShardLeftovers{Shard: n, Epoch: sh.epoch, Queued: sh.all()}
		for name, deadline := range sh.leased { //order-free: sorted below
			shard.Leased = append(shard.Leased, buffer.Due{Generation: name, Deadline: deadline})
		}
		left.Shards = append(left.Shards, shard)
	}
	left.Sort()
	return left, nil
}
