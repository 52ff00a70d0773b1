package shrink

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/internal/judge"
	"sluice/internal/portfault"
	"sluice/reports"
	"sluice/scenarios"
)

// world is a pretended one: a run fails as its rule says.
type world struct {
	fails func(c Case) bool
	// alone fails without the defect, too.
	alone func(c Case) bool
	// detail is the reason of a violation; nil: it has none.
	detail func(c Case) string
	runs   int
	// end ends the search at that run; 0: never.
	end    int
	cancel context.CancelFunc
}

func (w *world) run(ctx context.Context, c Case, defect bool) (*judge.Outcome, error) {
	if w.runs++; w.runs == w.end {
		w.cancel()
	}
	if ctx.Err() != nil {
		return &judge.Outcome{Interrupted: true}, nil
	}
	o := &judge.Outcome{}
	if defect && w.fails(c) || w.alone != nil && w.alone(c) {
		o.Code = judge.ExitSafety
		why := reports.Judgement{Name: "conservation", Verdict: reports.Violated}
		if w.detail != nil {
			why.Detail = w.detail(c)
		}
		o.Result.Invariants = []reports.Judgement{why}
	}
	return o, nil
}

func whole(t *testing.T) Case {
	s, _, err := scenarios.LoadWith("mix", nil, "workload.rate=ramp 3000/s to 9000/s",
		"faults=[at 2s slow redis by 20ms for 2s, at 9500ms crash worker 3, at 4s cut kafka, "+
			"randomly every 5s hang any worker]")
	if err != nil {
		t.Fatal(err)
	}
	ports, err := portfault.Parse("lose store.ack every 3, refuse store.lease 1, slow store.load by 1s")
	if err != nil {
		t.Fatal(err)
	}
	return Case{s, ports}
}

// crashes tells whether a worker crashes so long after the begin, and within the run.
func crashes(c Case, after time.Duration) bool {
	return slices.ContainsFunc(c.Scenario.Faults, func(f scenarios.Fault) bool {
		return f.Verb == scenarios.VerbCrash && f.When.At >= after && f.When.At < c.Scenario.Duration
	})
}

func shrunk(t *testing.T, w *world, runsMax int) (Result, bool) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	w.cancel = cancel
	return Shrink(ctx, whole(t), Config{Run: w.run, Violated: "conservation", Defect: true,
		RunsMax: runsMax})
}

// TestLeast: nothing stays but what the failure needs, and everything else is as small as it can be.
func TestLeast(t *testing.T) {
	rule := func(c Case) bool {
		return crashes(c, 3*time.Second) && c.Scenario.Workload.Rate.From >= 10 &&
			c.Scenario.Topology.Partitions >= 2 && c.Scenario.Pipeline.MaxUnhealthy == 3*time.Second &&
			strings.Contains(c.Ports.String(), "lose store.ack")
	}
	first, found := shrunk(t, &world{fails: rule}, 10_000)
	if !found || !first.Done || first.Variants != variantsMax {
		t.Fatalf("found %v, %+v", found, first)
	}
	const want = `name: mix
description: A random mix of faults on workers, the consumer, Redis, Kafka and the network, drawn from the seed. Whatever coincides, nothing is lost; run it with other seeds, and for longer.
duration: 4s
topology:
  partitions: 2
pipeline:
  timeout: 1s
  root_timeout: 1s
  max_unhealthy: 3s
  restart_budget: 1000
workload:
  rate: constant 10/s
  traces_at_once: 1
  spans_per_trace: 1
faults:
  - at 3s crash worker 0
expectations:
  repeated_spans_max: unlimited
  split_spans_max: unlimited
  duplicated_spans_max: unlimited
  drain_max: 1m0s
`
	if got := first.Scenario.Brief(); got != want {
		t.Errorf("the least is\n%s", got)
	}
	if got := first.Ports.String(); got != "lose store.ack every 3" {
		t.Errorf("port faults: %s", got)
	}
	again, _ := shrunk(t, &world{fails: rule}, 10_000)
	if again.Runs != first.Runs || again.Scenario.String() != first.Scenario.String() {
		t.Errorf("a second time it took %d runs instead of %d", again.Runs, first.Runs)
	}
}

