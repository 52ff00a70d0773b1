package diff

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"sluice/reports"
	"sluice/scenarios"
)

// Set is one side of a comparison: the runs of a directory.
type Set struct {
	// Dir names it.
	Dir string `json:"dir"`
	// Kind is run, runs (a directory of them), sweep or capacity.
	Kind string `json:"kind"`
	// Version of the program that made it; empty if that is not recorded.
	Version string `json:"version"`
	World   string `json:"world"`
	// Virtual is true if a run happens event by event as any other of its scenario and seed.
	Virtual bool `json:"-"`
	// Conditions are what the runs have in common beside the scenario, such as a planted defect.
	Conditions []Condition `json:"-"`
	// Scenario is nil if the directory does not have it; its seed means nothing.
	Scenario *scenarios.Scenario `json:"-"`
	Runs     []Run               `json:"-"`
	// Notes are what else is to be said of it.
	Notes []string `json:"-"`
}

// Condition is something beside the scenario that runs must have in common.
type Condition struct{ Name, Value string }

// The kinds of a set.
const (
	KindRun      = "run"
	KindRuns     = "runs"
	KindSweep    = "sweep"
	KindCapacity = "capacity"
)

// Run is one run of a set.
type Run struct {
	// Group is what only runs of the same group are compared with, such as "2 processes"; may be
	// empty.
	Group   string
	Seed    uint64
	Verdict string
	// Reason is what was not passed first, if anything.
	Reason string
	// Digest stands for all that happened, in a virtual run; empty if it is not known.
	Digest  string
	Figures Figures
	// Failed is the lowest rate that failed in a search whose highest that was carried is Sustained; 0 if
	// none did.
	Failed float64
	// Samples are nil where they were not kept.
	Samples []reports.Sample
	// Events reads what happened.
	Events func() ([]reports.Event, error)
}

// groups are those of the set's runs: process counts in their order, which is not that of a search, and
// others in the order in which they first occur.
func (s Set) groups() []string {
	var list []string
	counted := true
	for _, r := range s.Runs {
		if !slices.Contains(list, r.Group) {
			list = append(list, r.Group)
			counted = counted && processes(r.Group) > 0
		}
	}
	if counted {
		slices.SortFunc(list, func(a, b string) int { return cmp.Compare(processes(a), processes(b)) })
	}
	return list
}

// processes is how many a group is of; 0 if it is another one.
func processes(group string) int {
	number, _, is := strings.Cut(group, " process")
	n, err := strconv.Atoi(number)
	if !is || err != nil {
		return 0
	}
	return n
}

// without returns the groups of the set that another does not have.
func (s Set) without(other Set) []string {
	has := other.groups()
	return slices.DeleteFunc(s.groups(), func(group string) bool { return slices.Contains(has, group) })
}

// in returns the runs of a group.
func (s Set) in(group string) []Run {
	var list []Run
	for _, r := range s.Runs {
		if r.Group == group {
			list = append(list, r)
		}
	}
	return list
}

// Differences returns everything that makes two sets not comparable: what was run, and in what world.
// Seeds may differ, and so may versions of the program.
func Differences(a, b Set) []scenarios.Difference {
	var list []scenarios.Difference
	add := func(key, x, y string) {
		if x != y {
			list = append(list, scenarios.Difference{Key: key, A: x, B: y})
		}
	}
	kind := func(s Set) string { return strings.TrimSuffix(s.Kind, "s") } // a run is one of several
	add("kind of directory", kind(a), kind(b))
	add("world", a.World, b.World)
	for _, c := range a.Conditions { // of which one set may not know all
		if i := slices.IndexFunc(b.Conditions, func(d Condition) bool { return d.Name == c.Name }); i >= 0 {
			add(c.Name, c.Value, b.Conditions[i].Value)
		}
	}
	if a.Scenario != nil && b.Scenario != nil {
		x, y := *a.Scenario, *b.Scenario
		x.Seed, y.Seed = 0, 0
		if a.Kind == KindCapacity || b.Kind == KindCapacity { // which chooses these, and has its name as a condition
			x.Name, x.Duration, x.Workload.Rate = y.Name, y.Duration, y.Workload.Rate
			x.Topology.FlusherProcesses = y.Topology.FlusherProcesses
		}
		list = append(list, scenarios.Differences(x, y)...)
	}
	searched := a.Kind == KindCapacity && b.Kind == KindCapacity // which chooses the counts, too
	if !searched && len(a.without(b))+len(b.without(a)) > 0 {
		add("groups", strings.Join(a.groups(), ", "), strings.Join(b.groups(), ", "))
	}
	return list
}

// seeds are those of the runs, which a capacity report does not say.
func (s Set) seeds() []uint64 {
	var list []uint64
	for _, r := range s.Runs {
		list = append(list, r.Seed)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// describe is a set in a line.
func (s Set) describe() string {
	text := fmt.Sprintf("%s: %s, world %s", s.Dir, count(len(s.Runs), "run"), s.World)
	if seeds := s.seeds(); s.Kind != KindCapacity {
		text += ", " + seedText(seeds)
	}
	if s.Version != "" {
		text += ", made by " + s.Version
	}
	return text
}
