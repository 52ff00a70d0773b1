package explore

import (
	"slices"
	"strings"
	"testing"
)

// graph is a world of a few states. A state whose number is in rests is at rest, and wrong if it has words.
type graph struct {
	world // what is not asked for
	next  map[uint32][]uint32
	wrong map[uint32]string // of what leads there
	rests map[uint32]string
}

func (g graph) first() [][]uint32            { return [][]uint32{{0}} }
func (g graph) key(s []uint32) (uint64, int) { return uint64(s[0]), 1 }
func (g graph) rest(s []uint32) string       { return g.rests[s[0]] }

func (g graph) expand(s []uint32, visit func(m move, next []uint32, wrong string)) bool {
	for _, n := range g.next[s[0]] {
		visit(move{}, []uint32{n}, g.wrong[n])
	}
	_, rests := g.rests[s[0]]
	return rests
}

// TestTheNearestIsFound: a state at rest that is wrong is nearer than what is wrong with a step from
// another of its level.
func TestTheNearestIsFound(t *testing.T) {
	g := graph{
		next: map[uint32][]uint32{0: {1, 2}, 1: {3}}, wrong: map[uint32]string{3: "moved: there"},
		rests: map[uint32]string{2: "left over: here"},
	}
	f := newSearch(g, 0)
	f.run(t.Context(), nil)
	if f.wrong != "left over: here" || f.last != 2 || f.lastMove != nil || !f.whole || f.exhausted {
		t.Errorf("found %q after state %d: %+v", f.wrong, f.last, f.lastMove)
	}
	for only, want := range map[string]string{"moved": "moved: there", "left over": "left over: here", "else": ""} {
		f := newSearch(g, 0)
		f.only = only
		f.run(t.Context(), nil)
		if f.wrong != want || f.exhausted != (want == "") {
			t.Errorf("looked for %q and found %q, exhausted: %v", only, f.wrong, f.exhausted)
		}
	}
	// A search that ends within the level does not know what else is in it.
	wide := graph{next: map[uint32][]uint32{0: nil, 1: {3000}}, wrong: map[uint32]string{3000: "moved: there"}}
	for n := range uint32(2000) {
		wide.next[0] = append(wide.next[0], n+1)
	}
	f = newSearch(wide, 0)
	f.run(&countdown{t.Context(), 2}, nil)
	if f.wrong == "" || f.whole || f.exhausted {
		t.Errorf("found %q, the level to its end: %v", f.wrong, f.whole)
	}
}

// TestWorkThatNeverEnds is wrong, though no state on its way is; that it may end is enough.
func TestWorkThatNeverEnds(t *testing.T) {
	may := map[uint32][]uint32{0: {1}, 1: {2}, 2: {1, 3}}
	for want, next := range map[string]map[uint32][]uint32{
		"": may, goesOn: {0: {1, 4}, 1: may[1], 2: may[2], 4: {5}, 5: {4}},
	} {
		f := newSearch(graph{next: next, rests: map[uint32]string{3: ""}}, 0)
		f.run(t.Context(), nil)
		if f.wrong != want || f.exhausted != (want == "") || want != "" && f.from[f.last] != 0 {
			t.Errorf("%v: %q after state %d, exhausted: %v", next, f.wrong, f.last, f.exhausted)
		}
	}
	c := small("protocol", 2, 1, 2, 1)
	c.Size.Scattered, c.Defect = true, "delete-before-queue"
	f := newSearch(c.world(), 0)
	f.only = kind(goesOn)
	f.run(t.Context(), nil)
	if f.wrong != goesOn {
		t.Errorf("a worker that waits for a dead one for ever: %q", f.wrong)
	}
}

// coarse takes states for one that differ in what the worker does.
type coarse struct{ *protocol }

func (c coarse) key(s []uint32) (uint64, int) {
	s = slices.Clone(s)
	s[c.base+ofWorkers] = 0
	return c.protocol.key(s)
}

// TestRandomRunsFindWhatIsLeftOut: a state that they come to, and an exhausted search has not, is not
// passed over, since what is wrong may be left out as well.
func TestRandomRunsFindWhatIsLeftOut(t *testing.T) {
	c := small("protocol", 1, 1, 1, 1)
	c.Independence = false
	f := newSearch(c.world(), 0)
	f.run(t.Context(), nil)
	if _, states, missed := f.walks(t.Context(), 50); missed != 0 || states == 0 {
		t.Errorf("%d states of random runs, and %d that the search has left out", states, missed)
	}
	f = newSearch(coarse{c.world().(*protocol)}, 0)
	f.only = "something else than what it takes for wrong"
	f.run(t.Context(), nil)
	if _, _, missed := f.walks(t.Context(), 50); !f.exhausted || missed == 0 {
		t.Errorf("exhausted: %v, and random runs come to %d other states", f.exhausted, missed)
	}
	c.Seeds = 50
	r := Result{Config: c, Exhausted: true, Walked: 50, Missed: 3}
	if want := "unknown; nothing was found to be wrong, but random runs come to 3 states"; r.Finished() ||
		!strings.HasPrefix(r.Verdict(), want) {
		t.Errorf("finished: %v, %q, want %q", r.Finished(), r.Verdict(), want)
	}
}
