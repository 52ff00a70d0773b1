package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/internal/harness"
	"sluice/internal/judge"
	"sluice/internal/options"
	"sluice/internal/process"
	"sluice/internal/servers"
	"sluice/internal/servers/servertest"
	"sluice/internal/worlds/wall"
	"sluice/internal/worlds/wall/real"
	"sluice/scenarios"
	"sluice/sim"
)

// TestCalibrate measures small on real servers: refuses while others use them, leaves nothing there,
// and writes a file that the virtual world and a comparison read.
func TestCalibrate(t *testing.T) {
	redis, kafka := servertest.Redis(t), servertest.NewKafka(t)
	servers := []string{"--redis", redis.Addr, "--kafka", kafka.Addr}
	file := filepath.Join(t.TempDir(), "costs.yaml")
	measure := func(more ...string) (code int, out, errs string) {
		return call(slices.Concat([]string{"calibrate", "--out", file, "--repeat", "1", "--spans", "1000",
			"--alone"}, servers, more)...)
	}
	refused := func(sign string) {
		t.Helper()
		code, _, errs := measure()
		if code != 1 || !strings.Contains(errs, "is in use: "+sign) || !strings.Contains(errs, "--even-if-used") {
			t.Errorf("exit code %d, want 1 and %q:\n%s", code, sign, errs)
		}
		if _, err := os.Stat(file); err == nil {
			t.Error("a file was written")
		}
	}
	if _, err := redis.Do("SET", "theirs", "1"); err != nil {
		t.Fatal(err)
	}
	refused("it holds 1 keys")
	if _, err := redis.Do("DEL", "theirs"); err != nil {
		t.Fatal(err)
	}
	member, err := kgo.NewClient(kgo.SeedBrokers(kafka.Addr), kgo.ConsumerGroup("theirs"),
		kgo.ConsumeTopics("theirs"))
	if err != nil {
		t.Fatal(err)
	}
	defer member.Close()
	if _, err := kadm.NewClient(member).CreateTopic(t.Context(), 1, 1, nil, "theirs"); err != nil {
		t.Fatal(err)
	}
	if err := member.ProduceSync(t.Context(), &kgo.Record{Topic: "theirs"}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	if err := member.PollFetches(t.Context()).Err(); err != nil { // so it has joined
		t.Fatal(err)
	}
	refused("group theirs has 1 members")
	code, out, errs := measure("--even-if-used")
	if code != 0 || lastLine(out) != "verdict: passed" {
		t.Fatalf("exit code %d\n%s\n%s", code, out, errs)
	}
	member.Close()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	costs, err := sim.ReadCosts(file, text)
	if err != nil {
		t.Fatal(err)
	}
	checkMeasured(t, costs)
	if why := restarts(t, costs, false); !strings.Contains(why, "are not restarted") {
		t.Errorf("servers that it did not start: %q", why)
	}
	var left []wall.Litter
	code, out, errs = call(slices.Concat([]string{"clean", "--json"}, servers)...)
	if err := json.Unmarshal([]byte(out), &left); code != 0 || err != nil || len(left) > 0 {
		t.Errorf("left behind: %+v, exit code %d, %v\n%s", left, code, err, errs)
	}
	if keys, err := redis.Do("DBSIZE"); err != nil || strings.TrimSpace(keys) != "0" {
		t.Errorf("keys left behind: %q, %v", keys, err)
	}
	compareOn(t, file, servers)
}

// TestCalibrateLogsIn on servers that let nobody in without, all its clients and the processes that it
// starts; and runs in which everything goes on at once would, too.
func TestCalibrateLogsIn(t *testing.T) {
	redis, kafka := servertest.Redis(t), servertest.GuardedKafka(t, servers.Logins{"keeper": "pw"})
	all := []kadm.ACLOperation{kadm.OpCreate, kadm.OpDescribe, kadm.OpRead, kadm.OpWrite, kadm.OpDelete}
	grant(t, kafka.Addr, "keeper", all, []kadm.ACLOperation{kadm.OpRead, kadm.OpDescribe, kadm.OpDelete})
	for _, words := range [][]string{
		{"ACL", "SETUSER", "keeper", "on", ">pw", "~*", "+@all"}, {"ACL", "SETUSER", "default", "off"},
	} {
		if _, err := redis.Do(words...); err != nil {
			t.Fatal(err)
		}
	}
	secret := secretFile(t, "pw\n")
	bare := []string{"--redis", redis.Addr, "--kafka", kafka.Guarded}
	login := slices.Concat(bare, []string{"--redis-user", "keeper", "--redis-password-file", secret, "--kafka-sasl", "plain",
		"--kafka-user", "keeper", "--kafka-password-file", secret})
	file := filepath.Join(t.TempDir(), "costs.yaml")
	measure := []string{"calibrate", "--out", file, "--repeat", "1", "--spans", "1000", "--alone"}
	if code, _, errs := call(append(measure, bare...)...); code != 1 || !strings.Contains(errs, "NOAUTH") {
		t.Errorf("without a login: exit code %d\n%s", code, errs)
	}
	if code, out, errs := call(append(measure, login...)...); code != 0 {
		t.Fatalf("exit code %d\n%s\n%s", code, out, errs)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	costs, err := sim.ReadCosts(file, text)
	if err != nil {
		t.Fatal(err)
	}
	checkMeasured(t, costs)
	if code, out, errs := call(append([]string{"clean", "--json"}, login...)...); code != 0 || strings.TrimSpace(out) != "[]" {
		t.Errorf("left behind, exit code %d: %s\n%s", code, out, errs)
	}
	c := calibrateCommand{Redis: []string{redis.Addr}, Kafka: []string{kafka.Guarded}}
	c.RedisUser, c.RedisPasswordFile = "keeper", secret
	if w, err := c.world(); err != nil || w.Access.RedisUser != "keeper" || w.Access.RedisPassword != "pw" {
		t.Errorf("%v: everything at once logs in with %+v", err, w.Access)
	}
}

// checkMeasured looks at what every machine must show.
func checkMeasured(t *testing.T, costs sim.Costs) {
	t.Helper()
	c := costs.Calibration
	if c == nil || c.Yardstick.Median <= 0 || c.Redis == "" || c.Kafka == "" || !costs.Hosts.Shared {
		t.Fatalf("%+v", costs)
	}
	named := map[string]bool{}
	for _, m := range c.Measured {
		named[m.Cost] = true
	}
	for _, cost := range []string{"network.hop", "redis.span", "redis.trace", "kafka.request",
		"kafka.acknowledge", "program.start", "program.attach", "worker.record", "harness.send"} {
		if !named[cost] {
			t.Errorf("%s is not measured: %+v", cost, c.Measured)
		}
	}
	took := map[string]time.Duration{}
	for _, step := range c.Steps {
		took[step.Step] = step.Client
		if step.Step == "attach" && step.Redis <= 0 || step.N < 1 || step.Client < step.Least.Client ||
			step.Client > step.Greatest.Client {
			t.Errorf("nobody takes that for a step: %+v", step)
		}
	}
	for _, step := range []string{"decode", "group", "attach", "assemble", "compress lz4", "compress zstd", "produce"} {
		if took[step] <= 0 {
			t.Errorf("%s takes nothing: %v", step, took)
		}
	}
	if len(c.Throughput) != 2 || c.Throughput[0].Median <= 0 || c.Throughput[1].Median <= 0 {
		t.Errorf("a producer brings nothing to Kafka: %+v", c.Throughput)
	}
	why := map[string]string{}
	for _, m := range c.NotMeasured {
		why[m.Cost] = m.Why
	}
	for _, cost := range []string{"network.bandwidth", "redis.empty", "redis.overhead"} {
		if why[cost] == "" {
			t.Errorf("nobody says why %s is not measured: %v", cost, why)
		}
	}
}

// restarts checks that what it takes to stop and start servers was measured, or that it was not and keeps
// its built-in value, and returns why.
func restarts(t *testing.T, costs sim.Costs, measured bool) (why string) {
	t.Helper()
	was, built := map[string]bool{}, sim.DefaultCosts()
	for _, m := range costs.Calibration.Measured {
		was[m.Cost] = true
	}
	for _, cost := range []string{"redis.stop", "redis.save_trace", "redis.save_kb", "redis.start",
		"redis.load_trace", "redis.load_kb", "kafka.stop", "kafka.start"} { // warm_up is not, alone
		if was[cost] != measured {
			t.Errorf("%s is measured: %v", cost, was[cost])
		}
		if !measured && *costs.Cost(cost) != *built.Cost(cost) {
			t.Errorf("%s is %v, and was not measured", cost, *costs.Cost(cost))
		}
	}
	for _, m := range costs.Calibration.NotMeasured {
		if m.Cost == "redis.load_kb" {
			why = m.Why
		}
	}
	return why
}

// TestCalibrateRestartsItsOwn: servers that it started it stops and starts again, and measures that; it
// has a broker at its end, too, from which it can remove what it made.
func TestCalibrateRestartsItsOwn(t *testing.T) {
	servertest.Need(t)
	file := filepath.Join(t.TempDir(), "costs.yaml")
	code, out, errs := call("calibrate", "--out", file, "--repeat", "1", "--spans", "1000", "--alone",
		"--servers", "start")
	if code != 0 {
		t.Fatalf("exit code %d\n%s\n%s", code, out, errs)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	costs, err := sim.ReadCosts(file, text)
	if err != nil {
		t.Fatal(err)
	}
	if why := restarts(t, costs, true); why != "" {
		t.Error(why)
	}
	// Of one try of each, Redis' are what is left of a line through them: one that was late takes one to 0.
	if r, k := costs.Redis, costs.Kafka; r.Start+r.Stop <= 0 || k.Start < 100*time.Millisecond || k.Stop <= 0 {
		t.Errorf("%+v\n%+v", r, k)
	}
}

// compareOn runs a small scenario in the virtual world and on the servers.
func compareOn(t *testing.T, costs string, servers []string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "compare")
	code, out, errs := call(slices.Concat([]string{"compare", scenarioFile(t, quick), "--costs", costs,
		"--out", dir, "--freshness-factor", "1000", "--tolerance", "1000%"}, servers)...)
	if code != 0 || !strings.Contains(out, "throughput spans/s") ||
		!strings.Contains(out, "redis_us us/span") || lastLine(out) != "verdict: passed" {
		t.Fatalf("exit code %d\n%s\n%s", code, out, errs)
	}
	for _, name := range []string{fileCompare, chartCompare + ".png", chartCompare + ".svg"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestCompareEndsWithItsTolerance: two virtual worlds of different speed, in the form of fakes that are
// as fast as they are, and costs beyond all measure.
func TestCompareEndsWithItsTolerance(t *testing.T) {
	slow := filepath.Join(t.TempDir(), "slow.yaml")
	if err := os.WriteFile(slow, []byte("redis: {segment: 400ms}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	mine := scenarioFile(t, quick)
	code, out, errs := call("compare", mine, "--worlds", "virtual,fakes", "--costs", slow,
		"--out", filepath.Join(t.TempDir(), "compare"))
	again := " compare " + mine + " --seed 1 --worlds virtual,fakes --costs " + slow +
		" --processes 2 --repeat 1 --tolerance 0.2 --freshness-factor 1.5 --recovery-tolerance 0.25"
	if last := lastLine(out); code != 13 || !strings.Contains(out, "Beyond the tolerance: with") ||
		!strings.HasPrefix(last, "verdict: expectation missed (with 2 processes ") || !strings.HasSuffix(last, again) {
		t.Errorf("exit code %d, want 13\n%s\n%s", code, out, errs)
	}
	if !strings.Contains(errs, "The costs are of 1 node of Redis and 8 cores, the servers on others; measured is on ") {
		t.Errorf("the costs are of other hosts, and nobody says so:\n%s", errs)
	}
}

// TestCompareGoesByTheHostsThatAreMeasured: the built-in costs are taken for these, and costs of other hosts
// are told of.
func TestCompareGoesByTheHostsThatAreMeasured(t *testing.T) {
	kafka, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(kafka.Close)
	given := real.World{Redis: servertest.RedisCluster(t)[:1], Kafka: kafka.ListenAddrs()}
	own := sim.DefaultCosts()
	own.Hosts = sim.Hosts{Cores: process.Cores(), Shared: true, RedisNodes: 3}
	fewer, apart, other := own, own, own
	fewer.Hosts.RedisNodes, apart.Hosts.Shared, other.Hosts.Cores = 0, false, own.Hosts.Cores+1
	measured := hostsText(own.Hosts, scenarios.Default())
	for _, c := range []struct {
		costs *sim.Costs
		want  string
	}{
		{nil, ""}, {&own, ""}, {&fewer, "of 1 node of Redis"}, {&apart, "the servers on others"},
		{&other, "and " + options.FormatCount(other.Hosts.Cores, "core")},
	} {
		var errs strings.Builder
		configs := [2]harness.Config{{Scenario: scenarios.Default(), World: sim.World{Costs: c.costs}}, {World: given}}
		if _, err := (&compareCommand{}).machine(t.Context(), &errs, &configs); err != nil {
			t.Fatal(err)
		}
		if c.costs == nil && configs[0].World.(sim.World).Hosts() != own.Hosts {
			t.Errorf("predicted is on %+v, want %+v", configs[0].World.(sim.World).Hosts(), own.Hosts)
		}
		said := errs.String()
		if (said == "") != (c.want == "") || !strings.Contains(said, c.want) ||
			said != "" && !strings.HasSuffix(said, "; measured is on "+measured+".\n") {
			t.Errorf("%q, want %q", said, c.want)
		}
	}
}

// TestCompareKeepsWhatWasCompared when it is ended before the last count.
func TestCompareKeepsWhatWasCompared(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out := &bytes.Buffer{}
	c := compareCommand{scenarioFlags: scenarioFlags{Scenario: scenarioFile(t, quick)},
		Worlds: []string{"fakes", "virtual"}, Processes: []int{1, 2}, Repeat: 1, Tolerance: 10, Factor: 1000,
		Recovery: 10, Out: filepath.Join(t.TempDir(), "out")}
	err := c.Run(ctx, &streams{out: out, err: &canceller{word: "1 process, repeat 1 of 1, fakes", cancel: cancel}})
	if err == nil || !strings.Contains(err.Error(), "2 processes in world virtual (repeat 1 of 1): interrupted") ||
		!strings.Contains(out.String(), "Not all was compared: 2 processes") {
		t.Errorf("%v\n%s", err, out)
	}
	text, err := os.ReadFile(filepath.Join(c.Out, fileCompare))
	if err != nil || !strings.Contains(string(text), `"unfinished": "2 processes`) {
		t.Errorf("%v\n%s", err, text)
	}
}

// TestCompareEndsUnsafe: a run that violates safety is never lost, in whichever world it was made, and what is
// predicted is what was measured or not; nor if no count could be compared.
func TestCompareEndsUnsafe(t *testing.T) {
	flags := scenarioFlags{Scenario: "kill-skipped"}
	s, err := flags.load(worldFlags{World: "virtual"})
	if err != nil {
		t.Fatal(err)
	}
	const broken = "kill-skipped"
	for _, c := range []struct {
		defects [2]string
		agree   bool
		unsafe  string
	}{
		{[2]string{"", broken}, false, "Safety was violated in 1 run. "},
		{[2]string{broken, broken}, true, "Safety was violated in 2 runs. "},
		{[2]string{"", ""}, true, ""},
	} {
		var configs [2]harness.Config
		for i, defect := range c.defects {
			if configs[i], err = (worldFlags{World: "virtual", Defect: defect}).config(s, io.Discard); err != nil {
				t.Fatal(err)
			}
		}
		var out, errs bytes.Buffer
		made := compareCommand{Worlds: []string{"virtual", "virtual"}, Processes: []int{1}, Repeat: 1, Tolerance: 10, Factor: 1000, Recovery: 1000}
		dir := filepath.Join(t.TempDir(), "out")
		code := exitCode(made.compare(t.Context(), &streams{out: &out, err: &errs}, "mine", dir, configs, 0), &errs)
		text, err := os.ReadFile(filepath.Join(dir, fileCompare))
		if want := judge.ExitSafety; c.unsafe != "" && (code != want || !strings.HasPrefix(out.String(), c.unsafe) ||
			!strings.HasPrefix(lastLine(out.String()), "verdict: safety violated (with 1 process in world virtual (repeat 1 of 1): ") ||
			err != nil || !strings.Contains(string(text), `"with 1 process in world virtual (repeat 1 of 1): `)) ||
			c.unsafe == "" && code != judge.ExitPassed ||
			c.agree == strings.Contains(out.String(), `1 process the verdict is "safety violated (`) {
			t.Errorf("%q: exit code %d, %v\n%s%s", c.defects, code, err, &out, &errs)
		}
		if c.unsafe == "" {
			continue
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		ended := compareCommand{Worlds: []string{"virtual", "virtual"}, Processes: []int{1}, Repeat: 1}
		seen := &canceller{word: "safety violated", cancel: cancel}
		out.Reset()
		err = ended.compare(ctx, &streams{out: &out, err: seen}, "mine", filepath.Join(t.TempDir(), "out"), configs, 0)
		if code := exitCode(err, &errs); code != judge.ExitSafety || !strings.Contains(seen.String(), "interrupted") ||
			!strings.Contains(seen.String(), "simulate: safety was violated with 1 process in world virtual (repeat 1 of 1): ") ||
			!strings.HasPrefix(out.String(), "verdict: safety violated (with 1 process in world virtual (repeat 1 of 1): ") {
			t.Errorf("ended early: exit code %d\n%s%s", code, seen.String(), &out)
		}
	}
}

func TestCompareRefuses(t *testing.T) {
	for args, want := range map[string]string{
		"compare steady --worlds virtual":                       "must be two different worlds",
		"compare steady --worlds virtual,virtual":               "must be two different worlds",
		"compare steady --worlds virtual,moon":                  `world "moon" is not one of`,
		"compare steady --worlds virtual,fakes --processes 9":   "--processes 9 must be 1 to 8",
		"compare steady --worlds virtual,fakes --repeat 0":      "--repeat 0 must be at least 1",
		"compare steady --freshness-factor 0.5":                 "must be at least 1",
		"compare steady --freshness-factor inf":                 "must be at least 1, and a number",
		"compare steady --freshness-factor nan":                 "must be at least 1, and a number",
		"calibrate --repeat 0 --servers start":                  "--repeat 0 must be at least 1",
		"calibrate --spans 10 --servers start":                  "--spans 10 must be at least 1000",
		"calibrate --servers begin":                             `servers "begin" is not one of`,
		"calibrate --servers start --out main.go":               "main.go is there and is no calibration",
		"calibrate --servers start --out testdata/no/x.yaml":    "--out testdata/no/x.yaml cannot be written",
		"calibrate --servers start --out ..":                    "--out .. is a directory",
		"compare steady --worlds virtual,fakes --costs main.go": "main.go:6:1: not valid YAML",
		"compare steady --servers start --costs main.go":        "main.go:6:1: not valid YAML",
	} {
		t.Setenv("SLUICE_REDIS", "")
		t.Setenv("SLUICE_KAFKA", "")
		code, _, errs := call(strings.Fields(args)...)
		if code != 2 || !strings.Contains(errs, want) {
			t.Errorf("%s: exit code %d, want 2 and %q:\n%s", args, code, want, errs)
		}
	}
}

// TestServersThatAreNotThere: no flag of the command would help, and nothing is said to have begun.
func TestServersThatAreNotThere(t *testing.T) {
	nobody := servertest.Unused(t)
	for command, wrong := range map[string]string{
		"calibrate --out " + filepath.Join(t.TempDir(), "costs.yaml"):                            "--even-if-used",
		"compare " + scenarioFile(t, quick) + " --out " + filepath.Join(t.TempDir(), "compared"): "warm",
	} {
		args := append(strings.Fields(command), "--redis", nobody, "--kafka", nobody)
		code, _, errs := call(args...)
		if code != 1 || !strings.Contains(errs, nobody) || strings.Contains(errs, wrong) {
			t.Errorf("%s: exit code %d, want 1 and an error without %q:\n%s", args, code, wrong, errs)
		}
	}
}
