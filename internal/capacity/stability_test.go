package capacity

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"sluice/reports"
	"sluice/scenarios"
)

// TestEstimate: what was not seen to its end follows from how fast it falls; what does not fall is
// never over; and a load that is not sustained has no recovery, unless it was seen: it may not be for what
// is required of it alone.
func TestEstimate(t *testing.T) {
	for _, c := range []struct {
		falls, capacity, watched, took float64
		seen                           bool
	}{{1000, 2000, 15, 5, true}, {200, 2000, 15, 25, false}, {0, 2000, 60, math.Inf(1), false},
		{0, 2000, 15, math.NaN(), false}, {0, 900, 15, math.Inf(1), true}, {1000, 900, 15, 5, true}, {200, 900, 15, 25, false}} {
		p, o := outage(c.falls)
		trial := p.Trial(o)
		trial.Capacity, trial.WatchedSeconds = c.capacity, c.watched
		took, seen := trial.estimate()
		if !(math.Abs(took-c.took) <= 2) && took != c.took && !(math.IsNaN(took) && math.IsNaN(c.took)) || seen != c.seen {
			t.Errorf("%+v: %v s, seen %v", c, took, seen)
		}
	}
}

// TestMap: a load below the capacity from which the system does not come back is called metastable
// only after it was watched for longer.
func TestMap(t *testing.T) {
	s := scenarios.Default()
	count := Count{Processes: 2, Median: 10000, Failed: 11000}
	plans := MapPlans(s, count)
	if len(plans) != (len(mapLoads)+1)*len(mapOutages) || plans[len(plans)-1].Rate != count.Failed {
		t.Fatalf("%d plans, the last %+v", len(plans), plans[len(plans)-1])
	}
	trials := make([]Trial, len(plans))
	for i, p := range plans {
		trials[i] = Trial{What: p.What, Rate: p.Rate, Capacity: p.Capacity, OutageSeconds: p.Outage.Seconds(),
			RecoverySeconds: 2, Gain: 1, Path: []PathPoint{{0, 0, 3}, {1, 5, 3}}}
	}
	r := Report{}
	r.Counts = []Count{count}
	r.Map(count, trials, len(plans))
	if got := r.Stability.words()[0]; got != "Up to 110 % of what 2 processes sustain, it recovers from every outage that was tried." {
		t.Errorf("a rate that is not sustained for the freshness alone: %s", got)
	}
	over := trials[len(trials)-len(mapOutages):] // the loads that are too high
	over[2].RecoverySeconds = Number(math.Inf(1))
	r.Map(count, trials, len(plans))
	if got := r.Stability.words()[0]; !strings.HasSuffix(got, "; from 110 % of that on, it does not from some.") {
		t.Error(got)
	}
	for i := range over {
		over[i].RecoverySeconds = Number(math.Inf(1))
	}
	r.Map(count, trials, len(plans))
	if got := r.Stability.words()[0]; !strings.Contains(got, "as long as the load is below what 2 processes sustain; "+
		"from 110 % of that on") {
		t.Error(got)
	}
	stuck := &trials[len(mapOutages)] // at the second load
	stuck.RecoverySeconds, stuck.Gain, stuck.Restarts = Number(math.Inf(1)), 2.5, 3
	slow := &trials[1] // which falls by a tenth of the load each second, with ten minutes' to go
	slow.RecoverySeconds, slow.WatchedSeconds = Number(math.Inf(1)), 12
	slow.Path = []PathPoint{{0, 0, 300000}, {1, 0, 299500}, {2, 0, 299000}}
	at, longer := Doubtful(plans, trials)
	if len(at) != 2 || at[0] != 1 || at[1] != len(mapOutages) || longer[0].Watched != watchedMax || plans[at[0]].Watched >= time.Minute {
		t.Errorf("doubtful are %v: %+v", at, longer)
	}
	r.Map(count, trials[:len(trials)-1], len(plans))
	if got := r.Stability.words()[0]; strings.Contains(got, "metastable") || !strings.Contains(got, "every outage of which that is known") ||
		!strings.Contains(got, "Only 14 of 15 trials were made. Of 1 trial it is not known whether it recovers") {
		t.Errorf("watched again, and ended early: %s", got)
	}
	var early strings.Builder
	if err := r.Document("again").WriteHTML(&early); err != nil || !strings.Contains(early.String(), ">not known<") {
		t.Errorf("%v: the map does not say that a cell is not known", err)
	}
	stuck.WatchedSeconds = 60
	r.Map(count, trials, len(plans))
	for i, want := range []string{"From 70 % of what 2 processes sustain, it does not recover from some outages in the 60 s that",
		"at 7,000 spans/s, when Redis is stopped for 1s, each span took 2.50 times the Redis time, 3 restarts"} {
		if got := r.Stability.words()[i]; !strings.Contains(got, want) {
			t.Errorf("%q does not say %q", got, want)
		}
	}
	r.Stability.Cells = r.Stability.Cells[:7] // ended early
	d := r.Document("again")
	var page strings.Builder
	if err := d.WriteHTML(&page); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{">never<", ">not tried<", ">2.0 s<", "chart-portrait"} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("no %q in the page", want)
		}
	}
}

