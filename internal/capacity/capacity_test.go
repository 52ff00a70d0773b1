package capacity

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"sluice/internal/judge"
	"sluice/internal/usl"
)

// searched runs a search to its end on a system, with that many runs side by side.
func searched(t *testing.T, s *Search, side int, probe func(rate float64) Probe) Point {
	t.Helper()
	for {
		rates, err := s.Next(side)
		if err != nil {
			t.Fatal(err)
		}
		if len(rates) == 0 {
			return s.Point()
		}
		if len(rates) > side {
			t.Fatalf("%d runs at once, want at most %d", len(rates), side)
		}
		for _, rate := range rates {
			s.Tell(probe(rate))
		}
	}
}

// TestSearch finds the rate that a system sustains, whatever it does with more: pass on all it can,
// less than that, or nothing; from a first rate anywhere, one run at a time or several; and tells of
// the rate that is needed.
func TestSearch(t *testing.T) {
	for _, can := range []float64{12, 500, 3000, 71234, 399000} {
		for name, under := range map[string]float64{"all it can": 1, "less": 0.6, "nothing": 0} {
			for _, start := range [][]float64{{10}, {4000}, {400000}, Around(can, 0.05), Around(2*can, 0.05)} {
				for side := range 3 {
					probes := 0
					s := Search{Start: start, Least: 10, Most: 400000, Precision: 0.05, Need: can * 1.01}
					p := searched(t, &s, side+1, func(rate float64) Probe {
						probes++
						busy := []judge.Use{{Resource: RedisThread, Share: min(1, 0.97*rate/can)}}
						if rate <= can {
							return Probe{Rate: rate, Throughput: rate, Sustained: true, Busy: busy}
						}
						return Probe{Rate: rate, Throughput: under * can, Busy: busy}
					})
					if p.Throughput > can || p.Throughput < can/1.05 || p.Limit != RedisThread {
						t.Errorf("%s, from %v: %v spans/s are found, limited by %q; want %v", name, start,
							p.Throughput, p.Limit, can)
					}
					if p.Failed <= can || p.Failed > 1.0500001*p.Throughput {
						t.Errorf("%s, from %v: %v spans/s are not sustained, of %v", name, start, p.Failed, can)
					}
					if p.Throughput < s.Need && s.Need < p.Failed {
						t.Errorf("%s, from %v: %v is not known to be carried", name, start, s.Need)
					}
					if len(p.Probes) != probes {
						t.Errorf("%d probes are told of, of %d", len(p.Probes), probes)
					}
				}
			}
		}
	}
}

func TestSearchEndsAtItsBounds(t *testing.T) {
	for _, c := range []struct{ can, throughput, failed float64 }{{1e9, 1000, 0}, {1, 0, 10}} {
		s := Search{Start: []float64{100}, Least: 10, Most: 1000, Precision: 0.05}
		p := searched(t, &s, 2, func(rate float64) Probe {
			return Probe{Rate: rate, Throughput: min(rate, c.can), Sustained: rate <= c.can}
		})
		if p.Throughput != c.throughput || p.Failed != c.failed {
			t.Errorf("of %v: %v, %v", c.can, p.Throughput, p.Failed)
		}
	}
}

// TestSearchFromAGoodGuess takes two runs, side by side or not.
func TestSearchFromAGoodGuess(t *testing.T) {
	for side := 1; side <= 2; side++ {
		s := Search{Start: Around(1000, 0.1), Least: 10, Most: 400000, Precision: 0.1}
		p := searched(t, &s, side, func(rate float64) Probe {
			return Probe{Rate: rate, Throughput: min(rate, 1000), Sustained: rate <= 1000}
		})
		if len(p.Probes) != 2 || p.Throughput < 950 || p.Failed > 1050 {
			t.Errorf("%d side by side: it takes %d runs: %+v", side, len(p.Probes), p)
		}
	}
}

// scaling is a system whose workers carry 20,000 spans/s each, up to what Redis can.
func scaling(redis float64) func(context.Context, []Job) ([]Probe, error) {
	return func(_ context.Context, jobs []Job) ([]Probe, error) {
		var probes []Probe
		for _, job := range jobs {
			can := min(20000*float64(job.Processes), redis)
			probes = append(probes, Probe{Rate: job.Rate, Throughput: min(job.Rate, can), Sustained: job.Rate <= can,
				Busy: []judge.Use{{Resource: RedisThread, Share: min(1, job.Rate/redis)},
					{Resource: WorkerCPU, Share: min(1, job.Rate/20000/float64(job.Processes))}}})
		}
		return probes, nil
	}
}

