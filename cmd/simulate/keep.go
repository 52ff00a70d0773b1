package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"sluice/internal/diff"
	"sluice/internal/harness"
	"sluice/internal/rundir"
	"sluice/scenarios"
	"sluice/sim"
)

// before is what the name of a directory ends with that had the place of the results of something else.
const before = "-before"

// keeper keeps the results of something else that are where new ones go, unless the place was asked for.
type keeper struct {
	dir string
	// other is how the earlier ones differ; empty if there are none, or they are of the same.
	other string
}

// newKeeper looks at the directory in which the results of runs go. The set is what will be run, the mark
// the file by which its kind of results is known.
func newKeeper(dir, mark string, read func(string) (diff.Set, error), of diff.Set) (keeper, error) {
	k := keeper{dir: dir}
	if _, err := os.Stat(filepath.Join(dir, mark)); err != nil {
		return k, nil // nothing is there, or nothing of that kind, which is refused
	}
	earlier, err := read(dir)
	var not *unfinishedError
	if errors.As(err, &not) {
		err = nil
		if !slices.ContainsFunc(earlier.Runs, func(r diff.Run) bool { return !hasGroup(of, r.Group) }) {
			earlier.Runs = of.Runs // the same as far as it came
		}
	}
	if err != nil {
		k.other = "it cannot be read"
	} else {
		different := diff.Differences(earlier, of)
		if a, b := earlier.Scenario.Seed, of.Scenario.Seed; a != b {
			different = append(different, scenarios.Difference{Key: "seed", A: fmt.Sprint(a), B: fmt.Sprint(b)})
		}
		k.other = differencesText(different)
	}
	if k.other != "" {
		err = rundir.Check(dir+before, mark)
	} else {
		err = nil
	}
	if err != nil {
		err = usageError{fmt.Errorf("%s has the results of something else, which would be kept: %w", dir, err)}
	}
	return k, err
}

func hasGroup(of diff.Set, name string) bool {
	return slices.ContainsFunc(of.Runs, func(r diff.Run) bool { return r.Group == name })
}

// keep moves the earlier results aside, and says so.
func (k keeper) keep(to *streams) error {
	if k.other == "" {
		return nil
	}
	if err := rundir.Move(k.dir, k.dir+before); err != nil {
		return err
	}
	// That nobody reads the note is no reason to leave out what it is about.
	fmt.Fprintf(to.err, "note: %s had the results of something else, which are in %[1]s%s now: %s\n", k.dir,
		before, k.other)
	return nil
}

// setOf is what will be run.
func setOf(kind string, cfg harness.Config) diff.Set {
	set := diff.Set{Kind: kind, World: cfg.World.Name(), Virtual: virtual(cfg.World), Scenario: &cfg.Scenario,
		Conditions: conditions(cfg.Defect, portFaultsOf(cfg))}
	if w, ok := cfg.World.(sim.World); ok {
		costs := sim.DefaultCosts()
		if w.Costs != nil {
			costs = *w.Costs
		}
		set.Conditions = append(set.Conditions, costConditions(costs)...)
	}
	return set
}

// portFaultsOf are the faults at ports of what will be run, as text.
func portFaultsOf(cfg harness.Config) (ports []string) {
	for _, p := range cfg.PortFaults {
		ports = append(ports, p.String())
	}
	return ports
}
