package compare

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"sluice/internal/judge"
	"sluice/reports"
	"sluice/scenarios"
)

// runs are repeats with these throughputs and freshness.
func runs(fresh float64, rates ...float64) (list []Run) {
	for i, rate := range rates {
		list = append(list, Run{Seed: uint64(i), Verdict: "passed", Figures: map[Figure]float64{
			Throughput: rate, FreshnessP99: fresh, RedisTime: 5}})
	}
	return list
}

var tolerance = Tolerance{Throughput: 0.2, Freshness: 1.5, Recovery: 0.25}

// recovers is a run that took so many seconds to recover.
func recovers(seconds float64) []Run {
	list := runs(1, 100)
	list[0].Figures[Recovery] = seconds
	return list
}

// keepUp makes runs such as kept up with the load.
func keepUp(predicted, measured []Run) {
	for i := range predicted {
		predicted[i].LoadCarried = true
	}
	for i := range measured {
		measured[i].LoadCarried = true
	}
}

func TestReport(t *testing.T) {
	for name, c := range map[string]struct {
		predicted, measured []Run
		change              func(predicted, measured []Run)
		beyond              string // "" for nothing
	}{
		"near":             {runs(1, 110, 90, 100), runs(1.4, 90, 95, 85), nil, ""},
		"too fast":         {runs(1, 125), runs(1, 100), nil, "throughput is predicted +25 % wrong"},
		"too slow":         {runs(1, 75), runs(1, 100), nil, "throughput is predicted -25 % wrong"},
		"one repeat off":   {runs(1, 100, 300, 101), runs(1, 100, 100, 100), nil, ""},
		"too fresh":        {runs(1, 100), runs(1.6, 100), nil, "freshness p99 is predicted by a factor of 1.6"},
		"too old":          {runs(1.6, 100), runs(1, 100), nil, "freshness p99 is predicted by a factor of 1.6"},
		"fresh as can be":  {runs(0.002, 100), runs(0.08, 100), nil, ""},
		"late":             {recovers(13), recovers(10), nil, "recovery is predicted +30 % wrong"},
		"nothing to it":    {recovers(5), recovers(0), nil, "recovery is predicted as 5.00 s and measured as 0, the"},
		"nothing came out": {runs(1, 100), runs(1, 0), nil, "throughput is predicted as 100 spans/s and measured as 0, the"},
		"nothing was to":   {runs(1, 0), runs(1, 0), nil, ""},
		"near enough":      {recovers(12), recovers(10), nil, ""},
		"a second":         {recovers(1.9), recovers(1), nil, ""},
		"one never does":   {recovers(12), runs(1, 100), nil, "ends while the load lasts: true; measured: false"},
		"the load's":       {runs(1, 150), runs(1, 100), keepUp, ""},
		"predicted keeps up": {runs(1, 150), runs(1, 90), func(p, _ []Run) { keepUp(p, nil) },
			"throughput is predicted +67 % wrong"},
		"measured keeps up": {runs(1, 60), runs(1, 100), func(_, m []Run) { keepUp(nil, m) },
			"throughput is predicted -40 % wrong"},
		"one repeat keeps up": {runs(1, 150, 150, 150), runs(1, 90, 90, 90), func(p, m []Run) { keepUp(p, m[:1]) },
			"throughput is predicted +67 % wrong"},
		"one repeat does not": {runs(1, 150, 150, 150), runs(1, 90, 90, 90), func(p, m []Run) { keepUp(p[:2], m[1:]) }, ""},
		"verdict": {runs(1, 100), runs(1, 100), func(_, m []Run) { m[0].Verdict = "safety violated" },
			`the verdict is "safety violated", predicted was "passed"`},
		"unsafe in some": {runs(1, 100, 100, 100), runs(1, 100, 100, 100), func(_, m []Run) {
			m[1].Verdict, m[1].Reason, m[2].Verdict = "safety violated", "conservation: 3 lost", "safety violated"
		}, `the verdict is "safety violated (conservation: 3 lost)" in 2 of 3 runs, predicted was "passed"`},
		"unsafe in both": {runs(1, 100, 100), runs(1, 100, 100), func(p, m []Run) {
			p[1].Verdict, m[0].Verdict = "safety violated", "safety violated"
		}, ""},
		"not seen to be unsafe": {runs(1, 100, 100), runs(1, 100), func(p, _ []Run) { p[1].Verdict = "liveness violated" },
			`the verdict is "passed", predicted was "liveness violated" in 1 of 2 runs`},
		"less grave": {runs(1, 100), runs(1, 100, 100), func(p, m []Run) {
			p[0].Verdict, m[0].Verdict, m[1].Verdict = "liveness violated", "liveness violated", "safety violated"
		}, `the verdict is "safety violated" in 1 of 2 runs, predicted was "liveness violated"`},
		"a verdict of some": {runs(1, 100), runs(1, 100, 100), func(_, m []Run) { m[0].Verdict = "unknown" },
			""},
	} {
		if c.change != nil {
			c.change(c.predicted, c.measured)
		}
		row := NewRow(2, c.predicted, c.measured, nil)
		r := NewReport("steady", [2]string{"virtual", "real"}, tolerance, []Row{row})
		switch {
		case c.beyond == "" && len(r.Beyond) > 0:
			t.Errorf("%s: %v", name, r.Beyond)
		case c.beyond != "" && (len(r.Beyond) != 1 || !strings.Contains(r.Beyond[0], c.beyond)):
			t.Errorf("%s: %q, want %q", name, r.Beyond, c.beyond)
		}
	}
}