// TestPlan: the counts that are measured are those that matter.
func TestPlan(t *testing.T) {
	for name, c := range map[string]struct {
		plan  Plan
		redis float64
		want  []int
		most  int // runs
	}{
		"given":        {Plan{Counts: []int{3, 1}, CountMax: 8, Repeat: 1}, 1e6, []int{3, 1}, 12},
		"to the bound": {Plan{CountMax: 6, Repeat: 1}, 1e6, []int{1, 2, 4, 6, 3}, 20},
		// 8 carry 150,000, and 7 do not.
		"around the answer": {Plan{CountMax: 16, Repeat: 1, Need: 150000}, 1e6, []int{1, 2, 4, 8, 16, 6, 7}, 30},
		// Redis carries 50,000: more than 4 bring nothing, and after 8 that is sure.
		"until it is flat": {Plan{CountMax: 64, Repeat: 1, Need: 45000}, 50000, []int{1, 2, 4, 8, 16, 3}, 25},
		"repeats":          {Plan{Counts: []int{2}, CountMax: 8, Repeat: 3}, 1e6, []int{2, 2, 2}, 12},
	} {
		for side := 1; side < 4; side++ {
			runs := 0
			run := scaling(c.redis)
			p := c.plan
			p.Start, p.Least, p.Most, p.Precision, p.Side = 3000, 10, 1e6, 0.1, side
			p.Found = func(Point) {}
			p.Run = func(ctx context.Context, jobs []Job) ([]Probe, error) {
				runs += len(jobs)
				if len(jobs) > side {
					t.Errorf("%s: %d runs side by side, want %d", name, len(jobs), side)
				}
				return run(ctx, jobs)
			}
			points, err := p.Measure(t.Context())
			var got []int
			for i, q := range points {
				got = append(got, q.Processes)
				if can := min(20000*float64(q.Processes), c.redis); q.Throughput > can || q.Failed < can {
					t.Errorf("%s: point %d is %+v", name, i, q)
				}
			}
			if err != nil || !slices.Equal(got, c.want) || runs > c.most {
				t.Errorf("%s, %d at once: %v, %v, in %d runs; want %v in %d", name, side, got, err, runs, c.want,
					c.most)
			}
		}
	}
}

// TestPlanKeepsWhatWasFound when a run fails, and says what the search that it ended knew: also of what was
// not safe, which is in the report whether there are points or not.
func TestPlanKeepsWhatWasFound(t *testing.T) {
	const lost = "conservation: 3 lost"
	run := scaling(1e6)
	for name, c := range map[string]struct {
		counts     []int
		side       int
		run        func([]Job, []Probe) error // takes what the runs with 4 processes show
		points     int
		begin, end string // of the error
	}{
		"a run fails": {nil, 1, func(jobs []Job, probes []Probe) error {
			probes[0].Unsafe = lost
			if jobs[0].Rate > 80000 {
				probes[0] = Probe{}
				return errors.New("planted")
			}
			return nil
		}, 2, "planted; until then, 7", " spans/s are sustained"},
		"one of two that go on side by side fails": {nil, 2, func(_ []Job, probes []Probe) error {
			probes[0].Unsafe, probes[1] = lost, Probe{}
			return errors.New("planted")
		}, 2, "planted; until then, 7", " spans/s are sustained"},
		"the first search cannot judge": {[]int{4}, 1, func(jobs []Job, probes []Probe) error {
			probes[0].Sustained, probes[0].Unjudged, probes[0].Why = false, jobs[0].Rate < 2000, "set something"
			if jobs[0].Rate == 3000 {
				probes[0].Unsafe = lost
			}
			return nil
		}, 0, "with 4 processes: ", " spans/s are not sustained, and set something"},
	} {
		p := Plan{Counts: c.counts, CountMax: 8, Repeat: 1, Side: c.side, Start: 3000, Least: 10, Most: 1e6, Precision: 0.1,
			Found: func(Point) {}, Run: func(ctx context.Context, jobs []Job) ([]Probe, error) {
				probes, err := run(ctx, jobs)
				if jobs[0].Processes == 4 {
					err = c.run(jobs, probes)
				}
				return probes, err
			}}
		points, err := p.Measure(t.Context())
		if len(points) != c.points || err == nil || !strings.HasPrefix(err.Error(), c.begin) ||
			!strings.HasSuffix(err.Error(), c.end) {
			t.Errorf("%s: %v, %v", name, points, err)
		}
		unsafe := UnsafeUntil(err)
		if len(unsafe) != 1 || !strings.HasPrefix(unsafe[0], "with 4 processes at ") || !strings.HasSuffix(unsafe[0], lost) {
			t.Errorf("%s: not safe were %q", name, unsafe)
		}
		if len(points) == 0 {
			continue
		}
		r := NewReport("steady", "virtual", 1000, 0.3, points)
		if r.Unfinish(err); !slices.Equal(r.Unsafe, unsafe) || len(r.Counts) != c.points || r.Count(4).Processes != 0 ||
			!strings.HasPrefix(r.Headline, "Safety was violated in 1 run. 1 process carries") {
			t.Errorf("%s: the report has %q, %+v: %s", name, r.Unsafe, r.Counts, r.Headline)
		}
	}
}

