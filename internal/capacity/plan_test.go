package capacity

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"sluice/internal/judge"
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
		var alone []Point
		for side := 1; side < 4; side++ {
			runs := 0
			run := scaling(c.redis)
			p := c.plan
			p.Start, p.Least, p.Most, p.Precision, p.Side, p.Ahead = 3000, 10, 1e6, 0.1, side, 2
			p.Found = func(Point) {}
			p.Run = func(ctx context.Context, jobs []Job) ([]Probe, error) {
				runs += len(jobs)
				if len(jobs) > side {
					t.Errorf("%s: %d runs side by side, want %d", name, len(jobs), side)
				}
				return run(ctx, jobs)
			}
			points, err := p.Measure(t.Context())
			if side == 1 {
				alone = points
			} else if !reflect.DeepEqual(points, alone) {
				t.Errorf("%s: with %d at once %+v, alone %+v", name, side, points, alone)
			}
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
		p := Plan{Counts: c.counts, CountMax: 8, Repeat: 1, Side: c.side, Ahead: c.side, Start: 3000, Least: 10, Most: 1e6, Precision: 0.1,
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
