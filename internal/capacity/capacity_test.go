package capacity

import (
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"sluice/internal/judge"
	"sluice/internal/usl"
)

// points are those of two repeats, 10 % apart.
func points(limit judge.Resource, at ...float64) []Point {
	var list []Point
	for i, rate := range at {
		for repeat, factor := range []float64{0.95, 1.05} {
			list = append(list, Point{Processes: 1 << i, Repeat: repeat + 1, Throughput: factor * rate,
				Failed: factor * rate * 1.04, Limit: limit, Busiest: RedisThread, Share: 0.95})
		}
	}
	return list
}

func TestReport(t *testing.T) {
	grows := points(WorkerCPU, 20000, 39000, 75000, 140000)
	for _, c := range []struct {
		name     string
		target   float64
		points   []Point
		headline string
		next     string
		rec      Recommended
	}{
		{"fits", 53000, grows, "4 processes carry 53,000 spans/s with 30 % headroom (95 %: 4; 3 was not tried); up to 8 processes, worker CPU " +
			"limits, so more processes carry more.", "Run 4 processes (--flusher-processes 4).",
			Recommended{4, 4, 4, false, 3}},
		{"spread", 57000, grows, "with 30 % headroom (95 %: 4 to 8; 3 was not tried);", "Run 4 processes",
			Recommended{4, 4, 8, false, 3}},
		{"at its end", 107000, grows, "8 processes carry 107,000 spans/s with 30 % headroom (95 %: 8 to more than 8; 5 to 7 " +
			"were not tried)",
			"does not exclude that more than 8", Recommended{8, 8, 8, true, 5}},
		{"one", 10000, grows, "1 process carries 10,000 spans/s with 30 % headroom (95 %: 1);", "Run 1 process", Recommended{1, 1, 1, false, 0}},
		{"fewer", 10000, grows[2:], "2 processes carry 10,000 spans/s with 30 % headroom (95 %: 2; fewer were not tried); up", "",
			Recommended{2, 2, 2, false, 1}},
		{"more", 200000, grows, "No recommendation: no measured count carries 260,000 spans/s: the best is 140,000 with 8 " +
			"processes, limited by worker CPU.", "Measure more processes", Recommended{}},
		{"redis", 200000, points(RedisThread, 20000, 39000, 60000, 60000), "limited by the Redis thread",
			"More processes do not help", Recommended{}},
		{"kafka", 200000, points(Kafka, 20000, 39000, 60000, 60000), "limited by the cores of Kafka",
			"more brokers do", Recommended{}},
		{"network", 200000, points(Network, 20000, 39000, 60000, 60000), "limited by the network",
			"more of it does", Recommended{}},
		{"no target", 0, points(Cores, 20000, 39000), "The cores of the host limit from 1 on.", "", Recommended{}},
	} {
		r := NewReport("steady", "virtual", c.target, 0.3, c.points)
		if r.Refused != "" {
			early := NewReport("steady", "virtual", c.target, 0.3, c.points)
			early.Unfinish(errors.New("interrupted"))
			if !strings.HasPrefix(early.Headline, "No recommendation yet: ") || len(early.Next) != 1 ||
				early.Next[0] != "Not all was measured: interrupted." {
				t.Errorf("%s, ended early: %s; %q", c.name, early.Headline, early.Next)
			}
		}
		if got := r.Headline; !strings.Contains(got, c.headline) {
			t.Errorf("%s: %s\nwant %s", c.name, got, c.headline)
		}
		if next := strings.Join(r.Next, "\n"); !strings.Contains(next, c.next) {
			t.Errorf("%s: next is %s\nwant %s", c.name, next, c.next)
		}
		if got := r.Recommended; got == nil != (c.rec == Recommended{}) || got != nil && *got != c.rec {
			t.Errorf("%s: recommended is %+v, want %+v", c.name, got, c.rec)
		}
		if (r.USL == nil) != (len(c.points) < 8) || (r.Refused != "") != (c.target > 0 && c.rec == Recommended{}) {
			t.Errorf("%s: fit %v (%s), refused %q", c.name, r.USL, r.NoFit, r.Refused)
		}
	}
}

