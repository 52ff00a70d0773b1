package diff

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"sluice/reports"
)

func TestParseRule(t *testing.T) {
	for text, want := range map[string]Rule{
		"freshness_p99 <= +10%":      {Most: true, Kind: BoundShare, Value: 0.1},
		" throughput>=-5% ":          {Kind: BoundShare, Value: -0.05},
		"restarts <= +0":             {Most: true, Kind: BoundChange},
		"drain <= +1.5s":             {Most: true, Kind: BoundChange, Value: 1.5},
		"throughput >= -200/s":       {Kind: BoundChange, Value: -200},
		"freshness_p99 <= 250ms":     {Most: true, Kind: BoundLevel, Value: 0.25},
		"worker_memory <= 100MiB":    {Most: true, Kind: BoundLevel, Value: 100 << 20},
		"redis_time <= 12.5us":       {Most: true, Kind: BoundLevel, Value: 12.5},
		"throughput >= -200spans/s":  {Kind: BoundChange, Value: -200},
		"throughput >= -200 spans/s": {Kind: BoundChange, Value: -200},
		"redis_time <= +2us/span":    {Most: true, Kind: BoundChange, Value: 2},
		"redis_time <= +2 us/span ":  {Most: true, Kind: BoundChange, Value: 2},
		"redis_time <= +2":           {Most: true, Kind: BoundChange, Value: 2},
		"repeated <= +1 span":        {Most: true, Kind: BoundChange, Value: 1},
		"waiting <= 100spans":        {Most: true, Kind: BoundLevel, Value: 100},
		"drain <= 2 s":               {Most: true, Kind: BoundLevel, Value: 2},
		"worker_memory <= 1 GiB":     {Most: true, Kind: BoundLevel, Value: 1 << 30},
		"freshness_p99 <= +10 %":     {Most: true, Kind: BoundShare, Value: 0.1},
		"throughput >= 3000/s":       {Kind: BoundLevel, Value: 3000},
	} {
		got, err := ParseRule(text)
		if err != nil {
			t.Error(err)
			continue
		}
		if got.Most != want.Most || got.Kind != want.Kind || got.Value != want.Value ||
			!strings.HasPrefix(strings.TrimSpace(text), got.Metric.Name) {
			t.Errorf("%q is %+v, want %+v", text, got, want)
		}
		if again, err := ParseRule(got.Written); err != nil || again != got {
			t.Errorf("%q is written as %q, which is %+v, %v", text, got.Written, again, err)
		}
	}
	for text, want := range map[string]string{
		"":                         "is not a rule: write for example",
		"freshness_p99 < 2s":       "is not a rule",
		"freshnes_p99 <= 2s":       "did you mean freshness_p99?",
		"x <= 2s":                  "unknown figure \"x\"; known: sustained, throughput",
		"freshness_p99 <= 10%":     "write +10% or -10%",
		"freshness_p99 <= -10%":    "write <= with + or >= with -",
		"throughput >= +10%":       "write <= with + or >= with -",
		"freshness_p99 <= 2":       "write 2s for seconds",
		"freshness_p99 <= +x%":     "is not a number",
		"restarts <= many":         "is not a value of restarts: write a number",
		"redis_time <= 2us/run":    "\"2us/run\" is not a value of redis_time: write a number of us/span",
		"drain <= 2 3":             "is not a rule",
		"restarts <= NaN":          "is not a value of restarts: write a number",
		"worker_memory <= 1 GiB x": "is not a rule",
	} {
		if _, err := ParseRule(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error is %v, want %q", text, err, want)
		}
	}
}

// TestRulesByPaths: what an expectation has from result.json is pasted into a rule, and means the same figure there.
func TestRulesByPaths(t *testing.T) {
	r := reports.Result{Pauses: 2, Freshness: reports.Quantiles{P50: 3, P99: 4, Count: 1}, Latency: reports.Quantiles{P99: 5, Count: 1}}
	r.Throughput.SpansPerSecond, r.Run.DrainSeconds, r.Ledger.Duplicates = 6, 7, 8
	text, err := json.Marshal(r)
	var written any
	if err = errors.Join(err, json.Unmarshal(text, &written)); err != nil {
		t.Fatal(err)
	}
	known := 0
	for _, m := range Metrics() {
		if m.Path == "" {
			continue
		}
		known++
		value := written
		for key := range strings.SplitSeq(m.Path, ".") {
			object, _ := value.(map[string]any)
			value = object[key]
		}
		if want := FiguresOf(r, nil, 1)[m.Name]; value != want || want == 0 {
			t.Errorf("%s is %v, and %s is %v", m.Path, value, m.Name, want)
		}
		if rule, err := ParseRule(m.Path + " <= +10%"); err != nil && m.Better == Lower || m.Better == Lower && rule.Metric != m {
			t.Errorf("a rule for %s is one for %s, %v", m.Path, rule.Metric.Name, err)
		}
	}
	if rule, err := ParseRule("throughput.spans_per_second >= -5%"); err != nil || rule.Metric.Name != Throughput ||
		rule.Written != "throughput.spans_per_second >= -5%" {
		t.Errorf("%+v, %v", rule, err)
	}
	if known != 7 {
		t.Errorf("%d figures have a path, want 7", known)
	}
	for text, want := range map[string]string{
		"freshness_seconds.p90 <= 2s": `unknown figure "freshness_seconds.p90"; did you mean freshness_seconds.p`,
		"workers.0.restarts <= +0":    "; known: throughput.spans_per_second, freshness_seconds.p50",
	} {
		if _, err := ParseRule(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error is %v, want %q", text, err, want)
		}
	}
}

func TestParseRules(t *testing.T) {
	rules, err := ParseRules("ours", "# what we promise\n\nfreshness_p99 <= 2s\nthroughput >= -5%   # or so\n")
	if err != nil || len(rules) != 2 || rules[0].Value != 2 || rules[1].Value != -0.05 {
		t.Errorf("rules are %+v, %v", rules, err)
	}
	_, err = ParseRules("ours", "freshness_p99 <= 2s\nfreshness <= 2s\n\nthroughput >= 5%\n")
	if err == nil || !strings.Contains(err.Error(), "ours:2: unknown figure") ||
		!strings.Contains(err.Error(), "ours:4: ") {
		t.Errorf("error is %v", err)
	}
	if _, err := ParseRules("ours", "# none\n"); err == nil || !strings.Contains(err.Error(), "ours: no rule in it") {
		t.Errorf("error is %v", err)
	}
}
