package judge

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"sluice/buffer"
	"sluice/flusher"
	"sluice/reports"
)

// drainedUntil makes the run end its drain of 12 s at drain_max with 600 of its 1000 spans still to
// come, of which some come per tenth of a second until a time.
func drainedUntil(e *Evidence, perLook int64, until float64) {
	e.Drained, e.DrainSeconds = false, 12
	e.Left = Remains{Waiting: 600}
	e.Balance.Flushed, e.Balance.Lost = 400, 600
	e.Samples = nil
	flushed := int64(100)
	for i := range 121 {
		t := 10 + float64(i)/10
		if t < until {
			flushed += perLook
		}
		e.Looks = append(e.Looks, Look{T: t, Phase: reports.PhaseDrain, Consumers: []ConsumerLook{{
			Life: 1, Live: 2, States: []flusher.WorkerState{
				{Worker: 0, Shards: []buffer.Shard{0, 2}, State: flusher.StateHealthy, Status: flusher.Status{Stage: flusher.StageWait}},
				{Worker: 1, Shards: []buffer.Shard{1, 3}, State: flusher.StateHealthy, Status: flusher.Status{Stage: flusher.StageWait}},
			}}}})
		e.Samples = append(e.Samples, reports.Sample{T: t, Sent: 1000, Flushed: flushed, WorkersLive: 2})
	}
	// The consumer is asked to stop, and finishes what is in flight.
	e.Looks = append(e.Looks, Look{T: 23, Phase: reports.PhaseStop})
	e.Samples = append(e.Samples, reports.Sample{T: 23, Sent: 1000, Flushed: flushed + 50})
}