// TestWhatWasPlantedIsSaid where the report begins, in each form, and nothing of it if nothing was.
func TestWhatWasPlantedIsSaid(t *testing.T) {
	const want = "In every run: defect kill-skipped, port fault lose store.ack 9."
	for _, planted := range []bool{true, false} {
		r := NewReport("steady", "virtual", 1000, 0.3, points(WorkerCPU, 20000, 39000))
		if planted {
			r.Conditions = Conditions{Defect: "kill-skipped", PortFaults: []string{"lose store.ack 9"}}
		}
		var text strings.Builder
		if err := r.WriteText(&text); err != nil {
			t.Fatal(err)
		}
		if about := r.Document("again").About; strings.Contains(text.String(), r.Headline+"\n\n"+want+"\n") != planted ||
			strings.Contains(about, " counts. "+want+" Target ") != planted || strings.Contains(about, "In every run") != planted {
			t.Errorf("planted %v: about is %q, and the text\n%s", planted, about, &text)
		}
	}
}

// TestNoLawWithoutALimit: a search that ended at its bound says nothing of the system.
func TestNoLawWithoutALimit(t *testing.T) {
	list := points(WorkerCPU, 20000, 39000, 75000, 140000)
	last := len(list) - 1
	for lucky, wants := range map[int][]string{ // how many repeats of the last count found no rate too high
		1: {"worker CPU  95 %\n\nRun 1 process", "No law fitted: with 8 processes, no rate was too high in repeat 2:"},
		2: {"no rate up to", "none found", "No law fitted: with 8 processes"},
	} {
		list := slices.Clone(list)
		for i := range lucky {
			list[last-i].Failed = 0
		}
		r := NewReport("steady", "virtual", 1000, 0, list)
		var text strings.Builder
		if err := r.WriteText(&text); err != nil {
			t.Fatal(err)
		}
		for _, want := range wants {
			if !strings.Contains(text.String(), want) {
				t.Errorf("no %q in\n%s", want, text.String())
			}
		}
	}
}

// TestMoreThatSustainLess is said, with what is known of why.
func TestMoreThatSustainLess(t *testing.T) {
	list := []Point{{Processes: 2, Throughput: 1000, Failed: 1100, Limit: WorkerCycle},
		{Processes: 3, Throughput: 800, Failed: 880, Limit: WorkerCycle},
		{Processes: 4, Throughput: 1900, Failed: 2000, Limit: WorkerCycle}}
	r := NewReport("steady", "virtual", 0, 0, list)
	r.On(8)
	const want = "3 processes sustain less than 2: 800 spans/s, not 1,000. 8 shards are uneven on 3 workers: 2 of them " +
		"have 3, the others 2."
	if next := strings.Join(r.Next, "\n"); !strings.HasPrefix(next, want) ||
		!strings.HasSuffix(r.Headline, ", but not every further process carries more.") {
		t.Errorf("%s\n%s", r.Headline, next)
	}
	list[1].Failed = 1050 // so that it may be as much
	r = NewReport("steady", "virtual", 0, 0, list)
	if next := strings.Join(r.Next, "\n"); next != "3 processes sustain less than 2: 800 spans/s, not 1,000, though no less than "+
		"the search and the repeats leave open (--precision, --repeat)." {
		t.Error(next)
	}
	list[1].Limit = RedisThread // of which there is no more with more processes
	if r := NewReport("steady", "virtual", 0, 0, list); len(r.Next) > 0 || !strings.HasSuffix(r.Headline, "so more processes carry more.") {
		t.Errorf("%s\n%q", r.Headline, r.Next)
	}
}

