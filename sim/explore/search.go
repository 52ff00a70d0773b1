package explore

import (
	"context"
	"time"
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
}

// bounds end a search early.
type bounds struct {
	states int // 0: unlimited
	until  time.Time
}

// search is breadth first, so that the first violation has the shortest way.
type search struct {
	world    world
	seen     map[uint64]struct{}
	from     []int32 // by number of state: its predecessor,
	by       []move  // and the move that led from there
	begins   []int32 // numbers of the first states, in order
	frontier [][]uint32
	ids      []int32 // of the frontier

	generated, depth, orbits int
	wrong                    string
	last                     int32 // the state before the violation
	lastMove                 *move // nil: the state itself is wrong
	exhausted                bool
	reduced                  int
}

// run searches until the space is exhausted, something is wrong, or a bound is reached.
func (f *search) run(ctx context.Context, b bounds, progress func(*search)) {
	for _, s := range f.world.first() {
		f.reach(s, -1, move{})
	}
	for len(f.frontier) > 0 && f.wrong == "" {
		frontier, ids := f.frontier, f.ids
		f.frontier, f.ids = nil, nil
		for i, s := range frontier {
			if i%1024 == 0 {
				if ctx.Err() != nil || !b.until.IsZero() && time.Now().After(b.until) {
					return
				}
				progress(f)
			}
			if b.states > 0 && len(f.from) >= b.states {
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
	f.seen[key] = struct{}{}
	f.orbits += orbit
	f.frontier = append(f.frontier, append([]uint32(nil), s...))
	f.ids = append(f.ids, int32(len(f.from)))
	f.from, f.by = append(f.from, from), append(f.by, by)
}

// way returns the steps that lead to the violation, in words.
func (f *search) way() []string {
	var moves []move
	if f.lastMove != nil {
		moves = append(moves, *f.lastMove)
	}
	n := f.last
	for ; f.from[n] >= 0; n = f.from[n] {
		moves = append(moves, f.by[n])
	}
	s := f.world.first()[n]
	var words []string
	for i := len(moves) - 1; i >= 0; i-- {
		var after []uint32
		f.world.expand(s, func(m move, next []uint32, _ string) {
			if m == moves[i] {
				words = append(words, f.world.describe(s, m))
				after = append([]uint32(nil), next...)
			}
		})
		s = after
	}
	return words
}
