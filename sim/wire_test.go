package sim_test

import (
	"testing"

	"sluice/internal/capacity"
	"sluice/internal/judge"
	"sluice/scenarios"
	"sluice/sim"
)

// TestTheNetworkIsTheLimit: what consumers and workers send and receive takes its time on the way of their
// host, and no more of it gets through than that carries.
func TestTheNetworkIsTheLimit(t *testing.T) {
	const rate, bandwidth = 10_000, 8_000_000
	s, err := scenarios.Load("steady", nil)
	if err != nil {
		t.Fatal(err)
	}
	s.Workload.Rate = scenarios.Constant(rate)
	s.Expectations.FreshnessP99Max = 0
	for _, c := range []struct {
		bandwidth int64
		shared    bool
		limited   bool
	}{
		{bandwidth, false, true}, {0, false, false}, {10 * bandwidth, false, false}, {bandwidth, true, false},
	} {
		costs := sim.DefaultCosts()
		costs.Network.Bandwidth, costs.Hosts.Shared = c.bandwidth, c.shared
		o := runIn(t, sim.World{Costs: &costs}, s)
		p := capacity.ProbeOf(o, rate, judge.Host{Cores: costs.Hosts.Cores, Shared: c.shared}, false)
		use, limited := judge.Limiting(p.Busy)
		if limited != c.limited || limited && use.Resource != judge.Network {
			t.Errorf("%+v: limited by %+v: %v", c, use, limited)
		}
		// A span of 550 bytes goes out to Redis and to Kafka, and comes in from both.
		if most := float64(bandwidth) / (2 * 550); c.limited && (p.Throughput > most || p.Throughput < most/3) {
			t.Errorf("%+v: %.0f spans/s came out, and %.0f fit", c, p.Throughput, most)
		}
		if last := o.Samples[len(o.Samples)-1]; (last.NetworkBusy > 0) != (c.bandwidth > 0 && !c.shared) {
			t.Errorf("%+v: the network was busy for %.1fs", c, last.NetworkBusy)
		}
	}
	costs := sim.DefaultCosts()
	costs.Network.Bandwidth = -1
	if err := costs.Validate(); err == nil {
		t.Error("a bandwidth below 0 is taken")
	}
}