// TestNothingIsSustained says why, instead of a limit of the system's.
func TestNothingIsSustained(t *testing.T) {
	list := []Point{{Processes: 2, Limit: WorkerCycle, Failed: 10, Probes: []Probe{
		{Rate: 100, Why: "the first"}, {Rate: 10, Why: "only 0 whole seconds after 5.1s: the run is too short"}}}}
	var text strings.Builder
	if err := NewReport("steady", "virtual", 0, 0, list).WriteText(&text); err != nil {
		t.Fatal(err)
	}
	want := "With 2 processes not even 10 spans/s are sustained: only 0 whole seconds after 5.1s: the run is too short."
	if !strings.HasPrefix(text.String(), want) {
		t.Errorf("no %q in\n%s", want, text.String())
	}
}

// TestErrors: points count by how well they are known: by how near their search came, and by the
// spread of the repeats, of their own count more than of the others.
func TestErrors(t *testing.T) {
	one := []Point{{Processes: 1, Throughput: 1000, Failed: 1100}, {Processes: 2, Throughput: 2000, Failed: 2400}}
	for i, want := range []float64{1000 * 0.1 / math.Sqrt(12), 2000 * 0.2 / math.Sqrt(12)} {
		r := Report{Points: one, Counts: summarize(one)}
		if got := r.weighed()[i].Error; math.Abs(got-want) > 1e-6 {
			t.Errorf("error %d is %v, want %v", i, got, want)
		}
	}
	wide := []Point{{Processes: 1, Throughput: 900, Failed: 901}, {Processes: 1, Throughput: 1100, Failed: 1101},
		{Processes: 2, Throughput: 1999, Failed: 2001}, {Processes: 2, Throughput: 2001, Failed: 2003}}
	w := (&Report{Points: wide, Counts: summarize(wide)}).weighed()
	if a, b := w[0].Error/900, w[2].Error/1999; !(a > b && b > 0.05 && a < 0.14) {
		t.Errorf("relative errors are %v and %v", a, b)
	}
}

// TestJSON has what programs read, and numbers without a bound are null.
func TestJSON(t *testing.T) {
	r := NewReport("steady", "virtual", 54000, 0.3, points(WorkerCPU, 20000, 40000, 80000, 160000, 320000))
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"recommended.processes", "recommended.low", "recommended.high", "usl.lambda.low",
		"usl.sigma.high", "usl.kappa.value", "held_out_error", "refused", "points", "limits", "usl.curve",
		"usl.no_extrapolation"} {
		at := any(got)
		for key := range strings.SplitSeq(path, ".") {
			at = at.(map[string]any)[key]
		}
		if at == nil {
			t.Errorf("no %s in %s", path, text)
		}
	}
	for _, name := range []string{"knee", "peak", "greatest"} {
		for part, v := range got["usl"].(map[string]any)[name].(map[string]any) {
			if v != nil {
				t.Errorf("a straight line has a %s, whose %s is %v", name, part, v)
			}
		}
	}
	if worst := got["held_out_error"].(float64); worst > 0.05 {
		t.Errorf("held out: %v", worst)
	}
}

// TestDocument says the answer first, and has a row per count.
func TestDocument(t *testing.T) {
	r := NewReport("steady", "virtual", 54000, 0.3, points(WorkerCPU, 20000, 39000, 75000, 140000, 160000))
	d := r.Document("simulate capacity steady")
	var text strings.Builder
	if err := d.WriteMarkdown(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"**4 processes carry 54,000 spans/s with 30 % headroom", "(--flusher-processes 4)",
		"| 16 | 152,000 | 160,000 | 168,000 |", "![Throughput by flusher processes](capacity.png)",
		"simulate capacity steady", "predicted without it/s"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, text.String())
		}
	}
	if strings.Contains(text.String(), "e+0") {
		t.Errorf("a number has an exponent:\n%s", text.String())
	}
}

