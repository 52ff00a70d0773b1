package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sluice/internal/capacity"
	"sluice/internal/compare"
	"sluice/internal/judge"
	"sluice/internal/yamlfile"
	"sluice/reports"
	"sluice/sim"
)

// TestCapacitySaysHowFarOff: the report names the costs that it goes by, and what a comparison found.
func TestCapacitySaysHowFarOff(t *testing.T) {
	path, dir := scenarioFile(t, quick), filepath.Join(t.TempDir(), "out")
	costs := filepath.Join(t.TempDir(), "costs.yaml")
	compared, others, empty := t.TempDir(), t.TempDir(), t.TempDir()
	median := func(v float64) compare.Value { return compare.Value{Median: v, N: 1} }
	row := compare.Row{Processes: 1, Limited: true, Pairs: []compare.Pair{
		{Figure: compare.Throughput, Predicted: median(110), Measured: median(100), Error: new(0.1)},
		{Figure: compare.Drain, Predicted: median(1), Measured: median(0)}}}
	for file, v := range map[string]*compare.Report{ //order-free: each is a file
		filepath.Join(compared, fileCompare): {Scenario: "hang", Predicting: "virtual", Measuring: "real", Rows: []compare.Row{row},
			Unfinished: "interrupted"},
		filepath.Join(others, fileCompare): {Scenario: "hang", Predicting: "fakes", Measuring: "real", Rows: []compare.Row{row}},
	} {
		var text bytes.Buffer
		if err := errors.Join(reports.WriteJSON(&text, v), os.WriteFile(file, text.Bytes(), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(costs, []byte("hosts: {cores: 3, shared: true}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	measured := sim.DefaultCosts()
	measured.Calibration = &sim.Calibration{Date: "2026-11-30T12:00:00Z", Redis: "7.0.15", Kafka: "v4.1"}
	if err := measured.Set(yamlfile.Places{}, "redis.call=60us"); err != nil { // as --cost does, and a run keeps
		t.Fatal(err)
	}
	kept := filepath.Join(t.TempDir(), "kept.yaml")
	if err := os.WriteFile(kept, []byte(measured.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	flags := []string{"capacity", path, "--processes", "1", "--most", "1000/s", "--out", dir}
	for _, c := range []struct {
		more []string
		want []string
	}{
		{nil, []string{"The built-in costs are those of one kind of machine", "is not in this report: simulate compare"}},
		{[]string{"--costs", kept}, []string{"The costs of " + kept + " with changes were calibrated on 2026-11-30T12:00:00Z"}},
		{[]string{"--costs", costs, "--cost", "redis.call=60us"}, []string{"The costs of " + costs + " with changes do not say"}},
		{[]string{"--costs", costs, "--compared", compared}, []string{
			"The costs of " + costs + " do not say where they are from; they have 3 cores for all.",
			"of hang in world real (" + compared + "): The throughput is predicted with an error of 10 % (worst 10 %).",
			"Not all was compared: interrupted."}},
	} {
		code, out, errs := call(slices.Concat(flags, c.more)...)
		page, err := os.ReadFile(filepath.Join(dir, "report.md"))
		if code != judge.ExitPassed || err != nil {
			t.Fatalf("exit code %d, %v\n%s%s", code, err, out, errs)
		}
		for _, want := range c.want {
			if !strings.Contains(out, want) || !strings.Contains(string(page), want) {
				t.Errorf("%v: no %q in\n%s\n%s", c.more, want, out, page)
			}
		}
	}
	r := readCapacity(t, dir)
	if r.Costs == nil || r.Costs.File != costs || r.Costs.Cores != 3 || !r.Costs.Shared || r.Compared == nil ||
		len(r.Compared.Errors) != 2 || r.Compared.Errors[0] != (capacity.FigureError{Figure: "throughput", Median: 0.1, Worst: 0.1, Counts: 1}) {
		t.Errorf("the file has %+v and %+v", r.Costs, r.Compared)
	}
	page, err := os.ReadFile(filepath.Join(dir, "report.md"))
	for _, want := range []string{"in the virtual world, with the costs of " + costs + ":", "| throughput | 10 % | 10 % | 1 |",
		"| drain | no bound | no bound | 1 |", "--compared " + compared} {
		if err != nil || !strings.Contains(string(page), want) {
			t.Errorf("%v: no %q in\n%s", err, want, page)
		}
	}
	for want, more := range map[string][]string{
		"no such file":                      {"--compared", empty},
		"are not those of world virtual":    {"--compared", others},
		"is for --world virtual: what is m": {"--compared", compared, "--world", "fakes"},
	} {
		if code, _, errs := call(slices.Concat(flags, more)...); code != judge.ExitUsage || !strings.Contains(errs, want) {
			t.Errorf("%v: exit code %d, want %q\n%s", more, code, want, errs)
		}
	}
}
