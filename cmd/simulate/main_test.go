package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"sluice/internal/harness"
	"sluice/internal/judge"
	"sluice/internal/process"
	"sluice/internal/rundir"
	"sluice/internal/swarm"
	"sluice/reports"
	"sluice/sim"
)

func TestMain(m *testing.M) {
	// The consumers are this test binary, started again, and so are their workers.
	process.MaybeChild()
	os.Exit(m.Run())
}

// call runs the program with arguments and returns its exit code and what it wrote.
func call(args ...string) (code int, out, errs string) {
	var o, e bytes.Buffer
	code = run(args, &o, &e)
	return code, o.String(), e.String()
}

// scenarioFile writes a scenario file and returns its path.
func scenarioFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "mine.yaml")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

const quick = `name: quick
duration: 500ms
topology: {partitions: 2, flusher_processes: 2}
pipeline: {timeout: 3s, root_timeout: 2s, max_batch_wait: 50ms}
workload: {rate: constant 400/s, traces_at_once: 5}
`

// TestUsage: whatever is wrong with the command line ends with exit code 2 and the words that
// would be right.
func TestUsage(t *testing.T) {
	t.Setenv("SLUICE_REDIS", "")
	t.Setenv("SLUICE_KAFKA", "")
	taken := t.TempDir()
	if err := os.WriteFile(filepath.Join(taken, "thesis.txt"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	bad := scenarioFile(t, "name: mine\ntopolgy:\n  partitions: 8\n")
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"rnu"}, "unexpected argument rnu"},
		{[]string{"run", "hnag"}, "did you mean hang?"},
		{[]string{"run", "hang", "--sede", "1"}, "--sede"},
		{[]string{"run", "hang", "--world", "moon"}, "virtual, fakes, real"},
		{[]string{"run", "hang", "--world", "real"}, "SLUICE_REDIS"},
		{[]string{"run", "hang", "--duration", "2s"}, "after the load has ended"},
		{[]string{"run", "hang", "--duration", "5"}, `--duration: duration "5" has no unit: write 5s for seconds or 5ms`},
		{[]string{"run", "hang", "--duration", "soon"}, `--duration: "soon" is not a duration: write a number with a unit`},
		{[]string{"capacity", "steady", "--target", "9/s", "--outage", "2"}, `--outage: duration "2" has no unit: write 2s`},
		{[]string{"capacity", "steady", "--target", "9/s", "--retention", "3"}, `--retention: duration "3" has no unit: write 3s`},
		{[]string{"explore", "protocol", "--timeout", "3"}, `--timeout: duration "3" has no unit: write 3s`},
		{[]string{"clean", "--redis", "h:1", "--kafka", "h:2", "--older-than", "3"}, `--older-than: duration "3" has no unit: write 3s`},
		{[]string{"run", "hang", "--rate", "20/s"}, "write constant 20/s"},
		{[]string{"run", "hang", "--rate", "9000"}, "--rate: a rate starts with its shape, and has a unit: write 'constant 9000/s'"},
		{[]string{"run", "hang", "--rate", "constant 9000"}, `rate "9000" has no unit: write 9000/s`},
		{[]string{"run", "hang", "--seeds", "1..2", "--seed", "3"}, "exclude each other"},
		{[]string{"run", "hang", "--log"}, "for --world fakes and real"},
		{[]string{"run", "hang", "--seeds", "0..18446744073709551615"}, "too many: 1000000000 at most"},
		{[]string{"run", "hang", "--defect", "nope"}, "unknown defect \"nope\"; see simulate list defects\n"},
		{[]string{"explore", "nope"}, "unknown preset \"nope\"; known: protocol, commit, rebalance, supervisor\n"},
		{[]string{"capacity", "steady", "--target", "100/s", "--headroom", "30"}, "30 is 3000 %: write 30% or 0.3"},
		{[]string{"run", "hang", "--set", "faults=[]"}, "\n--no-faults leaves"},
		{[]string{"run", "hang", "--defect", "kill-skiped"}, "did you mean kill-skipped?"},
		{[]string{"run", "hang", "--port-fault", "lose store.akc every 10"}, "did you mean store.ack?"},
		{[]string{"run", "hang", "--port-fault", "crash after store.attach 3"}, "at a port of workers"},
		{[]string{"run", "steady", "--port-fault", "crash after store.ack", "--set",
			"topology.flusher_mode=goroutine"}, "topology.flusher_mode to process"},
		{[]string{"run", "hang", "--out", taken}, "name another by --out"},
		{[]string{"run", "hang", "--out", filepath.Join(taken, "thesis.txt", "out")}, "by --out"},
		{[]string{"run", "hang", "--out", "/proc/out"}, "name another directory by --out"},
		{[]string{"run", bad}, "mine.yaml:2:1: unknown key \"topolgy\"; did you mean topology?"},
		{[]string{"run", "none.yaml"}, "none.yaml"},
		{[]string{"validate", bad}, ":2:1:"},
		{[]string{"validate", "hang", "--world", "fakes", "--set", "faults=[at 1s stop redis node 1 for 1s]",
			"--set", "duration=1s"}, "duration is 1s\n--set faults=[at 1s stop redis node 1 for 1s]: faults[0]: "},
		{[]string{"run", "steady", "--duration", "0s"}, "--duration 0s: duration: 0s must be 1ms to 11h"},
		{[]string{"run", "steady", "--rate", "constant 0/s"}, "--rate 'constant 0/s': workload.rate: "},
		{[]string{"run", "steady", "--set", "duration=0s"}, "--set duration=0s: duration: 0s must be"},
		{[]string{"run", "steady", "--seeds", "1..2", "--check-determinism"}, "exclude each other"},
		{[]string{"run", "steady", "--check-determinism", "--out", "chk"}, "--out and --check-determinism exclude"},
		{[]string{"explore", "protocol", "--shards", "4"}, "4 shards: only the preset supervisor has"},
		{[]string{"explore", "supervisor", "--scattered"}, "the preset supervisor has no spans"},
		{[]string{"explore", "supervisor", "--lease", "2"}, "the preset supervisor has no spans"},
		{[]string{"capacity", "steady", "--target", "9/s", "--price", "process=-1"}, "--price process=-1: process: is -1"},
		{[]string{"capacity", "steady", "--target", "9/s", "--price", "lunch=1"}, `--price lunch=1: unknown key "lunch"`},
		{[]string{"capacity", "steady", "--target", "9/s", "--price", "process=inf"}, `process: "inf" is not a number`},
		{[]string{"capacity", "steady", "--target", "9/s", "--price", "process=1e300"}, "process: is 1e+300"},
		{[]string{"capacity", "steady", "--target", "9/s", "--prices", scenarioFile(t, "redis: .inf\nkafka: nan\n")},
			`kafka: "nan" is not a number`},
		{[]string{"capacity", "steady", "--target", "inf/s"}, "more than"},
		{[]string{"capacity", "steady", "--headroom", "nan"}, "not a number"},
		{[]string{"capacity", "steady", "--precision", "inf"}, "not a number"},
		{[]string{"compare", "steady", "--worlds", "virtual,fakes", "--freshness-factor", "inf"}, "--freshness-factor"},
		{[]string{"compare", "steady", "--worlds", "virtual,fakes", "--freshness-factor", "nan"}, "--freshness-factor"},
		{[]string{"compare", "steady", "--worlds", "virtual,fakes", "--tolerance", "inf%"}, "not a number"},
		{[]string{"compare", "steady", "--worlds", "virtual,fakes", "--recovery-tolerance", "nan"}, "not a number"},
		{[]string{"run", "steady", "--costs", scenarioFile(t, "together: {redis: inf}\n")}, `"inf" is not a number`},
		{[]string{"run", "steady", "--cost", "redis.cal=60us"}, `--cost redis.cal=60us: unknown key "cal" in "redis.cal"; did you mean call?`},
		{[]string{"run", "steady", "--cost", "redis.call=60"}, "--cost redis.call=60: redis.call: "},
		{[]string{"run", "steady", "--cost", "redis.call=-1us"}, "--cost redis.call=-1us: redis.call: "},
		{[]string{"run", "steady", "--cost", "redis.call"}, "--cost redis.call: write section.key=value, such as redis.call=60us"},
		{[]string{"run", "steady", "--cost", "calibration.date=now"}, "how the costs were measured changes nothing"},
		{[]string{"sweep", "steady", "--cost", "hosts.cores=0"}, "--cost hosts.cores=0: hosts.cores: is 0, want at least 1"},
		{[]string{"run", "steady", "--world", "fakes", "--cost", "redis.call=60us"}, "--cost redis.call=60us is for --world virtual"},
		{[]string{"capacity", "steady", "--world", "real", "--servers", "start", "--cost", "redis.call=60us"}, "is for --world virtual"},
		{[]string{"compare", "steady", "--worlds", "virtual,fakes", "--cost", "together.redis=0"}, "--cost together.redis=0: together.redis: is 0"},
		{[]string{"run", "steady", "--set", "workload.key_skew=inf"}, "workload.key_skew"},
		{[]string{"run", "steady", "--set", "workload.spans_per_trace=geometric mean nan max 9"}, "spread of sizes"},
		{[]string{"run", "steady", "--set", "expectations.figures=[freshness_seconds.p99 <= nan]"}, `"nan"`},
		{[]string{"run", "steady", "--set", "expectations.figures=[pauses <= inf]"}, `"inf" is not a value of pauses`},
		{[]string{"diff", taken, taken, "--alpha", "nan"}, "not a number"},
		{[]string{"diff", taken, taken, "--rule", "throughput >= -inf%"}, "not a number"},
		{[]string{"diff", taken, taken, "--rule", "throughput >= nan/s"}, "not a value"},
		{[]string{"sweep", "steady", "--processes", "0"}, "1 to 8"},
		{[]string{"sweep", "steady", "--processes", "9"}, "1 to 8"},
		{[]string{"sweep", "steady", "--processes", "1,2,1"}, "--processes has 1 twice: --repeat"},
		{[]string{"compare", "steady", "--servers", "start", "--processes", "4,4"}, "--processes has 4 twice: --repeat"},
		{[]string{"capacity", "steady", "--processes", "1,1"}, "--processes has 1 twice: --repeat"},
		{[]string{"sweep", "steady", "--repeat", "0"}, "1 or more"},
		{[]string{"sweep", "steady", "--over", "topology.partitions"}, "write --over topology.partitions=8,64,256"},
		{[]string{"sweep", "steady", "--over", "topology.partitions=8,64, 8"}, "has 8 twice"},
		{[]string{"sweep", "steady", "--over", "topology.partitions=8,2000"}, "2000 must be 1 to 1024"},
		{[]string{"sweep", "steady", "--over", "topology.partition=8"}, "did you mean partitions?"},
		{[]string{"sweep", "steady", "--over", "seed=1,2", "--processes", "1"},
			"leave out --processes, or write --over topology.flusher_processes=1,2,4"},
		{[]string{"run", "steady", "--world", "real", "--servers", "start-cluster:2"},
			"not one of start, start-cluster, start-cluster:3 to start-cluster:64"},
	} {
		code, out, errs := call(c.args...)
		if code != judge.ExitUsage || !strings.Contains(errs, c.want) {
			t.Errorf("%v: exit code %d, %q %q, want %q", c.args, code, out, errs, c.want)
		}
	}
}