// TestEveryRun: the report has each run of a search, and why it was judged so.
func TestEveryRun(t *testing.T) {
	list := points(WorkerCPU, 20000)
	list[0].Probes = []Probe{{Rate: 20000, Throughput: 19900, FreshnessP99: 123.4, Sustained: true, Doubted: "stuck"},
		{Rate: 22000, Throughput: 20500, FreshnessP99: 3, Why: "1500 spans more waited every second"},
		{Rate: 88000, Why: "9000 messages more waited to be read"}}
	r := NewReport("steady", "virtual", 0, 0, list)
	r.Begun = []Point{{Processes: 2, Repeat: 1, Probes: []Probe{{Rate: 10, Unjudged: true, Why: "too few"}}}}
	var text strings.Builder
	if err := r.Document("again").WriteMarkdown(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"| 1 | 1 | 20,000 | 19,900 | 123 s | yes; a shorter run before this one was not: stuck |",
		"| 1 | 1 | 22,000 | 20,500 | 3 s | no: 1500 spans more waited every second |",
		"| 1 | 1 | 88,000 | - | - | no: 9000 messages more waited to be read |",
		"| 2 | 1 | 10 | - | - | not judged: too few |"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, text.String())
		}
	}
	if line := list[0].Probes[1].Line(); line != "22,000 spans/s sustained: no: 1500 spans more waited every second" {
		t.Error(line)
	}
}

// TestHeadroomAsItWasGiven: the answer names what was asked for, and no rounder figure.
func TestHeadroomAsItWasGiven(t *testing.T) {
	for headroom, want := range map[float64]string{0.125: "with 12.5 % headroom", 0.3: "with 30 % headroom", 0: "with 0 % headroom"} {
		if r := NewReport("steady", "virtual", 10000, headroom, points(WorkerCPU, 20000)); !strings.Contains(r.Headline, want) {
			t.Errorf("no %q in %q", want, r.Headline)
		}
	}
}

// TestNoMoreByMoreProcesses: that more processes carry more is said only if they do by more than the search
// leaves open; and unread input is no limit of theirs.
func TestNoMoreByMoreProcesses(t *testing.T) {
	for _, c := range []struct {
		points         []Point
		headline, next string
	}{
		{points(WorkerCycle, 29000, 30000, 30100), "Up to 4 processes, the workers' cycle limits, but they carry no more than 2, " +
			"as far as the search can tell.", "4 processes carry no more than fewer"},
		{points(WorkerCycle, 10000, 20000, 30000), "the workers' cycle limits, so more processes carry more.", "Measure more"},
		{points(WorkerCycle, 10000), "With 1 process, the workers' cycle limits.", "Measure more"},
		{points(WorkerCycle, 10000, 20000, 19900), "the workers' cycle limits, but not every further process carries more.",
			"More processes than 2 carry no more, as far as the search can tell"},
		{points(WorkerCycle, 10000, 20000, 15000), "the workers' cycle limits, but not every further process carries more.",
			"More processes than 2 make it worse."},
		{points(Consumers, 10000, 20000, 20000), "The reading of the input limits from 1 on.", "more consumers do"},
	} {
		r := NewReport("steady", "virtual", 0, 0, c.points)
		if r.Headline != c.headline && !strings.HasSuffix(r.Headline, c.headline) {
			t.Errorf("%q, want %q", r.Headline, c.headline)
		}
		r = NewReport("steady", "virtual", 100000, 0, c.points)
		if next := strings.Join(r.Next, " "); !strings.Contains(next, c.next) {
			t.Errorf("%q, want %q", next, c.next)
		}
	}
	for backlog, want := range map[float64]judge.Resource{0: WorkerCycle, 1: Consumers} {
		o := ran(judge.ExitPassed, 500)
		for i := range o.Samples {
			s := &o.Samples[i]
			s.Backlog = int64(backlog * 450 * s.T)
			s.CPURedis, s.CPUWorkers, s.CPUHarness = s.CPURedis/9, s.CPUWorkers/9, s.CPUHarness/9
		}
		for _, paused := range []int{0, 1} {
			if o.Result.Pauses = paused; paused > 0 {
				want = WorkerCycle
			}
			s := Search{Start: []float64{1000}, Least: 10, Most: 1e6, Precision: 0.1}
			s.Next(1)
			s.Tell(ProbeOf(o, 1000, judge.Host{}, false))
			if got := s.Point().Limit; got != want {
				t.Errorf("backlog %v, %d pauses: limited by %q, want %q", backlog, paused, got, want)
			}
		}
	}
}

