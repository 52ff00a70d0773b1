package calibrate

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/internal/compare"
	"sluice/internal/harness"
	"sluice/internal/judge"
	"sluice/reports"
	"sluice/sim"
)

// TestTheLoadThatIsTooMuch is sought by leaps while the machine carries more, and then a quarter beyond.
func TestTheLoadThatIsTooMuch(t *testing.T) {
	for _, c := range []struct{ rate, carried, want float64 }{
		{60_000, 80_000, 120_000},
		{120_000, 84_100, 105_000},
		{60_000, 21_300, 27_000},
		{400_000, 398_000, rateMost},
		{60_000, math.Inf(1), rateMost},
		{60_000, 0, 1000},
	} {
		if got := next(c.rate, c.carried); got != c.want {
			t.Errorf("after %.0f/s, by which %.0f/s are carried, comes %.0f/s, want %.0f/s", c.rate, c.carried,
				got, c.want)
		}
	}
}

// TestTooMuchForAWarmMachine: a machine carries more from run to run until its broker is warm, and what is
// found is beyond what it carries then.
func TestTooMuchForAWarmMachine(t *testing.T) {
	for _, carries := range [][]float64{
		{30_000, 50_000, 70_000, 100_000},       // the last to warm it up is too much
		{100_000, 110_000, 111_000},             // it is not
		{30_000, 31_000, 100_000, 200_000},      // much later
		{500_000, 500_000, 500_000, 500_000},    // there is no such load
		{30_000, 30_000, 30_000, 30_000, 2_000}, // it gets slower
		{57_000, 57_000, 90_000, 114_000},       // the broker is cold for two runs, and does not look it
	} {
		n := 0
		got, err := tooMuch(func(float64) (tried, error) {
			most := carries[min(n, len(carries)-1)]
			n++
			return tried{compare.Run{Figures: map[compare.Figure]float64{compare.KafkaTime: 1e6 / most}},
				most}, nil
		})
		want := min(beyond*carries[min(n, len(carries))-1], rateMost)
		if n < firstRuns {
			t.Errorf("of %v, only %d runs", carries, n)
		}
		if err != nil || got < want-1000 || n > 10 {
			t.Errorf("of %v, after %d runs: %.0f/s, %v; want %.0f/s or more", carries, n, got, err, want)
		}
	}
}

// TestWhatIsCarried goes by what a run computed of each span: on this machine all of it, or with servers
// elsewhere its own processes, and by the threads of Redis.
func TestWhatIsCarried(t *testing.T) {
	o := &judge.Outcome{Samples: []reports.Sample{{T: -0.5, CPUHarness: 1}, {T: 4.5, CPURedis: 1,
		CPUKafka: 0.5, CPUConsumer: 0.75, CPUWorkers: 0.25, CPUHarness: 2.5}}}
	o.Scenario.Topology.FlusherProcesses = 2
	o.Result.Ledger.Flushed = 100_000
	for _, c := range []struct {
		host  judge.Host
		nodes int
		want  float64
	}{
		{judge.Host{Cores: 2, Shared: true}, 1, 50_000},
		{judge.Host{Cores: 8, Shared: true}, 1, 100_000},
		{judge.Host{Cores: 8, Shared: true}, 3, 200_000},
		{judge.Host{Cores: 2}, 3, 200_000},
	} {
		o.Samples[1].RedisNodes = c.nodes
		if got := carried(o, c.host); math.Abs(got/c.want-1) > 1e-6 {
			t.Errorf("%+v with %d nodes carries %.0f/s, want %.0f/s", c.host, c.nodes, got, c.want)
		}
	}
}

