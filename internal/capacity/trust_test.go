package capacity

import (
	"strings"
	"testing"
)

// TestTrust: the report says where the costs are from of what it predicts, and nothing of costs where it measured.
func TestTrust(t *testing.T) {
	for want, from := range map[string]*CostsFrom{
		"": nil,
		"The built-in costs are those of one kind of machine (2 virtual cores of 2026), here with hosts of 8 cores, the servers on " +
			"their own: simulate calibrate": {Cores: 8},
		"The built-in costs with changes are those":                                        {Cores: 8, Changed: true},
		"The costs of mine.yaml with changes do not say where they are from":               {File: "mine.yaml", Cores: 1, Changed: true},
		"The costs of mine.yaml do not say where they are from; they have 1 core for all.": {File: "mine.yaml", Cores: 1, Shared: true},
		"The costs of mine.yaml were calibrated on 2026-11-28T14:00:00Z with Redis 7.2.4 and Kafka v3.9: 2 cores for all; the " +
			"yardstick took 52.1 ms there.": {File: "mine.yaml", Cores: 2, Shared: true, Date: "2026-11-28T14:00:00Z", Redis: "7.2.4",
			Kafka: "v3.9", YardstickSeconds: 0.0521},
	} {
		r := NewReport("steady", "virtual", 0, 0, points(WorkerCPU, 20000, 39000))
		r.Costs = from
		var text, page strings.Builder
		if err := r.WriteText(&text); err != nil {
			t.Fatal(err)
		}
		if err := r.Document("again").WriteMarkdown(&page); err != nil {
			t.Fatal(err)
		}
		for _, form := range []string{text.String(), page.String()} {
			if !strings.Contains(form, want) || strings.Contains(form, "simulate compare measures that") != (from != nil) {
				t.Errorf("no %q in\n%s", want, form)
			}
		}
	}
}