// TestCovered: what is measured is inside what the bounds and the repeats span, and a bit more: the
// hypotenuse of that (100 to 130, say, ends at 134.6) and of what the model leaves out (to 115).
func TestCovered(t *testing.T) {
	bounds := append(runs(0.05, 80), runs(2, 130)...)
	for name, c := range map[string]struct {
		predicted, measured []Run
		inside, of          int
		headline            string
	}{
		"inside":             {runs(1, 100), runs(1.9, 81), 3, 3, "3 of 3 figures within the 90 % intervals."},
		"fast":               {runs(1, 100), runs(1, 134), 3, 3, "3 of 3 figures within the 90 % intervals."},
		"too fast":           {runs(1, 100), runs(1, 136), 2, 3, "2 of 3 figures within the 90 % intervals."},
		"slow":               {runs(1, 100), runs(1, 77), 3, 3, "3 of 3 figures"},
		"too slow":           {runs(1, 100), runs(1, 76), 2, 3, "2 of 3 figures"},
		"a repeat reaches":   {runs(1, 100, 140, 100), runs(1, 136), 3, 3, "3 of 3 figures"},
		"too old":            {runs(1, 100), runs(2.4, 100), 2, 3, "2 of 3 figures"},
		"as good as nothing": {runs(1, 100), runs(0.001, 100), 3, 3, "3 of 3 figures"},
	} {
		row := NewRow(2, c.predicted, c.measured, bounds)
		r := NewReport("steady", [2]string{"virtual", "real"}, tolerance, []Row{row})
		if inside, of := r.Covered(); inside != c.inside || of != c.of {
			t.Errorf("%s: %d of %d inside, want %d of %d", name, inside, of, c.inside, c.of)
		}
		if !strings.Contains(r.Headline(), c.headline) {
			t.Errorf("%s: %q, want %q", name, r.Headline(), c.headline)
		}
	}
	kept, too := runs(1, 100), runs(1, 200)
	keepUp(kept, too)
	r := NewReport("steady", [2]string{"virtual", "real"}, tolerance,
		[]Row{NewRow(2, kept, too, bounds), NewRow(2, runs(1, 100), runs(1, 200), nil)})
	if inside, of := r.Covered(); inside != 2 || of != 2 {
		t.Errorf("%d of %d inside: the load's throughput and a row without bounds count for nothing", inside, of)
	}
	var text strings.Builder
	if err := r.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	words := strings.Join(strings.Fields(text.String()), " ")
	if want := "2 freshness_p99 s 1.00 [0.05..2.31] 1.00 0 %"; !strings.Contains(words, "processes figure virtual 90 % real") ||
		!strings.Contains(words, strings.Replace(want, " 0 %", " +0 %", 1)) {
		t.Errorf("no %q in\n%s", want, text.String())
	}
	var chart strings.Builder
	if err := r.Chart().WriteSVG(&chart); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"predicted (virtual, 90 %)", "measured (real, spread)"} {
		if !strings.Contains(chart.String(), want) {
			t.Errorf("the chart's legend does not say %q", want)
		}
	}
}

