package capacity

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"sluice/internal/judge"
	"sluice/reports"
	"sluice/scenarios"
)

// ran is the outcome of a run of 20 s in which so many spans more wait every second.
func ran(code int, growing float64) *judge.Outcome {
	o := &judge.Outcome{Scenario: scenarios.Default(), Code: code}
	o.Scenario.Duration = 20 * time.Second
	o.Scenario.Pipeline.Timeout, o.Scenario.Pipeline.RootTimeout = 4*time.Second, 2*time.Second
	o.Scenario.Topology.FlusherProcesses = 2
	switch code {
	case judge.ExitLiveness:
		o.Result.Invariants = []reports.Judgement{{Name: "liveness", Verdict: reports.Violated, Detail: "stuck"}}
	case judge.ExitUnknown:
		o.Result.Invariants = []reports.Judgement{{Name: "liveness", Verdict: reports.Unknown, Detail: "overload"}}
		o.Result.Expectations = []reports.Judgement{{Name: "drain_max", Verdict: reports.Violated, Detail: "9s"}}
	case judge.ExitSafety:
		o.Result.Invariants = []reports.Judgement{{Name: "conservation", Verdict: reports.Violated, Detail: "1 lost"}}
	case judge.ExitExpectation:
		o.Result.Expectations = []reports.Judgement{{Name: "drain_max", Verdict: reports.Violated, Detail: "9s"}}
	}
	for i := range 250 {
		at := float64(i) / 10
		// What is due comes out once a second.
		flushed := (1000 - growing) * math.Floor(at)
		if at < 3 {
			flushed = 0 // nothing is due
		}
		o.Samples = append(o.Samples, reports.Sample{T: at, Sent: int64(1000 * at), Flushed: int64(flushed),
			CPURedis: 0.9 * at, CPUWorkers: 0.8 * at, CPUConsumer: 0.2 * at, CPUHarness: at,
			CPUKafka: 0.6 * at, NetworkBusy: 0.1 * at})
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
		p := ProbeOf(ran(c.code, c.growing), 1000, judge.Host{Cores: 4}, false)
		if p.Sustained != c.sustained || p.Why != c.why || math.Abs(p.Throughput-1000+c.growing) > 2 {
			t.Errorf("%+v is %+v", c, p)
		}
		want := []judge.Use{{Resource: RedisThread, Share: 0.9}, {Resource: WorkerCPU, Share: 0.4},
			{Resource: Cores, Share: 0.25}, {Resource: Kafka, Share: 0.15}, {Resource: Network, Share: 0.1}}
		if len(p.Busy) != len(want) {
			t.Fatalf("busy is %+v, want %+v", p.Busy, want)
		}
		for i, use := range p.Busy {
			if use.Resource != want[i].Resource || math.Abs(use.Share-want[i].Share) > 0.01 {
				t.Errorf("use %d is %+v, want %+v", i, use, want[i])
			}
		}
	}
	// Of three nodes, those that are elsewhere use no core of this machine.
	for elsewhere, here := range map[int]float64{0: 0.9, 1: 0.6, 3: 0} {
		o := ran(judge.ExitPassed, 0)
		for i := range o.Samples {
			o.Samples[i].RedisNodes, o.Samples[i].RedisElsewhere = 3, elsewhere
		}
		p := ProbeOf(o, 1000, judge.Host{Cores: 4, Shared: true}, false)
		want := map[judge.Resource]float64{RedisThread: 0.3, WorkerCPU: 0.4, Cores: (here + 0.8 + 0.2 + 1 + 0.6) / 4}
		for _, use := range p.Busy {
			if math.Abs(use.Share-want[use.Resource]) > 0.01 {
				t.Errorf("with %d nodes elsewhere %s is %.2f busy, want %.2f", elsewhere, use.Resource, use.Share,
					want[use.Resource])
			}
		}
	}
	// What fails of something else than the load may fail of it with less.
	for missed, o := range map[string]*judge.Outcome{"liveness": ran(judge.ExitUnknown, 0), "": ran(judge.ExitLiveness, 500)} {
		o.Scenario.Topology.FlusherProcesses = 8
		for i := range o.Samples {
			o.Samples[i].CPURedis /= 2
		}
		if p := ProbeOf(o, 1000, judge.Host{}, false); p.Missed != missed || p.Sustained {
			t.Errorf("missed is %q, want %q: %+v", p.Missed, missed, p)
		}
	}
	if p := ProbeOf(ran(judge.ExitLiveness, 0), 1000, judge.Host{}, false); p.Missed != "" {
		t.Errorf("with Redis busy, %q is missed", p.Missed)
	}
	if p := ProbeOf(ran(judge.ExitPassed, 0), 1000, judge.Host{Cores: 4, Shared: true}, false); p.Busy[1].Resource != Cores ||
		math.Abs(p.Busy[1].Share-3.5/4) > 0.01 || len(p.Busy) != 3 {
		t.Errorf("a shared host is %+v", p.Busy)
	}
	brokers := ProbeOf(ran(judge.ExitPassed, 0), 1000, judge.Host{Cores: 1, Brokers: 3}, false)
	if least := brokers.Busy[3]; least.Resource != Kafka || math.Abs(least.Share-0.2) > 0.01 {
		t.Errorf("three brokers are %+v", brokers.Busy)
	}
	doubtful := ran(judge.ExitPassed, 30)
	doubtful.Scenario.Duration = 9500 * time.Millisecond
	if p := ProbeOf(doubtful, 1000, judge.Host{}, false); p.Longer != 10 {
		t.Errorf("it takes %v s to tell 3 %% of growth from a cycle of 0.2 s, want 10", p.Longer)
	}
	if p := ProbeOf(ran(judge.ExitPassed, 500), 1000, judge.Host{}, false); p.Longer != 0 {
		t.Errorf("a growth beyond any cycle is doubted: %v", p.Longer)
	}
	short := ran(judge.ExitPassed, 0)
	short.Scenario.Duration = 5500 * time.Millisecond
	if p := ProbeOf(short, 1000, judge.Host{}, false); p.Sustained || !strings.Contains(p.Why, "too short") {
		t.Errorf("a short run is %+v", p)
	}
}

