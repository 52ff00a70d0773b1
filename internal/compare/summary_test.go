package compare

import (
	"encoding/json"
	"strings"
	"testing"
)

// source is a comparison of rows with 1, 2 and more processes.
func source(dir, scenario string, rows ...Row) Source {
	r := NewReport(scenario, [2]string{"virtual", "real"}, tolerance, rows)
	return Source{Dir: dir, Scenario: scenario, Points: len(rows), Report: r}
}

// limits are wide enough for what is near.
var limits = Limits{Median: 0.1, Worst: 0.2, Freshness: 1.5, Recovery: 0.25}

// nearly is a row that is off by 5 % in the throughput, as measured in the interval of its bounds.
func nearly(processes int) Row {
	return NewRow(processes, runs(1, 105), runs(1.2, 100), append(runs(0.9, 98), runs(1.3, 112)...))
}

// TestSummary: median and worst of each figure over all points of all comparisons that say something of it,
// and which limits they break.
func TestSummary(t *testing.T) {
	loads := NewRow(4, runs(1, 300), runs(1, 100), nil)
	loads.Limited = false // its throughput is the load's
	stale := runs(1, 100)
	delete(stale[0].Figures, FreshnessP99)
	for name, c := range map[string]struct {
		of     []Source
		want   string // in the headline
		beyond string // "" for nothing
	}{
		"near": {[]Source{source("a", "steady", nearly(1), nearly(2)), source("b", "late", nearly(1), loads)},
			"The throughput of 3 points is predicted with a median error of 5.0 %, the worst 5.0 %. ", ""},
		"one is far off": {[]Source{source("a", "steady", nearly(1), nearly(2)), source("b", "late",
			NewRow(8, runs(1, 75), runs(1, 100), nil))}, "a median error of 5.0 %, the worst 25.0 %.",
			"the worst error of the throughput is 25.0 %, the limit is 20.0 %"},
		"half are off": {[]Source{source("a", "steady", nearly(1), NewRow(2, runs(1, 85), runs(1, 100), nil),
			NewRow(4, runs(1, 115), runs(1, 100), nil))}, "a median error of 15.0 %, the worst 15.0 %.",
			"the median error of the throughput is 15.0 %, the limit is 10.0 %"},
		"nothing came out": {[]Source{source("a", "steady", nearly(1), nearly(2), NewRow(4, runs(1, 85), runs(1, 0), nil))},
			"a median error of 5.0 %, the worst without bound.", "the worst error of the throughput is without bound, the limit is 20.0 %"},
		"too old": {[]Source{source("a", "steady", nearly(1), NewRow(2, runs(1.6, 100), runs(1, 100), nil))},
			"the worst 5.0 %.", "the worst factor of the freshness_p99 is x 1.60, the limit is x 1.50"},
		"recovers too late": {[]Source{source("a", "steady", nearly(1), NewRow(2, recovers(13), recovers(10), nil))},
			"the worst 5.0 %.", "the recovery is predicted +30 % wrong, the limit is 25 %: steady with 2 processes, a"},
		"recovers nearly so": {[]Source{source("a", "steady", nearly(1), NewRow(2, recovers(12), recovers(10), nil))},
			"the worst 5.0 %.", ""},
		"recovers within the second": {[]Source{source("a", "steady", nearly(1), NewRow(2, recovers(1.9), recovers(1), nil))},
			"the worst 5.0 %.", ""},
		"never recovers": {[]Source{source("a", "steady", nearly(1), NewRow(2, recovers(13), runs(1, 100), nil))},
			"the worst 5.0 %.", "it is predicted that the recovery ends while the load lasts: true; measured: false: steady with 2 processes, a"},
		"recovers after all": {[]Source{source("a", "steady", nearly(1), NewRow(2, runs(1, 100), recovers(13), nil))},
			"the worst 5.0 %.", "it is predicted that the recovery ends while the load lasts: false; measured: true"},
		"nothing was fresh": {[]Source{source("a", "steady", nearly(1), NewRow(2, runs(1, 100), stale, nil))},
			"the worst 5.0 %.", "it is predicted that there is a freshness p99: true; measured: false: steady with 2 processes, a"},
		"no limit was met": {[]Source{source("b", "late", loads)}, "No throughput says anything", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := Summarize(c.of, limits)
			beyond := strings.Join(s.Beyond, "; ")
			if !strings.Contains(s.Headline(), c.want) || (beyond == "") != (c.beyond == "") ||
				!strings.Contains(beyond, c.beyond) || len(s.Beyond) > 1 {
				t.Errorf("%s\nbeyond: %s", s.Headline(), beyond)
			}
			if (beyond == "" && s.Judged()) != strings.HasSuffix(s.Headline(), "All within the limits.") {
				t.Errorf("%s", s.Headline())
			}
			if s.Judged() != (name != "no limit was met") {
				t.Errorf("judged: %v", s.Judged())
			}
			if _, err := json.Marshal(s); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestSummarySaysWhereTheWorstIs, and how many intervals held what was measured; verdicts that differ and
// runs that were not safe are among it.
func TestSummarySaysWhereTheWorstIs(t *testing.T) {
	far := NewRow(8, runs(1, 75), runs(1, 100), append(runs(1, 74), runs(1, 76)...))
	measured := runs(1, 100)
	measured[0].Verdict = "liveness violated"
	other := source("c", "hang", NewRow(1, runs(1, 100), measured, nil))
	other.Report.Unsafe = []string{"with 1 process in world real"}
	s := Summarize([]Source{source("runs/a", "steady", nearly(1)), source("runs/b", "late", far), other}, limits)
	if s.Figures[0].At != "late with 8 processes, runs/b (75.0, measured 100 spans/s)" || s.Figures[0].N != 3 ||
		s.Figures[0].Inside != 1 || s.Figures[0].Intervals != 2 || s.Inside != 5 || s.Intervals != 6 {
		t.Errorf("%d of %d: %+v", s.Inside, s.Intervals, s.Figures)
	}
	var text, markdown strings.Builder
	if err := s.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	if err := s.WriteMarkdown(&markdown); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Safety was violated in 1 run. The", "5 of 6 figures within the 90 % intervals (83 %).",
		"other verdicts than predicted: hang with 1 process, c", "Safety was violated in c: with 1 process in world real"} {
		if !strings.Contains(text.String(), want) || !strings.Contains(markdown.String(), want) {
			t.Errorf("want %q in\n%s\n%s", want, &text, &markdown)
		}
	}
	if !strings.HasPrefix(markdown.String(), SummaryMark) ||
		!strings.Contains(markdown.String(), "| throughput | 3 | 5.0 % | 25.0 % | 1 of 2 | late with 8 processes, runs/b (75.0, measured 100 spans/s) |") ||
		!strings.Contains(markdown.String(), "3 comparisons, of world real predicted by world virtual: runs/a, runs/b, c.") {
		t.Errorf("%s", &markdown)
	}
}
