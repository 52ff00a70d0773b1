package judge

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"sluice/internal/ledger"
	"sluice/reports"
	"sluice/scenarios"
)

// TestEveryFigureCanBeExpected compares the figures of a scenario with those of result.json.
func TestEveryFigureCanBeExpected(t *testing.T) {
	var numbers []string
	var walk func(path string, kind reflect.Type)
	walk = func(path string, kind reflect.Type) {
		switch kind.Kind() {
		case reflect.Struct:
			for i := range kind.NumField() {
				name, _, _ := strings.Cut(kind.Field(i).Tag.Get("json"), ",")
				walk(strings.TrimPrefix(path+"."+name, "."), kind.Field(i).Type)
			}
		case reflect.Map:
			walk(path+".*", kind.Elem())
		case reflect.Slice:
			walk(path+".*", kind.Elem())
		case reflect.Int, reflect.Int64, reflect.Float64:
			numbers = append(numbers, path)
		}
	}
	walk("", reflect.TypeFor[reports.Result]())
	// Names, times, and what the harness has tried, rather than figures.
	noFigure := []string{"workers.*.worker", "workers.*.consumer", "workers.*.shards.*", "faults.*.worker",
		"faults.*.from", "faults.*.to", "coverage.*.count"}
	numbers = slices.DeleteFunc(numbers, func(path string) bool {
		return slices.Contains(noFigure, path)
	})
	for i := len(numbers) - 1; i >= 0; i-- {
		switch path := numbers[i]; path {
		case "ledger.dropped.*":
			numbers = slices.Replace(numbers, i, i+1, "ledger.dropped."+ledger.DeadLettered,
				"ledger.dropped."+ledger.DeletedUnread, "ledger.dropped."+ledger.SetBack,
				"ledger.dropped.wiped") // harness.Wiped
		case "ledger.findings.*":
			var all []string
			for kind := ledger.Malformed; kind.String() != (ledger.Finding(-1)).String(); kind++ {
				all = append(all, "ledger.findings."+strings.ReplaceAll(kind.String(), " ", "_"))
			}
			numbers = slices.Replace(numbers, i, i+1, all...)
		default:
			numbers[i] = strings.ReplaceAll(path, "*", "N")
		}
	}
	known := scenarios.Figures()
	for _, path := range numbers {
		if !slices.Contains(known, path) {
			t.Errorf("%s stands in result.json, but no scenario can expect it", path)
		}
	}
	for _, path := range known {
		if !slices.Contains(numbers, path) {
			t.Errorf("a scenario can expect %s, but it does not stand in result.json", path)
		}
	}
}

func TestFigures(t *testing.T) {
	e := clean()
	r := &reports.Result{
		Ledger: reports.Ledger{Sent: 10, Dropped: map[string]int64{"dead_lettered": 2},
			Findings: map[string]int64{"split span": 3}},
		Workers:   []reports.WorkerSummary{{Worker: 0}, {Worker: 1, Restarts: 4}},
		Freshness: reports.Quantiles{P99: 1.5, Count: 1},
	}
	for text, want := range map[string]reports.Verdict{
		"ledger.sent = 10":                  reports.Passed,
		"ledger.sent > 10":                  reports.Violated,
		"ledger.dropped.dead_lettered <= 2": reports.Passed,
		"ledger.dropped.wiped = 0":          reports.Passed,
		"ledger.findings.split_span < 3":    reports.Violated,
		"workers.1.restarts >= 4":           reports.Passed,
		"workers.2.restarts >= 4":           reports.Unknown,
		"freshness_seconds.p99 <= 1500ms":   reports.Passed,
		"latency_seconds.p99 <= 1500ms":     reports.Unknown,
		"latency_seconds.count = 0":         reports.Passed,
	} {
		var limit scenarios.Limit
		if err := limit.UnmarshalText([]byte(text)); err != nil {
			t.Fatal(err)
		}
		e.Scenario.Expectations.Figures = []scenarios.Limit{limit}
		if got := judgeFigures(e, r)[0]; got.Verdict != want {
			t.Errorf("%s is %s (%s), want %s", text, got.Verdict, got.Detail, want)
		}
	}
}