func TestHelpAndList(t *testing.T) {
	for _, args := range [][]string{nil, {"--help"}, {"run", "--help"}} {
		if code, out, _ := call(args...); code != 0 || !strings.Contains(out, "Usage: simulate") {
			t.Errorf("%v: exit code %d, %q", args, code, out)
		}
	}
	code, out, _ := call("list")
	for _, want := range []string{"steady", "ramp", "hang", "crash", "at 4s hang worker 1"} {
		if code != 0 || !strings.Contains(out, want) {
			t.Errorf("list: exit code %d, no %q in %q", code, want, out)
		}
	}
}

// TestJSON: what prints a list prints the same for programs, and nothing else.
func TestJSON(t *testing.T) {
	path, out := scenarioFile(t, quick), filepath.Join(t.TempDir(), "out")
	for _, c := range []struct {
		args []string
		want string // a key and its value
	}{
		{[]string{"list"}, `"name": "hang"`},
		{[]string{"list", "faults"}, `"fault": "refuse PORT [CALLS]"`},
		{[]string{"list", "defects"}, `"invariant": "conservation"`},
		{[]string{"run", path, "--out", out}, `"verdict": "passed"`},
		{[]string{"run", path, "--seeds", "1..2"}, `"passed": 2`},
		{[]string{"sweep", path, "--processes", "1", "--repeat", "1", "--out", out + "-sweep"},
			`"processes": 1`},
	} {
		code, out, errs := call(append(c.args, "--json")...)
		if code != 0 || !json.Valid([]byte(out)) || !strings.Contains(out, c.want) {
			t.Errorf("%v: exit code %d, %q %q, want %s", c.args, code, out, errs, c.want)
		}
	}
}

