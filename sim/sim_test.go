package sim_test

import (
	"bytes"
	"testing"
	"time"

	"sluice/internal/harness"
	"sluice/internal/judge"
	"sluice/scenarios"
	"sluice/sim"
)

func run(tb testing.TB, s scenarios.Scenario) *judge.Outcome {
	tb.Helper()
	outcome, err := harness.Run(tb.Context(), harness.Config{Scenario: s, World: sim.World{}})
	if err != nil {
		tb.Fatal(err)
	}
	return outcome
}

// TestLibrary runs every scenario of the library twice: it passes, and what happens is the same.
func TestLibrary(t *testing.T) {
	for _, name := range scenarios.List() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := scenarios.Load(name, nil)
			if err != nil {
				t.Fatal(err)
			}
			first := run(t, s)
			if first.Code != judge.ExitPassed {
				var text bytes.Buffer
				_ = first.WriteText(&text, "")
				t.Errorf("exit code %d\n%s", first.Code, &text)
			}
			if second := run(t, s); second.Result.Digest != first.Result.Digest {
				t.Errorf("digest %s, and then %s", first.Result.Digest, second.Result.Digest)
			}
		})
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
