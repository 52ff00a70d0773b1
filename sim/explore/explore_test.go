package explore

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice/internal/defects"
)

var update = flag.Bool("update", false, "write the files under testdata")

// run searches a small system.
func run(t *testing.T, c Config) Result {
	t.Helper()
	r, err := Run(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func small(preset string, workers, traces, spans, faults int) Config {
	c := DefaultConfig(preset)
	c.Size = Size{Workers: workers, Traces: traces, Spans: spans, Faults: faults, Lease: 1}
	return c
}

// TestNothingIsWrong in systems that are searched to the end.
func TestNothingIsWrong(t *testing.T) {
	scattered := small("protocol", 2, 1, 2, 1)
	scattered.Size.Scattered = true
	together := small("protocol", 1, 2, 2, 1)
	together.Size.Lease = 2
	for _, c := range []Config{
		small("protocol", 1, 1, 2, 1), small("protocol", 2, 2, 2, 1), scattered, together,
		small("commit", 1, 1, 2, 2), small("rebalance", 1, 1, 1, 1), small("rebalance", 1, 1, 1, 2),
		small("supervisor", 2, 1, 1, 1),
	} {
		t.Run(fmt.Sprintf("%s %+v", c.Preset, c.Size), func(t *testing.T) {
			t.Parallel()
			r := run(t, c)
			if !r.Exhausted || r.Wrong != "" {
				t.Errorf("%s\n%s", r.Verdict(), strings.Join(r.Steps(), "\n"))
			}
			if r.Config.Independence == c.preset().Supervises {
				t.Errorf("independence is said to be %v", r.Config.Independence)
			}
			if len(r.Covered) == 0 {
				t.Error("no fault hit anything")
			}
		})
	}
}

// TestReductionsChangeNoVerdict: with and without them the same states are the ends of all work, and
// what is left out by symmetry is what the rest stands for.
func TestReductionsChangeNoVerdict(t *testing.T) {
	scattered := small("protocol", 2, 1, 2, 0)
	scattered.Size.Scattered = true
	pairs := small("protocol", 2, 2, 4, 0) // that swap, with ties in the queues of both
	pairs.Size.Scattered, pairs.Size.Lease = true, 2
	for _, c := range []Config{
		small("protocol", 2, 2, 2, 1), small("protocol", 1, 1, 2, 1), small("commit", 2, 2, 2, 1), scattered, pairs,
		small("rebalance", 1, 1, 1, 1), small("supervisor", 2, 1, 1, 1),
	} {
		t.Run(fmt.Sprintf("%s %+v", c.Preset, c.Size), func(t *testing.T) {
			t.Parallel()
			results := make(map[[2]bool]*search)
			for _, on := range [][2]bool{{false, false}, {true, false}, {false, true}, {true, true}} {
				c.Symmetry, c.Independence = on[0], on[1]
				f := c.search(t.Context(), 0)
				if !f.exhausted {
					t.Fatalf("with symmetry, independence %v: %q", on, f.wrong)
				}
				results[on] = f
			}
			full, symmetric := results[[2]bool{false, false}], results[[2]bool{true, false}]
			if got, want := symmetric.orbits, len(full.from); got != want {
				t.Errorf("the symmetric states stand for %d, and there are %d", got, want)
			}
			for _, symmetry := range []bool{false, true} {
				all, fewer := results[[2]bool{symmetry, false}], results[[2]bool{symmetry, true}]
				if all.rests != fewer.rests {
					t.Errorf("symmetry %v: with independence work ends in other states", symmetry)
				}
				if !c.preset().Supervises && len(fewer.from) >= len(all.from) {
					t.Errorf("independence leaves out nothing of %d states", len(all.from))
				}
			}
			if c.Size.Workers > 1 && !c.Size.Scattered && !c.preset().Supervises {
				if n := len(results[[2]bool{true, true}].from); n*5 > len(full.from) {
					t.Errorf("%d states, %d without reductions: want a fifth at most", n, len(full.from))
				}
			}
		})
	}
}

// TestDefectsAreFound by a way that is the shortest: a file under testdata, which docs/museum.md shows.
func TestDefectsAreFound(t *testing.T) {
	for _, d := range defects.All() {
		if d.Explored == "" {
			continue
		}
		t.Run(d.Name, func(t *testing.T) {
			t.Parallel()
			cfg := DefaultConfig(d.Explored)
			cfg.Defect = d.Name
			r := run(t, cfg)
			if r.Wrong == "" {
				t.Fatal("not found")
			}
			if !r.Shortest || r.PassedOver > 0 {
				t.Errorf("perhaps there is a shorter way, or one of %d smaller systems shows it", r.PassedOver)
			}
			got := r.Wrong + "\n" + strings.Join(r.Steps(), "\n") + "\n"
			file := filepath.Join("testdata", d.Name+".txt")
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if diff := cmp.Diff(string(want), got); err != nil || diff != "" {
				t.Errorf("%v %s", err, diff)
			}
			cfg.Symmetry, cfg.Independence, cfg.Size = false, false, r.Smallest
			if without := run(t, cfg); kind(without.Wrong) != kind(r.Wrong) {
				t.Errorf("without reductions: %q, with them %q", without.Wrong, r.Wrong)
			}
		})
	}
}

// TestMemoryIsEnough: processes that remember the same do the same. Each that was taken for one that
// was known is given the answers that the other got, and must hand over, ask for and remember the same.
func TestMemoryIsEnough(t *testing.T) {
	pairs := small("protocol", 1, 3, 3, 1)
	pairs.Size.Lease = 2
	abreast := small("supervisor", 1, 1, 1, 1)
	abreast.Size.Shards = 5 // which are fenced several at a time
	with := func(c Config, defect string) Config {
		c.Defect = defect
		return c
	}
	for _, c := range []Config{
		pairs,
		small("protocol", 1, 2, 3, 1), small("commit", 1, 1, 3, 2), small("rebalance", 1, 1, 1, 1),
		small("supervisor", 2, 1, 1, 1),
		with(small("protocol", 1, 1, 3, 1), "queue-gap"), with(small("protocol", 1, 2, 4, 1), "partial-decision"),
		with(small("protocol", 1, 1, 3, 1), "scan-race"), with(small("protocol", 1, 1, 3, 1), "expired-lock"),
		with(small("protocol", 1, 1, 3, 1), "wrong-queue"), with(small("protocol", 1, 1, 3, 1), "double-count"),
		with(small("supervisor", 2, 1, 1, 1), "kill-skipped"), abreast,
	} {
		t.Run(c.Preset+" "+c.Defect, func(t *testing.T) {
			t.Parallel()
			var m *machines
			switch w := c.search(t.Context(), 50_000).world.(type) {
			case *protocol:
				m = w.machines
			case *supervision:
				m = w.machines
			}
			random := rand.New(rand.NewPCG(1, 1))
			random.Shuffle(len(m.merged), func(i, j int) { m.merged[i], m.merged[j] = m.merged[j], m.merged[i] })
			next := m.byNode()
			checked := 0
			for _, one := range m.merged {
				for _, key := range next[one.to] {
					if checked++; checked > 3000 {
						return
					}
					if wrong := m.differs(one, key); wrong != "" {
						t.Fatal(wrong)
					}
				}
			}
			if checked == 0 {
				t.Error("nothing to check")
			}
		})
	}
}

func (m *machines) byNode() map[int32][]edgeKey {
	all := make(map[int32][]edgeKey)
	for n := range int32(len(m.nodes)) {
		for call := range int32(len(m.nodes[n].calls)) {
			for a := range int32(len(m.answers.values)) {
				if _, ok := m.edges[edgeKey{n, call, a}]; ok {
					all[n] = append(all[n], edgeKey{n, call, a})
				}
			}
		}
	}
	return all
}

// differs takes a process the other way to what was taken for one state, gives it an answer that was
// given there, and says what is not the same then.
func (m *machines) differs(other merge, key edgeKey) string {
	m.drop()
	l := m.revive(other.from)
	l.resume(int(other.call), m.answers.values[other.answer].(answer), nil)
	// The order of calls may differ: they are told by what they ask for.
	for i, c := range l.calls {
		if m.ops.number(c.op) != m.nodes[key.from].calls[key.call] {
			continue
		}
		l.resume(i, m.answers.values[key.answer].(answer), nil)
		var sent []int32
		for _, s := range l.sent {
			sent = append(sent, m.sends.number(s))
		}
		want := m.edges[key]
		if diff := cmp.Diff(want.sent, sent); diff != "" {
			return "hands over something else: " + diff
		}
		to := &m.nodes[want.to]
		var memory any
		var enough bool
		if !l.ended {
			memory, enough = l.program.memory(l)
		}
		if l.ended != to.ended || enough && m.renamings[0].digest(memory) != to.hashes[0] {
			return fmt.Sprintf("%s, answered %s:\nremembers %+v", say(c.op),
				reply(m.answers.values[key.answer].(answer)), memory)
		}
		m.drop()
		return ""
	}
	return fmt.Sprintf("does not ask for %s", say(m.ops.values[m.nodes[key.from].calls[key.call]]))
}

// TestSeedsReachAShare of the states, more of them a larger one.
func TestSeedsReachAShare(t *testing.T) {
	share := func(seeds int) int {
		c := small("protocol", 1, 1, 1, 1)
		c.Independence, c.Seeds = false, seeds
		return run(t, c).Reached
	}
	few, many, all := share(10), share(300), run(t, small("protocol", 1, 1, 1, 1)).Distinct
	if few == 0 || many <= few || few != share(10) {
		t.Errorf("10 seeds reach %d, 300 reach %d of some %d", few, many, all)
	}
}

// countdown is a context that ends when it was asked so many times.
type countdown struct {
	context.Context
	left int
}

func (c *countdown) Err() error {
	if c.left--; c.left < 0 {
		return context.DeadlineExceeded
	}
	return nil
}

// TestSeedsCutShort: what is said of random runs is said of those that were made.
func TestSeedsCutShort(t *testing.T) {
	c := small("protocol", 1, 1, 1, 1)
	c.Independence, c.Seeds = false, 40
	asked := &countdown{t.Context(), 1 << 30}
	whole, err := Run(asked, c)
	if err != nil || whole.Walked != 40 || !whole.Finished() || !strings.HasPrefix(whole.Verdict(), "passed; ") {
		t.Fatalf("%v, %d made: %s", err, whole.Walked, whole.Verdict())
	}
	for _, made := range []int{0, 15} {
		got, err := Run(&countdown{t.Context(), 1<<30 - asked.left - 40 + made}, c)
		if err != nil || got.Walked != made || !got.Exhausted || got.Finished() || (got.Reached > 0) != (made > 0) {
			t.Fatalf("%v, %d made, want %d; they reach %d", err, got.Walked, made, got.Reached)
		}
		if want := fmt.Sprintf("but only %d of 40 random runs were made", made); !strings.HasSuffix(got.Verdict(), want) ||
			!strings.HasPrefix(got.Verdict(), "unknown; ") {
			t.Errorf("%q, want %q", got.Verdict(), want)
		}
		var text strings.Builder
		if err := got.WriteText(&text, time.Second); err != nil {
			t.Fatal(err)
		}
		if want := fmt.Sprintf("seeds: %d of 40 random runs reach %d of", made, got.Reached); !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, text.String())
		}
	}
}