func TestSchemaIsJSON(t *testing.T) {
	code, out, _ := call("schema")
	if code != 0 || !json.Valid([]byte(out)) || !strings.Contains(out, "flusher_processes") {
		t.Errorf("exit code %d, %q", code, out)
	}
}

func TestValidatePrintsWhatItAccepts(t *testing.T) {
	code, out, errs := call("validate", scenarioFile(t, quick))
	if code != 0 || !strings.Contains(out, "span_bytes: 500\n") {
		t.Fatalf("exit code %d, %q, %q", code, out, errs)
	}
	if code, again, _ := call("validate", scenarioFile(t, out)); code != 0 || again != out {
		t.Errorf("what was printed is printed as %q, exit code %d", again, code)
	}
}

func TestNoServerIsTheEnvironmentsFault(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	code, _, errs := call("run", "steady", "--world", "real", "--redis", "127.0.0.1:1", "--kafka",
		"127.0.0.1:1", "--out", out)
	if code != judge.ExitEnvironment || !strings.Contains(errs, "127.0.0.1:1") {
		t.Errorf("exit code %d, %q", code, errs)
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("there are results of a run that could not be made")
	}
}

// TestRun runs a scenario that passes, and the same with an expectation that cannot be met.
func TestRun(t *testing.T) {
	path, dir := scenarioFile(t, quick), filepath.Join(t.TempDir(), "out")
	code, out, errs := call("run", path, "--seed", "7", "--out", dir)
	if code != 0 || !strings.HasSuffix(out, "\nverdict: passed\n") {
		t.Fatalf("exit code %d\n%s\n%s", code, out, errs)
	}
	text, err := os.ReadFile(filepath.Join(dir, rundir.FileResult))
	if err != nil {
		t.Fatal(err)
	}
	var result map[string]any
	if err := json.Unmarshal(text, &result); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"scenario", "world", "seed", "verdict", "digest", "invariants",
		"ledger.sent", "ledger.flushed", "ledger.duplicates", "ledger.lost", "ledger.buffered",
		"ledger.dropped", "workers", "throughput.spans_per_second", "throughput.bytes_per_second",
		"freshness_seconds.p50", "freshness_seconds.p90", "freshness_seconds.p99",
		"freshness_seconds.max", "run.virtual_seconds", "run.wall_seconds", "run.events"} {
		value := any(result)
		for _, key := range strings.Split(path, ".") {
			object, _ := value.(map[string]any)
			value = object[key]
		}
		if value == nil {
			t.Errorf("result.json has no %s", path)
		}
	}
	if result["verdict"] != "passed" || fmt.Sprint(result["seed"]) != "7" {
		t.Errorf("result is %s", text)
	}

	strict := scenarioFile(t, quick+"expectations: {freshness_p99_max: 1ms}\n")
	code, out, _ = call("run", strict, "--quiet", "--out", dir, "--rate", "constant 300/s",
		"--port-fault", "slow store.load by 1ms\nlose store.ack 9")
	start := "verdict: expectation missed (freshness_p99_max); replay: "
	end := " run " + strict + " --seed 1 --rate 'constant 300/s' --world virtual" +
		" --port-fault 'slow store.load by 1ms, lose store.ack 9'\n"
	if code != judge.ExitExpectation || !strings.HasPrefix(out, start) ||
		!strings.HasSuffix(out, end) {
		t.Errorf("exit code %d, %q, want %q...%q", code, out, start, end)
	}
}

