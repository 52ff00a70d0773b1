package sim_test

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"sluice/internal/harness"
	"sluice/internal/judge"
	"sluice/reports"
	"sluice/scenarios"
	"sluice/sim"
)

// TestSwitch: what was before it is as it was, what follows is another run, the same for the same seed.
func TestSwitch(t *testing.T) {
	s, _, err := scenarios.LoadWith("mix", nil, "duration=8s", "workload.rate=constant 300/s",
		"faults=[at 1s crash worker 0, randomly every 1s crash any worker, at 6s hang worker 1 for 1s]")
	if err != nil {
		t.Fatal(err)
	}
	at := 4 * time.Second
	with := func(to *harness.Switch) *judge.Outcome {
		outcome, err := harness.Run(t.Context(), harness.Config{Scenario: s, World: sim.World{}, Switch: to})
		if err != nil {
			t.Fatal(err)
		}
		return outcome
	}
	until := func(o *judge.Outcome) []reports.Event {
		end := slices.IndexFunc(o.Events, func(e reports.Event) bool { return e.T > at.Seconds() })
		return o.Events[:end]
	}
	without := with(nil)
	hangs := 0
	for seed := range uint64(6) {
		switched := with(&harness.Switch{At: at, Seed: seed})
		if !reflect.DeepEqual(until(without), until(switched)) {
			t.Errorf("seed %d: before the switch it is another run", seed)
		}
		if switched.Result.Digest == without.Result.Digest {
			t.Errorf("seed %d: after the switch it is the same run", seed)
		}
		if slices.ContainsFunc(switched.Events, func(e reports.Event) bool {
			return e.Fault == "at 6s hang worker 1 for 1s"
		}) {
			hangs++
		}
		if len(switched.Result.Faults) == 0 || !switched.Result.Faults[0].Injected {
			t.Errorf("seed %d: the faults are %+v", seed, switched.Result.Faults)
		}
	}
	if hangs == 0 || hangs == 6 {
		t.Errorf("a fault to come came %d times of 6", hangs)
	}
	first, second := with(&harness.Switch{At: at, Seed: 1}), with(&harness.Switch{At: at, Seed: 1})
	if first.Result.Digest != second.Result.Digest {
		t.Error("the same switch is another run")
	}
}
