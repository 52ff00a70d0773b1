package sim_test

import (
	"strings"
	"testing"
	"time"

	"sluice/internal/harness"
	"sluice/internal/judge"
	"sluice/internal/portfault"
	"sluice/reports"
	"sluice/scenarios"
	"sluice/sim"
)

// tried is the outcome of a small load of two workers with these faults.
func tried(t *testing.T, long time.Duration, faults ...string) *judge.Outcome {
	t.Helper()
	s := scenarios.Default()
	s.Name, s.Duration, s.Workload.Rate = "tried", long, scenarios.Constant(300)
	s.Topology.Partitions, s.Topology.FlusherProcesses = 4, 2
	s.Pipeline.MaxUnhealthy, s.Pipeline.Timeout, s.Pipeline.RootTimeout = 3*time.Second, 4*time.Second, 2*time.Second
	s.Expectations.RepeatedSpansMax, s.Expectations.SplitSpansMax = scenarios.Unlimited, scenarios.Unlimited
	for _, text := range faults {
		var f scenarios.Fault
		if err := f.UnmarshalText([]byte(text)); err != nil {
			t.Fatal(err)
		}
		s.Faults = append(s.Faults, f)
	}
	o, err := harness.Run(t.Context(), harness.Config{Scenario: s, World: sim.World{}})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// TestResumeOfWhoIsAwake: a worker that was replaced while it hung cannot be woken, and its successor is awake:
// that fault did not happen, which the run does not hide.
func TestResumeOfWhoIsAwake(t *testing.T) {
	for after, want := range map[time.Duration]int{2 * time.Second: judge.ExitPassed, 6 * time.Second: judge.ExitExpectation} {
		o := tried(t, 10*time.Second, "at 1s hang worker 1", "at "+after.String()+" resume worker 1")
		blamed, _ := o.Decisive()
		if missing := strings.Contains(blamed.Detail, "resume worker 1"); o.Code != want || missing != (want != 0) {
			t.Errorf("resumed at %v: %s, %v", after, o.Result.Verdict, blamed)
		}
	}
}

// TestALateResumeWakesNobodyElse: it is given up before another fault freezes its target again, whatever its
// moment is.
func TestALateResumeWakesNobodyElse(t *testing.T) {
	for _, moment := range []string{"at 6s", "when 1800 spans sent"} {
		o := tried(t, 16*time.Second, "at 1s hang worker 1", moment+" resume worker 1", "at 10s hang worker 1")
		if got := o.Result.Workers[1].Restarts; got != 2 {
			t.Errorf("%s: worker 1 was restarted %d times, want once for each hang", moment, got)
		}
	}
}

// TestASlowStartOfNobody: where no process of a worker starts there is nothing to slow down, and a run that
// names the fault among what it has tried would say too much.
func TestASlowStartOfNobody(t *testing.T) {
	for crash, want := range map[string]int{"at 1500ms crash worker 1": judge.ExitPassed,
		"at 1500ms crash worker 0": judge.ExitExpectation} {
		o := tried(t, 6*time.Second, "at 1s slow-start worker 1 by 500ms for 3s", crash)
		blamed, _ := o.Decisive()
		covers := len(o.Result.Coverage.Faults(reports.PartWorker)) == 2
		if missing := strings.Contains(blamed.Detail, "no process of its target started"); o.Code != want ||
			missing != (want != 0) || covers != (want == 0) {
			t.Errorf("%s: %s, %v, covered are %v", crash, o.Result.Verdict, blamed, o.Result.Coverage)
		}
	}
}

// TestCommitsThatAreRefusedToTheEnd: what a drain gives up since each of its commits fails is no fault of it.
func TestCommitsThatAreRefusedToTheEnd(t *testing.T) {
	s := scenarios.Default()
	s.Name, s.Duration, s.Workload.Rate = "refused", 3*time.Second, scenarios.Constant(300)
	s.Pipeline.Timeout, s.Pipeline.RootTimeout = 2*time.Second, time.Second
	s.Expectations.RepeatedSpansMax = scenarios.Unlimited
	list, err := portfault.Parse("refuse source.commit all")
	if err != nil {
		t.Fatal(err)
	}
	o, err := harness.Run(t.Context(), harness.Config{Scenario: s, World: sim.World{}, PortFaults: list})
	if err != nil {
		t.Fatal(err)
	}
	if blamed, _ := o.Decisive(); o.Code == judge.ExitSafety {
		t.Errorf("%s: %v", o.Result.Verdict, blamed)
	}
}