// TestTheShortestIsSaidToBe only of what was looked for to the end.
func TestTheShortestIsSaidToBe(t *testing.T) {
	c := DefaultConfig("protocol")
	c.Defect = "ack-first"
	asked := &countdown{t.Context(), 1 << 30}
	whole, err := Run(asked, c)
	if err != nil || !whole.Shortest {
		t.Fatalf("%v, %+v", err, whole)
	}
	f := &countdown{t.Context(), 1 << 30}
	c.search(f, 0)
	cut, err := Run(&countdown{t.Context(), 1<<30 - f.left}, c)
	if err != nil || cut.Wrong == "" || cut.Shortest || cut.Smallest != c.Size ||
		cut.PassedOver != len(c.smaller()) || whole.PassedOver != 0 {
		t.Errorf("%v, %+v", err, cut)
	}
	least := small("protocol", 1, 1, 1, 1)
	least.Defect = c.Defect
	if r := run(t, least); !r.Shortest || r.Smallest != least.Size {
		t.Errorf("%q, the shortest: %v, in %+v", r.Wrong, r.Shortest, r.Smallest)
	}
	for text, r := range map[string]Result{"the shortest way there, with": whole, fmt.Sprintf("a way there, perhaps not the shortest (%d smaller systems not searched to the end), with", len(c.smaller())): cut} {
		var b strings.Builder
		if err := r.WriteText(&b, time.Second); err != nil || !strings.Contains(b.String(), text) {
			t.Errorf("%v, no %q in\n%s", err, text, b.String())
		}
	}
}