// noRoom is a directory whose files' paths would be too long for the operating system; its own is not.
func noRoom(t *testing.T) string {
	dir := t.TempDir()
	for len(dir) < 4080 {
		dir = filepath.Join(dir, strings.Repeat("x", min(200, 4080-len(dir))))
	}
	return dir
}

// TestNoRoomForResults: what the run or the sweep has shown is not lost with its files.
func TestNoRoomForResults(t *testing.T) {
	dir := noRoom(t)
	path := scenarioFile(t, quick)
	for _, args := range [][]string{
		{"run", path, "--quiet"}, {"sweep", path, "--processes", "1", "--repeat", "1"},
	} {
		code, out, errs := call(append(args, "--out", dir)...)
		if code != judge.ExitEnvironment || !strings.HasSuffix(out, "verdict: passed\n") ||
			!strings.Contains(errs, "file name too long") {
			t.Errorf("%v: exit code %d, %q, %q", args, code, out, errs)
		}
	}
}

// TestSeedsVerdictOutlastsItsPicture: a picture that cannot be drawn takes no verdict along; that it is
// missing is an error of its own only if all passed.
func TestSeedsVerdictOutlastsItsPicture(t *testing.T) {
	dir := noRoom(t)
	for expectations, want := range map[string]int{
		"": judge.ExitEnvironment, "expectations: {freshness_p99_max: 1ms}\n": judge.ExitExpectation,
	} {
		code, out, errs := call("run", scenarioFile(t, quick+expectations), "--seeds", "3..3", "--out", dir)
		if code != want || !strings.Contains(out, " of 1 passed") || !strings.Contains(errs, "draw "+dir) {
			t.Errorf("%q: exit code %d, want %d\n%s%s", expectations, code, want, out, errs)
		}
	}
}

