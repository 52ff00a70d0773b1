package main

import (
	"encoding/json"
	"encoding/xml"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"sluice/internal/diff"
	"sluice/internal/judge"
	"sluice/internal/rundir"
)

// results runs the program, which must pass, and returns the directory of its results.
func results(t *testing.T, args ...string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "out")
	if code, out, errs := call(append(args, "--out", dir)...); code != judge.ExitPassed {
		t.Fatalf("%v: exit code %d\n%s\n%s", args, code, out, errs)
	}
	return dir
}

// lastLine is the verdict.
func lastLine(out string) string {
	lines := strings.Split(strings.TrimSpace(out), "\n")
	return lines[len(lines)-1]
}

// TestDiffOfRuns: what two virtual runs of the same scenario and seed are, and where they part.
func TestDiffOfRuns(t *testing.T) {
	path := scenarioFile(t, quick)
	costs := filepath.Join(t.TempDir(), "costs.yaml")
	if err := os.WriteFile(costs, []byte("program: {start: 300ms}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	first, again := results(t, "run", path), results(t, "run", path)
	slower := results(t, "run", path, "--costs", costs)
	// Of a run from before costs were kept, nobody knows that they are others.
	other := results(t, "run", path, "--costs", costs)
	if err := os.Remove(filepath.Join(other, rundir.FileCosts)); err != nil {
		t.Fatal(err)
	}
	seed := results(t, "run", path, "--seed", "2")
	if _, out, _ := call("diff", first, again, "--json"); !strings.Contains(out, `"notes": []`) {
		t.Errorf("there are no notes, which is a list:\n%s", out)
	}
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{first, again}, 0, "verdict: the same, event by event"},
		{[]string{slower, slower}, 0, "verdict: the same, event by event"},
		{[]string{first, other}, judge.ExitNotDeterministic, "verdict: not the same; the first difference is event "},
		{[]string{first, other, "--figures"}, judge.ExitUnknown, "verdict: unknown: there are too few values"},
		{[]string{first, slower, "--across"}, judge.ExitUnknown, "verdict: unknown: there are too few values"},
		{[]string{first, seed}, judge.ExitUnknown, "verdict: unknown: there are too few values"},
		{[]string{first, seed, "--rule", "freshness_p99 <= 9s"}, 0, "verdict: no difference that matters"},
		{[]string{first, seed, "--rule", "freshness_p99 <= 1ms"}, judge.ExitExpectation, "verdict: worse: freshness_p99 <= 1ms"},
	} {
		code, out, errs := call(append([]string{"diff"}, c.args...)...)
		if code != c.code || !strings.HasPrefix(lastLine(out), c.want) {
			t.Errorf("%v: exit code %d, want %d, %q\n%s%s", c.args, code, c.code, c.want, out, errs)
		}
	}
	_, out, _ := call("diff", first, other)
	if !strings.Contains(out, "\n- ") || !strings.Contains(out, "\n+ ") ||
		!strings.Contains(out, "worker 0 is starting") || !strings.Contains(out, "note: what steps took") {
		t.Errorf("the events around the first difference are not shown:\n%s", out)
	}
}

