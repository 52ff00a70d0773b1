package harness

import (
	"context"
	"testing"
	"time"

	"sluice/buffer"
	"sluice/internal/judge"
)

// leftBehind is a system whose queue names what was flushed until a time; sleeping takes its time.
type leftBehind struct {
	*fakeSystem
	until time.Time
}

func (l leftBehind) Sleep(_ context.Context, d time.Duration) error {
	l.set(l.Now().Add(d))
	return nil
}

func (l leftBehind) Remains(context.Context) judge.Remains {
	if l.Now().Before(l.until) {
		return judge.Remains{Store: buffer.Leftovers{Shards: []buffer.ShardLeftovers{{Queued: make([]buffer.Due, 1)}}}}
	}
	return judge.Remains{}
}

// TestDrainWaitsForTheQueue: when all came out, drain_max does not end the run before the queue is
// empty; but what stays for ever does not keep it.
func TestDrainWaitsForTheQueue(t *testing.T) {
	for _, c := range []struct {
		timeout, until, least, most time.Duration
		empty                       bool
	}{
		{time.Second, 0, 0, time.Second, true},
		{time.Second, 25 * time.Second, 25 * time.Second, 26 * time.Second, true},
		{time.Second, time.Hour, 41 * time.Second, 42 * time.Second, false},
		{time.Minute, 95 * time.Second, 95 * time.Second, 96 * time.Second, true},
	} {
		rig := newRig(t)
		system := leftBehind{rig.fakeSystem, rig.start.Add(c.until)}
		r := &run{system: system, sink: rig.sink}
		r.cfg.Scenario.Expectations.DrainMax = 10 * time.Second
		r.cfg.Scenario.Pipeline.Timeout = c.timeout
		out := r.awaitDrained(t.Context())
		took := system.Now().Sub(rig.start)
		if !out || took < c.least || took > c.most || system.Remains(t.Context()).Store.Empty() != c.empty {
			t.Errorf("%+v: all is out: %v, after %v", c, out, took)
		}
	}
}
