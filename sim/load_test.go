package sim_test

import (
	"testing"
	"time"

	"sluice/internal/harness"
	"sluice/internal/judge"
	"sluice/scenarios"
	"sluice/sim"
)

// ran is a small run on a host that everybody shares, with changed costs.
func ran(t *testing.T, change func(*sim.Costs)) *judge.Outcome {
	t.Helper()
	return ranBy(t, 1, change)
}

// ranBy is one with so many workers.
func ranBy(t *testing.T, workers scenarios.Processes, change func(*sim.Costs)) *judge.Outcome {
	t.Helper()
	s := scenarios.Default()
	s.Topology.FlusherProcesses = workers
	s.Name, s.Duration, s.Workload.Rate = "small", 2*time.Second, scenarios.Constant(2000)
	s.Pipeline.Timeout, s.Pipeline.RootTimeout = 2*time.Second, time.Second
	s.Expectations.RepeatedSpansMax = scenarios.Unlimited
	costs := sim.DefaultCosts()
	costs.Hosts = sim.Hosts{Cores: 2, Shared: true}
	change(&costs)
	o, err := harness.Run(t.Context(), harness.Config{Scenario: s, World: sim.World{Costs: &costs}})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// TestTheLoadWaitsForCores of a host that it shares, and is behind its time then.
func TestTheLoadWaitsForCores(t *testing.T) {
	for _, c := range []struct {
		send        time.Duration
		shared      bool
		least, most float64
	}{
		{10 * time.Microsecond, true, 0, 0.1}, {time.Millisecond, true, 1.5, 2.5}, {time.Millisecond, false, 0, 0},
	} {
		o := ran(t, func(costs *sim.Costs) { costs.Harness.Send, costs.Hosts.Shared = c.send, c.shared })
		if got := o.Result.Harness.BehindSeconds; got < c.least || got > c.most {
			t.Errorf("%+v: %v s behind", c, got)
		}
		if o.Code != judge.ExitPassed {
			t.Errorf("%+v: %s", c, o.Result.Verdict)
		}
	}
}

// TestOthersTakeTheirPart of the cores, which is that of one process of several: with two cores, two workers
// have two thirds of one each beside them, and a single one has as much as it can use.
func TestOthersTakeTheirPart(t *testing.T) {
	for workers, want := range map[scenarios.Processes]float64{1: 1, 2: 1.5} {
		took := func(others float64) float64 {
			return ranBy(t, workers, func(costs *sim.Costs) {
				costs.Worker.Flush, costs.Hosts.Others = 2*time.Millisecond, others
			}).Result.Run.DrainSeconds
		}
		if got := took(1.7) / took(0); got < 0.9*want || got > 1.1*want {
			t.Errorf("with %d workers draining takes %v times as long beside others, want about %v", workers, got,
				want)
		}
	}
}

// TestIdlingAndRequestsCost what they say.
func TestIdlingAndRequestsCost(t *testing.T) {
	none := ran(t, func(*sim.Costs) {})
	some := ran(t, func(costs *sim.Costs) {
		costs.Program.Idle, costs.Worker.Idle = 50*time.Millisecond, 20*time.Millisecond
		costs.Harness.Idle, costs.Kafka.Request = 30*time.Millisecond, 100*time.Microsecond
	})
	last := func(o *judge.Outcome) [4]float64 {
		s := o.Samples[len(o.Samples)-1]
		return [4]float64{s.CPUConsumer / s.T, s.CPUWorkers / s.T, s.CPUHarness / s.T, s.CPUKafka / s.T}
	}
	a, b := last(none), last(some)
	for i, want := range []float64{0.05, 0.02, 0.03} {
		if got := b[i] - a[i]; got < 0.9*want || got > 1.4*want { // there was some before the load began
			t.Errorf("part %d computes %v of a core more, want %v", i, got, want)
		}
	}
	// Every 2 ms the load is a request, and every 20 its reading; what comes out is little beside them.
	if got := b[3] - a[3]; got < 0.03 || got > 0.08 {
		t.Errorf("requests cost %v of a core", got)
	}
}

// TestRedisMemoryIsThatOfTheSpans, and empty in the end.
func TestRedisMemoryIsThatOfTheSpans(t *testing.T) {
	o := ran(t, func(*sim.Costs) {})
	most := int64(0)
	for _, s := range o.Samples {
		most = max(most, s.RedisBytes)
	}
	empty := int64(sim.DefaultCosts().Redis.Empty)
	// About a second of spans waits for its time-out.
	if spans := float64(most-empty) / (500 + 93); spans < 1500 || spans > 4500 {
		t.Errorf("%v bytes at most are %v spans", most, spans)
	}
	if last := o.Samples[len(o.Samples)-1].RedisBytes; last != empty {
		t.Errorf("%d bytes in the end, %d without spans", last, empty)
	}
}

// TestRedisMemoryOfACluster: the same run says of three nodes what the fullest has and what all have, which
// is what one has, and two empty ones.
func TestRedisMemoryOfACluster(t *testing.T) {
	most := func(nodes int) (fullest, all int64) {
		o := ran(t, func(costs *sim.Costs) { costs.Hosts.RedisNodes = nodes })
		if said := o.Samples[len(o.Samples)-1].RedisNodes; said != nodes {
			t.Errorf("the samples are of %d nodes, want %d", said, nodes)
		}
		for _, s := range o.Samples {
			fullest, all = max(fullest, s.RedisBytes), max(all, s.RedisBytesAll)
		}
		return fullest, all
	}
	empty := int64(sim.DefaultCosts().Redis.Empty)
	one, same := most(1)
	if one != same || one <= empty {
		t.Errorf("the only node has %d bytes, all have %d", one, same)
	}
	fullest, all := most(3)
	if spans := float64(all-3*empty) / float64(one-empty); spans < 0.9 || spans > 1.1 {
		t.Errorf("three nodes have %v times the spans of one", spans)
	}
	if share := float64(fullest-empty) / float64(one-empty); share < 0.33 || share > 0.5 {
		t.Errorf("the fullest of three has %v of the spans", share)
	}
}

// TestAShortTimeOutSlowsNoClock: with a root's time-out of less than the workers' usual pause, and of less
// than a poll of the input waits, what has no root is due after its own time-out all the same.
func TestAShortTimeOutSlowsNoClock(t *testing.T) {
	for _, rootTimeout := range []time.Duration{50 * time.Millisecond, 200 * time.Millisecond} {
		s := scenarios.Default()
		s.Name, s.Duration, s.Workload.Rate = "short", 3*time.Second, scenarios.Constant(500)
		s.Topology.Partitions, s.Workload.Headless = 4, 0.2
		s.Pipeline.Timeout, s.Pipeline.RootTimeout = 4*time.Second, rootTimeout
		s.Expectations.SplitSpansMax, s.Expectations.RepeatedSpansMax = scenarios.Unlimited, scenarios.Unlimited
		o, err := harness.Run(t.Context(), harness.Config{Scenario: s, World: sim.World{}})
		if err != nil {
			t.Fatal(err)
		}
		if drained := o.Result.Run.DrainSeconds; o.Code != judge.ExitPassed || drained < 3 || drained > 4.5 {
			t.Errorf("root_timeout %v: %s, drained after %.1f s, want about 4", rootTimeout, o.Result.Verdict, drained)
		}
	}
}