// TestSeedsAreDrawnEachAsItself, however many are drawn at a time.
func TestSeedsAreDrawnEachAsItself(t *testing.T) {
	c := runCommand{worldFlags: worldFlags{World: sim.World{}.Name()}, Seeds: &seedRange{0, 99}}
	of, err := c.tally(swarm.Name, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	var drawing sync.WaitGroup
	for seed := range uint64(100) {
		drawing.Go(func() {
			cfg, err := of.config(seed)
			if err != nil || cfg.Scenario.Seed != seed {
				t.Errorf("seed %d is entered, and seed %d is run: %v", seed, cfg.Scenario.Seed, err)
			}
		})
	}
	drawing.Wait()
	code, out, errs := call("run", swarm.Name, "--seeds", "1..4", "--no-faults", "--json")
	if code != judge.ExitPassed || !strings.Contains(out, `"passed": 4`) {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
}

// TestSeedsOfTheEnd: the greatest seed is a seed, too.
func TestSeedsOfTheEnd(t *testing.T) {
	const last = "18446744073709551615"
	code, out, errs := call("run", scenarioFile(t, quick), "--seeds", last+".."+last)
	if code != judge.ExitPassed || !strings.Contains(out, "1 of 1 passed") {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
}

// TestSeedsCountWhatPassed, not what was run.
func TestSeedsCountWhatPassed(t *testing.T) {
	code, out, errs := call("run", "kill-skipped", "--defect", "kill-skipped", "--seeds", "1..2")
	const start, end = "verdict: not passed (kill-skipped, seed 1: process limit); 0 of 2 passed; replay: ",
		" run kill-skipped --seed 1 --world virtual --defect kill-skipped"
	if last := lastLine(out); code != judge.ExitSafety || !strings.HasPrefix(last, start) || !strings.HasSuffix(last, end) {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
	var table strings.Builder
	part := seedsTable{Verdict: "unknown", Runs: 3, Planned: 5, Scenarios: []seedsRow{{Passed: 1}, {Passed: 1}}}
	if err := part.writeText(&table); err != nil || !strings.HasSuffix(table.String(),
		"verdict: unknown; 2 of 3 passed; 2 more were not made\n") {
		t.Errorf("%v\n%s", err, &table)
	}
}

// TestSeedsQuietly: the verdict alone, with the replay of what failed.
func TestSeedsQuietly(t *testing.T) {
	for expectations, want := range map[string]string{
		"": `verdict: passed; 2 of 2 passed`,
		"expectations: {freshness_p99_max: 1ms}\n": `verdict: not passed \(\S+, seed 3: freshness_p99_max\); ` +
			`0 of 2 passed; replay: \S.* run \S+ --seed 3 --world virtual`,
	} {
		code, out, errs := call("run", scenarioFile(t, quick+expectations), "--seeds", "3..4", "-q")
		if !regexp.MustCompile(`^` + want + `\n$`).MatchString(out) {
			t.Errorf("exit code %d\n%s%s", code, out, errs)
		}
	}
}

// TestSeedsReplay: the replay of a seed that did not pass has all that its run had.
func TestSeedsReplay(t *testing.T) {
	strict := scenarioFile(t, quick+"expectations: {freshness_p99_max: 1ms}\n")
	code, out, errs := call("run", strict, "--seeds", "3..4", "--port-fault", "lose store.ack 9")
	want := " run " + strict + " --seed 3 --world virtual --port-fault 'lose store.ack 9'\n"
	if code != judge.ExitExpectation || !strings.Contains(out, want) {
		t.Errorf("exit code %d, %q %q, want %q", code, out, errs, want)
	}
	if want := "\nalso " + strict + ", seed 4: freshness_p99_max: "; !strings.Contains(out, want) {
		t.Errorf("%q, want %q", out, want)
	}
}

func TestSweep(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "sweep")
	code, out, errs := call("sweep", scenarioFile(t, quick), "--processes", "1,2", "--repeat", "1",
		"--out", dir)
	if code != 0 || !strings.HasSuffix(out, "\nverdict: passed\n") ||
		!strings.Contains(errs, "1 process, repeat 1 of 1") ||
		!strings.Contains(errs, "2 processes, repeat 1 of 1") {
		t.Errorf("exit code %d\n%s\n%s", code, out, errs)
	}
	if _, err := os.Stat(filepath.Join(dir, rundir.ChartSweep+".png")); err != nil {
		t.Error(err)
	}
}

// TestSweepOver changes another key, with commas in its values.
func TestSweepOver(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "sweep")
	code, out, errs := call("sweep", scenarioFile(t, quick), "--repeat", "1", "--out", dir,
		"--over", "workload.spans_per_trace=mix 50% 1, 50% 2..5|3")
	if code != 0 || !strings.Contains(out, "workload.spans_per_trace  us per span: ") ||
		!strings.Contains(errs, "workload.spans_per_trace mix 50% 1, 50% 2..5, repeat 1 of 1: ") {
		t.Errorf("exit code %d\n%s\n%s", code, out, errs)
	}
	var sweep reports.Sweep
	if err := readJSON(dir, rundir.FileSweep, &sweep); err != nil {
		t.Fatal(err)
	}
	if sweep.Over != "workload.spans_per_trace" || len(sweep.Rows) != 2 || sweep.Rows[1].Value != "3" ||
		sweep.Runs[0].Digest == sweep.Runs[1].Digest || sweep.Rows[0].RedisTime <= 0 {
		t.Errorf("the sweep is %+v", sweep)
	}
	if _, err := os.Stat(filepath.Join(dir, rundir.ChartCost+".png")); err != nil {
		t.Error(err)
	}
}

// TestNoFaultsOfWhatIsDrawn: what is drawn with a scenario at ports is left out with its other faults, and
// what is asked for there is not.
func TestNoFaultsOfWhatIsDrawn(t *testing.T) {
	world := worldFlags{World: sim.World{}.Name()}
	flags := scenarioFlags{Scenario: swarm.Name, Seed: new(uint64)}
	configOf := func() harness.Config {
		s, err := flags.load(world)
		if err != nil {
			t.Fatal(err)
		}
		cfg, err := world.config(s, io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		return cfg
	}
	with := configOf()
	for len(with.PortFaults) == 0 || len(with.Scenario.Faults) == 0 {
		*flags.Seed++
		with = configOf()
	}
	with.Scenario.PortFaults = with.PortFaults
	if warm := withoutPortFaults(with); len(warm.PortFaults)+len(warm.Scenario.PortFaults) > 0 {
		t.Errorf("servers are warmed up with %v and %v", warm.PortFaults, warm.Scenario.PortFaults)
	}
	flags.NoFaults = true
	world.Ports = []string{"slow store.load 1 by 1ms"}
	if cfg := configOf(); cfg.PortFaults.String() != world.Ports[0] || len(cfg.Scenario.Faults) > 0 {
		t.Errorf("seed %d without faults: %v, %v", *flags.Seed, cfg.PortFaults, cfg.Scenario.Faults)
	}
	dir := t.TempDir()
	code, out, errs := call("run", swarm.Name, "--seed", strconv.FormatUint(*flags.Seed, 10), "--no-faults", "--out", dir)
	if r := resultOf(t, dir); code != judge.ExitPassed || len(r.PortFaults) > 0 {
		t.Errorf("exit code %d, %v\n%s%s", code, r.PortFaults, out, errs)
	}
}
