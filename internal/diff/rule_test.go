package diff

import (
	"strings"
	"testing"
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
