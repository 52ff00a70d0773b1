package judge

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"sluice/reports"
)

// judgeFigures compares figures of the result with the limits of the scenario. One that the world
// does not measure is unknown, since the scenario asks for it.
func judgeFigures(e *Evidence, r *reports.Result) []reports.Judgement {
	limits := e.Scenario.Expectations.Figures
	list := make([]reports.Judgement, 0, len(limits))
	for _, limit := range limits {
		j := reports.Judgement{Name: limit.String(), Verdict: reports.Violated}
		value, err := figure(r, limit.Figure)
		why, unmeasured := e.Unmeasured[measureOf[limit.Figure]]
		switch {
		case unmeasured:
			j.Verdict, j.Detail = reports.Unknown, "it is not measured in this world: "+why
		case err != nil:
			j.Verdict, j.Detail = reports.Unknown, err.Error()
		case unsampled(r, limit.Figure):
			j.Verdict, j.Detail = reports.Unknown, noSample
		case limit.Holds(value):
			j.Verdict = reports.Passed
			fallthrough
		default:
			j.Detail = fmt.Sprintf("it is %s", strconv.FormatFloat(value, 'f', -1, 64))
		}
		list = append(list, j)
	}
	return list
}

const noSample = "there is no sample"

// unsampled tells whether a figure is a quantile of nothing.
func unsampled(r *reports.Result, path string) bool {
	of, quantile, _ := strings.Cut(path, ".")
	return quantile != "count" && (of == "freshness_seconds" && r.Freshness.Count == 0 ||
		of == "latency_seconds" && r.Latency.Count == 0)
}

// figure returns the figure at a path of result.json. Reasons and findings that did not occur are
// 0; spaces in their names are written as underscores.
func figure(r *reports.Result, path string) (float64, error) {
	text, err := json.Marshal(r)
	if err != nil {
		return 0, err
	}
	var at any
	if err := json.Unmarshal(text, &at); err != nil {
		return 0, err
	}
	for key := range strings.SplitSeq(path, ".") {
		switch v := at.(type) {
		case map[string]any:
			at = nil
			for name, inner := range v { //order-free: no two names differ by spaces alone
				if strings.ReplaceAll(name, " ", "_") == key {
					at = inner
				}
			}
		case []any:
			n, err := strconv.Atoi(key)
			if err != nil || n < 0 || n >= len(v) {
				return 0, fmt.Errorf("%s: there is no %s among %d", path, key, len(v))
			}
			at = v[n]
		}
	}
	switch v := at.(type) {
	case float64:
		return v, nil
	case nil:
		return 0, nil
	}
	return 0, fmt.Errorf("%s is not a number", path)
}
