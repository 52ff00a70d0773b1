package sim_test

import (
	"testing"
	"time"

	"sluice/internal/judge"
	"sluice/scenarios"
	"sluice/sim"
)

// TestJitter: messages that are on the way for longer by chance make another run, the same one again with the
// same seed, and one that passes and takes no shorter for it.
func TestJitter(t *testing.T) {
	s, _, err := scenarios.LoadWith("hang", nil)
	if err != nil {
		t.Fatal(err)
	}
	with := func(jitter time.Duration, seed uint64) *judge.Outcome {
		t.Helper()
		costs := sim.DefaultCosts()
		costs.Network.Jitter = jitter
		s.Seed = seed
		outcome := runIn(t, sim.World{Costs: &costs}, s)
		if outcome.Code != judge.ExitPassed {
			t.Errorf("jitter %v, seed %d: %s", jitter, seed, outcome.Verdict())
		}
		return outcome
	}
	even, shaken := with(0, 1), with(20*time.Millisecond, 1)
	if again := with(20*time.Millisecond, 1); shaken.Result.Digest != again.Result.Digest {
		t.Error("the same seed, and another run")
	}
	if even.Result.Digest == shaken.Result.Digest || shaken.Result.Freshness.P50 <= even.Result.Freshness.P50 {
		t.Errorf("segments are %.4fs old with jitter, %.4fs without", shaken.Result.Freshness.P50,
			even.Result.Freshness.P50)
	}
}