// TestOverloadIsNoStandstill: what still comes out when drain_max is over is an expectation that was
// missed; what does not is a violation.
func TestOverloadIsNoStandstill(t *testing.T) {
	for name, c := range map[string]struct {
		change  func(*Evidence)
		verdict reports.Verdict
		detail  string
	}{
		"slow": {func(e *Evidence) { drainedUntil(e, 2, 23) }, reports.Unknown,
			"12.0s after the load 600 spans had not come out, but some still did, in the last 3.0s at 20/s; " +
				"at that rate all would be out 42s after the load. The limit was the workers, which were " +
				"waiting for Kafka in 100 % of the looks"},
		"to its end": {func(e *Evidence) { drainedUntil(e, 2, 19.3) }, reports.Unknown, "600 spans"},
		"stuck": {func(e *Evidence) { drainedUntil(e, 2, 19) }, reports.Violated,
			"12.0s after the load 600 spans had not come out: nothing says why"},
		"stuck, and out at the stop": {func(e *Evidence) { drainedUntil(e, 0, 0) }, reports.Violated,
			"nothing says why"},
		"not sent": {func(e *Evidence) {
			drainedUntil(e, 2, 23)
			e.SendErr = errors.New("planted")
		}, reports.Unknown, "the load could not be sent: planted"},
		"nothing left": {func(e *Evidence) {
			drainedUntil(e, 2, 23)
			e.Left = Remains{}
		}, reports.Violated, "none is left"},
		"to its end, and the rest at the stop": {func(e *Evidence) {
			drainedUntil(e, 2, 23)
			e.Left, e.Balance.Flushed, e.Balance.Lost = Remains{}, 1000, 0
		}, reports.Unknown, "some still did, in the last 3.0s at 20/s, and the rest when the consumers were asked to stop. The limit was the workers"},
		"stuck, and all the rest at the stop": {func(e *Evidence) {
			drainedUntil(e, 2, 19)
			e.Left, e.Balance.Flushed, e.Balance.Lost = Remains{}, 1000, 0
		}, reports.Violated, "nothing did any more; what was left came when the consumers were asked to stop"},
		"a letter that is stuck": {func(e *Evidence) {
			drainedUntil(e, 2, 19)
			e.Left, e.Balance.Flushed, e.Balance.Lost, e.Balance.BadLost = Remains{Waiting: 1}, 1000, 0, 1
		}, reports.Violated, "nothing says why"},
		"a letter that nobody will make": {func(e *Evidence) {
			drainedUntil(e, 2, 23)
			e.Left, e.Balance.Flushed, e.Balance.Lost, e.Balance.BadLost = Remains{}, 1000, 0, 1
		}, reports.Violated, "none is left"},
		"Redis": {func(e *Evidence) {
			drainedUntil(e, 2, 23)
			for i := range e.Samples {
				e.Samples[i].CPURedis, e.Samples[i].CPUWorkers = float64(i)*0.09, float64(i)*0.1
			}
		}, reports.Unknown, "The limit was Redis, whose one thread was busy for 90 % of the time; processor " +
			"seconds per second: Redis 0.90, workers 1.00"},
		"a cluster": {func(e *Evidence) {
			drainedUntil(e, 2, 23)
			for i := range e.Samples {
				e.Samples[i].CPURedis, e.Samples[i].RedisNodes = float64(i)*0.27, 3
			}
		}, reports.Unknown, "The limit was Redis, whose 3 threads were busy for 90 % of the time; processor " +
			"seconds per second: Redis 2.70"},
		"a cluster with room": {func(e *Evidence) {
			drainedUntil(e, 2, 23)
			for i := range e.Samples {
				e.Samples[i].CPURedis, e.Samples[i].RedisNodes = float64(i)*0.24, 3
			}
		}, reports.Unknown, "The limit was the workers, which"},
		"workers": {func(e *Evidence) {
			drainedUntil(e, 2, 23)
			for i := range e.Samples {
				e.Samples[i].CPURedis, e.Samples[i].CPUWorkers = float64(i)*0.09, float64(i)*0.19
			}
		}, reports.Unknown, "the processor time of the workers, each of which used 95 % of one core"},
		"consumer": {func(e *Evidence) {
			drainedUntil(e, 2, 23)
			for i := range e.Samples {
				e.Samples[i].Backlog = 500
			}
		}, reports.Unknown, "the consumer, which still had to store 500 messages"},
		"paused": {func(e *Evidence) {
			drainedUntil(e, 2, 23)
			for i := range e.Samples {
				e.Samples[i].Backlog, e.Samples[i].Paused = 500, 4
			}
		}, reports.Unknown, "the workers, which"},
		"harness": {func(e *Evidence) {
			drainedUntil(e, 2, 23)
			e.Limited, e.Limit = true, "it did not keep up"
		}, reports.Unknown, "the harness, not the system: it did not keep up"},
	} {
		e := clean()
		c.change(e)
		verdict, detail := judgeDrains(e)
		if verdict != c.verdict || !strings.Contains(detail, c.detail) {
			t.Errorf("%s: %s: %s\nwant %s with %s", name, verdict, detail, c.verdict, c.detail)
		}
		o := Judge(e)
		if j, _ := o.Decisive(); j.Name != "liveness" && name != "nothing left" && name != "a letter that nobody will make" {
			t.Errorf("%s: the verdict is for %s: %s", name, j.Name, j.Detail)
		}
		missed := slices.ContainsFunc(o.Result.Expectations, func(j reports.Judgement) bool {
			return j.Name == "drain_max" && j.Verdict == reports.Violated
		})
		if missed != strings.Contains(detail, "some still did") {
			t.Errorf("%s: drain_max missed is %v", name, missed)
		}
	}
}

// TestDrainThatTheHealingHeldUp: what is out only long after the load, since the faults ended late, is no
// standstill, but later than expected.
func TestDrainThatTheHealingHeldUp(t *testing.T) {
	for late, missed := range map[float64]bool{0.5: false, 1.5: true} {
		e := clean()
		e.LastSeconds = e.LoadSeconds + late*e.Scenario.Expectations.DrainMax.Seconds()
		o := Judge(e)
		if got := slices.ContainsFunc(o.Result.Expectations, func(j reports.Judgement) bool {
			return j.Name == "drain_max" && j.Verdict == reports.Violated
		}); got != missed {
			t.Errorf("out %v of drain_max after the load: missed is %v", late, got)
		}
	}
}
