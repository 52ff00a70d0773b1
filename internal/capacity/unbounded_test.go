package capacity

import (
	"math"
	"strings"
	"testing"
)

// TestUnbounded: where a search ended at its bound, that is not taken for what the system carries.
func TestUnbounded(t *testing.T) {
	list := []Point{{Processes: 1, Throughput: 20000, Probes: []Probe{{Rate: 20000, Sustained: true}}}}
	written := func(r *Report) string {
		var page, text strings.Builder
		if err := r.Document("again").WriteMarkdown(&page); err != nil {
			t.Fatal(err)
		}
		if err := r.WriteText(&text); err != nil {
			t.Fatal(err)
		}
		return text.String() + page.String()
	}
	r := NewReport("steady", "virtual", 3000, 0.3, list)
	trial := Trial{What: "Redis is stopped for 2s", Processes: 1, Rate: 3000, Capacity: 20000, OutageSeconds: 2,
		PredictedSeconds: 0.4, RecoverySeconds: 3}
	r.Look(Bounds{RedisPerSpan: 700}, []Trial{trial})
	high := trial
	high.Rate = 19000
	r.Map(r.Count(1), []Trial{trial, high}, 2)
	text := written(r)
	for _, want := range []string{"; with 1 process no rate up to 20,000 spans/s was too high.",
		"For a higher target: the search ended at its bound of 20,000 spans/s; raise it (--most).",
		"| 60 s | 180,000 | not known | 11 s or less |", "as far as the search went (--most). What was tried",
		"By that, the outage of 2.0 s takes 0.4 s or less; it took 3.0 s.",
		"Up to 95 % of the highest rate that was tried with 1 process, it recovers from every outage that was tried. " +
			"What 1 process sustains at the most was not found, so how it recovers near its limit is not known: raise --most."} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	high.RecoverySeconds, high.WatchedSeconds, high.Path = Number(math.Inf(1)), 60, []PathPoint{{0, 0, 9}, {1, 9, 9}}
	r.Map(r.Count(1), []Trial{trial, high}, 2)
	if got := r.Stability.words()[0]; !strings.HasPrefix(got, "From 95 % of the highest rate that was tried with 1 process, it does not") {
		t.Error(got)
	}
	// With nothing beyond the target, nothing is known of how fast it catches up.
	none := NewReport("steady", "virtual", 20000, 0, list)
	none.Look(Bounds{}, nil)
	if text := written(none); !strings.Contains(text, "| not known | not known |") || strings.Contains(text, "never |") {
		t.Errorf("at the bound\n%s", text)
	}
	if found := NewReport("steady", "virtual", 0, 0, list); len(found.Next) != 1 ||
		found.Next[0] != "The search ended at its bound of 20,000 spans/s; raise it (--most)." {
		t.Errorf("without a target, next is %q", found.Next)
	}
	bounded := NewReport("steady", "virtual", 3000, 0.3, points(WorkerCPU, 20000, 39000, 75000, 140000))
	bounded.Look(Bounds{}, nil)
	if text := written(bounded); strings.Contains(text, "or less") || strings.Contains(text, "--most") {
		t.Errorf("of a limit that was found\n%s", text)
	}
	r.Beside(bounded, "runs/other", "")
	if text := written(r); !strings.Contains(text, "| 1 process sustains per second | at least 20,000 | 20,000 | - |") {
		t.Errorf("beside another\n%s", text)
	}
}
