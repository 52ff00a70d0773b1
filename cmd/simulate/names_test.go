package main

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sluice/internal/compare"
	"sluice/internal/diff"
	"sluice/reports"
	"sluice/scenarios"
)

// jsonNames are those of a struct's fields as JSON or columns, with those of structs that it embeds.
func jsonNames[T any]() (names []string) {
	for _, f := range reflect.VisibleFields(reflect.TypeFor[T]()) {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" {
			names = append(names, name)
		}
	}
	return names
}

// TestNamesOfFigures: the table of docs/diff.md has every name that a figure has somewhere, and no other; and
// beside the name of a rule stands the path that the rule takes, too.
func TestNamesOfFigures(t *testing.T) {
	text, err := os.ReadFile("../../docs/diff.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, ok := strings.Cut(string(text), "| figure | `diff` | `result.json` |")
	table, _, _ = strings.Cut(table, "\n\n")
	rows := strings.Split(table, "\n")
	if !ok || len(rows) < 3 {
		t.Fatal("docs/diff.md has no table of names")
	}
	var metrics, bounds, figures []string
	paths := map[string]string{}
	for _, m := range diff.Metrics() {
		metrics = append(metrics, m.Name)
		paths[m.Name] = m.Path
	}
	for _, key := range scenarios.Keys() {
		if name, ok := strings.CutPrefix(key.Path, "expectations."); ok && regexp.MustCompile(`_(min|max)$`).MatchString(name) {
			bounds = append(bounds, name)
		}
	}
	for _, f := range compare.Figures() {
		figures = append(figures, string(f))
	}
	columns := []struct {
		of       string
		known    []string
		complete bool
	}{
		{"diff", metrics, true}, {"result.json", scenarios.Figures(), false}, {"expectations", bounds, true},
		{"samples.csv", jsonNames[reports.Sample](), false}, {"sweep.json", jsonNames[reports.SweepRun](), false},
		{"compare", figures, true},
	}
	code := regexp.MustCompile("`([^`]+)`")
	met := make([][]string, len(columns))
	for _, row := range rows[2:] {
		cells := strings.Split(strings.Trim(row, "|"), "|")
		if len(cells) != len(columns)+1 {
			t.Fatalf("%d cells in %q", len(cells), row)
		}
		for i, column := range columns {
			for _, name := range code.FindAllStringSubmatch(cells[i+1], -1) {
				if met[i] = append(met[i], name[1]); !slices.Contains(column.known, name[1]) {
					t.Errorf("%s has no %s", column.of, name[1])
				}
			}
		}
		if name := code.FindStringSubmatch(cells[1]); name != nil && paths[name[1]] != "" &&
			strings.TrimSpace(cells[2]) != "`"+paths[name[1]]+"`" {
			t.Errorf("a rule for %s takes %s, and the table has %s", name[1], paths[name[1]], cells[2])
		}
	}
	for i, column := range columns {
		slices.Sort(met[i])
		if once := slices.Compact(slices.Clone(met[i])); len(once) != len(met[i]) {
			t.Errorf("%s has a name in two rows: %v", column.of, met[i])
		}
		for _, name := range column.known {
			if column.complete && !slices.Contains(met[i], name) {
				t.Errorf("the table lacks %s of %s", name, column.of)
			}
		}
	}
}