// TestReasonsGroupDigits as the figures beside them do.
func TestReasonsGroupDigits(t *testing.T) {
	grows, ended, early := ran(judge.ExitPassed, 1500), ran(judge.ExitUnknown, 1500), ran(judge.ExitUnknown, 1500)
	ended.Interrupted, early.Interrupted = true, true
	early.Samples = early.Samples[:40] // four seconds
	for i := range early.Samples {
		early.Samples[i].Backlog = int64(1500 * early.Samples[i].T)
	}
	for want, o := range map[string]*judge.Outcome{
		"1,500 spans more waited every second":                           grows,
		"1,500 spans more waited every second, so it was ended early":    ended,
		"1,500 messages more waited to be read every second, before any": early,
	} {
		if p := ProbeOf(o, 1000, judge.Host{}, false); !strings.HasPrefix(p.Why, want) || o == grows && p.Why != want {
			t.Errorf("%q, want %q", p.Why, want)
		}
	}
}

// TestStumble: what a run fails of because the machine stood still for a moment, or by chance, another one
// decides; but not what a busy resource explains, what would be seen again, or what was not safe.
func TestStumble(t *testing.T) {
	stands := func(code int, seconds float64) *judge.Outcome {
		o := ran(code, 0)
		o.Scenario.Duration = 12 * time.Second // eight of which are steady
		o.Scenario.Pipeline.MaxBatchWait = 50 * time.Millisecond
		o.Scenario.Topology.FlusherProcesses = 8
		for i := range o.Samples {
			o.Samples[i].CPURedis /= 2
			o.Samples[i].Flushed -= int64(1000 * min(seconds, max(0, o.Samples[i].T-9)))
		}
		return o
	}
	unsafe := stands(judge.ExitSafety, 0)
	busy := stands(judge.ExitPassed, 1)
	for i := range busy.Samples {
		busy.Samples[i].CPURedis *= 2
	}
	long := stands(judge.ExitExpectation, 0)
	long.Scenario.Duration = 100 * time.Second
	long.Samples = nil
	for i := range 1000 {
		at := float64(i) / 10
		long.Samples = append(long.Samples, reports.Sample{T: at, Sent: int64(1000 * at), Flushed: int64(1000 * at)})
	}
	for _, c := range []struct {
		name   string
		o      *judge.Outcome
		wall   bool
		longer float64
	}{
		{"a second", stands(judge.ExitPassed, 1), false, 16},
		{"three seconds", stands(judge.ExitPassed, 3), true, 0},
		{"a second, with Redis busy", busy, true, 0},
		{"an expectation", stands(judge.ExitExpectation, 0), true, 16},
		{"what nobody knows", stands(judge.ExitUnknown, 0), true, 16},
		{"an expectation in virtual time", stands(judge.ExitExpectation, 0), false, 0},
		{"what does not end", stands(judge.ExitLiveness, 0), true, 0},
		{"what is not safe", unsafe, true, 0},
		{"an expectation in a long run", long, true, 0},
	} {
		if p := ProbeOf(c.o, 1000, judge.Host{Cores: 8, Shared: true}, c.wall); p.Sustained || p.Longer != c.longer {
			t.Errorf("%s: another run of %v s, want %v: %+v", c.name, p.Longer, c.longer, p)
		}
	}
}