// TestRefusedIsNotSaid: where nothing is said of more processes than were measured, no throughput is that
// many more would go towards, or have at a peak, in words or as JSON.
func TestRefusedIsNotSaid(t *testing.T) {
	few := []usl.Point{{Processes: 1, Throughput: 10}, {Processes: 2, Throughput: 18}, {Processes: 3, Throughput: 25},
		{Processes: 4, Throughput: 31.5}}
	law, err := LawOf(few)
	if err != nil {
		t.Fatal(err)
	}
	text := law.Text("per second")
	if law.NoExtrapolation == "" || !strings.Contains(text, "peak     none among those measured\n") ||
		strings.Contains(text, "towards") {
		t.Errorf("refused %q\n%s", law.NoExtrapolation, text)
	}
	for name, c := range map[string]struct {
		sigma, kappa float64
		counts       int
		said         bool
	}{
		"a peak beyond":           {0.3, 0.005, 5, false},
		"towards, not tested":     {0.5, 0, 4, false},
		"towards":                 {0.5, 0, 6, true},
		"a peak that was reached": {0.1, 0.05, 8, true},
	} {
		var list []usl.Point
		for n := 1.0; n <= float64(c.counts); n++ {
			list = append(list, usl.Point{Processes: n, Throughput: 10 * n / (1 + c.sigma*(n-1) + c.kappa*n*(n-1))})
		}
		if c.kappa == 0 {
			list[len(list)-1].Throughput *= 1.01 // so that kappa is at its bound, not just above
		}
		law, err := LawOf(list)
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(law)
		if err != nil {
			t.Fatal(err)
		}
		if none := strings.Contains(string(text), `"greatest":{"value":null,"low":null,"high":null}`); none == c.said ||
			(law.NoExtrapolation == "") != c.said || !finite(law.Knee.Value) {
			t.Errorf("%s: refused %q, %s", name, law.NoExtrapolation, text)
		}
	}
	law.NoExtrapolation = ""
	if text := law.Text("per second"); !strings.Contains(text, "throughput goes towards 118") {
		t.Error(text)
	}
}

// TestParameterAtItsBound has an interval all the same, which ends where noise alone would hardly come.
func TestParameterAtItsBound(t *testing.T) {
	law, err := LawOf([]usl.Point{{Processes: 1, Throughput: 10}, {Processes: 2, Throughput: 20.4}, {Processes: 4, Throughput: 39.8},
		{Processes: 8, Throughput: 80.6}, {Processes: 16, Throughput: 161}})
	if err != nil {
		t.Fatal(err)
	}
	for name, v := range map[string]usl.Value{"sigma": law.Sigma, "kappa": law.Kappa} {
		if !v.Bound || v.Value != 0 || v.Low != 0 || !(v.High > 0 && v.High < 0.05) {
			t.Errorf("%s is %+v", name, v)
		}
		if want := name + "    0 [0, " + figure(v.High, 4) + "] (at its bound)"; !strings.Contains(law.Text("per second"), want) {
			t.Errorf("no %q in\n%s", want, law.Text("per second"))
		}
	}
}

