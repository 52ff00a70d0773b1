package explore

import (
	"context"
	"math/rand/v2"
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
	seen      map[uint64]int32 // numbers of states, by key
	from      []int32          // by number of state: its predecessor,
	by        []move           // and the move that led from there
	frontier  [][]uint32
	ids       []int32  // of the frontier
	room      []uint32 // for the states of the next frontier

	generated, depth, orbits int
	wrong                    string
	last                     int32 // the state before the violation
	lastMove                 *move // nil: the state itself is wrong
	exhausted                bool
	rests                    uint64 // a sum over the keys of the states in which only faults can happen
}

func newSearch(w world, statesMax int) *search {
	return &search{world: w, statesMax: statesMax, seen: make(map[uint64]int32)}
}

// run searches until the space is exhausted, something is wrong, or a bound is reached.
func (f *search) run(ctx context.Context, progress func(distinct, depth int)) {
	for _, s := range f.world.first() {
		f.generated++
		f.reach(s, -1, move{})
	}
	for len(f.frontier) > 0 && f.wrong == "" {
		frontier, ids := f.frontier, f.ids
		f.frontier, f.ids = nil, nil
		for i, s := range frontier {
			if i%1024 == 0 {
				if ctx.Err() != nil {
					return
				}
				if progress != nil {
					progress(len(f.from), f.depth)
				}
			}
			if f.statesMax > 0 && len(f.from) >= f.statesMax {
				return
			}
			quiet := f.world.expand(s, func(m move, next []uint32, wrong string) {
				f.generated++
				if f.wrong != "" {
					return
				}
				if wrong != "" {
					f.wrong, f.last, f.lastMove = wrong, ids[i], &m
					return
				}
				f.reach(next, ids[i], m)
			})
			if quiet && f.wrong == "" {
				f.rests += mix(26, first(f.world.key(s)))
				if wrong := f.world.rest(s); wrong != "" {
					f.wrong, f.last = wrong, ids[i]
				}
			}
			if f.wrong != "" {
				return
			}
		}
		f.depth++
	}
	f.exhausted = true
}

// reach adds a state, unless it is known.
func (f *search) reach(s []uint32, from int32, by move) {
	key, orbit := f.world.key(s)
	if _, known := f.seen[key]; known {
		return
	}
	f.seen[key] = int32(len(f.from))
	f.orbits += orbit
	if cap(f.room)-len(f.room) < len(s) {
		f.room = make([]uint32, 0, max(roomWords, len(s)))
	}
	at := len(f.room)
	f.room = append(f.room, s...)
	f.frontier = append(f.frontier, f.room[at:len(f.room):len(f.room)])
	f.ids = append(f.ids, int32(len(f.from)))
	f.from, f.by = append(f.from, from), append(f.by, by)
}

// roomWords is how much room for states is made at a time, in words.
const roomWords = 1 << 14

// walk is a run whose every choice is drawn, faults rarely. It marks the states that it reaches, and
// returns at the end of all work.
func (f *search) walk(random *rand.Rand, reached []bool) {
	all := f.world.first()
	s := all[random.IntN(len(all))]
	for range walkMax {
		if n, known := f.seen[first(f.world.key(s))]; known {
			reached[n] = true
		}
		var steps, faults [][]uint32
		f.world.expand(s, func(m move, next []uint32, wrong string) {
			if wrong != "" {
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
