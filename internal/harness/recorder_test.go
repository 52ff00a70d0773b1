package harness

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/buffer"
	"sluice/flusher"
	"sluice/internal/judge"
	"sluice/reports"
)

func TestRecorderFollowsAWorker(t *testing.T) {
	var heard int
	r := newRecorder(func(reports.Event) { heard++ })
	tell := func(kinds ...flusher.EventKind) {
		for _, kind := range kinds {
			// A start that takes too long is a hang, whatever its cause says.
			r.supervisor(firstConsumer, 1, flusher.Event{Kind: kind, At: time.Now(), Worker: 0, Start: 1,
				State: flusher.StateHung, Cause: "not healthy 2m after its start", Shards: []buffer.Shard{3}})
		}
	}
	tell(flusher.EventStarted, flusher.EventHealthy, flusher.EventBackpressureOn,
		flusher.EventBackpressureOff, flusher.EventFailed, flusher.EventRestart, flusher.EventKilled,
		flusher.EventGateClosed, flusher.EventStopped, flusher.EventFenced)
	r.begin(time.Now().Add(time.Second))
	tell(flusher.EventStarted, flusher.EventHealthy, flusher.EventGateOpened, flusher.EventStopping,
		flusher.EventStopped)
	events, moves := r.record()
	var got []reports.State
	for _, e := range events {
		if e.Kind == reports.EventWorker {
			got = append(got, e.State)
		}
		if e.T >= 0 {
			t.Errorf("an event before the load is at %v", e.T)
		}
	}
	want := []reports.State{reports.StateStarting, reports.StateHealthy, reports.StateBackpressure,
		reports.StateHealthy, reports.StateHung, reports.StateDead, reports.StateRestarting,
		reports.StateStarting, reports.StateHealthy, reports.StateStopped}
	if !slices.Equal(got, want) {
		t.Errorf("states are %v, want %v", got, want)
	}
	if len(moves) != 15 || heard != len(events) || len(events) != len(want)+3 {
		t.Errorf("%d moves, %d events, %d heard", len(moves), len(events), heard)
	}
}

func TestFreshness(t *testing.T) {
	f := newFreshness()
	var e judge.Evidence
	if f.tell(&e); e.Freshness != (reports.Quantiles{}) || e.FreshnessSeen != e.Freshness ||
		e.Ahead.Count > 0 || len(e.Lags) > 0 {
		t.Errorf("without values: %+v", e)
	}
	for i := range 100 {
		f.add(float64(i), 1, 2, []time.Duration{time.Duration(i+1) * 10 * time.Millisecond, -time.Second})
		f.see(time.Duration(i+1) * 20 * time.Millisecond)
	}
	for _, l := range []judge.Lag{{Shard: 1, To: 5, By: 2}, {Shard: 0, To: 6, By: 3}, {Shard: 1, To: 8, By: 4},
		{Shard: 1, To: 8.5, By: 2}, {Shard: 1, To: 12, By: 2}} {
		f.lagged(l.Shard, l.To, l.By)
	}
	f.tell(&e)
	for _, c := range []struct {
		q    reports.Quantiles
		most float64
	}{{e.Freshness, 1}, {e.FreshnessSeen, 2}} {
		if q := c.q; q.Count != 100 || math.Abs(q.Max-c.most) > 0.002 || math.Abs(q.P90-0.9*c.most) > 0.02 {
			t.Errorf("quantiles are %+v", q)
		}
	}
	if e.Ahead.Count != 100 || !strings.Contains(e.Ahead.First, "at 0.0s worker 2") {
		t.Errorf("of those before their deadline it knows %+v", e.Ahead)
	}
	want := []judge.Lag{{Shard: 1, From: 3, To: 8.5, By: 4}, {Shard: 0, From: 3, To: 6, By: 3},
		{Shard: 1, From: 10, To: 12, By: 2}}
	if !slices.Equal(e.Lags, want) {
		t.Errorf("lags are %+v, want %+v", e.Lags, want)
	}
}

// TestRecorderKeepsChanges of who has which shards, while that is judged.
func TestRecorderKeepsChanges(t *testing.T) {
	r, asked, start := newRecorder(nil), 0, time.Now()
	stands := func(heard float64, shards ...buffer.Shard) func() []judge.ConsumerLook {
		return func() []judge.ConsumerLook {
			asked++
			return []judge.ConsumerLook{{Life: 1, Heard: heard, States: []flusher.WorkerState{{Shards: shards}}}}
		}
	}
	r.begin(start)
	for i, c := range []struct {
		phase string
		stand func() []judge.ConsumerLook
	}{
		{reports.PhaseStart, stands(0, 1)}, {reports.PhaseLoad, stands(0, 1)}, {reports.PhaseLoad, stands(0, 1)},
		{reports.PhaseLoad, stands(0, 1, 2)}, {reports.PhaseDrain, stands(0, 1, 2)}, {reports.PhaseDrain, stands(1, 1, 2)},
		{reports.PhaseDrain, stands(2, 1, 2)}, {reports.PhaseStop, stands(0)},
	} {
		at := start.Add(time.Duration(i) * time.Second)
		r.phase(at, c.phase)
		r.changed(at, c.stand)
	}
	var got []float64
	for _, l := range r.changes {
		got = append(got, l.T)
	}
	if want := []float64{1, 3, 5}; !slices.Equal(got, want) || r.changes[2].Phase != reports.PhaseDrain || asked != 6 {
		t.Errorf("changes at %v, want %v; asked %d times", got, want, asked)
	}
}
