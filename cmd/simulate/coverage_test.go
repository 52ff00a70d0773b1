package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"sluice/internal/harness"
	"sluice/internal/swarm"
	"sluice/reports"
	"sluice/scenarios"
	"sluice/sim"
)

// TestSeedsCoverage: a sweep prints, draws and has in its JSON which stages its faults hit; a moment at a
// stage hits that very one.
func TestSeedsCoverage(t *testing.T) {
	file := scenarioFile(t, strings.Replace(quick, "500ms", "4s", 1)+
		"faults: [when worker 1 is producing hang worker 1 for 1s]\n")
	dir := filepath.Join(t.TempDir(), "seeds")
	code, out, errs := call("run", file, "--seeds", "1..3", "--out", dir)
	if code != 0 || !strings.Contains(out, " hang worker           0    0     0     0    0    3 ") {
		t.Errorf("exit code %d, %s%s", code, out, errs)
	}
	if _, err := os.Stat(filepath.Join(dir, coverageFile+".png")); err != nil {
		t.Error(err)
	}
	_, out, _ = call("run", file, "--seeds", "1..3", "--json")
	var table seedsTable
	if err := json.Unmarshal([]byte(out), &table); err != nil {
		t.Fatal(err)
	}
	if hit := table.Coverage.Of("hang worker", reports.PartWorker, "produce"); hit.Count != 3 {
		t.Errorf("%+v", table.Coverage)
	}
}

// TestWaivers: what is asked for is every kind of fault at every stage, but for what is waived with a
// reason; no waiver is for nothing.
func TestWaivers(t *testing.T) {
	var table seedsTable
	if err := table.ask(); err != nil {
		t.Fatal(err)
	}
	cells, waived := 0, 0
	for _, part := range harness.CoverageStages() {
		cells += len(part.Stages) * len(scenarios.Kinds())
	}
	list, err := readWaivers()
	if err != nil {
		t.Fatal(err)
	}
	for i := range table.Coverage {
		if table.Coverage[i].Waived != "" {
			waived++
		}
	}
	if len(table.Coverage) != cells || len(table.Empty) != cells-waived {
		t.Errorf("%d cells, %d of them empty, want %d and %d", len(table.Coverage), len(table.Empty), cells,
			cells-waived)
	}
	for _, w := range list {
		used := false
		for i := range table.Coverage {
			used = used || w.covers(&table.Coverage[i])
		}
		if !used {
			t.Errorf("%+v is for no cell that there is", w)
		}
	}
}

// TestSwarmIsReplayed: a run that was drawn can be had again from its directory, with the faults at
// ports that came with it.
func TestSwarmIsReplayed(t *testing.T) {
	for seed := uint64(1); ; seed++ {
		drawn, err := swarm.Draw(seed, swarm.SizeMax, sim.World{}.Can)
		if err != nil {
			t.Fatal(err)
		}
		if len(drawn.Ports) == 0 {
			continue
		}
		dir := filepath.Join(t.TempDir(), "drawn")
		call("run", "swarm", "--seed", strconv.FormatUint(seed, 10), "--quiet", "--out", dir)
		if code, out, errs := call("replay", dir); code != 0 || !strings.Contains(out, "the same") {
			t.Errorf("seed %d: exit code %d, %s%s", seed, code, out, errs)
		}
		script, err := os.ReadFile(filepath.Join(dir, "replay.sh"))
		if err != nil || !strings.Contains(string(script), drawn.Ports.String()) {
			t.Errorf("seed %d: %v, replay.sh lacks %s:\n%s", seed, err, drawn.Ports, script)
		}
		return
	}
}
