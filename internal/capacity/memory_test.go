package capacity

import (
	"errors"
	"strings"
	"testing"

	"sluice/reports"
	"sluice/scenarios"
)

// TestRedisThatMayNotHoldWhatWaits: the input pauses without any fault, so no count is recommended, and the
// first thing to do is no count.
func TestRedisThatMayNotHoldWhatWaits(t *testing.T) {
	list := []Point{{Processes: 1, Throughput: 1000, Failed: 1100, Probes: []Probe{{Rate: 1000, Sustained: true, Waiting: 2400}}}}
	at := Trial{Processes: 1, Rate: 500, Waiting: 1200}
	for name, c := range map[string]struct {
		trials   []Trial
		bounds   Bounds
		headroom float64
		class    reports.Verdict
		text     []string
		without  string
	}{
		"too little": {[]Trial{at}, Bounds{RedisMemory: 100 << 10, MaxMemory: 1}, 0.2, reports.Violated, []string{
			"No recommendation: what waits at 500 spans/s, without any fault, takes 703 KiB in Redis, which may hold 100KiB before input pauses.",
			"\nGive Redis more memory (--redis-memory), or more nodes", "\nWhat waits at 500 spans/s"}, "Run 1 process"},
		"a share of it": {[]Trial{at}, Bounds{RedisMemory: 1 << 20, MaxMemory: 0.5}, 0.2, reports.Violated,
			[]string{"takes 703 KiB in Redis, which may hold 50 % of 1MiB before"}, "has reached"},
		"of a node": {[]Trial{at}, Bounds{RedisMemory: 1 << 20, MaxMemory: 0.25, RedisFullest: 0.5}, 0.2, reports.Violated,
			[]string{"takes 352 KiB in the fullest node of Redis, which may hold 25 % of 1MiB"}, "later: "},
		"enough of a node": {[]Trial{at}, Bounds{RedisMemory: 1 << 20, MaxMemory: 0.5, RedisFullest: 0.5}, 0.2, reports.Passed,
			[]string{"has reached 50 % of 1MiB in"}, "more memory"},
		// Without a trial it was counted at 1,000 spans/s.
		"with the headroom": {nil, Bounds{RedisMemory: 1 << 20, MaxMemory: 1}, 1, reports.Violated,
			[]string{"No recommendation: what waits at 1,000 spans/s, without any fault, takes 1.37 MiB"}, "Run 1 process"},
		"with the headroom, though not at the target": {[]Trial{at}, Bounds{RedisMemory: 1 << 20, MaxMemory: 1}, 1, reports.Violated,
			[]string{"No recommendation: what waits at 1,000 spans/s, without any fault, takes 1.37 MiB"}, "Run 1 process"},
		"above the headroom": {[]Trial{at}, Bounds{RedisMemory: 1 << 20, MaxMemory: 1}, 0.9, reports.Passed,
			[]string{"Run 1 process"}, "more memory"},
		"above it": {nil, Bounds{RedisMemory: 1 << 20, MaxMemory: 1}, 0.2, reports.Unknown,
			[]string{"1 process carries 500 spans/s", "\nWhether Redis may hold what waits at the target is not known: what waits at " +
				"1,000 spans/s, without any fault, takes 1.37 MiB in Redis, which may hold 1MiB before input pauses. Count it",
				"Run 1 process"}, "No recommendation"},
		"not counted": {[]Trial{{}}, Bounds{RedisMemory: 1, MaxMemory: 1}, 0.2, reports.Passed, []string{"Run 1 process"}, "more memory"},
	} {
		c.bounds.RedisPerSpan, c.bounds.RetentionSeconds = 600, 3600
		points := list
		if name == "not counted" {
			points = []Point{{Processes: 1, Throughput: 1000, Failed: 1100}}
		}
		r := NewReport("steady", "virtual", 500, c.headroom, points)
		r.Look(c.bounds, c.trials)
		r.Price(Prices{Process: 1})
		refused := c.class == reports.Violated
		if (r.Refused != "") != refused || (r.Recommended == nil) != refused || (r.Cost == nil) != refused {
			t.Errorf("%s: refused %q, recommended %+v, cost %+v", name, r.Refused, r.Recommended, r.Cost)
		}
		if got := r.Document("").Class; got != string(c.class) {
			t.Errorf("%s: the page is %s, want %s", name, got, c.class)
		}
		r.Unfinish(errors.New("it was ended"))
		var text strings.Builder
		if err := r.WriteText(&text); err != nil {
			t.Fatal(err)
		}
		for _, want := range c.text {
			if !strings.Contains(text.String(), want) {
				t.Errorf("%s: no %q in\n%s", name, want, text.String())
			}
		}
		if strings.Contains(text.String(), c.without) {
			t.Errorf("%s: %q in\n%s", name, c.without, text.String())
		}
	}
}

// TestRedisPerSpanOfTheCount is that of the recommended count, near the target, whatever else was measured,
// and in which order.
func TestRedisPerSpanOfTheCount(t *testing.T) {
	probe := func(rate, bytes float64) Probe {
		return Probe{Rate: rate, Sustained: true, RedisPerSpan: bytes, RedisFullest: bytes / 1000}
	}
	list := []Point{
		{Processes: 2, Throughput: 4000, Failed: 4400, Probes: []Probe{probe(1100, 615)}},
		{Processes: 1, Throughput: 2000, Failed: 2200, Probes: []Probe{probe(2000, 610), probe(900, 580), probe(1200, 595), probe(1100, 0),
			{Rate: 1150, RedisPerSpan: 900}}},
		{Processes: 1, Repeat: 2, Throughput: 2000, Failed: 2200, Probes: []Probe{probe(1300, 600)}},
		{Processes: 4, Throughput: 8000, Failed: 8800, Probes: []Probe{probe(1000, 620)}},
	}
	s := scenarios.Default()
	if b := BoundsOf(s, list, 1, 1000); b.RedisPerSpan != 595 || b.RedisFullest != 0.595 || !b.Measured {
		t.Errorf("%+v, want 595 bytes", b)
	}
	if b := BoundsOf(s, list, 8, 1000); b.RedisPerSpan != redisPerByte*b.SpanBytes || b.Measured {
		t.Errorf("%+v, want what follows from its size", b)
	}
}
