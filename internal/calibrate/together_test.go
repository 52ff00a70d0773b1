package calibrate

import (
	"math"
	"testing"
	"time"

	"sluice/internal/compare"
	"sluice/internal/judge"
	"sluice/reports"
	"sluice/sim"
)

// TestTheLoadThatIsTooMuch is sought upwards while it is kept up with, and then a quarter beyond what
// came out.
func TestTheLoadThatIsTooMuch(t *testing.T) {
	for _, c := range []struct {
		rate, throughput float64
		keptUp           bool
		want             float64
	}{
		{60_000, 59_800, true, 120_000},
		{120_000, 84_100, false, 105_000},
		{60_000, 21_300, false, 27_000},
		{400_000, 398_000, true, rateMost},
		{60_000, 0, false, 1000},
	} {
		got := next(c.rate, compare.Run{KeptUp: c.keptUp,
			Figures: map[compare.Figure]float64{compare.Throughput: c.throughput}})
		if got != c.want {
			t.Errorf("after %.0f/s, of which %.0f/s came out (kept up: %v), comes %.0f/s, want %.0f/s",
				c.rate, c.throughput, c.keptUp, got, c.want)
		}
	}
}

// TestTooMuchForAWarmMachine: a machine carries more from run to run until its broker is warm, and what is
// found is beyond what it carries then.
func TestTooMuchForAWarmMachine(t *testing.T) {
	for _, carries := range [][]float64{
		{30_000, 50_000, 70_000, 100_000},       // the last to warm it up is not kept up with
		{100_000, 110_000, 111_000},             // it is
		{30_000, 31_000, 100_000, 200_000},      // much later
		{500_000, 500_000, 500_000, 500_000},    // there is no such load
		{30_000, 30_000, 30_000, 30_000, 2_000}, // it gets slower
	} {
		n := 0
		got, err := tooMuch(func(rate float64) (compare.Run, error) {
			most := carries[min(n, len(carries)-1)]
			n++
			return compare.Run{KeptUp: rate <= most, Figures: map[compare.Figure]float64{
				compare.Throughput: min(rate, most), compare.KafkaTime: 1e6 / most}}, nil
		})
		want := min(beyond*carries[min(n, len(carries))-1], rateMost)
		if err != nil || got < want-1000 || n > 10 {
			t.Errorf("of %v, after %d runs: %.0f/s, %v; want %.0f/s or more", carries, n, got, err, want)
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
			runs = append(runs, pair{ran(real), ran(virtual), of, load.spans, 4})
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
