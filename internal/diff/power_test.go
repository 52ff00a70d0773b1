package diff_test

import (
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"sluice/internal/diff"
	"sluice/internal/harness"
	"sluice/internal/judge"
	"sluice/reports"
	"sluice/scenarios"
	"sluice/sim"
)

// pool runs a small scenario with so many seeds in the virtual world, with costs of Redis that are
// scaled.
func pool(t *testing.T, runs int, redis float64, sets ...string) []diff.Run {
	t.Helper()
	s, _, err := scenarios.LoadWith("steady", nil, append(sets, "pipeline.timeout=2s",
		"pipeline.root_timeout=1s", "expectations.throughput_min=0/s")...)
	if err != nil {
		t.Fatal(err)
	}
	costs := sim.DefaultCosts()
	for _, c := range []*time.Duration{&costs.Redis.Call, &costs.Redis.Trace, &costs.Redis.Known,
		&costs.Redis.Span, &costs.Redis.Repeat, &costs.Redis.Merge, &costs.Redis.Segment, &costs.Redis.Flush,
		&costs.Redis.Queue, &costs.Redis.KB} {
		*c = time.Duration(float64(*c) * redis)
	}
	list := make([]diff.Run, runs)
	var group sync.WaitGroup
	next := make(chan int)
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() {
			for i := range next {
				one := s
				one.Seed = uint64(i + 1)
				o, err := harness.Run(t.Context(), harness.Config{Scenario: one, World: sim.World{Costs: &costs}})
				if err != nil {
					t.Error(err)
					continue
				}
				list[i] = diff.Run{Seed: one.Seed, Verdict: o.Result.Verdict, Samples: o.Samples,
					Figures: diff.FiguresOf(o.Result, o.Samples, s.Duration.Seconds())}
			}
		})
	}
	for i := range list {
		next <- i
	}
	close(next)
	group.Wait()
	return list
}

// pairs is how many pairs of sets are drawn from a pool: there are more than can be run, so they
// share runs, but no run is on both sides of a pair.
const pairs = 200

// draw takes two sets of distinct runs, the second one from another pool at the same places.
func draw(r *rand.Rand, from, other []diff.Run, each int) (a, b diff.Set) {
	a, b = diff.Set{Kind: diff.KindRuns, World: "virtual", Virtual: true}, diff.Set{Kind: diff.KindRuns,
		World: "virtual", Virtual: true}
	for i, at := range r.Perm(len(from))[:2*each] {
		if i < each {
			a.Runs = append(a.Runs, from[at])
		} else {
			b.Runs = append(b.Runs, other[at])
		}
	}
	return a, b
}

// scaled is a pool in which a figure of each run is scaled.
func scaled(from []diff.Run, metric string, by float64) []diff.Run {
	list := make([]diff.Run, len(from))
	for i, r := range from {
		figures := diff.Figures{}
		for name, v := range r.Figures { //order-free: a copy
			figures[name] = v
		}
		figures[metric] *= by
		r.Figures = figures
		list[i] = r
	}
	return list
}

func mean(runs []diff.Run, metric string) (sum float64) {
	for _, r := range runs {
		sum += r.Figures[metric] / float64(len(runs))
	}
	return sum
}

// alarms counts the pairs of which something is worse, and those of which the metric is.
func alarms(t *testing.T, from, other []diff.Run, each int, steady diff.Steady, metric string) (any, of int) {
	t.Helper()
	r := rand.New(rand.NewPCG(9, 10))
	for range pairs {
		a, b := draw(r, from, other, each)
		c, err := diff.Compare(a, b, diff.Options{Alpha: 0.01, LeastEffect: 0.05, Steady: steady})
		if err != nil {
			t.Fatal(err)
		}
		if c.Code == judge.ExitExpectation {
			any++
		}
		for _, row := range c.Rows {
			if row.Name == metric && row.Finding == diff.FoundWorse {
				of++
			}
		}
	}
	return any, of
}

// The goals: of equal runs at most 1 % raise an alarm, of runs in which a figure is 10 % worse at
// least 95 % do.
const (
	falseMax = pairs / 100
	foundMin = pairs * 95 / 100
)

// TestRepeats compares sets of eight runs with other seeds: equal ones, those of a Redis that takes
// 10 % longer for everything, and those in which one figure is scaled. Figures that equal runs have
// within about 2 % are meant: nothing tells 10 % from noise of 20 %, as p99 of freshness has in runs
// as short as these.
func TestRepeats(t *testing.T) {
	const each = 8
	sets := []string{"duration=6s", "workload.rate=constant 500/s"}
	equal := pool(t, 40, 1, sets...)
	if got, _ := alarms(t, equal, equal, each, diff.Steady{}, ""); got > falseMax {
		t.Errorf("%d of %d pairs of equal sets raise an alarm, at most %d may", got, pairs, falseMax)
	} else {
		t.Logf("%d of %d pairs of equal sets raise an alarm", got, pairs)
	}
	slower := pool(t, 40, 1.1, sets...)
	if by := mean(slower, diff.RedisTime)/mean(equal, diff.RedisTime) - 1; by < 0.095 || by > 0.105 {
		t.Errorf("Redis takes %.1f %% longer, want 10 %%: some of its costs are not scaled", 100*by)
	}
	for name, c := range map[string]struct {
		other  []diff.Run
		metric string
	}{
		"Redis takes 10 % longer":      {slower, diff.RedisTime},
		"throughput is 10 % less":      {scaled(equal, diff.Throughput, 0.9), diff.Throughput},
		"workers take 10 % longer":     {scaled(equal, diff.WorkerTime, 1.1), diff.WorkerTime},
		"the consumer takes 10 % more": {scaled(equal, diff.ConsumerTime, 1.1), diff.ConsumerTime},
	} {
		_, found := alarms(t, equal, c.other, each, diff.Steady{}, c.metric)
		t.Logf("%s: found in %d of %d", name, found, pairs)
		if found < foundMin {
			t.Errorf("%s: found in %d of %d, want %d", name, found, pairs, foundMin)
		}
	}
}

// TestSingleRuns does the same with one longer run on each side, cut into batches.
func TestSingleRuns(t *testing.T) {
	steady := diff.Steady{From: 3, To: 23}
	equal := pool(t, 14, 1, "duration=23s", "workload.rate=constant 500/s", "workload.traces_at_once=10",
		"workload.spans_per_trace=10")
	got, _ := alarms(t, equal, equal, 1, steady, "")
	t.Logf("%d of %d pairs of equal runs raise an alarm", got, pairs)
	if got > falseMax {
		t.Errorf("%d of %d pairs of equal runs raise an alarm, at most %d may", got, pairs, falseMax)
	}
	slower := make([]diff.Run, len(equal))
	for i, r := range equal {
		samples := append([]reports.Sample(nil), r.Samples...)
		for j := range samples {
			samples[j].CPUWorkers *= 1.1
		}
		r.Samples = samples
		slower[i] = r
	}
	_, found := alarms(t, equal, slower, 1, steady, diff.WorkerTime)
	t.Logf("workers take 10 %% longer: found in %d of %d", found, pairs)
	if found < foundMin {
		t.Errorf("workers take 10 %% longer: found in %d of %d, want %d", found, pairs, foundMin)
	}
}
