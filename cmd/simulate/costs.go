package main

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"sluice/internal/harness"
	"sluice/internal/yamlfile"
	"sluice/sim"
)

// costFlags say what steps take in the virtual world.
type costFlags struct {
	Costs string   `help:"For world virtual: file of what steps take, as simulate calibrate writes it, instead of the built-in costs." placeholder:"FILE"`
	Cost  []string `help:"For world virtual: change what a step takes, or the hosts: --cost redis.call=60us, --cost hosts.cores=2. May be repeated." placeholder:"KEY=VALUE" sep:"none"`
}

// Flags as they stand in a command whose costs are not the built-in ones.
const (
	flagCosts = " --costs "
	flagCost  = " --cost "
)

// flag is one of the flags that was given, empty if none was.
func (f costFlags) flag() string {
	switch {
	case f.Costs != "":
		return "--costs " + f.Costs
	case len(f.Cost) > 0:
		return "--cost " + f.Cost[0]
	}
	return ""
}

// read returns the costs, nil for the built-in ones.
func (f costFlags) read() (*sim.Costs, error) {
	if f.flag() == "" {
		return nil, nil
	}
	costs, places := sim.DefaultCosts(), yamlfile.Places{}
	if f.Costs != "" {
		text, err := os.ReadFile(f.Costs)
		if err != nil {
			return nil, fmt.Errorf("--costs: %w", err)
		}
		if costs, err = sim.ReadCosts(f.Costs, text); err != nil {
			return nil, err
		}
	}
	return &costs, f.change(&costs, places)
}

// change makes the changes that were asked for.
func (f costFlags) change(costs *sim.Costs, places yamlfile.Places) error {
	given := map[string]string{}
	for _, cost := range f.Cost {
		given["--set "+cost] = "--cost " + quote(cost)
		if err := costs.Set(places, cost); err != nil {
			return asGiven(err, given)
		}
	}
	return asGiven(places.Of(costs.Validate()), given)
}

// words returns the flags again.
func (f costFlags) words() string {
	text := ""
	if f.Costs != "" {
		text = flagCosts + quote(f.Costs)
	}
	for _, cost := range f.Cost {
		text += flagCost + quote(cost)
	}
	return text
}

// name says briefly which costs these are; empty for the built-in ones.
func (f costFlags) name() string {
	const few = 3
	list := f.Cost
	if f.Costs != "" {
		list = append([]string{f.Costs}, list...)
	}
	if more := len(list) - few; more > 0 {
		list = append(slices.Clone(list[:few]), fmt.Sprintf("and %d more", more))
	}
	return strings.Join(list, " ")
}

// costsText are all costs of a run in the virtual world, as a file of them; empty if they are the
// built-in ones. What the file left out is in there, too: the next version may have it otherwise.
func costsText(world harness.World) string {
	if w, ok := world.(sim.World); ok && w.Costs != nil {
		return w.Costs.String()
	}
	return ""
}