// points are those of two repeats, 10 % apart.
func points(limit judge.Resource, at ...float64) []Point {
	var list []Point
	for i, rate := range at {
		for repeat, factor := range []float64{0.95, 1.05} {
			list = append(list, Point{Processes: 1 << i, Repeat: repeat + 1, Throughput: factor * rate,
				Failed: factor * rate * 1.04, Limit: limit, Share: 0.95})
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

// TestNoLawWithoutALimit: a search that ended at its bound says nothing of the system.
func TestNoLawWithoutALimit(t *testing.T) {
	list := points(WorkerCPU, 20000, 39000, 75000, 140000)
	list[7].Failed = 0
	r := NewReport("steady", "virtual", 1000, 0, list)
	var text strings.Builder
	if err := r.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"no rate was too high", "none found", "No law fitted: with 8 processes"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, text.String())
		}
	}
}

// TestMissedAtEveryRate: what a run fails of though nothing piles up is looked at far lower at once, and
// is the limit if it is missed there, too; what is missed only above a rate is that rate's limit.
func TestMissedAtEveryRate(t *testing.T) {
	for side := 1; side < 3; side++ {
		for can, want := range map[float64]int{0: 4, 700: 9} {
			s := Search{Start: []float64{1000}, Least: 10, Most: 1e6, Precision: 0.1, Need: 1000}
			p := searched(t, &s, side, func(rate float64) Probe {
				if rate < can {
					return Probe{Rate: rate, Throughput: rate, Sustained: true}
				}
				return Probe{Rate: rate, Throughput: rate, Missed: "pauses >= 1", Why: "pauses >= 1: it is 0"}
			})
			if len(p.Probes) > want || p.Limit != "what is required (pauses >= 1)" || p.Throughput > can || p.Throughput < can/1.1 {
				t.Errorf("%v, %d at once: %v of %v, limited by %q, in %d runs", can, side, p.Throughput, can, p.Limit,
					len(p.Probes))
			}
			p.Processes = 4
			r := NewReport("steady", "virtual", 1000, 0, []Point{p})
			if headline := r.Headline; can == 0 && !strings.HasPrefix(headline, "No recommendation: with 4 processes not even ") ||
				can > 0 && !strings.HasSuffix(headline, "limited by what is required (pauses >= 1).") ||
				can == 0 && !strings.HasSuffix(headline, " spans/s are sustained: pauses >= 1: it is 0.") {
				t.Error(headline)
			}
			if next := strings.Join(r.Next, " "); !strings.Contains(next, "No resource was the limit, but what is required") {
				t.Error(next)
			}
		}
	}
}

// TestSearchAboveWhatCanBeJudged: a rate that cannot be judged is neither sustained nor too high. The
// search goes on above it, and if it would have to go below, it says why it cannot.
func TestSearchAboveWhatCanBeJudged(t *testing.T) {
	for side := 1; side < 3; side++ {
		for _, c := range []struct{ can, start float64 }{{5000, 3000}, {5000, 20}, {5000, 90000}, {300, 90000}, {300, 20}} {
			s := Search{Start: []float64{c.start}, Least: 10, Most: 1e6, Precision: 0.1}
			probe := func(rate float64) Probe {
				if rate < 1000 {
					return Probe{Rate: rate, Unjudged: true, Why: "set something"}
				}
				return Probe{Rate: rate, Throughput: min(rate, c.can), Sustained: rate <= c.can}
			}
			if c.can > 1000 {
				if p := searched(t, &s, side, probe); p.Throughput > c.can || p.Throughput < c.can/1.1 {
					t.Errorf("from %v: %v of %v", c.start, p.Throughput, c.can)
				}
				continue
			}
			var err error
			for rates := []float64{0}; err == nil && len(rates) > 0; {
				if rates, err = s.Next(side); err == nil {
					for _, rate := range rates {
						s.Tell(probe(rate))
					}
				}
			}
			if not := CannotJudge(""); !errors.As(err, &not) || !strings.HasSuffix(err.Error(), " are not sustained, and set something") {
				t.Errorf("from %v: %v", c.start, err)
			}
		}
	}
	s := Search{Start: []float64{100}, Least: 10, Most: 100, Precision: 0.1}
	s.Next(1)
	s.Tell(Probe{Rate: 100, Unjudged: true, Why: "set something"})
	if rates, err := s.Next(1); err == nil || err.Error() != "set something" {
		t.Errorf("nothing can be judged up to the bound: %v, %v", rates, err)
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
			s.Tell(ProbeOf(o, 1000, judge.Host{}))
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
