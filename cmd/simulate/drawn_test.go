package main

import (
	"os"
	"path/filepath"
	"testing"

	"sluice/internal/judge"
	"sluice/internal/rundir"
	"sluice/sim"
)

// TestWhatIsDrawnCanBeRunFromItsFile: a moment that chance may never bring is drawn, and refused in what
// somebody has written.
func TestWhatIsDrawnCanBeRunFromItsFile(t *testing.T) {
	const text = `
seed: 1
duration: 1s
workload: {rate: constant 300/s}
expectations: {restarts_min: 0, throughput_min: 0/s, freshness_p99_max: 0s}
faults:
  - when worker 0 restarted crash worker 0
`
	for name, want := range map[string]bool{"swarm": true, "mine": false} {
		file := filepath.Join(t.TempDir(), rundir.FileScenario)
		if err := os.WriteFile(file, []byte("name: "+name+text), 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := scenarioFlags{Scenario: file}.load(worldFlags{World: sim.World{}.Name()})
		code, _, errs := call("validate", file)
		if (err == nil) != want || (code == judge.ExitPassed) != want {
			t.Errorf("%s: %v; validate ends with exit code %d: %s", name, err, code, errs)
		}
	}
}
