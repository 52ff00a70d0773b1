package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice/internal/judge"
	"sluice/internal/rundir"
	"sluice/sim"
	"sluice/sim/kernel"
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

// TestARunThatIsGivenUpIsKept: there are no results of it, but its scenario, and the command that has it again
// with all that was drawn.
func TestARunThatIsGivenUpIsKept(t *testing.T) {
	c := runCommand{scenarioFlags: scenarioFlags{Scenario: "swarm"}, worldFlags: worldFlags{World: sim.World{}.Name()}}
	drawn := scenario{}
	for seed := uint64(1); len(drawn.ports) == 0; seed++ {
		c.Seed = &seed
		var err error
		if drawn, err = c.load(c.worldFlags); err != nil {
			t.Fatal(err)
		}
	}
	var errs strings.Builder
	dir := filepath.Join(t.TempDir(), "new", "swarm")
	why := fmt.Errorf("a run: %w", &kernel.Failure{})
	if err := c.keepFailed(&streams{io.Discard, &errs}, dir+"/", drawn, why); !errors.Is(err, why) {
		t.Errorf("%v, want %v", err, why)
	}
	file := dir + failedSuffix
	if want := " run " + file + " --world virtual\n"; !strings.HasSuffix(errs.String(), want) {
		t.Errorf("%q, want %q", &errs, want)
	}
	kept, err := scenarioFlags{Scenario: file}.load(c.worldFlags)
	if err != nil || kept.PortFaults.String() != drawn.ports.String() || kept.Seed != drawn.Seed {
		t.Errorf("%v: kept is %v", err, kept)
	}

	errs.Reset()
	_ = c.keepFailed(&streams{io.Discard, &errs}, filepath.Join(file, "not"), drawn, why)
	if want := fmt.Sprintf(" run swarm --seed %d --world virtual\n", drawn.Seed); !strings.HasSuffix(errs.String(), want) {
		t.Errorf("%q, want %q", &errs, want)
	}
	errs.Reset()
	if _ = c.keepFailed(&streams{io.Discard, &errs}, dir, drawn, errors.New("no server")); errs.Len() > 0 {
		t.Errorf("of what is no failure of the kernel is said: %s", &errs)
	}
}
