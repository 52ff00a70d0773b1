package sim_test

import (
	"bytes"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice/internal/harness"
	"sluice/internal/judge"
	"sluice/scenarios"
	"sluice/sim"
)

func run(tb testing.TB, s scenarios.Scenario) *judge.Outcome {
	tb.Helper()
	return runIn(tb, sim.World{}, s)
}

func runIn(tb testing.TB, world sim.World, s scenarios.Scenario) *judge.Outcome {
	tb.Helper()
	outcome, err := harness.Run(tb.Context(), harness.Config{Scenario: s, World: world})
	if err != nil {
		tb.Fatal(err)
	}
	return outcome
}

var update = flag.Bool("update", false, "write testdata/digests.txt")

// digestsFile has the digest of each scenario of the library, a line each.
const digestsFile = "testdata/digests.txt"

// TestTwice runs each scenario of the library once more: it passes, and what happens is what happened where
// the file of digests was written, be that another machine, or a program without the race detector.
func TestTwice(t *testing.T) {
	library := scenarios.List()
	digests := make([]string, len(library))
	t.Run("library", func(t *testing.T) {
		for i, name := range library {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				digests[i] = name + " " + digestOf(t, name)
			})
		}
	})
	if slices.Contains(digests, "") {
		return // not all were run
	}
	got := strings.Join(digests, "\n") + "\n"
	if *update {
		if err := os.WriteFile(digestsFile, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(digestsFile)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("runs are others than those of %s (-want +got); if the change of the program is meant to "+
			"change them, write it with -update:\n%s", digestsFile, diff)
	}
}

// digestOf returns the digest of a scenario's run, which passes.
func digestOf(t *testing.T, name string) string {
	s, err := scenarios.Load(name, nil)
	if err != nil {
		t.Fatal(err)
	}
	outcome := run(t, s)
	if outcome.Code != judge.ExitPassed {
		var text bytes.Buffer
		_ = outcome.WriteText(&text, "")
		t.Errorf("exit code %d\n%s", outcome.Code, &text)
	}
	return outcome.Result.Digest
}

// TestGoroutines are no processes: none is counted.
func TestGoroutines(t *testing.T) {
	s, _, err := scenarios.LoadWith("steady", nil, "topology.flusher_mode=goroutine", "duration=2s",
		"workload.rate=constant 300/s", "expectations.throughput_min=0/s")
	if err != nil {
		t.Fatal(err)
	}
	if outcome := run(t, s); outcome.Code != judge.ExitPassed {
		t.Error(outcome.Verdict())
	}
}

// BenchmarkSteady is the whole pipeline with the exact ledger.
func BenchmarkSteady(b *testing.B) {
	s, err := scenarios.Load("steady", nil)
	if err != nil {
		b.Fatal(err)
	}
	if err := s.Workload.Rate.UnmarshalText([]byte("constant 20000/s")); err != nil {
		b.Fatal(err)
	}
	s.Duration = 10 * time.Second
	spans := int64(0)
	for b.Loop() {
		spans += run(b, s).Result.Ledger.Sent
	}
	b.ReportMetric(float64(spans)/b.Elapsed().Seconds(), "spans/s")
}

// BenchmarkLibrary is each scenario of the library once.
func BenchmarkLibrary(b *testing.B) {
	var library []scenarios.Scenario
	for _, name := range scenarios.List() {
		s, err := scenarios.Load(name, nil)
		if err != nil {
			b.Fatal(err)
		}
		library = append(library, s)
	}
	runs := 0
	for b.Loop() {
		for _, s := range library {
			run(b, s)
		}
		runs += len(library)
	}
	b.ReportMetric(float64(runs)/b.Elapsed().Minutes(), "runs/min")
}

// TestNodes: each fault of a node happens to it alone, and costs nothing.
func TestNodes(t *testing.T) {
	six := sim.DefaultCosts()
	six.Hosts.RedisNodes = 6
	for fault, world := range map[string]sim.World{
		"at 4s stop redis node 2 for 3s": {}, "at 4s fill redis node 0 for 3s": {},
		"at 4s hang redis node 1 for 2s": {}, "at 4s stop redis node 5 for 3s": {Costs: &six},
	} {
		s, _, err := scenarios.LoadWith("redis-down", nil, "faults=["+fault+"]",
			"workload.rate=constant 500/s", "expectations.split_spans_max=unlimited")
		if err != nil {
			t.Fatal(err)
		}
		if outcome := runIn(t, world, s); outcome.Code != judge.ExitPassed {
			t.Errorf("%s: %s", fault, outcome.Verdict())
		}
	}
	for world, n := range map[sim.World]int{{}: 3, {Costs: &six}: 6} {
		for node, want := range map[int]bool{n - 1: true, n: false} {
			err := world.Can(scenarios.Fault{Verb: scenarios.VerbStop,
				Target: scenarios.Target{Kind: scenarios.TargetRedis, N: node}})
			if (err == nil) != want {
				t.Errorf("node %d of %d: %v", node, n, err)
			}
		}
	}
}
