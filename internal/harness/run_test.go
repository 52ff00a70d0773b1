package harness_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sluice/internal/harness"
	"sluice/internal/judge"
	"sluice/internal/servers"
	"sluice/internal/worlds/wall/fakes"
	"sluice/internal/worlds/wall/real"
	"sluice/reports"
	"sluice/scenarios"
)

// short is a scenario of some seconds with all that a load can have.
func short(t *testing.T, faults string) scenarios.Scenario {
	t.Helper()
	s, err := scenarios.Read("short.yaml", []byte(`
name: short
duration: 4s
topology: {partitions: 6, flusher_processes: 3}
pipeline:
  timeout: 3s
  root_timeout: 2s
  max_batch_wait: 100ms
  max_unhealthy: 4s
workload:
  rate: constant 1000/s
  traces_at_once: 20
  spans_per_trace: uniform 1..30
  span_bytes: uniform 450..900
  disorder: 0.2
  late: 0.02 by 200ms
  duplicates: 0.02
`+faults))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestHangAndCrash freezes one worker for good and one for a moment, and kills a third twice.
func TestHangAndCrash(t *testing.T) {
	t.Parallel()
	s := short(t, `
faults:
  - at 1s hang worker 1
  - at 1s hang worker 0 for 300ms
  - when 1500 spans sent crash worker 2
  - when worker 2 restarted crash worker 2
expectations:
  restarts_min: 3
`)
	// The hang must be recognised before it is healed, also by a supervisor that stood still meanwhile.
	s.Duration = 13 * time.Second
	outcome := runOn(t, harness.Config{Scenario: s, World: fakes.World{}})
	expectPassed(t, outcome)
	r := outcome.Result
	if r.Ledger.Sent < 3900 || r.Ledger.Flushed != r.Ledger.Sent ||
		r.Ledger.Messages <= r.Ledger.Sent {
		t.Errorf("ledger is %+v", r.Ledger)
	}
	restarts := []int{r.Workers[0].Restarts, r.Workers[1].Restarts, r.Workers[2].Restarts}
	if restarts[1] < 1 || restarts[2] < 2 { // more, if the machine stands still for long
		t.Fatalf("restarts are %v, want 0, 1, 2", restarts)
	}
	if !strings.HasPrefix(r.Workers[1].Causes[0], "hang") ||
		!strings.Contains(r.Workers[2].Causes[0], "SIGKILL") {
		t.Errorf("causes are %q and %q", r.Workers[1].Causes, r.Workers[2].Causes)
	}
	states := map[reports.State]bool{}
	for _, lane := range reports.NewTimeline(outcome.Events, outcome.Samples).Lanes {
		for _, bar := range lane.Bars {
			states[bar.State] = true
		}
	}
	for _, want := range []reports.State{reports.StateHung, reports.StateRestarting,
		reports.StateHealthy} {
		if !states[want] {
			t.Errorf("the lanes show %v, and no %s", states, want)
		}
	}
}

func TestGoroutineWorkers(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	s := short(t, "")
	s.Topology.FlusherMode = scenarios.ModeGoroutine
	s.Duration = time.Second
	outcome := runOn(t, harness.Config{Scenario: s, World: fakes.World{}})
	expectPassed(t, outcome)
	for _, j := range outcome.Result.Invariants {
		unseen := j.Name == "memory bound" || j.Name == "store contract"
		if unseen != (j.Verdict == reports.NotMeasured) {
			t.Errorf("%s is %s: %s", j.Name, j.Verdict, j.Detail)
		}
		if j.Name == "shard coverage" && !strings.Contains(j.Detail, " in between") {
			t.Errorf("nobody noted what it told beside the looks: %s", j.Detail)
		}
	}
}

// TestResumeOfAReplacedWorker: its successor is awake, so that fault did not happen, here as in virtual time.
func TestResumeOfAReplacedWorker(t *testing.T) {
	t.Parallel()
	s := short(t, `
faults:
  - at 500ms hang worker 1
  - when worker 1 restarted resume worker 1
`)
	s.Duration = 13 * time.Second // a supervisor that stood still gives the worker its time once more
	r := runOn(t, harness.Config{Scenario: s, World: fakes.World{}}).Result
	if r.Workers[1].Restarts < 1 { // more, if its successor stands still for long
		t.Error("worker 1 was not restarted")
	}
	if !slices.ContainsFunc(r.Expectations, func(j reports.Judgement) bool {
		return strings.Contains(j.Detail, "missing: when worker 1 restarted resume worker 1")
	}) {
		t.Errorf("%s: no word of the resume that did not happen: %v", r.Verdict, r.Expectations)
	}
}

// TestASlowStartOfNobody: none of its worker's processes starts, so it did not happen, here as in virtual time.
func TestASlowStartOfNobody(t *testing.T) {
	t.Parallel()
	s := short(t, `
faults:
  - at 500ms slow-start worker 1 by 500ms for 1s
`)
	o := runOn(t, harness.Config{Scenario: s, World: fakes.World{}})
	if blamed, _ := o.Decisive(); !strings.Contains(blamed.Detail, "missing: at 500ms slow-start worker 1 by 500ms") ||
		len(o.Result.Faults) != 1 || o.Result.Faults[0].Injected || len(o.Result.Coverage) > 0 {
		t.Errorf("%s: %v; faults are %v, covered %v", o.Result.Verdict, blamed, o.Result.Faults, o.Result.Coverage)
	}
}

// TestHeadlessTracesAndBadMessages lets several producers send, among others, traces without a root
// and messages that are no spans, while a worker is killed.
func TestHeadlessTracesAndBadMessages(t *testing.T) {
	t.Parallel()
	s := short(t, `
  headless: 0.2
  bad: 0.1
  producers: 3
faults:
  - at 1s crash worker 1
`)
	s.Duration = 5 * time.Second
	outcome := runOn(t, harness.Config{Scenario: s, World: fakes.World{}})
	expectPassed(t, outcome)
	r := outcome.Result
	bad := r.Ledger.Messages - r.Ledger.Sent // and a few repeats
	if r.Ledger.Flushed != r.Ledger.Sent || bad < r.Ledger.Sent/20 {
		t.Errorf("ledger is %+v", r.Ledger)
	}
	all := regexp.MustCompile(`; (\d+) bad messages sent: (\d+) dead letters$`)
	for _, j := range r.Invariants {
		if said := all.FindStringSubmatch(j.Detail); j.Name == "conservation" && (said == nil || said[1] != said[2]) {
			t.Errorf("conservation says %q", j.Detail)
		}
	}
	// A span waits at least for a time-out, of which the clock cuts off a second.
	if q := r.Latency; q.Count != r.Ledger.Flushed || q.P50 < 0.5 || q.Max < q.P99 {
		t.Errorf("latency is %+v", q)
	}
}

// TestABudgetThatIsUsedUp kills a worker more often than its budget allows: the pipeline must give
// up, and the run must say so.
func TestABudgetThatIsUsedUp(t *testing.T) {
	t.Parallel()
	s := short(t, `
faults:
  - at 500ms crash worker 1
  - when worker 1 restarted crash worker 1
`)
	s.Pipeline.RestartBudget = 1
	s.Duration = 15 * time.Second // at most: the load ends with the pipeline
	outcome := runOn(t, harness.Config{Scenario: s, World: fakes.World{}})
	if outcome.Code != judge.ExitLiveness {
		t.Errorf("exit code is %d", outcome.Code)
	}
	for _, j := range outcome.Result.Invariants {
		want := map[string]reports.Verdict{"liveness": reports.Violated,
			"conservation": reports.Unknown, "store contract": reports.NotMeasured}
		if outcome.Result.Ledger.Flushed == 0 {
			for _, name := range []string{"duplicates", "segment integrity", "freshness"} {
				want[name] = reports.Unknown
			}
		}
		verdict, ok := want[j.Name]
		if !ok {
			verdict = reports.Passed
		}
		unseen := !ok && j.Verdict == reports.Unknown // for want of looks, on a busy machine
		if j.Verdict != verdict && !unseen {
			t.Errorf("%s is %s: %s", j.Name, j.Verdict, j.Detail)
		}
	}
	const start = "verdict: liveness violated (liveness); replay:"
	if line := outcome.Verdict(); !strings.HasPrefix(line, start) {
		t.Errorf("the last line is %q, want %s...", line, start)
	}
}

// TestInterrupted ends a run from outside: it has a result, of which nothing is known, and no
// process is left.
func TestInterrupted(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	cfg := harness.Config{Scenario: short(t, ""), World: fakes.World{}, Log: testLog(t)}
	cfg.Progress = func(p harness.Progress) {
		if p.Event == nil && p.Sample.Sent > 500 {
			cancel()
		}
	}
	outcome, err := harness.Run(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if outcome.Code != judge.ExitUnknown || !outcome.Interrupted {
		t.Errorf("exit code is %d, interrupted is %v", outcome.Code, outcome.Interrupted)
	}
	if want := "the run was interrupted"; outcome.Result.Cause != want {
		t.Errorf("cause is %q, want %q", outcome.Result.Cause, want)
	}
	for _, j := range outcome.Result.Invariants {
		if j.Name == "process limit" && j.Verdict != reports.Passed {
			t.Errorf("%s is %s: %s", j.Name, j.Verdict, j.Detail)
		}
	}
}

func TestSweep(t *testing.T) {
	t.Parallel()
	s := short(t, "")
	s.Duration = 500 * time.Millisecond
	var ran []reports.SweepRun
	result, err := harness.Sweep(t.Context(), harness.SweepConfig{
		Config: harness.Config{World: fakes.World{}, Log: testLog(t)},
		Points: harness.ByProcesses(s, 1, 2), Repeat: 2, Run: harness.Run, Ran: func(r reports.SweepRun) { ran = append(ran, r) },
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(result.Rows) != 2 || len(ran) != 4 || result.Rows[1].Repeats != 2 ||
		result.Code != judge.ExitPassed || result.Rows[0].Median <= 0 || ran[0].Seed == ran[3].Seed ||
		result.Rows[0].Offered <= 0 || result.Rows[0].Harness <= 0 {
		t.Errorf("result is %+v, ran %+v", result, ran)
	}
	var text bytes.Buffer
	err = result.WriteTables(&text)
	if err != nil || !strings.Contains(text.String(), "cores: workers") {
		t.Errorf("text is %q, %v", text.String(), err)
	}
}

func TestNoServers(t *testing.T) {
	s := short(t, "")
	nowhere := []string{"127.0.0.1:1"}
	_, err := harness.Run(t.Context(), harness.Config{Scenario: s, Log: testLog(t),
		World: real.World{Redis: nowhere, Kafka: nowhere}})
	var environment *harness.EnvironmentError
	if !errors.As(err, &environment) || !strings.Contains(err.Error(), "127.0.0.1:1") {
		t.Errorf("error is %v", err)
	}
	for _, world := range []harness.World{
		nil, real.World{}, real.World{Redis: nowhere}, real.World{Kafka: nowhere},
		real.World{Servers: real.Start, Redis: nowhere}, real.World{Servers: "begin"},
	} {
		if err := (harness.Config{Scenario: s, World: world}).Validate(); err == nil {
			t.Errorf("world %+v is accepted", world)
		}
	}
}

// TestNothingMovesOnAHostThatStandsStill: who is to start or to stop meanwhile does so when it goes on.
func TestNothingMovesOnAHostThatStandsStill(t *testing.T) {
	t.Parallel()
	s := short(t, `
faults:
  - at 500ms rebalance for 1s
  - at 1s crash consumer for 500ms
  - at 1300ms hang host for 1s
expectations: {split_spans_max: unlimited}
`)
	s.Duration = 10 * time.Second // the host can hang only while no consumer starts or stops
	outcome := runOn(t, harness.Config{Scenario: s, World: fakes.World{}})
	expectPassed(t, outcome)
	still, frozen := false, 0
	for _, e := range outcome.Events {
		switch {
		case e.Kind != reports.EventConsumer:
		case e.State == reports.StateHung:
			still = true
			frozen++
		case e.Text == "woken":
			still = false
		case still:
			t.Errorf("at %.1fs consumer %d is %s: %s", e.T, e.Consumer, e.State, e.Text)
		}
	}
	if frozen == 0 {
		t.Error("no consumer was frozen")
	}
}

// runOn runs a scenario, or ends the test: it is skipped where the servers cannot be had.
func runOn(t *testing.T, cfg harness.Config) *judge.Outcome {
	t.Helper()
	cfg.Log = testLog(t)
	outcome, err := harness.Run(t.Context(), cfg)
	if errors.Is(err, servers.ErrMissing) && os.Getenv("CI") != "true" {
		t.Skipf("real servers left out: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return outcome
}

func expectPassed(t *testing.T, o *judge.Outcome) {
	t.Helper()
	var text bytes.Buffer
	if err := o.WriteText(&text, ""); err != nil {
		t.Fatal(err)
	}
	if o.Code != judge.ExitPassed || o.Result.Verdict != "passed" {
		t.Errorf("exit code %d:\n%s", o.Code, &text)
	}
	if !strings.HasSuffix(text.String(), "\nverdict: passed\n") {
		t.Errorf("the text ends otherwise:\n%s", &text)
	}
}

// testLog writes the consumers' logs to the test's.
func testLog(t *testing.T) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
}