// TestVariantsFailToo: faults whose order matters stay so far apart that a delay of one of them does
// no harm, unless the whole needs the very moment.
func TestVariantsFailToo(t *testing.T) {
	at := func(c Case, verb scenarios.Verb) time.Duration {
		i := slices.IndexFunc(c.Scenario.Faults, func(f scenarios.Fault) bool { return f.Verb == verb })
		if i < 0 {
			return 0
		}
		return c.Scenario.Faults[i].When.At
	}
	result, found := shrunk(t, &world{fails: func(c Case) bool {
		slow, crash := at(c, scenarios.VerbSlow), at(c, scenarios.VerbCrash)
		return slow > 0 && slow <= crash
	}}, 10_000)
	slow, crash := at(result.Case, scenarios.VerbSlow), at(result.Case, scenarios.VerbCrash)
	if !found || result.Variants != variantsMax || slow != time.Second || crash != 2*time.Second {
		t.Errorf("found %v with %d variants: slow at %v, crash at %v", found, result.Variants, slow, crash)
	}
	result, found = shrunk(t, &world{fails: func(c Case) bool {
		return at(c, scenarios.VerbCrash) == 9500*time.Millisecond
	}}, 10_000)
	if !found || result.Variants != 1 || len(result.Scenario.Faults) != 1 {
		t.Errorf("found %v with %d variants: %v", found, result.Variants, result.Scenario.Faults)
	}
	result, found = shrunk(t, &world{fails: func(c Case) bool {
		i := slices.IndexFunc(c.Scenario.Faults, func(f scenarios.Fault) bool { return f.Verb == scenarios.VerbSlow })
		return i >= 0 && c.Scenario.Faults[i].For >= time.Second
	}}, 10_000)
	if !found || len(result.Scenario.Faults) != 1 || result.Scenario.Faults[0].For != 2*time.Second {
		t.Errorf("found %v: %v is to last longer than it must to the millisecond", found, result.Scenario.Faults)
	}
}

// TestAnotherFailureIsNotTaken for the one that was there, though the same is violated; how often, and what
// goes with it, may differ.
func TestAnotherFailureIsNotTaken(t *testing.T) {
	w := &world{fails: func(Case) bool { return true }}
	w.detail = func(c Case) string {
		if !crashes(c, 0) {
			return "the consumer should have ended because a worker's restart budget is used up, but did not"
		}
		return fmt.Sprintf("%.1fs after the load %d spans had not come out: shard %d", c.Scenario.Duration.Seconds(), w.runs, w.runs)
	}
	result, found := shrunk(t, w, 10_000)
	if !found || !crashes(result.Case, 0) || len(result.Scenario.Faults) != 1 {
		t.Errorf("found %v: %v", found, result.Scenario.Faults)
	}
}

// laxStrict are values of each expectation, of which the first asks for no more than the second.
var laxStrict = map[string][2]string{
	"restarts_min": {"1", "2"}, "worker_restarts_max": {"unlimited", "2"}, "throughput_min": {"10/s", "20/s"},
	"freshness_p99_max": {"0s", "2s"}, "repeated_spans_max": {"unlimited", "9"}, "split_spans_max": {"unlimited", "0"},
	"duplicated_spans_max": {"7", "0"}, "drain_max": {"5m", "30s"}, "end": {"", ""},
	"figures": {"[]", "[pauses >= 1]"}, "worker_memory_max": {"1GiB", "512MiB"},
}

