package judge

import (
	"strings"
	"testing"
	"time"

	"sluice/internal/ledger"
	"sluice/reports"
	"sluice/scenarios"
)

func TestExpectations(t *testing.T) {
	var fault scenarios.Fault
	const faultText = "at 4s crash worker 1"
	if err := fault.UnmarshalText([]byte(faultText)); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		plant func(e *Evidence, r *reports.Result)
		want  string
	}{
		"nothing": {func(e *Evidence, r *reports.Result) {}, ""},
		"fault that never came": {func(e *Evidence, r *reports.Result) {
			e.Scenario.Faults = []scenarios.Fault{fault}
			e.MissedFaults = []string{faultText + ": its moment never came"}
		}, "faults injected"},
		"slow generator": {func(e *Evidence, r *reports.Result) {
			e.Behind = e.Slacks.Behind + 0.001
		}, "open loop"},
		"no restart": {func(e *Evidence, r *reports.Result) { e.Scenario.Expectations.RestartsMin = 2 },
			"restarts_min"},
		"restarts": {func(e *Evidence, r *reports.Result) {
			e.Scenario.Expectations.WorkerRestartsMax = 0
		}, "worker_restarts_max"},
		"throughput": {func(e *Evidence, r *reports.Result) {
			e.Scenario.Expectations.ThroughputMin = 101
		}, "throughput_min"},
		"freshness": {func(e *Evidence, r *reports.Result) {
			e.Scenario.Expectations.FreshnessP99Max = time.Second
		}, "freshness_p99_max"},
		"repeats": {func(e *Evidence, r *reports.Result) {
			find(ledger.Repeated)(e)
			e.Scenario.Expectations.RepeatedSpansMax = 0
		}, "repeated_spans_max"},
	} {
		e := clean()
		r := &reports.Result{Throughput: reports.Throughput{SpansPerSecond: 100},
			Freshness: reports.Quantiles{P99: 2, Count: 1},
			Workers:   []reports.WorkerSummary{{Worker: 1, Restarts: 1}}}
		c.plant(e, r)
		missed := ""
		for _, j := range judgeExpectations(e, r) {
			if j.Verdict == reports.Violated {
				missed += j.Name
			}
		}
		if missed != c.want {
			t.Errorf("%s: missed %q, want %q", name, missed, c.want)
		}
	}
}

// TestAFaultThatDidNotHappen is missed where the scenario is to blame, and unknown where the run lacked
// the time.
func TestAFaultThatDidNotHappen(t *testing.T) {
	var fault scenarios.Fault
	if err := fault.UnmarshalText([]byte("at 4s crash worker 1")); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		plant func(e *Evidence)
		want  reports.Verdict
		says  string
	}{
		"none": {func(e *Evidence) {}, reports.Passed, "1 of 1"},
		"its condition was never met": {func(e *Evidence) { e.MissedFaults = []string{"a"} },
			reports.Violated, "0 of 1, missing: a"},
		"it lacked time": {func(e *Evidence) { e.Turns, e.LateFaults = 0.9, []string{"b"} },
			reports.Unknown, "0 of 1, missing: b"},
		"it lacked virtual time": {func(e *Evidence) { e.LateFaults = []string{"b"} },
			reports.Violated, "0 of 1, missing: b"},
		"the load ended early": {func(e *Evidence) { e.LateFaults, e.EndedEarly = []string{"b"}, true },
			reports.Unknown, "0 of 1, missing: b"},
		"both": {func(e *Evidence) {
			e.Scenario.Faults = append(e.Scenario.Faults, fault)
			e.MissedFaults, e.LateFaults = []string{"a"}, []string{"b"}
		}, reports.Violated, "0 of 2, missing: a; b"},
		"the machine was busy": {func(e *Evidence) {
			e.Turns, e.MissedFaults = 0.49, []string{"a"}
		}, reports.Unknown, "missing: a; the machine was busy: who injects faults had 49 % of its turns"},
		"the load was late": {func(e *Evidence) {
			e.Behind, e.MissedFaults = e.Slacks.Behind+1, []string{"a"}
		}, reports.Unknown, "missing: a; the load was 6.0s behind its time"},
		"busy for nothing": {func(e *Evidence) { e.Turns = 0.1 }, reports.Passed, "1 of 1"},
		"chance led it to nobody": {func(e *Evidence) { e.SkippedFaults = []string{"a"} },
			reports.Passed, "0 of 1, 1 random one found nothing to hit in time"},
		"its seed draws no time for it": {func(e *Evidence) {
			e.UndrawnFaults = []scenarios.Fault{fault, fault}
		}, reports.Passed, "1 of 1, the seed drew no time for 2 random ones"},
	} {
		e := clean()
		e.Scenario.Faults = []scenarios.Fault{fault}
		c.plant(e)
		j := judgeExpectations(e, &reports.Result{})[0]
		if j.Name != "faults injected" || j.Verdict != c.want || j.Detail != c.says &&
			!strings.HasSuffix(j.Detail, c.says) {
			t.Errorf("%s: %+v, want %s: %s", name, j, c.want, c.says)
		}
	}
}

// TestAFaultThatCameAtNoTimeIsInTheResult, also if it is the only one: a run that passed has not tried it.
func TestAFaultThatCameAtNoTimeIsInTheResult(t *testing.T) {
	var fault scenarios.Fault
	if err := fault.UnmarshalText([]byte("randomly every 1h crash any worker")); err != nil {
		t.Fatal(err)
	}
	e := clean()
	e.Scenario.Faults, e.UndrawnFaults = []scenarios.Fault{fault}, []scenarios.Fault{fault}
	o := Judge(e)
	last := o.Result.Faults[len(o.Result.Faults)-1]
	if first := o.Result.Expectations[0]; last.Injected || o.Code != ExitPassed ||
		last.Fault != "randomly every 1h0m0s crash any worker: the seed drew no time for it" ||
		first.Detail != "0 of 0, the seed drew no time for 1 random one" {
		t.Errorf("%+v, %+v, %s", last, first, o.Result.Verdict)
	}
}

// TestALimitWithoutASampleIsUnknown: nothing is not fresh.
func TestALimitWithoutASampleIsUnknown(t *testing.T) {
	e := clean()
	e.Scenario.Expectations.FreshnessP99Max = time.Second
	for _, j := range judgeExpectations(e, &reports.Result{}) {
		if j.Name == "freshness_p99_max" && j.Verdict != reports.Unknown {
			t.Errorf("it is %s: %s", j.Verdict, j.Detail)
		}
	}
}

// TestTheHarnessSaysThatItWasTheLimit: where the figures that suffer from it stand.
func TestTheHarnessSaysThatItWasTheLimit(t *testing.T) {
	e := clean()
	e.Limit, e.Limited = "planted", true
	details := map[string]string{}
	for _, j := range judgeExpectations(e, &reports.Result{}) {
		details[j.Name] = j.Detail
	}
	if !strings.HasSuffix(details["open loop"], "; planted") ||
		!strings.HasSuffix(details["throughput_min"], "; the harness was the limit, not the system") {
		t.Errorf("details are %q", details)
	}
}