// TestDiffOfOtherCosts: with other costs it is not the same that was run, in every kind of directory.
func TestDiffOfOtherCosts(t *testing.T) {
	path, dir := scenarioFile(t, quick), t.TempDir()
	costs, same, many := filepath.Join(dir, "costs.yaml"), filepath.Join(dir, "same.yaml"), filepath.Join(dir, "many.yaml")
	for file, text := range map[string]string{
		costs: "redis: {span: 20us}\nhosts: {cores: 3}\n", same: "redis: {call: 30us}\n",
		many: "worker: {flush: 1us, flush_kb: 1us, record: 1us, call: 1us, idle: 1us}\n" +
			"program: {read: 1us, read_kb: 1us, attach: 1us}\n",
	} {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, command := range [][]string{
		{"run", path},
		{"sweep", path, "--processes", "1", "--repeat", "1"},
		{"capacity", path, "--processes", "1", "--precision", "100%", "--most", "300/s", "--duration", "9s"},
	} {
		builtIn, other := results(t, command...), results(t, append(command, "--costs", costs)...)
		code, out, errs := call("diff", builtIn, other)
		const want = "costs hosts.cores (8, and then 3), costs redis.span (1.4us, and then 20us); --across "
		if code != judge.ExitUsage || !strings.Contains(errs, want) {
			t.Errorf("%s: exit code %d, no %q in\n%s%s", command[0], code, want, out, errs)
		}
		if code, out, errs := call("diff", builtIn, results(t, append(command, "--costs", same)...)); code ==
			judge.ExitUsage {
			t.Errorf("%s: what the file has are the built-in costs: exit code %d\n%s%s", command[0], code, out, errs)
		}
	}
	// Of other kinds of directories, what both know is compared.
	if _, _, errs := call("diff", results(t, "run", path), results(t, "capacity", path, "--processes", "1", "--precision", "100%",
		"--most", "300/s", "--duration", "9s")); !strings.Contains(errs, "kind of directory (run, and then capacity), groups") {
		t.Errorf("of a run and a report: %s", errs)
	}
	_, _, errs := call("diff", results(t, "run", path), results(t, "run", path, "--costs", many))
	if !strings.Contains(errs, ", 2 more of the costs (costs.yaml); ") {
		t.Errorf("of many costs the first few: %s", errs)
	}
}

// TestDiffOfOtherLoads: what is cut into batches is what both runs have of a steady load.
func TestDiffOfOtherLoads(t *testing.T) {
	path := scenarioFile(t, quick) // steady from 3 s on
	long, short := results(t, "run", path, "--duration", "20s"), results(t, "run", path, "--duration", "9s")
	for _, dirs := range [][]string{{long, short}, {short, long}} {
		_, out, errs := call("diff", "--across", "--json", dirs[0], dirs[1])
		var read struct {
			Metrics []diff.Row `json:"metrics"`
		}
		if err := json.Unmarshal([]byte(out), &read); err != nil {
			t.Fatalf("%v\n%s%s", err, out, errs)
		}
		batches := 0
		for _, row := range read.Metrics {
			if row.Batch == 0 {
				continue
			}
			batches++
			if most := 6 / row.Batch; float64(row.A.N) > most || float64(row.B.N) > most {
				t.Errorf("%s has %d and %d batches of %v s, want %v at most", row.Name, row.A.N, row.B.N, row.Batch, most)
			}
		}
		if batches == 0 {
			t.Errorf("nothing is cut into batches:\n%s", out)
		}
	}
}

// TestDiffOfShortLoads: the load is over with its last span, however long it may last.
func TestDiffOfShortLoads(t *testing.T) {
	path := scenarioFile(t, quick)
	args := []string{"run", path, "--duration", "10s", "--rate", "step 300/s, 0/s at 1s", "--set", "workload.spans_per_trace=1"}
	first, again := results(t, args...), results(t, append(args, "--seed", "2")...)
	_, out, errs := call("diff", "--json", first, again)
	var read struct {
		Metrics []diff.Row `json:"metrics"`
	}
	if err := json.Unmarshal([]byte(out), &read); err != nil {
		t.Fatalf("%v\n%s%s", err, out, errs)
	}
	for _, row := range read.Metrics {
		if row.Name == diff.Offered && (row.A.Median < 299 || row.A.Median > 301) {
			t.Errorf("%.0f spans/s were offered, want 300", row.A.Median)
		}
	}
}

// TestDiffOfSweeps: repeats are compared with those of the same process count, in all forms.
func TestDiffOfSweeps(t *testing.T) {
	path := scenarioFile(t, quick)
	costs := filepath.Join(t.TempDir(), "costs.yaml")
	if err := os.WriteFile(costs, []byte("redis: {span: 20us}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	sweep := func(args ...string) string {
		return results(t, append([]string{"sweep", path, "--processes", "1,2", "--repeat", "9"}, args...)...)
	}
	before, same, slower := sweep(), sweep(), sweep("--costs", costs, "--seed", "101")
	if code, out, errs := call("diff", before, same); code != 0 || lastLine(out) != "verdict: the same, event by event" {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
	dir := t.TempDir()
	markdown, junit := filepath.Join(dir, "diff.md"), filepath.Join(dir, "diff.xml")
	code, out, errs := call("diff", before, slower, "--across", "--markdown", markdown, "--junit", junit)
	if code != judge.ExitExpectation || !strings.Contains(lastLine(out), "1 process: redis_time <= +5%") ||
		!strings.Contains(lastLine(out), "2 processes: redis_time <= +5%") {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
	for file, want := range map[string]string{
		markdown: "| 2 processes | redis\\_time | us/span | 9 |",
		junit:    `<testcase classname="simulate.diff" name="2 processes: redis_time &lt;= +5%">`,
	} {
		text, err := os.ReadFile(file)
		if err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%v, no %q in\n%s", err, want, text)
		}
	}
	text, _ := os.ReadFile(junit)
	if err := xml.Unmarshal(text, new(struct{ XMLName xml.Name })); err != nil {
		t.Error(err)
	}
	rules := filepath.Join(dir, "rules")
	if err := os.WriteFile(rules, []byte("# ours\nredis_time <= +500%\nthroughput >= -5%\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	code, out, errs = call("diff", before, slower, "--across", "--rules", rules, "--json")
	var read struct {
		Verdict string `json:"verdict"`
		Metrics []any  `json:"metrics"`
	}
	if err := json.Unmarshal([]byte(out), &read); err != nil || code != 0 || len(read.Metrics) == 0 ||
		!strings.HasPrefix(read.Verdict, "no difference that matters") {
		t.Errorf("exit code %d, %v\n%s%s", code, err, out, errs)
	}
}

// TestDiffOfSeveralRuns: a directory of runs is a set, and it must be of one scenario.
func TestDiffOfSeveralRuns(t *testing.T) {
	path, dir := scenarioFile(t, quick), t.TempDir()
	for _, args := range [][]string{
		{"a/1", "--seed", "1"}, {"a/2", "--seed", "2"}, {"b/1", "--seed", "1"}, {"b/2", "--seed", "2"},
		{"mixed/1"}, {"mixed/2", "--rate", "constant 300/s"},
	} {
		args[0] = filepath.Join(dir, args[0])
		if code, out, errs := call(append([]string{"run", path, "--quiet", "--out"}, args...)...); code != 0 {
			t.Fatalf("%v: exit code %d\n%s%s", args, code, out, errs)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "b", "notes"), 0o755); err != nil {
		t.Fatal(err)
	}
	code, out, errs := call("diff", filepath.Join(dir, "a"), filepath.Join(dir, "b"))
	if code != 0 || !strings.Contains(out, "2 of 2 pairs of the same seed are the same") ||
		!strings.Contains(out, "left out: "+filepath.Join(dir, "b", "notes")) {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
	code, _, errs = call("diff", filepath.Join(dir, "a"), filepath.Join(dir, "mixed"))
	if code != judge.ExitUsage || !strings.Contains(errs, "are not of one scenario") ||
		!strings.Contains(errs, "workload.rate (constant 400/s, and then constant 300/s)") {
		t.Errorf("exit code %d, %s", code, errs)
	}
}

// TestDiffOfTheSameRunAgain: a run that is there several times, as with its replays, is one run: three of
// them would be constant, and whatever they differ by from others certain.
func TestDiffOfTheSameRunAgain(t *testing.T) {
	run, dir := results(t, "run", scenarioFile(t, quick)), t.TempDir()
	change := func(path, old, text string) {
		t.Helper()
		whole, err := os.ReadFile(path)
		changed := strings.Replace(string(whole), old, text, 1)
		if err != nil || changed == string(whole) {
			t.Fatalf("there is no %q in %s: %v", old, path, err)
		}
		if err := os.WriteFile(path, []byte(changed), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var of struct {
		Run struct {
			Drain json.Number `json:"drain_seconds"`
		}
	}
	if err := readJSON(run, rundir.FileResult, &of); err != nil {
		t.Fatal(err)
	}
	for side, drain := range map[string]string{"before": "1", "after": "2"} {
		for _, name := range []string{"q-1", "q-1-again", "q-1-replay"} {
			to := filepath.Join(dir, side, name)
			if err := os.CopyFS(to, os.DirFS(run)); err != nil {
				t.Fatal(err)
			}
			change(filepath.Join(to, rundir.FileResult), `"drain_seconds": `+of.Run.Drain.String(), `"drain_seconds": `+drain)
		}
	}
	before, after := filepath.Join(dir, "before"), filepath.Join(dir, "after")
	code, out, errs := call("diff", before, after, "--figures")
	note := "note: the same as another run beside it, event by event, so left out: " + filepath.Join(before, "q-1-again") +
		", " + filepath.Join(before, "q-1-replay") + "\n"
	if code != judge.ExitUnknown || !strings.Contains(out, note) || !strings.Contains(out, "before: 1 run, ") ||
		!strings.Contains(lastLine(out), "too few values to be certain of any difference") {
		t.Errorf("exit code %d, no %q in\n%s%s", code, note, out, errs)
	}
	// On the wall clock they are repeats, whatever their seeds.
	for _, side := range []string{before, after} {
		for _, name := range []string{"q-1", "q-1-again", "q-1-replay"} {
			change(filepath.Join(side, name, rundir.FileResult), `"world": "virtual"`, `"world": "fakes"`)
		}
	}
	if code, out, errs := call("diff", before, after); code != judge.ExitExpectation || !strings.Contains(out, "before: 3 runs, ") {
		t.Errorf("on the wall clock: exit code %d\n%s%s", code, out, errs)
	}
}

// TestDiffOfBadInput: what is wrong, and where.
func TestDiffOfBadInput(t *testing.T) {
	path := scenarioFile(t, quick)
	run := results(t, "run", path)
	other := results(t, "run", path, "--rate", "constant 300/s", "--set", "pipeline.timeout=4s")
	sweep := results(t, "sweep", path, "--processes", "1", "--repeat", "1")
	// spoil copies the directory of a run, and changes a file in it.
	spoil := func(file, old, text string) string {
		t.Helper()
		dir := filepath.Join(t.TempDir(), "spoiled")
		if err := os.CopyFS(dir, os.DirFS(run)); err != nil {
			t.Fatal(err)
		}
		whole, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		changed := strings.Replace(string(whole), old, text, 1)
		if changed == string(whole) {
			t.Fatalf("there is no %q in %s", old, file)
		}
		if err := os.WriteFile(filepath.Join(dir, file), []byte(changed), 0o644); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{run, filepath.Join(run, "none")}, "there is no directory " + filepath.Join(run, "none")},
		{[]string{run, filepath.Join(run, rundir.FileResult)}, "not a directory"},
		{[]string{run, t.TempDir()}, "holds no results: want the directory of a run (result.json), a sweep"},
		{[]string{run, other}, "not the same was run: pipeline.timeout (3s, and then 4s), " +
			"workload.rate (constant 400/s, and then constant 300/s); --across compares all the same"},
		{[]string{run, sweep}, "kind of directory (run, and then sweep)"},
		{[]string{run, sweep, "--across"}, "the two have no figure in common"},
		{[]string{run, spoil(rundir.FileResult, `"world": "virtual"`, `"world": "fakes"`)},
			"world (virtual, and then fakes)"},
		{[]string{run, spoil(rundir.FileResult, `"seed"`, `"defect": "ack-first", "seed"`)},
			"defect (none, and then ack-first)"},
		{[]string{run, spoil(rundir.FileResult, `"seed"`, `"cause": "the run was interrupted", "seed"`)},
			"spoiled is not finished, so it cannot be compared: the run was interrupted"},
		{[]string{run, spoil(rundir.FileResult, "{", "[")}, "result.json in "},
		{[]string{run, spoil(rundir.FileResult, `"verdict"`, `"verdikt"`)}, "not the directory of a run"},
		{[]string{run, spoil(rundir.FileSamples, "\n0.1,", "\nzero,")},
			`spoiled: line 2, column 1: "zero" is not a value of t`},
		{[]string{run, spoil(rundir.FileScenario, "partitions:", "partitoins:")}, "did you mean partitions?"},
		{[]string{run, run, "--rule", "freshnes <= 1s"}, "unknown figure \"freshnes\""},
		{[]string{run, run, "--rules", filepath.Join(run, "none")}, "no such file"},
		{[]string{run, run, "--alpha", "1"}, "alpha 1 must be above 0 and below 1"},
		{[]string{run, run, "--least-effect=-1%"}, "is below 0"},
	} {
		code, out, errs := call(append([]string{"diff"}, c.args...)...)
		if code != judge.ExitUsage || !strings.Contains(errs, c.want) || out != "" {
			t.Errorf("%v: exit code %d, %q, want %q\n%s", c.args, code, errs, c.want, out)
		}
	}
	// What another version wrote is read as far as it is known, and said to be.
	newer := spoil(rundir.FileSamples, "t,sent,", "t,sent_to,")
	if code, out, errs := call("diff", run, newer, "--rule", "drain <= 100s"); code != 0 {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
	newer = spoil(rundir.FileResult, `"version": "`, `"version": "v9 `)
	if code, out, _ := call("diff", run, newer); code != 0 || !strings.Contains(out, "made by different versions: ") ||
		!strings.Contains(out, "v9") {
		t.Errorf("exit code %d\n%s", code, out)
	}
	// A file that cannot be written is the environment's fault, and the comparison is still there.
	code, out, errs := call("diff", run, run, "--markdown", filepath.Join(run, "none", "diff.md"))
	if code != judge.ExitEnvironment || !strings.Contains(out, "verdict: the same") ||
		!strings.Contains(errs, "no such file") {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
}

// TestFilesAreWrittenWhole: an earlier file stays as it was if there is no room for another. That is tried in a
// process of its own: in this one others write at the same time, the log of the tests among them.
func TestFilesAreWrittenWhole(t *testing.T) {
	const variable, room = "SLUICE_TEST_WITHOUT_ROOM", 64 << 10
	if os.Getenv(variable) == "" {
		child := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^"+t.Name()+"$", "-test.v")
		child.Env = append(os.Environ(), variable+"=1")
		said, err := child.CombinedOutput()
		if err != nil || !strings.Contains(string(said), "--- PASS: "+t.Name()) {
			t.Errorf("%v\n%s", err, said)
		}
		return
	}
	var was syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "diff.md")
	large := strings.Repeat("x", 2*room)
	write := func(text string) error {
		return save("--markdown", path, func(w io.Writer) error {
			_, err := io.WriteString(w, text)
			return err
		})
	}
	if err := write("earlier"); err != nil {
		t.Fatal(err)
	}
	signal.Ignore(syscall.SIGXFSZ)
	defer signal.Reset(syscall.SIGXFSZ)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: room, Max: was.Max}); err != nil {
		t.Fatal(err)
	}
	err := write(large)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
		t.Fatal(err)
	}
	text, _ := os.ReadFile(path)
	if err == nil || !strings.HasPrefix(err.Error(), "--markdown "+path+" cannot be written: ") || string(text) != "earlier" {
		t.Errorf("without room: %v, and %d bytes are there", err, len(text))
	}
	entries, _ := os.ReadDir(filepath.Dir(path))
	if len(entries) != 1 {
		t.Errorf("something is left: %v", entries)
	}
	// What is no plain file is not replaced.
	link := path + ".link"
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	if err := writeWhole(link, "by the link"); err != nil {
		t.Fatal(err)
	}
	if text, _ := os.ReadFile(path); string(text) != "by the link" {
		t.Errorf("behind the link is %q", text)
	}
}