// TestNothingIsAskedForThatWasNot: every expectation is compared, and none gets stricter than it was, whatever
// its default is.
func TestNothingIsAskedForThatWasNot(t *testing.T) {
	load := func(sets ...string) scenarios.Scenario {
		sets = append([]string{"faults=[at 2s crash-loop worker 1 for 8s]"}, sets...)
		s, _, err := scenarios.LoadWith("mix", nil, sets...)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	for _, f := range reflect.VisibleFields(reflect.TypeFor[scenarios.Expectations]()) {
		name := f.Tag.Get("yaml")
		values, known := laxStrict[name]
		switch {
		case !known:
			t.Errorf("nobody says which values of %s are stricter than others", name)
			continue
		case name == "end":
			continue // neither is
		}
		lax, strict := load("expectations."+name+"="+values[0]), load("expectations."+name+"="+values[1])
		if !stricter(strict, lax) || stricter(lax, strict) || stricter(lax, lax) {
			t.Errorf("%s %v: stricter is %v, %v", name, values, stricter(strict, lax), stricter(lax, strict))
		}
	}
	if soon, late := load("pipeline.max_segment_age=2s"), load(); !stricter(late, soon) || stricter(soon, late) {
		t.Error("what segments are held for longer is not missing from drain_max")
	}
	for _, c := range []struct {
		stay bool
		sets []string
	}{
		{true, []string{"expectations.split_spans_max=unlimited", "expectations.duplicated_spans_max=7",
			"expectations.drain_max=5m0s", "expectations.worker_memory_max=1GiB", "pipeline.restart_budget=20"}},
		{true, []string{"expectations.end=budget", "pipeline.restart_budget=2"}},
		{false, []string{"expectations.drain_max=20s", "pipeline.max_segment_age=3s",
			"expectations.freshness_p99_max=3s", "expectations.restarts_min=1", "pipeline.restart_budget=2"}},
	} {
		whole := load(c.sets...)
		w := &world{fails: func(Case) bool { return true }}
		result, found := Shrink(t.Context(), Case{Scenario: whole}, Config{Run: w.run, Violated: "conservation",
			Defect: true, Restarts: true, RunsMax: 10_000})
		text := result.Scenario.Brief()
		for _, set := range c.sets {
			key, value, _ := strings.Cut(set[strings.Index(set, ".")+1:], "=")
			if got := strings.Contains(text, key+": "+value+"\n"); !found || got != c.stay {
				t.Errorf("%s is left: %v\n%s", set, got, text)
			}
		}
	}
}

// TestControl: what fails without the defect is none of it, unless the whole is like that.
func TestControl(t *testing.T) {
	without := func(c Case) bool { return c.Scenario.Duration < 5*time.Second }
	result, found := shrunk(t, &world{alone: without, fails: func(Case) bool { return true }}, 10_000)
	if !found || result.Scenario.Duration != 5*time.Second {
		t.Errorf("found %v, %v", found, result.Scenario.Duration)
	}
	always := func(Case) bool { return true }
	result, found = shrunk(t, &world{alone: always, fails: always}, 10_000)
	if !found || result.Scenario.Duration != time.Second {
		t.Errorf("found %v, %v", found, result.Scenario.Duration)
	}
}

// TestEnds: the search keeps what it has found when it is ended, or has made all its runs; and one
// without a failure finds nothing.
func TestEnds(t *testing.T) {
	rule := func(c Case) bool { return crashes(c, 3*time.Second) }
	for _, c := range []struct{ end, runsMax int }{{40, 10_000}, {0, 40}} {
		w := &world{fails: rule, end: c.end}
		result, found := shrunk(t, w, c.runsMax)
		if !found || result.Done || w.runs != 40 || result.Runs != 40 || !rule(result.Case) ||
			result.Scenario.Workload.Rate.From >= 3000 {
			t.Errorf("%+v: found %v after %d runs, done %v", c, found, w.runs, result.Done)
		}
	}
	for runsMax := 1; runsMax < 8; runsMax++ {
		w := &world{fails: rule}
		if result, found := shrunk(t, w, runsMax); !found || result.Done || result.Runs != runsMax || w.runs != runsMax {
			t.Errorf("of %d runs %d were made: found %v, %d", runsMax, w.runs, found, result.Runs)
		}
	}
	if _, found := shrunk(t, &world{fails: func(Case) bool { return false }}, 100); found {
		t.Error("found what does not fail")
	}
}

// TestWhatIsLeftCanBeRun from its file, where nothing but its faults makes workers restart: an expectation of
// restarts keeps a fault that may bring one, and the fault that this waits for.
func TestWhatIsLeftCanBeRun(t *testing.T) {
	expects := func(c Case) bool { return c.Scenario.Expectations.RestartsMin > 0 }
	for _, c := range []struct {
		faults, ports string
		restarts      bool // by something else
		want          string
	}{
		{"at 2s hang worker 1, at 4s cut kafka", "", false, "[at 1s cut kafka]"},
		{"at 2s hang worker 1, at 4s cut kafka", "", true, "[]"},
		{"at 2s crash worker 1, when worker 1 restarted crash worker 0", "", false, "[at 1s crash worker 0]"},
		{"at 2s crash worker 1", "slow store.load by 1s", false, "[]"}, // the port fault is left for it
		{"at 2s crash worker 1", "slow store.load by 1s", true, "[]"},
	} {
		s, _, err := scenarios.LoadWith("steady", nil, "faults=["+c.faults+"]", "expectations.restarts_min=1",
			"expectations.worker_restarts_max=unlimited")
		if err != nil {
			t.Fatal(err)
		}
		ports, err := portfault.Parse(c.ports)
		if err != nil {
			t.Fatal(err)
		}
		w := &world{fails: expects}
		result, found := Shrink(t.Context(), Case{s, ports}, Config{Run: w.run, Violated: "conservation",
			Restarts: c.restarts, RunsMax: 10_000})
		result.Scenario.PortFaults = result.Ports
		if got := fmt.Sprint(result.Scenario.Faults); !found || got != c.want {
			t.Errorf("%s, %s: found %v, %v, want %v", c.faults, c.ports, found, got, c.want)
		}
		if err := (scenarios.Around{Restarts: c.restarts}).Validate(result.Scenario); err != nil {
			t.Errorf("%s, %s: what is left cannot be run: %v", c.faults, c.ports, err)
		}
	}
}

// TestFewerWorkersWithMoments: a moment that waits for a worker keeps neither workers nor shards, and moves to
// the first one together with its target.
func TestFewerWorkersWithMoments(t *testing.T) {
	for faults, want := range map[string]string{
		"at 1s crash worker 3, when worker 3 restarted crash worker 3": "[at 1s crash worker 0 when worker 0 " +
			"restarted crash worker 0]",
		"when worker 3 is producing from 1s crash worker 3":  "[when worker 0 is producing from 1s crash worker 0]",
		"when consumer is committing from 1s crash worker 3": "[when consumer is committing from 1s crash worker 0]",
	} {
		s, _, err := scenarios.LoadWith("steady", nil, "faults=["+faults+"]", "topology.partitions=8",
			"topology.flusher_processes=4")
		if err != nil {
			t.Fatal(err)
		}
		n := len(s.Faults)
		w := &world{fails: func(c Case) bool { // its last fault is of the worker that it waits for
			if len(c.Scenario.Faults) != n {
				return false
			}
			last := c.Scenario.Faults[n-1]
			return last.When.Worker == scenarios.OfConsumer || last.When.Worker == last.Target.N
		}}
		result, found := Shrink(t.Context(), Case{s, nil}, Config{Run: w.run, Violated: "conservation", RunsMax: 10_000})
		top := result.Scenario.Topology
		if got := fmt.Sprint(result.Scenario.Faults); !found || got != want || top.Partitions != 1 {
			t.Errorf("%s: found %v, %v with %d shards, want %v", faults, found, got, top.Partitions, want)
		}
	}
}