// TestWhatGoesOnAtOnceIsFound: of runs that were made of a factor, of what each request takes and of
// idling, these are what is found, of everybody who computes.
func TestWhatGoesOnAtOnceIsFound(t *testing.T) {
	const (
		factor  = 0.7
		request = 300 * time.Microsecond
		idling  = 20 * time.Millisecond
		alone   = 5e-6 // s of processor time, of each span
	)
	costs := sim.DefaultCosts()
	costs.Calibration = &sim.Calibration{}
	costs.Kafka.Idle, costs.Kafka.Request = idling, guess
	ran := func(cpu float64) *judge.Outcome {
		return &judge.Outcome{Samples: []reports.Sample{{}, {T: 5, CPURedis: cpu, CPUKafka: cpu,
			CPUConsumer: cpu, CPUWorkers: cpu, CPUHarness: cpu}}}
	}
	for _, p := range parts(&costs) {
		var list []equation
		var runs []pair
		for _, load := range []struct {
			spans    float64
			requests int
		}{{100, 10}, {10_000, 2000}, {100_000, 1500}, {600_000, 700}, {600_000, 700}} {
			of := sim.Requests{Sent: load.requests, Fetched: load.requests}
			real, virtual := factor*alone*load.spans, alone*load.spans
			if p.requests != nil {
				n := float64(p.requests(of))
				real, virtual = real+n*request.Seconds(), virtual+n*guess.Seconds()
			}
			if p.idle != nil || p.name == kafkaPart {
				n := 1
				if p.each {
					n = 4
				}
				real += 5 * float64(n) * idling.Seconds()
			}
			if p.name == kafkaPart {
				virtual += 5 * idling.Seconds()
			}
			runs = append(runs, pair{atOnce{load.spans, 4}, ran(real), virtualRun{ran(virtual), of}})
			list = append(list, p.equation(runs[len(runs)-1], &costs))
		}
		values, err := p.find(&costs, list[:3], list[3:])
		if err != nil {
			t.Fatalf("%s: %v", p.name, err)
		}
		said := p.explain(runs, list, values)
		if len(said) != 4 || said[3].N != 2 || said[3].Rate != 600_000 || said[3].Workers != 4 {
			t.Errorf("%s: explained are %+v, want four loads, of the last two runs", p.name, said)
		}
		for _, s := range said {
			if off := s.Predicted.Seconds()/s.Measured.Seconds() - 1; math.Abs(off) > 0.01 {
				t.Errorf("%s: %+v is off by %.1f %%", p.name, s, 100*off)
			}
		}
		if *p.factor != factor {
			t.Errorf("%s: factor %v, want %v", p.name, *p.factor, factor)
		}
		near := func(what string, cost, want time.Duration) {
			if math.Abs(cost.Seconds()/want.Seconds()-1) > 0.01 {
				t.Errorf("%s: %s %v, want %v", p.name, what, cost, want)
			}
		}
		if p.requests != nil {
			want := request.Seconds() / factor // which the factor makes less
			near("request", *p.request, time.Duration(want*float64(time.Second)))
		}
		if p.idle != nil {
			near("idle", *p.idle, idling)
		}
	}
}

// TestPredictRunsEachLoadOnce, with others beside it, and each run of the servers has that of its own load.
func TestPredictRunsEachLoadOnce(t *testing.T) {
	costs := sim.DefaultCosts()
	loads := []atOnce{{20, 2}, {900, 2}, {900, 1}, {900, 2}}
	var runs []pair
	for _, load := range loads {
		runs = append(runs, pair{load: load})
	}
	if err := predict(t.Context(), &costs, runs); err != nil {
		t.Fatal(err)
	}
	for i, run := range runs {
		var requests sim.Requests
		want, err := harness.Run(t.Context(), harness.Config{Scenario: togetherScenario(loads[i].rate, loads[i].workers),
			World: sim.World{Costs: &costs, Requests: &requests}})
		if err != nil {
			t.Fatal(err)
		}
		if got := run.virtual; got.Result.Digest != want.Result.Digest || got.Requests != requests {
			t.Errorf("%+v: digest %s with %+v, want %s with %+v", run.load, got.Result.Digest, got.Requests,
				want.Result.Digest, requests)
		}
	}
	if got := loadsOf(runs); !slices.Equal(got, loads[:3]) {
		t.Errorf("run are %+v, want %+v", got, loads[:3])
	}
	broken := costs
	broken.Hosts.Cores = 0
	if err := predict(t.Context(), &broken, runs); err == nil || !strings.Contains(err.Error(), "everything at once, 20 spans/s, in the virtual world: ") ||
		!strings.Contains(err.Error(), "hosts.cores") {
		t.Errorf("costs that no world has: %v", err)
	}
}

// TestSpansFor: a machine that is slower measures fewer spans, down to half as many.
func TestSpansFor(t *testing.T) {
	for yardstick, want := range map[time.Duration]int{
		0: DefaultSpans, quick / 2: DefaultSpans, quick: DefaultSpans, quick * 5 / 4: DefaultSpans * 4 / 5,
		2 * quick: DefaultSpans / 2, time.Minute: DefaultSpans / 2,
	} {
		if got := spansFor(yardstick); got != want {
			t.Errorf("with a yardstick of %v: %d spans, want %d", yardstick, got, want)
		}
	}
}

// TestAnother: the repeated load is run as often as it was to be, or until the budget is spent, but with each
// number of workers and once more in any case.
func TestAnother(t *testing.T) {
	for _, c := range []struct {
		repeats int
		each    time.Duration // that a run takes
		before  time.Duration // all else
		want    int
	}{
		{3, 5 * time.Second, 60 * time.Second, 6},
		{3, 6 * time.Second, 64 * time.Second, 5},
		{3, time.Minute, time.Minute, 4},
		{1, time.Minute, time.Hour, 2},
		{6, 5 * time.Second, 2 * time.Minute, 12},
		{6, 10 * time.Second, 2 * time.Minute, 6},
	} {
		n := 0
		for another(n, c.repeats, c.before+time.Duration(n)*c.each) {
			n++
		}
		if n != c.want {
			t.Errorf("%+v: it is run %d times", c, n)
		}
	}
}