func TestCost(t *testing.T) {
	r := &Report{Outlook: &Outlook{Processes: 4, Rate: 50000, RedisBytes: 2 << 30, Bounds: Bounds{SpanBytes: 500}}}
	r.Price(Prices{Currency: "EUR", Process: 0.05, Redis: 0.3, RedisGiB: 0.1, KafkaGiB: 0.02})
	hour := 4*0.05 + 0.3 + 2*0.1 + 50000*500*3600*0.02/(1<<30)
	if c := r.Cost; math.Abs(c.PerHour-hour) > 1e-9 || math.Abs(c.PerMillion-hour/180) > 1e-9 || len(c.Parts) != 4 {
		t.Errorf("%+v, want %v an hour", r.Cost, hour)
	}
	if !strings.Contains(r.Cost.words(), "A million spans cost 0.0132 EUR, an hour costs 2.376 EUR.") {
		t.Error(r.Cost.words())
	}
	if err := (Prices{Redis: -1}).Validate(); err == nil || !strings.Contains(err.Error(), "redis") {
		t.Errorf("a price below 0: %v", err)
	}
}

// TestBeside: a report that was read again is shown beside another, with the ratio of each figure, in all forms.
// What differs comes first, and what that makes meaningless is left out.
func TestBeside(t *testing.T) {
	make := func(factor float64, change ...func(*Report)) *Report {
		r := NewReport("steady", "virtual", 30000, 0.25,
			points(WorkerCPU, factor*20000, factor*39000, factor*75000, factor*140000))
		r.Look(Bounds{RedisPerSpan: 700}, nil)
		r.Price(Prices{Process: 1, Currency: "EUR"})
		for _, change := range change {
			change(r)
		}
		return r
	}
	text, err := json.Marshal(make(1))
	if err != nil {
		t.Fatal(err)
	}
	var read Report
	if err := json.Unmarshal(text, &read); err != nil {
		t.Fatal(err)
	}
	const recommended, counts = "| recommended processes | 4 | 2 | 2.00 |", "| 2 processes sustain per second | 19,500 | 39,000 | 0.50 |"
	for name, c := range map[string]struct {
		change  func(*Report)
		changed string
		want    []string
		without []string
	}{
		"the same": {func(*Report) {}, "", []string{recommended, counts, "There: 2 processes carry 30,000 spans/s",
			"| a million spans cost | 0.03704 EUR | 0.01852 EUR | 2.00 |"}, []string{"Not the same"}},
		"another currency": {func(r *Report) { r.Cost.Prices.Currency = "USD" }, "",
			[]string{recommended, "| a million spans cost | 0.03704 USD | 0.01852 EUR | - |"}, []string{"Not the same"}},
		"another target": {func(r *Report) { r.Target = 20000 }, "",
			[]string{"Not the same, there and then here: target (30,000 spans/s, and then 20,000 spans/s). What hangs", counts},
			[]string{"recommended processes", "spans that wait", "a million spans"}},
		"another headroom": {func(r *Report) { r.Headroom = 0.5 }, "",
			[]string{"headroom (25 %, and then 50 %).", counts, "spans that wait"}, []string{"recommended processes", "What hangs"}},
		"another world": {func(r *Report) { r.World = "real" }, "key (1, and then 2)",
			[]string{"here: world (virtual, and then real), key (1, and then 2).", recommended, "a note"}, nil},
	} {
		slow := make(0.5, c.change)
		slow.Beside(&read, "runs/fast", c.changed, "a note")
		var page, text, written strings.Builder
		err := errors.Join(slow.Document("again").WriteMarkdown(&page), slow.WriteText(&text), reports.WriteJSON(&written, slow))
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range append(c.want, "## Beside runs/fast") {
			if !strings.Contains(page.String(), want) {
				t.Errorf("%s: no %q in\n%s", name, want, page.String())
			}
		}
		_, section, _ := strings.Cut(page.String(), "## Beside")
		section, _, _ = strings.Cut(section, "##")
		for _, without := range c.without {
			if strings.Contains(section, without) {
				t.Errorf("%s: %q in\n%s", name, without, section)
			}
		}
		var again Report
		if err := json.Unmarshal([]byte(written.String()), &again); err != nil {
			t.Fatal(err)
		}
		against := again.Against
		if against.Dir != "runs/fast" || !strings.Contains(against.Differs, c.changed) ||
			strings.Count(section, "\n| ") != len(against.Rows)+1 {
			t.Errorf("%s: the file has %+v beside\n%s", name, against, section)
		}
		if !strings.Contains(text.String(), "\n\nBeside runs/fast: "+read.Headline) ||
			!strings.Contains(text.String(), against.Differs) {
			t.Errorf("%s: %s", name, text.String())
		}
		for _, row := range against.Rows {
			if !strings.Contains(text.String(), "\n"+row.Figure+": ") || row.Ratio != nil && row.UnitThere != "" {
				t.Errorf("%s: %+v is not so in\n%s", name, row, text.String())
			}
		}
	}
}
