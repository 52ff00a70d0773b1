package capacity

import (
	"context"
	"math"
	"strings"
	"testing"
	"time"

	"sluice/internal/judge"
	"sluice/reports"
	"sluice/scenarios"
)

// TestSearch finds the rate that a system sustains, whatever it does with more: pass on all it can,
// less than that, or nothing.
func TestSearch(t *testing.T) {
	for _, can := range []float64{12, 500, 3000, 71234, 399000} {
		for name, under := range map[string]float64{"all it can": 1, "less": 0.6, "nothing": 0} {
			for _, start := range []float64{10, 4000, 400000} {
				probes := 0
				s := Search{Start: start, Least: 10, Most: 400000, Precision: 0.05,
					Probe: func(_ context.Context, rate float64) (Probe, error) {
						probes++
						if rate <= can {
							return Probe{Rate: rate, Throughput: rate, Sustained: true}, nil
						}
						return Probe{Rate: rate, Throughput: under * can, Busy: []Use{{RedisThread, 0.97}}}, nil
					}}
				p, err := s.Run(t.Context())
				if err != nil || p.Throughput > can || p.Throughput < can/1.05 || p.Limit != RedisThread {
					t.Errorf("%s, from %v: %v spans/s are found, limited by %q, %v; want %v", name, start,
						p.Throughput, p.Limit, err, can)
				}
				if p.Failed <= can || p.Failed > 1.05*p.Throughput {
					t.Errorf("%s, from %v: %v spans/s are not sustained, of %v", name, start, p.Failed, can)
				}
				if len(p.Probes) != probes {
					t.Errorf("%d probes are told of, of %d", len(p.Probes), probes)
				}
			}
		}
	}
}

func TestSearchEndsAtItsBounds(t *testing.T) {
	for _, c := range []struct{ can, throughput, failed float64 }{{1e9, 1000, 0}, {1, 0, 10}} {
		s := Search{Start: 100, Least: 10, Most: 1000, Precision: 0.05,
			Probe: func(_ context.Context, rate float64) (Probe, error) {
				return Probe{Rate: rate, Throughput: min(rate, c.can), Sustained: rate <= c.can}, nil
			}}
		p, err := s.Run(t.Context())
		if err != nil || p.Throughput != c.throughput || p.Failed != c.failed {
			t.Errorf("of %v: %v, %v, %v", c.can, p.Throughput, p.Failed, err)
		}
	}
}

// ran is the outcome of a run of 20 s in which so many spans more wait every second.
func ran(code int, growing float64) *judge.Outcome {
	o := &judge.Outcome{Scenario: scenarios.Default(), Code: code}
	o.Scenario.Duration = 20 * time.Second
	o.Scenario.Pipeline.Timeout, o.Scenario.Pipeline.RootTimeout = 4*time.Second, 2*time.Second
	o.Scenario.Topology.FlusherProcesses = 2
	if code != judge.ExitPassed {
		o.Result.Invariants = []reports.Judgement{{Name: "liveness", Verdict: reports.Violated, Detail: "stuck"}}
	}
	for i := range 250 {
		at := float64(i) / 10
		flushed := (1000 - growing) * at
		if at < 4 {
			flushed = 0 // nothing is due
		}
		o.Samples = append(o.Samples, reports.Sample{T: at, Sent: int64(1000 * at), Flushed: int64(flushed),
			CPURedis: 0.9 * at, CPUWorkers: 0.8 * at, CPUConsumer: 0.2 * at, CPUHarness: at})
	}
	return o
}

func TestProbe(t *testing.T) {
	for _, c := range []struct {
		code      int
		growing   float64
		sustained bool
		why       string
	}{
		{judge.ExitPassed, 0, true, ""}, {judge.ExitPassed, 15, true, ""},
		{judge.ExitPassed, 30, false, "30 spans more waited every second"},
		{judge.ExitLiveness, 0, false, "liveness: stuck"},
	} {
		p := ProbeOf(ran(c.code, c.growing), 1000, Host{Cores: 4})
		if p.Sustained != c.sustained || p.Why != c.why || math.Abs(p.Throughput-1000+c.growing) > 2 {
			t.Errorf("%+v is %+v", c, p)
		}
		want := []Use{{RedisThread, 0.9}, {WorkerCPU, 0.4}, {Cores, 0.25}}
		for i, use := range p.Busy {
			if use.Resource != want[i].Resource || math.Abs(use.Share-want[i].Share) > 0.01 {
				t.Errorf("use %d is %+v, want %+v", i, use, want[i])
			}
		}
	}
	if p := ProbeOf(ran(judge.ExitPassed, 0), 1000, Host{Cores: 4, Shared: true}); p.Busy[1].Resource != Cores ||
		math.Abs(p.Busy[1].Share-2.9/4) > 0.01 {
		t.Errorf("a shared host is %+v", p.Busy)
	}
	short := ran(judge.ExitPassed, 0)
	short.Scenario.Duration = 5 * time.Second
	if p := ProbeOf(short, 1000, Host{}); p.Sustained || !strings.Contains(p.Why, "too short") {
		t.Errorf("a short run is %+v", p)
	}
}

// TestWatch: what piles up is seen once it is steady, and what a batch leaves for a moment is not.
func TestWatch(t *testing.T) {
	for _, c := range []struct{ growing, at float64 }{{0, 0}, {90, 0}, {120, 7.1}, {900, 7.1}} {
		w, ended := Watch{Rate: 1000, Warmup: 5}, 0.0
		for _, s := range ran(judge.ExitPassed, c.growing).Samples {
			if w.Hopeless(s) {
				ended = s.T
				break
			}
		}
		if math.Abs(ended-c.at) > 0.15 {
			t.Errorf("with %v more every second it ends at %v, want %v", c.growing, ended, c.at)
		}
	}
}

// points are those of two repeats, 10 % apart.
func points(limit Resource, at ...float64) []Point {
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
		rec      Recommended
	}{
		{"fits", 54000, grows, "4 processes carry 54,000 spans/s with 30 % headroom; worker CPU limits from 1 on.",
			Recommended{4, 4, 4}},
		{"spread", 57000, grows, "(by the spread: 4 to 8)", Recommended{4, 4, 8}},
		{"one", 10000, grows, "1 process carries 10,000 spans/s", Recommended{1, 1, 1}},
		{"more", 200000, grows, "No recommendation: no measured count carries 260,000 spans/s: the best is 140,000 with 8 " +
			"processes, limited by worker CPU; measure more processes.", Recommended{}},
		{"redis", 200000, points(RedisThread, 20000, 39000, 60000, 60000), "more processes do not help",
			Recommended{}},
		{"no target", 0, grows, "worker CPU limits from 1 on.", Recommended{}},
	} {
		r := NewReport("steady", "virtual", c.target, 0.3, c.points)
		if got := r.Headline(); !strings.Contains(got, c.headline) {
			t.Errorf("%s: %s\nwant %s", c.name, got, c.headline)
		}
		if got := r.Recommended; got == nil != (c.rec == Recommended{}) || got != nil && *got != c.rec {
			t.Errorf("%s: recommended is %+v, want %+v", c.name, got, c.rec)
		}
		if r.USL == nil || (r.Refused != "") != (c.target > 0 && c.rec == Recommended{}) {
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
