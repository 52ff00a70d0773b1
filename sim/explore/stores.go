package explore

import (
	"slices"

	"sluice/buffer"
	"sluice/buffer/memstore"
)

// stores executes the steps of the reference store, each once for each content.
type stores struct {
	renamings []renaming
	ops       *table
	answers   *table
	byHash    map[uint64]int32
	all       []stored
	edges     map[storeKey]storeEdge
	executed  int
}

// stored is a content of the store.
type stored struct {
	store    *memstore.Store
	snapshot memstore.Snapshot
	hashes   []uint64 // by renaming
	empty    bool     // nothing is stored or named
	held     map[buffer.SpanID]bool
	ready    map[buffer.Shard][]buffer.Generation
	unnamed  []unnamed
}

// unnamed is a generation that no shard names, with its spans.
type unnamed struct {
	name  buffer.Generation
	spans []buffer.SpanID
}

type storeKey struct {
	from, op int32
	take     int16
}

type storeEdge struct{ to, answer int32 }

func newStores(rs []renaming, ops, answers *table) *stores {
	s := &stores{
		renamings: rs, ops: ops, answers: answers, byHash: make(map[uint64]int32),
		edges: make(map[storeKey]storeEdge),
	}
	s.number(memstore.New(buffer.Options{MaxSegmentBytes: buffer.NoSegmentLimit}))
	return s
}

// number returns the number of a store's content.
func (s *stores) number(of *memstore.Store) int32 {
	snapshot := of.Snapshot()
	h := s.renamings[0].digest(snapshot)
	if n, ok := s.byHash[h]; ok {
		return n
	}
	hashes := make([]uint64, len(s.renamings))
	hashes[0] = h
	for i, r := range s.renamings[1:] {
		hashes[i+1] = r.digest(snapshot)
	}
	n := int32(len(s.all))
	s.byHash[h] = n
	s.all = append(s.all, stored{store: of, snapshot: snapshot, hashes: hashes})
	s.all[n].look()
	return n
}

// look notes what is to be known of a content without looking at each of its parts again.
func (s *stored) look() {
	s.empty = len(s.snapshot.Traces) == 0
	s.held = make(map[buffer.SpanID]bool)
	for _, t := range s.snapshot.Traces { //order-free: into a set, and sorted below
		for id := range t.Redirects { //order-free: into a set
			s.held[id] = true
		}
		for name, g := range t.Generations { //order-free: sorted below
			if s.named(name) {
				continue
			}
			one := unnamed{name: name}
			for _, a := range g.Calls {
				one.spans = append(one.spans, a.Span)
			}
			s.unnamed = append(s.unnamed, one)
		}
	}
	slices.SortFunc(s.unnamed, func(a, b unnamed) int { return a.name.Compare(b.name) })
	s.ready = make(map[buffer.Shard][]buffer.Generation)
	for n, shard := range s.snapshot.Shards { //order-free: into a map
		s.empty = s.empty && len(shard.Queued)+len(shard.Leased) == 0
		for _, g := range sortedGenerations(shard.Queued) {
			if !shard.Leased[g] {
				s.ready[n] = append(s.ready[n], g)
			}
		}
	}
}

// takeNothing is what a lease may take besides one of the orders of what is queued.
const takeNothing = -1

// orders returns in how many ways a lease can take something of so much: how many, which, and in which
// order.
func orders(queued, limit int) (n int) {
	for size, ways := 1, queued; size <= min(queued, limit); size++ {
		n += ways
		ways *= queued - size
	}
	return n
}

// order returns one of the ways, by its number: those that take one come first.
func order(queued []buffer.Generation, number int) (taken []buffer.Generation) {
	size, ways := 1, len(queued)
	for ; number >= ways; size++ {
		number -= ways
		ways *= len(queued) - size
	}
	left := slices.Clone(queued)
	for range size {
		ways /= len(left) // that have the same beginning
		at := number / ways
		number %= ways
		taken = append(taken, left[at])
		left = slices.Delete(left, at, at+1)
	}
	return taken
}

// step returns what a step does to a content, and its answer.
func (s *stores) step(from, op int32, take int) storeEdge {
	key := storeKey{from, op, int16(take)}
	if e, ok := s.edges[key]; ok {
		return e
	}
	s.executed++
	asked := s.ops.values[op].(step)
	var taken []buffer.Generation
	if l, ok := asked.(lease); ok && take != takeNothing {
		taken = order(s.all[from].queued(l.Owner.Shard), take)
	}
	store := s.all[from].store.Clone()
	answer := asked.do(store, taken)
	e := storeEdge{s.number(store), s.answers.number(answer)}
	s.edges[key] = e
	return e
}

// queued returns what the shard's queue names and may be leased, in the order of names.
func (s *stored) queued(shard buffer.Shard) []buffer.Generation { return s.ready[shard] }

// named tells whether a shard names the generation.
func (s *stored) named(g buffer.Generation) bool {
	for _, shard := range s.snapshot.Shards { //order-free: asks whether any does
		if shard.Queued[g] || shard.Leased[g] {
			return true
		}
	}
	return false
}
