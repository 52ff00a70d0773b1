package e2e

import (
	"testing"
	"time"

	"sluice/internal/servers/servertest"
)

// skewed is a load of which one trace in ten has wrong clocks: up to a month behind, ahead, or none.
const skewed = `
name: e2e
seed: 7
duration: 6s
topology: {partitions: 8}
workload:
  rate: constant 2000/s
  traces_at_once: 100
  spans_per_trace: uniform 5..35
  skew: 0.1 by 720h
`

// Wrong clocks are counted, and neither break nor hold up a trace; how far the input is behind is said
// without them.
func TestWrongClocks(t *testing.T) {
	t.Parallel()
	redis := oneRedis(t)
	tr := newTraffic(t, servertest.KafkaAddr(t), skewed)
	p := start(t, append(append(tr.args(), "--redis", redis.addrs()), options...)...)
	tr.send()
	for range 5 {
		hold(time.Second)
		for _, lag := range p.samples("sluice_shard_input_lag_seconds") {
			if lag < 0 || lag > time.Minute.Seconds() {
				t.Errorf("the input is said to be %v s behind", lag)
			}
		}
	}
	tr.settled(30 * time.Second)
	if err := reach(p, "sluice_shard_skewed_total", 100); err != nil {
		t.Error(err)
	}
	if n := len(p.samples("sluice_shard_input_lag_seconds")); n != partitions {
		t.Errorf("%d shards say how far they are behind, want all", n)
	}
	finish(t, tr, p, redis)
}
