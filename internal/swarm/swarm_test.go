package swarm_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/leanovate/gopter"
	"github.com/leanovate/gopter/prop"

	"sluice/internal/harness"
	"sluice/internal/judge"
	"sluice/internal/portfault"
	"sluice/internal/process"
	"sluice/internal/proptest"
	"sluice/internal/shrink"
	"sluice/internal/swarm"
	"sluice/reports"
	"sluice/scenarios"
	"sluice/sim"
	"sluice/sim/kernel"
)

// regressions is where scenarios are kept that have failed once. What else fails is added to them.
const regressions = "../../scenarios/regressions"

// run runs a case in virtual time; a failure of the kernel is its error.
func run(ctx context.Context, c shrink.Case, _ bool) (outcome *judge.Outcome, err error) {
	defer kernel.Catch(&err)
	return harness.Run(ctx, harness.Config{Scenario: c.Scenario, World: sim.World{}, PortFaults: c.Ports})
}

// broken returns the first invariant that does not hold, or whose verdict is not known.
func broken(o *judge.Outcome) (reports.Judgement, bool) {
	code, why := o.Invariants()
	return why, code != judge.ExitPassed
}

// TestPropertyRegressions runs what has failed once.
func TestPropertyRegressions(t *testing.T) {
	files, err := filepath.Glob(regressions + "/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			t.Parallel()
			outcome, err := run(t.Context(), read(t, file), false)
			if err != nil {
				t.Fatal(err)
			}
			if why, failed := broken(outcome); failed {
				t.Errorf("%s: %s: %s", why.Name, why.Verdict, why.Detail)
			}
		})
	}
}

// TestProperty: the invariants hold whatever happens, in scenarios drawn at random.
func TestProperty(t *testing.T) {
	property := prop.ForAllNoShrink(func(c drawn) (bool, error) {
		return holds(t.Context(), c.Case, regressions)
	}, cases)
	proptest.Check(t, "virtual world", property, proptest.Cases(40))
}

// drawn is a case that is named, and not printed: what is left of it when it is shrunk is.
type drawn struct{ shrink.Case }

// String returns its seed.
func (d drawn) String() string { return fmt.Sprint("seed ", d.Scenario.Seed) }

// cases draws them.
func cases(p *gopter.GenParameters) *gopter.GenResult {
	c, err := swarm.Draw(uint64(p.Rng.Int63()), p.MaxSize, sim.World{}.Can)
	if err != nil {
		panic(err)
	}
	return gopter.NewGenResult(drawn{c}, gopter.NoShrinker)
}

// holds runs a case; of one that fails it keeps what its failure needs in a directory. One that comes to no
// verdict is kept as it is.
func holds(ctx context.Context, c shrink.Case, dir string) (bool, error) {
	file := filepath.Join(dir, swarm.Name+fmt.Sprintf("-%d.yaml", c.Scenario.Seed))
	outcome, err := run(ctx, c, false)
	if err != nil {
		why := reports.Judgement{Name: "the run", Verdict: reports.Unknown, Detail: err.Error()}
		return false, errors.Join(fmt.Errorf("%s, which is also kept in %s", text(c, why), file), keep(file, c, why))
	}
	why, failed := broken(outcome)
	if !failed {
		return true, nil
	}
	// Kept as it is first: whoever is tired of waiting has it, too.
	if err := keep(file, c, why); err != nil {
		return false, err
	}
	if why.Verdict == reports.Violated {
		if small, found := smaller(ctx, c, why.Name); found {
			c = small.Case
			why, _ = broken(small.Outcome)
		}
		if err := keep(file, c, why); err != nil {
			return false, err
		}
	}
	return false, fmt.Errorf("%s is %s: %s\n%s, which is also kept in %s", why.Name, why.Verdict, why.Detail,
		text(c, why), file)
}

// smaller shrinks a case. It ends after so many runs, or when they took so much processor time: what was
// found until then is kept.
func smaller(ctx context.Context, c shrink.Case, violated string) (shrink.Result, bool) {
	const (
		runsMax = 300
		cpuMax  = 25 * time.Second
	)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	begin := process.Own().CPU
	return shrink.Shrink(ctx, c, shrink.Config{Violated: violated, Restarts: true, RunsMax: runsMax,
		Run: func(ctx context.Context, c shrink.Case, defect bool) (*judge.Outcome, error) {
			if process.Own().CPU-begin > cpuMax {
				cancel()
			}
			return run(ctx, c, defect)
		}})
}

// keep writes a case that failed.
func keep(file string, c shrink.Case, why reports.Judgement) error {
	return os.WriteFile(file, []byte(text(c, why)), 0o644)
}

// text is a case as a file has it: all that read needs, and what was wrong.
func text(c shrink.Case, why reports.Judgement) string {
	c.Scenario.PortFaults = c.Ports
	return fmt.Sprintf("# %s is %s: %s\n%s", why.Name, why.Verdict,
		strings.ReplaceAll(why.Detail, "\n", "\n# "), c.Scenario.Brief())
}

