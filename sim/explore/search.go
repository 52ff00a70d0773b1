package explore

import (
	"context"
	"math/rand/v2"
	"slices"
)

// world is what is searched: a state is a list of numbers.
type world interface {
	first() [][]uint32
	// key is the same for states that differ in names only; orbit is how many such there are.
	key(s []uint32) (key uint64, orbit int)
	// expand visits what can come next, and says what is wrong with it. It returns true if nothing but
	// faults can. The successor is to be copied.
	expand(s []uint32, visit func(m move, next []uint32, wrong string)) (quiet bool)
	// rest says what is wrong with a state in which nothing but faults can happen.
	rest(s []uint32) string
	describe(s []uint32, m move) string
	// inWords says what everything is in a state.
	inWords(s []uint32) []Part
	covered() map[Cell]int
	// executed is how often the code itself ran.
	executed() int
}

// search is breadth first, so that the first violation has the shortest way.
type search struct {
	world     world
	statesMax int              // 0: unlimited
	only      string           // the kind of what is looked for; empty: all
	seen      map[uint64]int32 // numbers of states, by key
	from      []int32          // by number of state: its predecessor,
	by        []move           // and the move that led from there
	frontier  [][]uint32
	ids       []int32    // of the frontier
	room      []uint32   // for the states of the next frontier
	edges     [][2]int32 // the steps that are no faults, by numbers of states
	ends      []int32    // states at rest, and those that the search goes no further from

	generated, depth, orbits int
	wrong                    string
	last                     int32 // the state before the violation
	lastMove                 *move // nil: the state itself is wrong
	whole                    bool  // the level of the violation was searched to its end: none is nearer
	exhausted                bool
	rests                    uint64 // a sum over the keys of the states in which only faults can happen
}

func newSearch(w world, statesMax int) *search {
	return &search{world: w, statesMax: statesMax, seen: make(map[uint64]int32)}
}

// run searches until the space is exhausted, something is wrong, or a bound is reached. What is wrong with
// a state at rest is seen a step later than what is wrong with a move to one, so the states of a level are
// all looked at before one of the next is said to be the first that is wrong.
func (f *search) run(ctx context.Context, progress func(distinct, depth int)) {
	for _, s := range f.world.first() {
		f.generated++
		f.reach(s, -1, move{})
	}
	for len(f.frontier) > 0 && f.wrong == "" {
		frontier, ids := f.frontier, f.ids
		f.frontier, f.ids, f.whole = nil, nil, false
		for i, s := range frontier {
			if i%1024 == 0 {
				if ctx.Err() != nil {
					return
				}
				if progress != nil {
					progress(len(f.from), f.depth)
				}
			}
			if f.statesMax > 0 && len(f.from) >= f.statesMax && f.wrong == "" {
				return
			}
			if f.look(s, ids[i]) {
				break
			}
		}
		if f.whole = true; f.wrong == "" {
			f.depth++
		}
	}
	if f.exhausted = f.wrong == ""; f.exhausted && f.looksFor(goesOn) {
		if at := f.endless(); at >= 0 {
			f.wrong, f.last, f.lastMove, f.exhausted = goesOn, at, nil, false
		}
	}
}

// goesOn is what is wrong with a state from which work never comes to its end.
const goesOn = "never at rest: whatever happens now, work goes on in circles"

// look visits what can come of a state, and returns true if the state itself is wrong: nothing is nearer.
func (f *search) look(s []uint32, id int32) bool {
	quiet := f.world.expand(s, func(m move, next []uint32, wrong string) {
		f.generated++
		switch {
		case f.wrong != "":
		case wrong == "":
			if to := f.reach(next, id, m); !m.act.fault() {
				f.edges = append(f.edges, [2]int32{id, to})
			}
		case f.looksFor(wrong):
			f.wrong, f.last, f.lastMove = wrong, id, &m
		default:
			f.ends = append(f.ends, id)
		}
	})
	if !quiet {
		return false
	}
	f.rests += mix(26, first(f.world.key(s)))
	f.ends = append(f.ends, id)
	wrong := f.world.rest(s)
	if wrong == "" || !f.looksFor(wrong) {
		return false
	}
	f.wrong, f.last, f.lastMove = wrong, id, nil
	return true
}

// looksFor tells whether the search is to end with what is wrong.
func (f *search) looksFor(wrong string) bool { return f.only == "" || kind(wrong) == f.only }

// endless returns the nearest state from which no steps without a fault lead to a rest, or -1: there work
// goes round in circles for ever.
func (f *search) endless() int32 {
	begin := make([]int32, len(f.from)+1) // of those before each state in before
	for _, e := range f.edges {
		begin[e[1]+1]++
	}
	for i := range f.from {
		begin[i+1] += begin[i]
	}
	before, filled := make([]int32, len(f.edges)), slices.Clone(begin)
	for _, e := range f.edges {
		before[filled[e[1]]] = e[0]
		filled[e[1]]++
	}
	leads := make([]bool, len(f.from))
	for todo := slices.Clone(f.ends); len(todo) > 0; {
		at := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if !leads[at] {
			leads[at] = true
			todo = append(todo, before[begin[at]:begin[at+1]]...)
		}
	}
	return int32(slices.Index(leads, false))
}

// reach adds a state, unless it is known, and returns its number.
func (f *search) reach(s []uint32, from int32, by move) int32 {
	key, orbit := f.world.key(s)
	if n, known := f.seen[key]; known {
		return n
	}
	at := int32(len(f.from))
	f.seen[key] = at
	f.orbits += orbit
	if cap(f.room)-len(f.room) < len(s) {
		f.room = make([]uint32, 0, max(roomWords, len(s)))
	}
	begin := len(f.room)
	f.room = append(f.room, s...)
	f.frontier = append(f.frontier, f.room[begin:len(f.room):len(f.room)])
	f.ids = append(f.ids, at)
	f.from, f.by = append(f.from, from), append(f.by, by)
	return at
}

// roomWords is how much room for states is made at a time, in words.
const roomWords = 1 << 14

// walk is a run whose every choice is drawn, faults rarely. It marks the states that it reaches, notes
// those that are not known, and returns at the end of all work.
func (f *search) walk(random *rand.Rand, reached []bool, missed map[uint64]bool) {
	all := f.world.first()
	s := all[random.IntN(len(all))]
	for range walkMax {
		key := first(f.world.key(s))
		if n, known := f.seen[key]; known {
			reached[n] = true
		} else {
			missed[key] = true
		}
		var steps, faults [][]uint32
		f.world.expand(s, func(m move, next []uint32, wrong string) {
			if wrong != "" { // after a state of which the search has found nothing that is
				missed[mix(key, text(wrong))] = true
				return
			}
			copied := append([]uint32(nil), next...)
			if m.act.fault() {
				faults = append(faults, copied)
			} else {
				steps = append(steps, copied)
			}
		})
		if len(faults) > 0 && (len(steps) == 0 || random.Float64() < walkFaults) {
			steps = faults
		}
		if len(steps) == 0 {
			return
		}
		s = steps[random.IntN(len(steps))]
	}
}

const (
	walkMax = 1000 // steps; a small system is at rest long before
	// walkFaults is how likely a fault is at each step at which one can be.
	walkFaults = 0.05
)

func first(key uint64, _ int) uint64 { return key }
