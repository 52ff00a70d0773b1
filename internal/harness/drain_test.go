package harness

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"sluice/buffer"
	"sluice/internal/judge"
	"sluice/scenarios"
)

// leftBehind is a system whose queue names what was flushed until a time, or whose input waits to be
// read; sleeping takes its time.
type leftBehind struct {
	*fakeSystem
	until  time.Time
	unread bool
}

func (l leftBehind) Sleep(_ context.Context, d time.Duration) error {
	l.set(l.Now().Add(d))
	return nil
}

func (l leftBehind) Remains(context.Context) judge.Remains {
	switch {
	case l.Now().Before(l.until) && l.unread:
		return judge.Remains{Waiting: 1}
	case l.Now().Before(l.until):
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
		system := leftBehind{rig.fakeSystem, rig.start.Add(c.until), false}
		r := &run{system: system, sink: rig.sink, healed: rig.start}
		r.cfg.Scenario.Expectations.DrainMax = 10 * time.Second
		r.cfg.Scenario.Pipeline.Timeout = c.timeout
		out, err := r.awaitDrained(t.Context())
		took := system.Now().Sub(rig.start)
		if !out || err != nil || took < c.least || took > c.most || system.Remains(t.Context()).Store.Empty() != c.empty {
			t.Errorf("%+v: all is out: %v, after %v", c, out, took)
		}
	}
}

// TestDrainWaitsForTheInput: that every span has an excuse does not end it, for those that were not read
// may come out.
func TestDrainWaitsForTheInput(t *testing.T) {
	rig := newRig(t)
	system := leftBehind{rig.fakeSystem, rig.start.Add(5 * time.Second), true}
	r := &run{system: system, sink: rig.sink, healed: rig.start}
	r.cfg.Scenario.Expectations.DrainMax = 10 * time.Second
	out, err := r.awaitDrained(t.Context())
	if took := system.Now().Sub(rig.start); !out || err != nil || took < 5*time.Second || took > 6*time.Second {
		t.Errorf("all is out: %v, %v, after %v", out, err, took)
	}
}

// TestDrainCountsFromTheHealing: the system has all of drain_max, however long the faults took to end.
func TestDrainCountsFromTheHealing(t *testing.T) {
	rig := newRig(t)
	rig.sink.Ledger.Sent(0, 0, 0)
	system := leftBehind{rig.fakeSystem, rig.start.Add(time.Hour), true}
	r := &run{system: system, sink: rig.sink, loaded: rig.start.Add(-time.Hour), healed: rig.start.Add(-7 * time.Second)}
	r.cfg.Scenario.Expectations.DrainMax = 10 * time.Second
	out, err := r.awaitDrained(t.Context())
	if took := system.Now().Sub(rig.start); out || err != nil || took < 3*time.Second || took > 4*time.Second {
		t.Errorf("all is out: %v, %v, after %v", out, err, took)
	}
}

// TestDrainStartsAgainWhatGaveUp: a budget that is used up as the load ends ends the consumer only in the
// drain. Once it is started again; a second time, or where nobody expects it, it is not.
func TestDrainStartsAgainWhatGaveUp(t *testing.T) {
	for _, c := range []struct {
		end     scenarios.End
		revived bool
		fails   error
		again   bool
	}{
		{scenarios.EndBudget, false, nil, true},
		{scenarios.EndBudget, true, nil, false},
		{scenarios.EndDrained, false, nil, false},
		{scenarios.EndBudget, false, errors.New("planted"), false},
	} {
		rig := newRig(t)
		clear(rig.up)
		rig.sink.fell = &fall{errors.New("planted: used up")}
		rig.ended = true
		ctx, cancel := context.WithCancel(t.Context())
		system := leftBehind{rig.fakeSystem, rig.start.Add(5 * time.Second), true}
		if c.fails != nil {
			rig.fails["start consumer 0"] = slices.Repeat([]error{c.fails}, 1000)
			system.until = rig.start.Add(time.Hour)
		}
		var over System = system
		if c.fails != nil {
			over = impatient{system}
		}
		r := &run{system: over, sink: rig.sink, healed: rig.start, revived: c.revived}
		r.cfg.Scenario.Expectations.DrainMax = 10 * time.Second
		r.cfg.Scenario.Expectations.End = c.end
		out, err := r.awaitDrained(ctx)
		cancel()
		if out != c.again || slices.Contains(rig.done, "start consumer 0") != c.again || !errors.Is(err, c.fails) {
			t.Errorf("%+v: all is out: %v, %v; the deeds are %q", c, out, err, rig.done)
		}
	}
}

// impatient is a system in which a bound of time is over after the first wait.
type impatient struct{ leftBehind }

func (i impatient) Sleep(ctx context.Context, d time.Duration) error {
	return errors.Join(i.leftBehind.Sleep(ctx, d), ctx.Err())
}
