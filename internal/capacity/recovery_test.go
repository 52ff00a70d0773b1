package capacity

import (
	"math"
	"os"
	"testing"
	"time"

	"sluice/internal/judge"
	"sluice/reports"
	"sluice/scenarios"
)

// TestRecoveryOfALoadThatWanders: spans of a few large traces make what waits go up and down, which is not for
// want of recovery; but what stays unread is, and what is more than such a load does.
func TestRecoveryOfALoadThatWanders(t *testing.T) {
	s, err := scenarios.Load("sizes", os.ReadFile)
	if err != nil {
		t.Fatal(err)
	}
	s.Workload.Rate = scenarios.Constant(1500)
	for name, c := range map[string]struct {
		waves          float64 // of what waits, 17,000 on average; it is at its least before the fault
		unread, stored float64 // that stay for good
		recovers       bool
	}{
		"no fault":              {1500, 0, 0, true},
		"evenly":                {0, 0, 0, true},
		"none is read again":    {0, 3000, 0, false},
		"none is flushed again": {0, 0, 7500, false},
		"too high a wave":       {2200, 0, 0, false},
		"and half stays unread": {1500, 2000, 0, false},
	} {
		p := Outage(s, 2, 1500, 3000, 2*time.Second)
		p.Watched = 8 * time.Second
		o := &judge.Outcome{}
		o.Scenario, err = p.Scenario(s)
		if err != nil {
			t.Fatal(err)
		}
		from := trialAt(s).Seconds()
		for at := 0.1; at < o.Scenario.Duration.Seconds(); at += 0.1 {
			waiting, unread := 17000-c.waves, 130.0
			if at >= from {
				waiting, unread = 17000+c.waves+c.unread+c.stored, unread+c.unread
			}
			sent := int64(1500 * at)
			o.Samples = append(o.Samples, reports.Sample{T: at, Sent: sent, Flushed: sent - int64(waiting), Backlog: int64(unread)})
		}
		trial := p.Trial(o)
		if trial.Recovered() != c.recovers || math.Abs(trial.Waiting-17000+c.waves) > 1 {
			t.Errorf("%s: of %v spans that waited, recovered %v after %v s", name, trial.Waiting, trial.Recovered(), trial.RecoverySeconds)
		}
		if took, ok := RecoveryOf(o); ok != c.recovers {
			t.Errorf("%s: recovered %v after %v s in a comparison", name, ok, took)
		}
		w, over := p.Watch(o.Scenario), false
		for _, sample := range o.Samples {
			over = over || w.Over(sample)
		}
		if over != c.recovers {
			t.Errorf("%s: while it is watched, over is %v", name, over)
		}
	}
}

// TestLevelBefore: it is that of the whole steady part, which also shows ups and downs that are not the load's.
func TestLevelBefore(t *testing.T) {
	s := scenarios.Default()
	r := recoveryOf(s, lasting(Warmup(s)+30), time.Second)
	if r.wanders > 100 {
		t.Fatalf("traces of a size wander by %v", r.wanders)
	}
	for i := range 320 {
		at := r.steady - 2 + float64(i)/10
		waiting := int64(3000) // and 1,000 more in every other second
		if i/10%2 == 1 {
			waiting = 4000
		}
		if i < 20 {
			waiting = 0
		}
		r.samples = append(r.samples, reports.Sample{T: at, Sent: 1e6, Flushed: 1e6 - waiting, Backlog: 7})
	}
	l := r.before()
	if math.Abs(l.waiting-3500) > 60 || math.Abs(l.wanders-509) > 30 || math.Abs(l.unread-7) > 1e-6 {
		t.Errorf("%+v, want 3,500 give or take 509", l)
	}
	if !l.again(second{waiting: 4400, backlog: 300}) || l.again(second{waiting: 4400, backlog: 400}) || l.again(second{waiting: 4700}) {
		t.Error("as few is not as few")
	}
}