// TestChartDrawsWhatIsPrinted: each figure of the table has a panel.
func TestChartDrawsWhatIsPrinted(t *testing.T) {
	figured := func(of float64) []Run {
		list := runs(of, 100*of, 104*of)
		for i := range list {
			for at, f := range Figures() {
				list[i].Figures[f] = of * float64(1+at+i)
			}
		}
		return list
	}
	r := NewReport("steady", [2]string{"virtual", "real"}, tolerance, []Row{NewRow(1, figured(1.1), figured(1), nil),
		NewRow(4, figured(1.9), figured(2), nil)})
	var chart, text strings.Builder
	if err := errors.Join(r.Chart().WriteSVG(&chart), r.WriteText(&text)); err != nil {
		t.Fatal(err)
	}
	for _, f := range Figures() {
		name := fmt.Sprintf("%s, %s", f, f.Unit())
		if !strings.Contains(text.String(), string(f)+" "+f.Unit()) || !strings.Contains(chart.String(), ">"+name+"<") {
			t.Errorf("%q is not in the table, or not in the chart", name)
		}
	}
}

func TestWriteText(t *testing.T) {
	rows := []Row{NewRow(1, runs(1, 110, 130, 120), runs(1, 100, 101, 99), nil),
		NewRow(4, runs(1, 90), runs(1, 100), nil)}
	r := NewReport("steady", [2]string{"virtual", "real"}, tolerance, rows)
	var text strings.Builder
	if err := r.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	words := strings.Join(strings.Fields(text.String()), " ")
	for _, want := range []string{
		"error of 15 % (worst 20 %). All within the tolerance.",
		"1 throughput spans/s 120 [110..130] 100 [99.0..101] +20 %",
		"4 throughput spans/s 90.0 100 -10 %",
		"1 agree agree agree agree",
	} {
		if !strings.Contains(words, want) {
			t.Errorf("no %q in\n%s", want, text.String())
		}
	}
	r.Unsafe = []string{"with 4 processes: it"}
	var unsafe strings.Builder
	if err := r.WriteText(&unsafe); err != nil || !strings.HasPrefix(unsafe.String(), "Safety was violated in 1 run. The "+
		"throughput is") || !strings.Contains(unsafe.String(), "\nSafety was violated with 4 processes: it.\n") {
		t.Errorf("%v\n%s", err, unsafe.String())
	}
	if median, worst, n := r.Errors(Throughput); math.Abs(median-0.15) > 1e-9 || math.Abs(worst-0.2) > 1e-9 || n != 2 {
		t.Errorf("errors are %v, %v of %d", median, worst, n)
	}
}

// sequence is one of things that happen a second apart, or at once after a comma.
func sequence(text string) (s Sequence) {
	for at, moment := range strings.Fields(text) {
		for i, what := range strings.Split(moment, ",") {
			s = append(s, Happening{float64(at) + float64(i)/100, what})
		}
	}
	return s
}

