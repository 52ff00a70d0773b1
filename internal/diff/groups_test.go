package diff

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
)

// TestGroups: runs are compared with those of the same process count only.
func TestGroups(t *testing.T) {
	sweep := func(values map[string][]float64, order ...string) Set {
		var s Set
		for _, group := range order {
			for _, v := range values[group] {
				s.Runs = append(s.Runs, Run{Group: group, Figures: Figures{Throughput: v}})
			}
		}
		return s
	}
	a := sweep(map[string][]float64{"1": near(100, 0.01, 8), "2": near(200, 0.01, 8)}, "1", "2")
	b := sweep(map[string][]float64{"2": near(150, 0.01, 8), "4": near(100, 0.01, 8)}, "4", "2")
	got := compare(t, a, b, usual())
	if len(got.Rows) != 1 || got.Rows[0].Group != "2" || got.Verdict != "worse: 2: throughput >= -5%" {
		t.Errorf("%s: %+v", got.Verdict, got.Rows)
	}
	if len(got.Notes) != 0 {
		t.Errorf("groups of one side only are noted figure by figure: %q", got.Notes)
	}
	if diff := Differences(a, b); len(diff) != 1 || diff[0].A != "1, 2" || diff[0].B != "4, 2" {
		t.Errorf("differences are %+v", diff)
	}
	other := sweep(map[string][]float64{"1": near(100, 0.01, 8), "2": near(200, 0.01, 8)}, "2", "1")
	if diff := Differences(a, other); len(diff) > 0 {
		t.Errorf("in another order: differences are %+v", diff)
	}
	if _, err := Compare(a, sweep(nil), usual()); !errors.Is(err, ErrNothingInCommon) {
		t.Errorf("nothing in common: %v", err)
	}
}

// TestGroupsOfSearches: what counts a search chose, and in which order, is no difference of what was asked
// for. The counts are shown in their order, and those of one side only are named.
func TestGroupsOfSearches(t *testing.T) {
	report := func(dir string, groups ...string) Set {
		s := Set{Dir: dir, Kind: KindCapacity, World: "virtual"}
		for _, group := range groups {
			s.Runs = append(s.Runs, Run{Group: group, Figures: Figures{Sustained: 100}, Failed: 110})
		}
		return s
	}
	a := report("a", "1 process", "2 processes", "10 processes", "3 processes")
	b := report("b", "1 process", "6 processes", "3 processes", "2 processes")
	if diff := Differences(a, b); len(diff) > 0 {
		t.Errorf("differences are %+v", diff)
	}
	got := compare(t, a, b, usual())
	var groups []string
	for _, row := range got.Rows {
		groups = append(groups, row.Group)
	}
	if !slices.Equal(groups, []string{"1 process", "2 processes", "3 processes"}) ||
		!slices.Equal(got.Notes, []string{"only a has 10 processes", "only b has 6 processes"}) {
		t.Errorf("%q are compared, with the notes %q", groups, got.Notes)
	}
	var text bytes.Buffer
	if err := got.WriteText(&text); err != nil || strings.Count(text.String(), "figure ") != 3 ||
		strings.Contains(text.String(), "\n10 processes\n") {
		t.Errorf("%v, there are tables of three counts in\n%s", err, &text)
	}
	_, err := Compare(report("a", "2 processes", "1 process"), report("b", "3 processes"), usual())
	if !errors.Is(err, ErrNothingInCommon) ||
		!strings.HasSuffix(err.Error(), "in common: a has 1 process, 2 processes, and b has 3 processes") {
		t.Errorf("nothing in common: %v", err)
	}
	sweep := report("c", "1 process")
	sweep.Kind = KindSweep
	if diff := Differences(a, sweep); len(diff) != 2 || diff[1].Key != "groups" {
		t.Errorf("of a search and a sweep: differences are %+v", diff)
	}
}