// TestLimitOfTheRepeats is that of most of them, and is said to be busy only where it is a resource; the busiest
// one is named in any case.
func TestLimitOfTheRepeats(t *testing.T) {
	point := func(repeat int, rate float64, limit, busiest judge.Resource, share float64) Point {
		return Point{Processes: 1, Repeat: repeat, Throughput: rate, Failed: rate + 10, Limit: limit, Busiest: busiest,
			Share: share, Probes: []Probe{{Rate: rate + 10, Busy: []judge.Use{{Resource: busiest, Share: share}}}}}
	}
	for _, c := range []struct {
		points []Point
		limit  judge.Resource
		text   string
		share  string // as JSON
		row    string
	}{
		{[]Point{point(1, 100, WorkerCycle, RedisThread, 0.81)}, WorkerCycle, "the workers' cycle (busiest: the Redis thread, 81 %)",
			`"utilisation":null,"busiest":"the Redis thread","busiest_utilisation":0.81`, "1,1,100,110,2.8867513459481313,the workers' cycle,\n"},
		{[]Point{point(1, 100, RedisThread, RedisThread, 0.91)}, RedisThread, "the Redis thread",
			`"utilisation":0.91,"busiest":"the Redis thread","busiest_utilisation":0.91`, ",the Redis thread,0.91\n"},
		{[]Point{point(1, 90, Cores, Cores, 0.97), point(2, 100, Cores, Cores, 0.95), point(3, 110, RedisThread, RedisThread, 0.9),
			point(4, 120, WorkerCycle, RedisThread, 0.8), point(5, 130, Cores, Cores, 0.96)}, Cores,
			"the cores of the host, in 3 of 5 repeats", `"utilisation":0.95,"busiest":"the cores of the host"`, ""},
		{[]Point{point(1, 90, Cores, Cores, 0.97), point(2, 100, RedisThread, RedisThread, 0.9)}, RedisThread,
			"the Redis thread, in 1 of 2 repeats", `"resource_of_repeats":[{"resource":"the Redis thread","repeats":1},{"resource":"the cores`, ""},
		{[]Point{{Processes: 1, Throughput: 100, Failed: 110, Limit: required("freshness_p99_max"), Probes: []Probe{{Rate: 110}}}},
			"what is required (freshness_p99_max)", "what is required (freshness_p99_max)",
			`"utilisation":null,"busiest":"","busiest_utilisation":null`, ""},
	} {
		r := NewReport("steady", "virtual", 0, 0, c.points)
		got := r.Counts[0]
		var rows strings.Builder
		if err := r.WritePoints(&rows); err != nil {
			t.Fatal(err)
		}
		if text := jsonOf(t, got); got.Limit != c.limit || got.limitText() != c.text || !strings.Contains(text, c.share) ||
			!strings.Contains(rows.String(), c.row) {
			t.Errorf("%q in the table, want %q; no %s in %s or no %q in %s", got.limitText(), c.text, c.share, text, c.row, rows.String())
		}
		if len(got.Busy) > 0 && got.Busy[0].Resource != got.Busiest {
			t.Errorf("%+v is of another repeat than its chart", got)
		}
	}
}

// TestMedianOfAnEvenNumber: the interval is drawn of the same median that recommends.
func TestMedianOfAnEvenNumber(t *testing.T) {
	r := NewReport("steady", "virtual", 1000, 0, []Point{{Processes: 1, Repeat: 1, Throughput: 900, Failed: 901},
		{Processes: 1, Repeat: 2, Throughput: 1200, Failed: 1201}, {Processes: 2, Repeat: 1, Throughput: 2000, Failed: 2001}})
	// Of two that are drawn, three in four have one that is 1,200, and then the mean carries.
	one := 0
	for _, n := range r.leastCarrying(1000) {
		if n == 1 {
			one++
		}
	}
	if one < 7*bootstraps/10 || one > 8*bootstraps/10 {
		t.Errorf("%d of %d drawn carry with 1 process", one, bootstraps)
	}
}