// still is a load that does not wander.
func still(warmup float64) Needs {
	return Needs{Warmup: warmup, Wanders: func(float64) float64 { return 0 }}
}

// forAnHour is a run whose end is not looked at.
var forAnHour = scenarios.Scenario{Duration: time.Hour}

// TestWatchOfTheEnd: when the load is over, a run is ended of which the probe will say that too much
// piled up and no longer one is needed, and no other.
func TestWatchOfTheEnd(t *testing.T) {
	host := judge.Host{Cores: 4}
	for _, busy := range []float64{0, 0.9} {
		for growing := 0.0; growing < 150; growing += 5 {
			o := ran(judge.ExitPassed, growing)
			for i := range o.Samples {
				o.Samples[i].CPURedis = busy * o.Samples[i].T
			}
			p := ProbeOf(o, 1000, host, false)
			w := Watch{Rate: 1000, Cycle: Cycle(o.Scenario, 1000), Needs: NeedsOf(o.Scenario),
				Scenario: o.Scenario, Host: host}
			ended := 0.0
			for _, s := range o.Samples {
				if w.Over(reports.PhaseDrain, s) {
					ended = s.T
					break
				}
			}
			want := 0.0
			if !p.Sustained && p.Longer == 0 {
				want = o.Scenario.Duration.Seconds()
			}
			if ended != want {
				t.Errorf("%v spans/s more, busy %v: ended at %v s, want %v: %+v", growing, busy, ended, want, p)
			}
		}
	}
}

