package main

import (
	"strings"
	"testing"

	"sluice/internal/judge"
)

// TestExplore ends with the exit code of its verdict, and says how it got there.
func TestExplore(t *testing.T) {
	small := []string{"--workers", "1", "--traces", "1", "--spans", "1"}
	for _, c := range []struct {
		args []string
		code int
		want []string
	}{
		{
			[]string{"protocol", "--faults", "1"}, judge.ExitPassed,
			[]string{"that is all of them", "worker: crash", "verdict: passed"},
		},
		{
			[]string{"protocol", "--faults", "1", "--defect", "ack-first"}, judge.ExitSafety,
			[]string{"  12  worker 0 crashes in stage release", "verdict: violated; lost: a0"},
		},
		{
			[]string{"protocol", "--max-states", "20"}, judge.ExitUnknown,
			[]string{"verdict: unknown; the space is not exhausted"},
		},
		{
			[]string{"commit", "--faults", "1", "--against-seeds", "20"}, judge.ExitPassed,
			[]string{"independence off", "seeds: 20 random runs reach"},
		},
		{[]string{"protocoll"}, judge.ExitUsage, []string{"did you mean protocol?"}},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			code, out, errs := call(append(append([]string{"explore"}, c.args...), small...)...)
			for _, want := range c.want {
				if code != c.code || !strings.Contains(out+errs, want) {
					t.Errorf("code %d, want %d and %q in\n%s%s", code, c.code, want, out, errs)
				}
			}
		})
	}
}