// TestSearchEndsEarly at its bounds, and says what it found until then.
func TestSearchEndsEarly(t *testing.T) {
	c := DefaultConfig("protocol")
	c.StatesMax = 100
	if r := run(t, c); r.Exhausted || r.Distinct < 100 || r.Distinct > 200 {
		t.Errorf("exhausted %v after %d states, want to end after 100", r.Exhausted, r.Distinct)
	}
	c.StatesMax = 1
	if r := run(t, c); r.Generated < r.Distinct {
		t.Errorf("%d states are distinct of %d that were generated", r.Distinct, r.Generated)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	r, err := Run(ended, DefaultConfig("protocol"))
	if err != nil || r.Exhausted || !strings.HasSuffix(r.Verdict(), " states, before the space was exhausted") {
		t.Errorf("%v, %s", err, r.Verdict())
	}
}

func TestConfigNamesItsFaults(t *testing.T) {
	c := DefaultConfig("protocoll")
	c.Defect, c.Size.Workers, c.Seeds = "ack-frist", 0, 1
	err := c.Validate()
	for _, want := range []string{"did you mean protocol?", "did you mean ack-first?", "0 workers", "independence"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
}

// TestWhatIsNotExplored: a defect of which is said that no preset finds it is one that is run with, and
// not found.
func TestWhatIsNotExplored(t *testing.T) {
	for _, d := range defects.All() {
		if d.Explored != "" {
			continue
		}
		t.Run(d.Name, func(t *testing.T) {
			t.Parallel()
			for _, preset := range []string{"protocol", "supervisor"} {
				c := small(preset, 1, 1, 2, 1)
				c.Defect, c.StatesMax = d.Name, 30_000
				if r := run(t, c); r.Wrong != "" {
					t.Errorf("%s finds it: %s", preset, r.Wrong)
				}
			}
		})
	}
}

// TestUsedUpTooEarly: a supervisor that ends as if a budget were used up, before it was, is seen.
func TestUsedUpTooEarly(t *testing.T) {
	for restarts, want := range map[int]string{
		budget - 1: "restart budget: it is said to be used up after 1 start of worker 0, with 1 restart allowed",
		budget:     "",
	} {
		sys := newSystem(small("supervisor", 1, 1, 1, 2).Size, defects.Defect{})
		sys.restarts = restarts
		f := newSearch(newSupervision(sys, true), 0)
		f.run(t.Context(), nil)
		if f.wrong != want {
			t.Errorf("with %d restarts: %q, want %q", restarts, f.wrong, want)
		}
	}
}

// TestSizeInWords names what takes part in the preset, and nothing else.
func TestSizeInWords(t *testing.T) {
	three := DefaultConfig("supervisor")
	three.Size.Shards = 3
	scattered := DefaultConfig("protocol")
	scattered.Size.Scattered, scattered.Size.Lease = true, 2
	for want, c := range map[string]Config{
		"2 workers, 2 shards, 2 faults":                                          DefaultConfig("supervisor"),
		"2 workers, 3 shards, 2 faults":                                          three,
		"2 workers, 2 traces, 4 spans, 2 faults":                                 DefaultConfig("protocol"),
		"2 workers, 2 scattered traces, 4 spans, 2 segments at a time, 2 faults": scattered,
	} {
		if got := (Result{Config: c, Smallest: c.Size}).System(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestOnlyTheSearchCounts: random runs, and what is done to show a way, cover nothing.
func TestOnlyTheSearchCounts(t *testing.T) {
	c := small("protocol", 1, 1, 1, 1)
	c.Independence = false
	over := 0
	c.Searched = func() { over++ }
	alone := run(t, c)
	c.Seeds = 50
	beside := run(t, c)
	if diff := cmp.Diff(alone.Covered, beside.Covered); diff != "" || len(alone.Covered) == 0 {
		t.Errorf("with random runs the search covers %v: %s", beside.Covered, diff)
	}
	c.Seeds, c.Defect = 0, "ack-first"
	f := c.search(t.Context(), 0)
	if wrong := run(t, c); cmp.Diff(f.world.covered(), wrong.Covered) != "" || wrong.Wrong == "" {
		t.Errorf("with a way to %q the search covers %v instead of %v", wrong.Wrong, wrong.Covered, f.world.covered())
	}
	if over != 3 {
		t.Errorf("%d of 3 searches were said to be over", over)
	}
}

// TestKind: the same is wrong whichever worker or partition it befell.
func TestKind(t *testing.T) {
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"worker 1 ends: store: refused", "worker 0 ends: store: gone", true},
		{"worker 1 ends, and nobody asked it to", "worker 0 ends, and nobody asked it to", true},
		{"partition 1 is not read to its end, and nothing happens any more",
			"partition 0 is not read to its end, and nothing happens any more", true},
		{"lost: a1 is committed", "lost: a0 is committed", true},
		{"worker 1 ends: store: refused", "reader 1 ends: store: refused", false},
		{"worker 1 ends: store: refused", "", false},
	} {
		if (kind(c.a) == kind(c.b)) != c.same {
			t.Errorf("%q and %q are the same: %v", c.a, c.b, !c.same)
		}
	}
}
