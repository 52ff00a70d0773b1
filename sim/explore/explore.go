package explore

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"

	"sluice/internal/check"
	"sluice/internal/defects"
	"sluice/internal/options"
)

// Config says what is searched, and how far.
type Config struct {
	// Preset names what takes part; see Presets.
	Preset string
	Size   Size
	// Defect is planted into the processes. Default none.
	Defect string
	// Symmetry takes states for one that differ in names only, and Independence leaves out orders of
	// steps that come to the same, but for a supervisor, of which none is known. Default both.
	Symmetry, Independence bool
	// StatesMax ends the search; 0 does not.
	StatesMax int
	// Seeds is how many random runs of the same system are compared with what was found.
	Seeds int
	// Progress hears now and then how far the search is. Optional.
	Progress func(distinct, depth int)
	// Searched hears that the search is over: what follows are random runs, and searches of smaller systems
	// for what is wrong. Optional.
	Searched func()
}

// DefaultConfig searches the default system of a preset.
func DefaultConfig(preset string) Config {
	return Config{Preset: preset, Size: DefaultSize(), Symmetry: true, Independence: true}
}

// Preset is a system that can be searched.
type Preset struct {
	Name, Means string
	// Supervises is true if a supervisor takes part, and no data. Nothing is known of its steps that
	// would make some independent of others.
	Supervises bool
	new        func(c Config, d defects.Defect) world
}

// Presets returns all presets.
func Presets() []Preset {
	data := func(k kinds) func(Config, defects.Defect) world {
		return func(c Config, d defects.Defect) world {
			return newProtocol(newSystem(c.Size, d), k, c.Symmetry, c.Independence)
		}
	}
	return []Preset{
		{"protocol", "readers, store, workers and output: crashes, workers that freeze and wake beside " +
			"their successors, redelivery with other cuts, lost answers, records that Kafka refuses", false,
			data(protocolKinds)},
		{"commit", "the same, with faults of readers only: crashes, lost answers, calls that are refused",
			false, data(commitKinds)},
		{"rebalance", "the same, with partitions that go to another member: revoked, or lost while the one " +
			"before still reads and flushes", false, data(rebalanceKinds)},
		{"supervisor", "a supervisor over workers that start, crash, hang and wake, and starts that fail",
			true, func(c Config, d defects.Defect) world {
				return newSupervision(newSystem(c.Size, d), c.Symmetry)
			}},
	}
}

// Validate returns every fault of the config, joined, or nil.
func (c Config) Validate() error {
	var f check.Faults
	var names []string
	for _, p := range Presets() {
		names = append(names, p.Name)
	}
	f.When(!slices.Contains(names, c.Preset), "unknown preset %q%s", c.Preset, options.Hint(c.Preset, names))
	f.When(c.StatesMax < 0, "%d states at most: want 1 or more, or 0 for all", c.StatesMax)
	f.When(c.Seeds < 0, "%d seeds: want 0 or more", c.Seeds)
	f.When(c.Seeds > 0 && c.Independence, "random runs take every order of steps: compare them with a "+
		"search without independence")
	_, err := defects.Find(c.Defect)
	f.Add(err)
	f.Add(c.Size.Validate())
	if slices.Contains(names, c.Preset) {
		data := !c.preset().Supervises
		f.When(data && c.Size.Shards > 0, "%d shards: only the preset supervisor has others than one for each worker",
			c.Size.Shards)
		f.When(!data && (c.Size.Scattered || c.Size.Lease > 1), "the preset supervisor has no spans that could be "+
			"scattered, and no segments that could be taken together")
	}
	return f.Err()
}

// Cell is a kind of fault and the stage of the process that it hit.
type Cell struct{ Fault, Stage string }

// Result is what a search has found.
type Result struct {
	Config Config
	// Generated counts the beginnings and the successors that were looked at, Distinct the states.
	Generated, Distinct, Depth int
	// Symmetric counts the states that those which were kept stand for, themselves included.
	Symmetric int
	// Executed counts the answers that were given to processes and the steps that the store did: how
	// often the code itself ran.
	Executed int
	// Exhausted is true if there are no other states.
	Exhausted bool
	// Wrong says what is violated, or is empty. Way leads there in the smallest system in which that was
	// found, which is Smallest: by the fewest steps there are in it, if it is the Shortest. That is not
	// known if orders of steps were left out and there was no time, or too much, to search without.
	Wrong    string
	Smallest Size
	Way      []Step
	Shortest bool
	Covered  map[Cell]int
	// Walked is how many random runs were made, all Config.Seeds of them unless the search was not
	// exhausted or the context ended, and Reached how many of the states they came to.
	Walked, Reached int
	// Missed is how many states, or violations, random runs came to that an exhausted search should have.
	Missed int
	// PassedOver is how many smaller systems were not searched to their end: they may show the same.
	PassedOver int
}

