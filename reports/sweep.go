package reports

import (
	"cmp"
	"encoding/json"
	"io"
	"slices"
)

// SweepRun is one run of a sweep.
type SweepRun struct {
	Processes int    `json:"processes"`
	Repeat    int    `json:"repeat"`
	Seed      uint64 `json:"seed"`
	Verdict   string `json:"verdict"`
	// Reason is what was not passed first, if anything.
	Reason string `json:"reason"`
	// KeptUp is true if the flushers were not the limit: the throughput is the load's then, and
	// they can do more.
	KeptUp         bool    `json:"kept_up"`
	SpansPerSecond float64 `json:"spans_per_second"`
	BytesPerSecond float64 `json:"bytes_per_second"`
	FreshnessP99   float64 `json:"freshness_p99_seconds"`
	DrainSeconds   float64 `json:"drain_seconds"`
}

// SweepRow is what the repeats with one process count have in common.
type SweepRow struct {
	Processes int `json:"processes"`
	Repeats   int `json:"repeats"`
	// Least, Median and Greatest throughput of the repeats, in spans per second.
	Least    float64 `json:"least_spans_per_second"`
	Median   float64 `json:"median_spans_per_second"`
	Greatest float64 `json:"greatest_spans_per_second"`
	// Speedup is Median over that of the first row.
	Speedup float64 `json:"speedup"`
	// FreshnessP99 is the median of the repeats' 99th percentile, in seconds.
	FreshnessP99 float64 `json:"median_freshness_p99_seconds"`
	// Passed is how many repeats passed, KeptUp in how many the flushers were not the limit.
	Passed int `json:"passed"`
	KeptUp int `json:"kept_up"`
}

// Sweep is the same scenario run with several process counts, several times each.
type Sweep struct {
	Scenario string     `json:"scenario"`
	World    string     `json:"world"`
	Rows     []SweepRow `json:"rows"`
	Runs     []SweepRun `json:"runs"`
}

// NewSweep derives the rows, ordered by process count.
func NewSweep(scenario, world string, runs []SweepRun) Sweep {
	s := Sweep{Scenario: scenario, World: world, Runs: runs}
	byCount := map[int][]SweepRun{}
	for _, run := range runs {
		byCount[run.Processes] = append(byCount[run.Processes], run)
	}
	for processes, repeats := range byCount {
		row := SweepRow{Processes: processes, Repeats: len(repeats)}
		var rates, fresh []float64
		for _, run := range repeats {
			rates = append(rates, run.SpansPerSecond)
			fresh = append(fresh, run.FreshnessP99)
			if run.Verdict == string(Passed) {
				row.Passed++
			}
			if run.KeptUp {
				row.KeptUp++
			}
		}
		row.Least, row.Greatest = slices.Min(rates), slices.Max(rates)
		row.Median, row.FreshnessP99 = median(rates), median(fresh)
		s.Rows = append(s.Rows, row)
	}
	slices.SortFunc(s.Rows, func(a, b SweepRow) int { return cmp.Compare(a.Processes, b.Processes) })
	for i := range s.Rows {
		if first := s.Rows[0].Median; first > 0 {
			s.Rows[i].Speedup = s.Rows[i].Median / first
		}
	}
	return s
}

// WriteJSON writes the sweep as indented JSON.
func (s Sweep) WriteJSON(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(s)
}

// median sorts its argument; of an even number of values it is the mean of the middle two.
func median(values []float64) float64 {
	slices.Sort(values)
	n := len(values)
	if n == 0 {
		return 0
	}
	return (values[(n-1)/2] + values[n/2]) / 2
}
