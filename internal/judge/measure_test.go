package judge

import (
	"slices"
	"strings"
	"testing"

	"sluice/internal/portfault"
	"sluice/reports"
	"sluice/scenarios"
)

// TestWhatAWorldCannotMeasure: what it says it cannot measure is no fault of the run, unless the
// scenario asks for it. What it just did not measure is not known.
func TestWhatAWorldCannotMeasure(t *testing.T) {
	for name, c := range map[string]struct {
		missing func(e *Evidence)
		measure Measure
		judged  string
		asked   bool // what is not measured is asked for
	}{
		"memory": {
			missing: func(e *Evidence) { e.Samples = nil },
			measure: WorkerMemory, judged: "memory bound",
		},
		"processes": {
			missing: each(0, 20, func(l *Look) { l.Unknown = true }),
			measure: Processes, judged: "process limit",
		},
		"processor time": {
			missing: func(*Evidence) {}, measure: ProcessorTime,
			judged: "harness.cpu_seconds <= 10s", asked: true,
		},
		"virtual time": {
			missing: func(*Evidence) {}, measure: VirtualTime,
			judged: "run.virtual_seconds <= 10s", asked: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := clean()
			c.missing(e)
			e.Unmeasured = map[Measure]string{c.measure: "planted"}
			if o := Judge(e); o.Code != ExitPassed {
				t.Errorf("exit code %d though nobody asked: %s", o.Code, o.Verdict())
			}
			if c.asked {
				var limit scenarios.Limit
				if err := limit.UnmarshalText([]byte(c.judged)); err != nil {
					t.Fatal(err)
				}
				e.Scenario.Expectations.Figures = []scenarios.Limit{limit}
				expectJudged(t, e, c.judged, reports.Unknown, ExitUnknown)
				e.Unmeasured = nil
				expectJudged(t, e, c.judged, reports.Passed, ExitPassed)
				return
			}
			expectJudged(t, e, c.judged, reports.NotMeasured, ExitPassed)
			e.Unmeasured = nil
			expectJudged(t, e, c.judged, reports.Unknown, ExitUnknown)
		})
	}
}

// expectJudged judges the evidence, and expects a verdict on one property and the exit code of all.
func expectJudged(t *testing.T, e *Evidence, name string, verdict reports.Verdict, code int) {
	t.Helper()
	o := Judge(e)
	found := false
	for j, own := range judged(o.Result) {
		if j.Name != name {
			continue
		}
		found = true
		if j.Verdict != verdict || own != code || o.Code != code {
			t.Errorf("%s is %s with exit codes %d and %d, want %s with %d", name, j.Verdict, own, o.Code,
				verdict, code)
		}
		if planted := strings.HasSuffix(j.Detail, "planted"); planted != (e.Unmeasured != nil) {
			t.Errorf("%s is %s: %s", name, j.Verdict, j.Detail)
		}
	}
	if decisive, _ := o.Decisive(); !found || code != ExitPassed && decisive.Name != name {
		t.Errorf("%s: found %v, decisive is %s", name, found, decisive.Name)
	}
	var text strings.Builder
	if err := o.WriteText(&text, ""); err != nil {
		t.Fatal(err)
	}
	marked := strings.Contains(text.String(), "-    "+name)
	if marked != (verdict == reports.NotMeasured) {
		t.Errorf("%s is %s, but the text is\n%s", name, verdict, &text)
	}
}

// TestWhatIsNotKnownDecides over an expectation that was missed.
func TestWhatIsNotKnownDecides(t *testing.T) {
	e := clean()
	e.Behind = 9
	e.Unmeasured = map[Measure]string{VirtualTime: "planted"}
	var limit scenarios.Limit
	if err := limit.UnmarshalText([]byte("run.virtual_seconds > 0")); err != nil {
		t.Fatal(err)
	}
	e.Scenario.Expectations.Figures = []scenarios.Limit{limit}
	if o := Judge(e); !strings.HasPrefix(o.Verdict(), "verdict: unknown (run.virtual_seconds > 0)") {
		t.Errorf("the last line is %q", o.Verdict())
	}
}

// TestTextNamesWhatWasPlanted in its head, by flags and in the scenario, and where the report is; the
// directory of the results stands alone for programs that read it.
func TestTextNamesWhatWasPlanted(t *testing.T) {
	e := clean()
	var err error
	if e.Scenario.PortFaults, err = portfault.Parse("lose store.ack 9, refuse store.claim 3"); err != nil {
		t.Fatal(err)
	}
	o := Judge(e)
	o.Result.Defect, o.Result.Costs = "kill-skipped", "costs.yaml redis.call=60us"
	o.Result.PortFaults = []string{"lose store.ack 9", "crash after store.ack 2"} // the first comes with the scenario, too
	var text strings.Builder
	if err := o.WriteText(&text, "runs/mine"); err != nil {
		t.Fatal(err)
	}
	head, _, _ := strings.Cut(text.String(), "\n")
	const want = ", defect kill-skipped, port faults lose store.ack 9; refuse store.claim 3; crash after store.ack 2, " +
		"costs costs.yaml redis.call=60us"
	if !strings.HasSuffix(head, want) {
		t.Errorf("%s\nhas not at its end %q", head, want)
	}
	fields := strings.Fields(text.String())
	for name, want := range map[string]string{"Results": "runs/mine", "Report": "runs/mine/report.html"} {
		if at := slices.Index(fields, name); at < 0 || fields[at+1] != want {
			t.Errorf("%s is not %s in\n%s", name, want, &text)
		}
	}
}

// TestNothingCameOut: then no time is said of what came out.
func TestNothingCameOut(t *testing.T) {
	e := clean()
	e.Balance.Records, e.Latency = 50, e.Freshness
	full := Judge(e)
	e.Balance.Records, e.Freshness, e.Latency = 0, reports.Quantiles{}, reports.Quantiles{}
	none := Judge(e)
	for o, want := range map[*Outcome]bool{full: false, none: true} {
		var text strings.Builder
		if err := o.WriteText(&text, ""); err != nil {
			t.Fatal(err)
		}
		said := strings.Count(text.String(), "nothing came out\n") // throughput, freshness, latency
		if (said == 3) != want || strings.Contains(text.String(), "to the last") == want {
			t.Errorf("of %d records the text is\n%s", o.Result.Ledger.Records, &text)
		}
	}
}