// Run searches until the space is exhausted, something is wrong, a bound is reached, or the context
// ends: what was found until then is the result.
func Run(ctx context.Context, c Config) (Result, error) {
	if err := c.Validate(); err != nil {
		return Result{}, err
	}
	c.Independence = c.Independence && !c.preset().Supervises
	f := c.search(ctx, c.StatesMax)
	if c.Searched != nil {
		c.Searched()
	}
	r := Result{
		Config: c, Generated: f.generated, Distinct: len(f.from), Depth: f.depth, Symmetric: f.orbits,
		Exhausted: f.exhausted, Wrong: f.wrong, Smallest: c.Size, Executed: f.world.executed(),
		Covered: maps.Clone(f.world.covered()), // what follows counts each fault that it looks at, too
	}
	if f.wrong != "" {
		r.Way, r.Shortest = f.way(), f.whole && !c.Independence
		r.shrink(ctx)
	}
	if c.Seeds > 0 && f.exhausted {
		r.Walked, r.Reached, r.Missed = f.walks(ctx, c.Seeds)
	}
	return r, nil
}

// world returns what is searched.
func (c Config) world() world {
	d, _ := defects.Find(c.Defect) // Validate has found it
	return c.preset().new(c, d)
}

func (c Config) preset() Preset {
	all := Presets()
	return all[slices.IndexFunc(all, func(p Preset) bool { return p.Name == c.Preset })]
}

func (c Config) search(ctx context.Context, statesMax int) *search {
	f := newSearch(c.world(), statesMax)
	f.run(ctx, c.Progress)
	return f
}

// shrinkMax is how many states are searched in each smaller system.
const shrinkMax = 200_000

// shrink looks for the same violation in smaller systems, the smallest first, and then in this one, without
// the reductions: what is found there first has the fewest steps. It goes on past what is wrong besides.
func (r *Result) shrink(ctx context.Context) {
	for _, size := range append(r.Config.smaller(), r.Config.Size) {
		c := r.Config
		c.Size, c.Symmetry, c.Independence = size, false, false
		f := newSearch(c.world(), shrinkMax)
		f.only = kind(r.Wrong)
		f.run(ctx, c.Progress)
		switch {
		case f.wrong != "" && f.whole:
			r.Wrong, r.Smallest, r.Way, r.Shortest = f.wrong, size, f.way(), true
			return
		case !f.exhausted && size != r.Config.Size:
			r.PassedOver++
		}
	}
}

// kind is what a violation begins with, whomever it is of: in a smaller system the same befalls others.
func kind(wrong string) string {
	before, _, _ := strings.Cut(wrong, ":")
	return strings.Map(func(r rune) rune {
		if '0' <= r && r <= '9' {
			return -1
		}
		return r
	}, before)
}

// walks makes so many random runs, or as many as there is time for, and returns how many of the states
// they reach, and how often they find something that an exhausted search should have.
func (f *search) walks(ctx context.Context, seeds int) (made, states, missed int) {
	reached, strange := make([]bool, len(f.from)), make(map[uint64]bool)
	for ; made < seeds && ctx.Err() == nil; made++ {
		f.walk(rand.New(rand.NewPCG(uint64(made), 0)), reached, strange)
	}
	for _, was := range reached {
		if was {
			states++
		}
	}
	return made, states, len(strange)
}

// Finished tells whether all was done that was asked for: the space is exhausted, and every random run
// was made and kept within it.
func (r Result) Finished() bool {
	return r.Exhausted && r.Walked == r.Config.Seeds && r.Missed == 0
}

// Verdict returns the last line of a search.
func (r Result) Verdict() string {
	switch {
	case r.Wrong != "":
		return "violated; " + r.Wrong
	case !r.Exhausted:
		return fmt.Sprintf("unknown; the search ended after %d states, before the space was exhausted",
			r.Distinct)
	case r.Missed > 0:
		return fmt.Sprintf("unknown; nothing was found to be wrong, but random runs come to %s that the search "+
			"left out: it takes states for one that are not", options.FormatCount(r.Missed, "state"))
	case !r.Finished():
		return fmt.Sprintf("unknown; the space is exhausted, and nothing in it is wrong, but only %d of %d random "+
			"runs were made", r.Walked, r.Config.Seeds)
	}
	return "passed; the space is exhausted, and nothing in it is wrong"
}
