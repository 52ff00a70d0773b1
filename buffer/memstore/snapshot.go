package memstore

import (
	"maps"
	"slices"

	"sluice/buffer"
)

// Clone returns an independent copy of the store. The spans' payloads, which nobody changes, are
// shared.
func (s *Store) Clone() *Store {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := New(s.options)
	c.forgotten, c.beats, c.beat = s.forgotten, maps.Clone(s.beats), s.beat
	c.wayMax = s.wayMax
	c.ReadAlong(s.along, s.alongSpans)
	c.came = s.came
	for _, p := range s.order {
		if p.trace.number == p.number {
			t := p.trace.clone()
			t.number = p.number
			c.traces[t.key], c.order = t, append(c.order, place{t.number, t})
		}
	}
	for n, sh := range s.shards { //order-free: each is copied by itself
		c.shards[n] = &shard{
			epoch: sh.epoch, clock: sh.clock, queue: maps.Clone(sh.queue), leased: maps.Clone(sh.leased),
			due: sh.due,
		}
	}
	return c
}

func (t *trace) clone() *trace {
	c := newTrace(t.key, t.wayMax)
	c.calls = t.calls
	moved := make(map[*generation]*generation)
	move := func(g *generation) *generation {
		if g == nil {
			return nil
		}
		if moved[g] == nil {
			copied := *g // an owner is replaced, never changed
			copied.arrivals = slices.Clone(g.arrivals)
			moved[g] = &copied
		}
		return moved[g]
	}
	c.held = t.held.clone()
	for i := range c.held.values {
		c.held.values[i].generation = move(c.held.values[i].generation)
	}
	for at, id := range t.segments.ids {
		s, to := t.segments.values[at], c.segment(id)
		to.hasRoot, to.live = s.hasRoot, move(s.live)
		for _, g := range s.inFlight {
			to.inFlight = append(to.inFlight, move(g))
		}
	}
	return c
}

// Snapshot is everything that a store holds, as values: two stores with equal snapshots answer every
// later call alike, but for the clocks of shards, which are left out with their deadlines.
type Snapshot struct {
	Traces map[buffer.TraceKey]TraceSnapshot
	Shards map[buffer.Shard]ShardSnapshot
}

// TraceSnapshot is the state of a trace.
type TraceSnapshot struct {
	// Redirects holds, for each span that is stored, where it leads.
	Redirects   map[buffer.SpanID]Redirect
	Generations map[buffer.Generation]GenerationSnapshot
}

// Redirect is where a span leads.
type Redirect struct {
	Target     buffer.SpanID
	Generation buffer.Generation
	CutOff     bool
}

// GenerationSnapshot is a generation: live if it has no owner.
type GenerationSnapshot struct {
	Owner   *buffer.Owner
	HasRoot bool // of its segment
	// Calls holds the spans in the order of their arrival, those that arrived together by position;
	// what arrived together in another generation of the trace has the same number.
	Calls []Arrived
}

// Arrived is a span and the rank of the call with which it came, among those of which the trace
// holds anything.
type Arrived struct {
	Call int
	Span buffer.SpanID
}

// ShardSnapshot is the state of a shard.
type ShardSnapshot struct {
	Epoch          buffer.Epoch
	Queued, Leased map[buffer.Generation]bool
}

// Snapshot returns what the store holds.
func (s *Store) Snapshot() Snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := Snapshot{
		Traces: make(map[buffer.TraceKey]TraceSnapshot, len(s.traces)),
		Shards: make(map[buffer.Shard]ShardSnapshot, len(s.shards)),
	}
	for key, t := range s.traces { //order-free: into a map
		all.Traces[key] = t.snapshot()
	}
	for n, sh := range s.shards { //order-free: into a map
		one := ShardSnapshot{
			Epoch: sh.epoch, Queued: make(map[buffer.Generation]bool), Leased: make(map[buffer.Generation]bool),
		}
		for name := range sh.queue { //order-free: into a map
			one.Queued[name] = true
		}
		for name := range sh.leased { //order-free: into a map
			one.Leased[name] = true
		}
		all.Shards[n] = one
	}
	return all
}

func (t *trace) snapshot() TraceSnapshot {
	all := TraceSnapshot{
		Redirects:   make(map[buffer.SpanID]Redirect, len(t.held.ids)),
		Generations: make(map[buffer.Generation]GenerationSnapshot),
	}
	for at, id := range t.held.ids {
		r := &t.held.values[at]
		all.Redirects[id] = Redirect{r.target, r.generation.name, r.cutOff}
	}
	ranks := t.ranks()
	add := func(s *segment, g *generation) {
		one := GenerationSnapshot{Owner: g.owner, HasRoot: s.hasRoot}
		var calls []arrival
		g.inOrder(&calls)
		for _, call := range calls {
			for i := range call.spans {
				one.Calls = append(one.Calls, Arrived{ranks[call.call], call.spans[i].ID})
			}
		}
		all.Generations[g.name] = one
	}
	for _, s := range t.segments.values {
		if s.live != nil {
			add(s, s.live)
		}
		for _, g := range s.inFlight {
			add(s, g)
		}
	}
	return all
}

// ranks numbers the calls of which the trace holds a span.
func (t *trace) ranks() map[int]int {
	var calls []int
	add := func(g *generation) {
		if g != nil {
			for _, a := range g.arrivals {
				calls = append(calls, a.call)
			}
		}
	}
	for _, s := range t.segments.values {
		add(s.live)
		for _, g := range s.inFlight {
			add(g)
		}
	}
	slices.Sort(calls)
	ranks := make(map[int]int)
	for _, call := range calls {
		if _, known := ranks[call]; !known {
			ranks[call] = len(ranks)
		}
	}
	return ranks
}