// TestACaseIsKeptWhole: what is written of a case that failed is that case.
func TestACaseIsKeptWhole(t *testing.T) {
	withPorts := 0
	for seed := range uint64(50) {
		c, err := swarm.Draw(seed, swarm.SizeMax, sim.World{}.Can)
		if err != nil {
			t.Fatal(err)
		}
		if len(c.Ports) > 0 {
			withPorts++
		}
		file := filepath.Join(t.TempDir(), "case.yaml")
		why := reports.Judgement{Name: "duplicates", Verdict: reports.Violated, Detail: "a: b\nc: d"}
		if err := keep(file, c, why); err != nil {
			t.Fatal(err)
		}
		got := read(t, file)
		if got.Scenario.String() != c.Scenario.String() || got.Ports.String() != c.Ports.String() {
			t.Errorf("seed %d: kept %s\n%s\nof %s\n%s", seed, got.Ports, got.Scenario, c.Ports, c.Scenario)
		}
	}
	if withPorts == 0 || withPorts == 50 {
		t.Errorf("%d of 50 cases have faults at ports", withPorts)
	}
}

// TestACaseWithoutAVerdictIsKept, too: a run that the kernel or the harness gives up.
func TestACaseWithoutAVerdictIsKept(t *testing.T) {
	c, err := swarm.Draw(1, swarm.SizeMax, sim.World{}.Can)
	if err != nil {
		t.Fatal(err)
	}
	if c.Ports, err = portfault.Parse("crash after store.attach 3"); err != nil { // a consumer would end by itself
		t.Fatal(err)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "swarm-1.yaml")
	if ok, err := holds(t.Context(), c, dir); ok || err == nil || !strings.HasSuffix(err.Error(), file) {
		t.Errorf("%v, %v", ok, err)
	}
	got, err := os.ReadFile(file)
	for _, want := range []string{"# the run is unknown: port fault", "\nname: swarm\n", "crash after store.attach 3\n"} {
		if err != nil || !strings.Contains(string(got), want) {
			t.Errorf("%v: what is kept lacks %q:\n%s", err, want, got)
		}
	}
}

// TestSeedsInARowAimAtEachStage, with each kind of fault: what a sweep demands of 1,000 seeds.
func TestSeedsInARowAimAtEachStage(t *testing.T) {
	type aim struct{ kind, stage string }
	aimed := map[aim]int{}
	for seed := range uint64(1000) {
		c, err := swarm.Draw(seed, swarm.SizeMax, sim.World{}.Can)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range c.Scenario.Faults {
			if f.When.Kind == scenarios.MomentStage {
				aimed[aim{f.Kind(), f.When.Stage}]++
			}
		}
	}
	stages := append(scenarios.Stages(0), scenarios.Stages(scenarios.OfConsumer)...)
	for _, use := range scenarios.Uses() {
		for _, target := range use.Targets {
			f := scenarios.Fault{Verb: use.Verb, Target: scenarios.Target{Kind: target}}
			if use.Verb == scenarios.VerbResume || target == scenarios.TargetBroker {
				continue
			}
			for _, stage := range stages {
				if aimed[aim{f.Kind(), stage}] == 0 {
					t.Errorf("no seed aims %s at %s", f.Kind(), stage)
				}
			}
		}
	}
}

func read(t *testing.T, file string) (c shrink.Case) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if c.Scenario, err = scenarios.Read(file, text); err != nil {
		t.Fatal(err)
	}
	c.Ports, c.Scenario.PortFaults = c.Scenario.PortFaults, nil
	return c
}

// TestSomeTracesComeWithoutRoots: what was added to the options later is drawn, where it can be.
func TestSomeTracesComeWithoutRoots(t *testing.T) {
	headless := 0
	for seed := range uint64(200) {
		c, err := swarm.Draw(seed, swarm.SizeMax, sim.World{}.Can)
		if err != nil {
			t.Fatal(err)
		}
		if c.Scenario.Workload.Headless > 0 {
			headless++
		}
	}
	if headless < 10 || headless > 60 {
		t.Errorf("%d of 200 cases have traces without roots", headless)
	}
}

// TestFaultsAtEachPortAreDrawn, each kind that there is: those that were added later, too.
func TestFaultsAtEachPortAreDrawn(t *testing.T) {
	type fault struct {
		kind portfault.Kind
		port portfault.Port
	}
	drawn := map[fault]int{}
	for seed := range uint64(1000) {
		c, err := swarm.Draw(seed, swarm.SizeMax, sim.World{}.Can)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range c.Ports {
			drawn[fault{f.Kind, f.Port}]++
		}
	}
	for _, port := range portfault.Ports() {
		for _, kind := range []portfault.Kind{portfault.Refuse, portfault.Lose, portfault.Slow, portfault.CrashBefore} {
			can := port.Never(kind) == "" && !(kind == portfault.CrashBefore && port.OfConsumer())
			if is := drawn[fault{kind, port}] > 0; is != can {
				t.Errorf("%s %s is drawn: %v, want %v", kind, port, is, can)
			}
		}
	}
}