// TestBoundOfTwoRates: where a span costs less as the rate grows, a resource carries more than one rate
// says; a line through two is not trusted far.
func TestBoundOfTwoRates(t *testing.T) {
	at := func(rate, share float64) Probe {
		return Probe{Rate: rate, Sustained: true, Busy: []judge.Use{{Resource: WorkerCPU, Share: 0.99},
			{Resource: RedisThread, Share: share}}}
	}
	for _, c := range []struct {
		name        string
		lower, high Probe
		want        float64
	}{
		// A span takes 4.5 and 4 us, and less by 0.5 for each 100,000: 3.618 us at 276,393.
		{"cheaper", at(1e5, 0.45), at(2e5, 0.8), 275000},
		{"a little cheaper", at(1e5, 0.41), at(2e5, 0.8), 253381.5},
		{"as dear", at(1e5, 0.4), at(2e5, 0.8), 250000},
		{"dearer", at(1e5, 0.3), at(2e5, 0.8), 250000},
		{"not measured", Probe{Rate: 1e5, Sustained: true}, at(2e5, 0.8), 250000},
		{"the same", at(2e5, 0.8), at(2e5, 0.8), 250000},
	} {
		p := Point{Throughput: c.high.Rate, Probes: []Probe{c.lower, c.high, {Rate: 3e5}}}
		if got := p.bound(); math.Abs(got-c.want) > 1 {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
	if p := (Point{Throughput: 5}); !math.IsInf(p.bound(), 1) {
		t.Errorf("nothing was measured: %v", p.bound())
	}
}

// TestWatch: what piles up is seen once it is steady, and what a batch leaves for a moment is not; what
// is not even read is seen before.
func TestWatch(t *testing.T) {
	for _, c := range []struct{ growing, unread, at float64 }{
		{0, 0, 0}, {15, 0, 0}, {60, 0, 9}, {900, 0, 9}, {0, 300, 0}, {0, 600, 4},
	} {
		o := ran(judge.ExitPassed, c.growing)
		w, ended := Watch{Rate: 1000, Needs: still(6), Scenario: forAnHour}, 0.0
		for _, s := range o.Samples {
			s.Backlog = int64(c.unread * s.T)
			if w.Over(reports.PhaseLoad, s) {
				ended = s.T
				break
			}
		}
		if math.Abs(ended-c.at) > 0.15 {
			t.Errorf("%+v: it ends at %v", c, ended)
		}
	}
}

// TestWatchOfAStumble: a moment at which nothing comes out is not hopeless, whenever it is.
func TestWatchOfAStumble(t *testing.T) {
	for stands := 5.0; stands < 15; stands += 0.1 {
		w := Watch{Rate: 1000, Needs: still(5.3), Stumbles: true, Scenario: forAnHour}
		for _, s := range ran(judge.ExitPassed, 0).Samples {
			s.Flushed -= int64(1000 * max(0, min(1, s.T-stands)) * max(0, min(1, stands+2-s.T)))
			if w.Over(reports.PhaseLoad, s) {
				t.Errorf("a second without output from %.1f s on is hopeless at %.1f s", stands, s.T)
				break
			}
		}
	}
}

// TestWatchOfALoadThatWanders: what the load's own chance may do is not called hopeless, nor too much.
func TestWatchOfALoadThatWanders(t *testing.T) {
	for _, c := range []struct{ wanders, growing, at float64 }{{30, 60, 0}, {15, 60, 9}, {100, 200, 0}, {50, 200, 9}} {
		w, ended := Watch{Rate: 1000, Needs: still(6), Scenario: forAnHour}, 0.0
		w.Wanders = func(float64) float64 { return c.wanders }
		for _, s := range ran(judge.ExitPassed, c.growing).Samples {
			if w.Over(reports.PhaseLoad, s) {
				ended = s.T
				break
			}
		}
		if math.Abs(ended-c.at) > 0.15 {
			t.Errorf("%+v: it ends at %v", c, ended)
		}
	}
	o := ran(judge.ExitPassed, 60)
	o.Scenario.Workload.Rate = scenarios.Constant(1000)
	if p := ProbeOf(o, 1000, judge.Host{}, false); p.Sustained {
		t.Errorf("%+v", p)
	}
	o.Scenario.Workload.TracesAtOnce, o.Scenario.Workload.SpansPerTrace = 200, scenarios.Fixed(200)
	o.Scenario.Pipeline.MaxSegmentAge = time.Second
	if p := ProbeOf(o, 1000, judge.Host{}, false); !p.Sustained {
		t.Errorf("%+v", p)
	}
}

// TestSecondsOfLateSamples: each sample comes by a moment of its own too late, and no second is lost by that.
func TestSecondsOfLateSamples(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 100 {
		var samples []reports.Sample
		for i := range 52 {
			samples = append(samples, reports.Sample{T: 4.3 + float64(i)/10 + 0.002*random.Float64()})
		}
		if got := len(seconds(samples)); got != 5 {
			t.Fatalf("%d whole seconds in 5.1 s", got)
		}
	}
}

// TestNoise: what goes up and down by chance is no growth, in the watch and at the end.
func TestNoise(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	ended, failed := 0, 0
	const runs = 200
	for range runs {
		o := ran(judge.ExitPassed, 0)
		w := Watch{Rate: 1000, Needs: still(5.3), Scenario: forAnHour}
		over, noise := false, 0.0
		for i := range o.Samples {
			if i%10 == 3 { // a tenth of what waits, anew each second of the steady part
				noise = 300 * random.NormFloat64()
			}
			o.Samples[i].Flushed -= int64(noise)
			over = over || w.Over(reports.PhaseLoad, o.Samples[i])
		}
		if over {
			ended++
		}
		o.Scenario.Duration = 10 * time.Second
		if !ProbeOf(o, 1000, judge.Host{}, false).Sustained {
			failed++
		}
	}
	// Of 13 looks, each of 1 %, some are alike; the last is one of 5 %.
	if ended > runs/10 || failed > runs/10 {
		t.Errorf("of %d runs %d were ended, and %d not sustained", runs, ended, failed)
	}
}

// TestAgain: what is doubtful is looked at for longer, but not if its duration was asked for.
func TestAgain(t *testing.T) {
	const why = "30 spans more waited every second"
	p := Probe{Why: why, Longer: 12}
	if got := p.Again(false); got != 12 || p.Why != why {
		t.Errorf("again for %v s: %s", got, p.Why)
	}
	if got := p.Again(true); got != 0 || !strings.HasPrefix(p.Why, why) || !strings.Contains(p.Why, "a longer --duration, with 12 s") {
		t.Errorf("its duration was asked for: again for %v s: %s", got, p.Why)
	}
	p = Probe{Why: why}
	if got := p.Again(true); got != 0 || p.Why != why {
		t.Errorf("not doubtful: again for %v s: %s", got, p.Why)
	}
}