func TestDiffer(t *testing.T) {
	for _, c := range []struct{ a, b, want string }{
		{"", "", ""}, {"x y z", "x y z", ""},
		{"x y", "x z", `"y" at 1.0 s, and in the other "z" at 1.0 s`},
		{"x y", "y x", `"x" at 0.0 s, and in the other "y" at 0.0 s`},
		{"x y", "x", `"y" at 1.0 s, and in the other nothing`},
		{"x", "x y", `nothing, and in the other "y" at 1.0 s`},
		{"x,y z", "y,x z", ""},         // of one moment
		{"x,y z", "x y,z", ""},         // near enough on one side
		{"x y z", "z,y,x", ""},         // on one side they may have been in any order
		{"x,y,x z", "x,x,y z", ""},     // twice the same
		{"x,y,x z", "x,y z", `"x" at`}, // and once only
	} {
		got := sequence(c.a).Differ(sequence(c.b))
		if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%q and %q: %q, want %q", c.a, c.b, got, c.want)
		}
	}
}

func TestSequenceOf(t *testing.T) {
	events := []reports.Event{
		{T: -1, Kind: reports.EventWorker, Worker: 1, State: reports.StateHealthy},
		{T: 1, Kind: reports.EventFaultBegin, Fault: "hang worker 1", Worker: 1},
		{T: 2, Kind: reports.EventWorker, Worker: 1, State: reports.StateBackpressure},
		{T: 2, Kind: reports.EventWorker, Worker: 1, State: reports.StateHealthy},
		{T: 3, Kind: reports.EventWorker, Worker: 1, State: reports.StateHung},
		{T: 3, Kind: reports.EventGateClosed, Shards: []int{1}, Text: "after 3.1 s"},
		{T: 3, Kind: reports.EventGateClosed, Shards: []int{5}},
		{T: 4, Kind: reports.EventRestart, Worker: 1},
		{T: 5, Kind: reports.EventWorker, Worker: 1, State: reports.StateHealthy},
		{T: 5, Kind: reports.EventGateOpened, Shards: []int{1, 5}},
		{T: 9, Kind: reports.EventPhase, Text: reports.PhaseStop},
		{T: 9, Kind: reports.EventConsumer, State: reports.StateStopped},
	}
	var got []string
	for _, h := range sequenceOf(events) {
		got = append(got, h.What)
	}
	want := "begin: hang worker 1; worker 1 is hung; input paused; restart of worker 1; " +
		"worker 1 is healthy; input resumed"
	if text := strings.Join(got, "; "); text != want {
		t.Errorf("%s\nwant %s", text, want)
	}
}

func TestRunOf(t *testing.T) {
	o := &judge.Outcome{Result: reports.Result{Seed: 7, Verdict: "passed", Pauses: 2,
		Throughput: reports.Throughput{SpansPerSecond: 50}, Ledger: reports.Ledger{Sent: 1000, Flushed: 1000},
		Freshness: reports.Quantiles{P50: 1, P99: 2, Count: 10},
		Workers:   []reports.WorkerSummary{{Restarts: 1}, {Restarts: 2}}},
		Samples: []reports.Sample{{CPURedis: 1, RedisBytesAll: 4e6}, {CPURedis: 1.003, Flushed: 1000, RedisBytesAll: 2e6},
			{CPURedis: 1.009, Flushed: 1000}}} // while the run waited for its end
	o.Scenario.Duration = 20 * time.Second
	r := RunOf(o)
	for f, want := range map[Figure]float64{Throughput: 50, FreshnessP50: 1, FreshnessP99: 2, RedisTime: 3,
		RedisMemoryAll: 4} {
		if got := r.Figures[f]; math.Abs(got-want) > 1e-6 {
			t.Errorf("%s is %v, want %v", f, got, want)
		}
	}
	if _, measured := r.Figures[WorkerTime]; measured || r.Restarts != 3 || !r.LoadCarried {
		t.Errorf("%+v", r)
	}
	if o.Scenario.Duration = 10 * time.Second; RunOf(o).LoadCarried {
		t.Error("half of the load's rate is no keeping up")
	}
	o.Code, o.Result.Verdict = judge.ExitUnknown, judge.Verdicts[judge.ExitUnknown]
	o.Result.Invariants = []reports.Judgement{{Name: "liveness", Verdict: reports.Unknown, Detail: "overload"}}
	o.Result.Expectations = []reports.Judgement{{Name: "drain_max", Verdict: reports.Violated, Detail: "9s"}}
	if got := RunOf(o).Reason; got != "liveness: overload" {
		t.Errorf("what is not known is due to %q", got)
	}
}

// TestThroughputOfTheSteadyPart: a short run of a constant load comes out over more time than it was sent in,
// which says nothing of whether it was kept up with. If it was not, all of it says how much that is.
func TestThroughputOfTheSteadyPart(t *testing.T) {
	ran := func(perSecond, seconds float64, fault bool) *judge.Outcome {
		o := &judge.Outcome{Scenario: scenarios.Default(), Result: reports.Result{
			Throughput: reports.Throughput{SpansPerSecond: 7000}, Ledger: reports.Ledger{Sent: 100_000, Flushed: 100_000}}}
		o.Scenario.Workload.Rate, o.Scenario.Duration = scenarios.Constant(10_000), time.Duration(seconds)*time.Second
		o.Scenario.Pipeline.RootTimeout = 3 * time.Second
		if fault {
			o.Scenario.Faults = []scenarios.Fault{{}}
		}
		for tenth := range int(10 * (seconds + 3)) {
			at := float64(tenth) / 10
			o.Samples = append(o.Samples, reports.Sample{T: at, Sent: int64(10_000 * min(at, seconds)),
				Flushed: int64(perSecond * max(0, at-3))})
		}
		return o
	}
	for _, c := range []struct {
		perSecond, seconds float64
		fault              bool
		want               float64
		keptUp             bool
	}{{10_000, 10, false, 10_000, true}, {8000, 10, false, 7000, false}, {8000, 30, false, 8000, false},
		{10_000, 10, true, 7000, false}} {
		r := RunOf(ran(c.perSecond, c.seconds, c.fault))
		if got := r.Figures[Throughput]; math.Abs(got-c.want) > 100 || r.LoadCarried != c.keptUp {
			t.Errorf("%+v: %.1f spans/s, kept up %v", c, got, r.LoadCarried)
		}
	}
}

// TestNoError: where something is predicted and nothing was measured there is no error, which is not the
// same as none: it is null, and the worst of all.
func TestNoError(t *testing.T) {
	r := NewReport("steady", [2]string{"virtual", "real"}, tolerance, []Row{NewRow(1, runs(1, 110), runs(1, 100), nil),
		NewRow(2, runs(1, 100), runs(1, 0), nil), NewRow(4, runs(1, 0), runs(1, 0), nil)})
	if median, worst, n := r.Errors(Throughput); math.Abs(median-0.1) > 1e-9 || !math.IsInf(worst, 1) || n != 3 {
		t.Errorf("errors are %v, %v of %d", median, worst, n)
	}
	var text, all strings.Builder
	if err := errors.Join(r.WriteText(&text), reports.WriteJSON(&all, r)); err != nil {
		t.Fatal(err)
	}
	words := strings.Join(strings.Fields(text.String()), " ")
	for _, want := range []string{"an error of 10 % (worst no bound, as nothing came out)", "2 throughput spans/s 100 0.00 -",
		"4 throughput spans/s 0.00 0.00 +0 %"} {
		if !strings.Contains(words, want) {
			t.Errorf("no %q in\n%s", want, text.String())
		}
	}
	if strings.Count(all.String(), "\"error\": null\n") != 1 || !strings.Contains(all.String(), "\"error\": 0\n") {
		t.Error(all.String())
	}
}
