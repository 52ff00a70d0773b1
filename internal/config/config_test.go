package config

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"sluice/flusher"
)

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// bare takes the variables of the test's own environment away.
func bare(t *testing.T) {
	t.Helper()
	for _, variable := range os.Environ() {
		name, value, _ := strings.Cut(variable, "=")
		if strings.HasPrefix(name, envPrefix) {
			t.Setenv(name, value) // restores it at the end
			if err := os.Unsetenv(name); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func parse(t *testing.T, args ...string) Run {
	t.Helper()
	r, err := Parse(args, "test", io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestDefaultsAreThoseOfTheContract(t *testing.T) {
	bare(t)
	c := parse(t).Pipeline
	got := fmt.Sprintln(c.InputTopic, c.OutputTopic, c.DeadLetterTopic,
		c.Options.Timeout, c.Options.RootTimeout, c.Options.MaxSegmentAge, c.Options.MaxSegmentBytes,
		c.Options.LateWindow, c.Worker.MaxFlushSegments, c.Flusher.MaxUnhealthy,
		c.Flusher.BackpressureAfter, c.Flusher.RestartBudget, c.Flusher.MaxMemory,
		c.Ingest.MaxBatch, c.Ingest.MaxBatchWait, c.Flusher.Processes, c.Mode)
	want := "ingest-spans buffered-segments ingest-spans-dlq 1m0s 10s 0s 10485760 0s 500 1m0s " +
		"10s 10 1 1000 1s 1 process\n"
	if got != want {
		t.Errorf("defaults\n%s, want\n%s", got, want)
	}
}

func TestEveryOptionReachesThePipeline(t *testing.T) {
	bare(t)
	r := parse(t, "--redis=a:1,b:2", "--redis", "c:3", "--kafka=k:9", "--input-topic=in",
		"--output-topic=out", "--group=g", "--instance-id=i", "--flusher-processes=per-shard",
		"--flusher-mode=goroutine", "--http=off", "--shutdown-timeout=none", "--create-topics",
		"--partitions=7", "--timeout=5s", "--root-timeout=250ms", "--max-segment-bytes=2MiB",
		"--max-segment-age=1m30s", "--max-flush-segments=9", "--max-unhealthy=4s",
		"--backpressure-after=3s", "--restart-budget=0", "--max-memory=80%", "--max-batch=11",
		"--max-batch-wait=20ms", "--late-window=0s", "--slice=s", "--worker-memory=off")
	c := r.Pipeline
	got := fmt.Sprintln(c.Redis.Addresses, c.Kafka.Brokers, c.InputTopic, c.OutputTopic,
		c.DeadLetterTopic, c.Group, c.InstanceID, c.Flusher.Processes == flusher.PerShard, c.Mode,
		r.HTTP == "", c.Flusher.ShutdownTimeout == flusher.NoTimeout, c.CreateTopics, c.Partitions,
		c.Options.Timeout, c.Options.RootTimeout, c.Options.MaxSegmentBytes, c.Options.MaxSegmentAge,
		c.Worker.MaxFlushSegments, c.Flusher.MaxUnhealthy, c.Flusher.BackpressureAfter,
		c.Flusher.RestartBudget, c.Flusher.MaxMemory, c.Ingest.MaxBatch, c.Ingest.MaxBatchWait,
		c.Redis.Slice, c.Limits.MemoryMax)
	want := "[a:1 b:2 c:3] [k:9] in out in-dlq g i true goroutine true true true 7 5s 250ms " +
		"2097152 1m30s 9 4s 3s 0 0.8 11 20ms s 0\n"
	if got != want {
		t.Errorf("got\n%s, want\n%s", got, want)
	}
}

func TestFlagBeatsVariableBeatsFileBeatsDefault(t *testing.T) {
	bare(t)
	file := write(t, "c.yaml", "# a comment\ntimeout: 11s\nroot_timeout: 12s\nmax-batch: 13\n"+
		"redis: [a:1, b:2]\ncreate-topics: true\nmax-memory: 0.5\n")
	t.Setenv("SLUICE_ROOT_TIMEOUT", "22s")
	t.Setenv("SLUICE_MAX_BATCH", "23")
	t.Setenv("SLUICE_CONFIG", file)
	c := parse(t, "--max-batch=33").Pipeline
	got := fmt.Sprintln(c.Options.Timeout, c.Options.RootTimeout, c.Ingest.MaxBatch,
		c.Redis.Addresses, c.CreateTopics, c.Flusher.MaxMemory, c.Flusher.RestartBudget)
	if want := "11s 22s 33 [a:1 b:2] true 0.5 10\n"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestAnEmptyVariableIsNotSet(t *testing.T) {
	bare(t)
	t.Setenv("SLUICE_REDIS", "")
	t.Setenv("SLUICE_TIMEOUT", "")
	t.Setenv("SLUICE_CONFIG", write(t, "c.yaml", "timeout: 11s\n"))
	c := parse(t, "--embedded").Pipeline
	if got := fmt.Sprintln(c.Redis.Addresses, c.Options.Timeout); got != "[127.0.0.1:6379] 11s\n" {
		t.Errorf("got %s, want the default and the file's", got)
	}
}

func TestTimesThatAreHardlyMeant(t *testing.T) {
	bare(t)
	for arg, want := range map[string]int{
		"--timeout=5s": 0, "--timeout=5s --root-timeout=6s": 1, "--timeout=5s --root-timeout=5s": 0,
		"--timeout=5s --max-unhealthy=999ms": 1, "--timeout=5s --max-unhealthy=1s": 0,
		"--timeout=5s --max-batch-wait=251ms": 1, "--timeout=5s --max-batch-wait=250ms": 0,
	} {
		c := parse(t, strings.Fields(arg)...)
		if len(c.Doubts) != want {
			t.Errorf("%s: doubts %q, want %d", arg, c.Doubts, want)
		}
		if !strings.Contains(arg, "root") && c.Pipeline.Options.RootTimeout != 5*time.Second {
			t.Errorf("%s: root time-out %v, want no more", arg, c.Pipeline.Options.RootTimeout)
		}
	}
}

// TestSizesThatAreHardlyMeant: a size whose unit was forgotten is said to be one, with what is meant.
func TestSizesThatAreHardlyMeant(t *testing.T) {
	bare(t)
	for arg, want := range map[string]string{
		"--worker-memory=512": "write 512MiB", "--worker-memory=63MiB": "--worker-memory of 66060288 bytes",
		"--worker-memory=64MiB": "", "--worker-memory=off": "",
		"--max-segment-bytes=10": "write 10MiB", "--max-segment-bytes=65535": "--max-segment-bytes of 65535 bytes",
		"--max-segment-bytes=64KiB": "", "--max-segment-bytes=off": "",
	} {
		got := strings.Join(parse(t, arg).Doubts, "\n")
		if !strings.Contains(got, want) || (want == "") != (got == "") {
			t.Errorf("%s: doubts %q, want %q", arg, got, want)
		}
	}
}

func TestWrongWordsSayWhichWouldBeRight(t *testing.T) {
	bare(t)
	cases := []struct{ arg, want string }{
		{"--root-timout=2s", `did you mean "--root-timeout"?`},
		{"--root-timeout=2", `"2" has no unit: write 2s`},
		{"--root-timeout=soon", "write a number with a unit"},
		{"--timeout=-1s", "negative"},
		{"--timeout=0", "--timeout: \"0\" is no time to wait"},
		{"--flusher-mode=thread", `must be one of "process","goroutine"`},
		{"--max-unhealthy=99ms", "write 100ms or more"},
		{"--max-unhealthy=100000h", "more than ten years"},
		{"--shutdown-timeout=100000h", "more than ten years"},
		{"--max-batch=100001", "write 100000 or less"},
		{"--max-flush-segments=9223372036854775807", "write 100000 or less"},
		{"--worker-threads=100000", "write 1024 or less"},
		{"--restart-budget=9223372036854775807", "write 1000000 or less"},
		{"--flusher-processes=9223372036854775807", "write 1000000 or less, or per-shard"},
		{"--flusher-processes=0", "write 1 or more, or per-shard"},
		{"--max-segment-bytes=10MX", "10MiB"},
		{"--max-segment-bytes=0.3B", "whole number of bytes"},
		{"--max-memory=3", "0.8 or 80%"},
		{"--shutdown-timeout=ever", "none to wait"},
		{"--http=nowhere", "want host:port"},
		{"--redis=localhost", `"localhost" is not "host:port"`},
		{"--kafka=localhost", `"localhost" is not host:port`},
		{"--kafka-sasl=gssapi", `"scram-sha-512"`},
		{"--kafka-user=me", "without a sasl mechanism"},
		{"--redis-tls-ca=ca.pem", "TLS is not switched on"},
		{"--log-level=trace", `"debug","info","warn","error"`},
		{"--partitions=0", "or broker"},
		{"--output-topic=ingest-spans", `both "ingest-spans"`},
		{"--max-flush-segments=0", "--max-flush-segments: \"0\" is not a count: write 1 or more"},
		{"--max-memory=0", "--max-memory: \"0\" is no share"},
		{"--late-window=1s", "late_window 1s is not supported yet"},
		{"--root-timeout=0s", "--root-timeout: \"0s\" is no time to wait"},
		{"--embedded --redis=h:1", "--redis would not be used"},
		{"--embedded-rate=0", "write 1 or more"},
		{"--config=nosuch.yaml", "nosuch.yaml"},
		{"more", "unexpected argument more"},
	}
	for _, c := range cases {
		t.Run(c.arg, func(t *testing.T) {
			_, err := Parse(strings.Fields(c.arg), "test", io.Discard)
			var usage *UsageError
			if !errors.As(err, &usage) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v (%T), want a usage error with %q", err, err, c.want)
			}
		})
	}
}

// A number, a duration or a size that is refused is refused in the words of its flag, and not in those of
// the part of the program that found it out.
func TestEachRefusalNamesItsFlag(t *testing.T) {
	bare(t)
	parser, err := newParser(&flags{}, "", io.Discard, new(bool))
	if err != nil {
		t.Fatal(err)
	}
	refused := 0
	for _, flag := range parser.Model.Flags {
		if k := flag.Target.Kind(); k < reflect.Int || k > reflect.Float64 {
			continue
		}
		for word := range strings.FieldsSeq("0 -1 0s -1s 1.5 -0.5 x ,") {
			_, err := Parse([]string{"--" + flag.Name + "=" + word}, "test", io.Discard)
			if err == nil {
				continue
			}
			refused++
			for line := range strings.Lines(err.Error()) {
				if !strings.HasPrefix(line, "--"+flag.Name+": ") {
					t.Errorf("--%s=%s: %s", flag.Name, word, line)
				}
			}
		}
	}
	if refused < 80 {
		t.Errorf("%d are refused, want most", refused)
	}
}

func TestFaultsOfAFileHaveTheirPlace(t *testing.T) {
	bare(t)
	cases := []struct{ name, text, want string }{
		{"unknown key", "redis: a:1\n  \nroot-timout: 1s\n", `:3:1: unknown key "root-timout"; did you mean root-timeout?`},
		{"no unit", "group: g\ntimeout: 5\n", `:2:10: --timeout: duration "5" has no unit`},
		{"twice", "max-batch: 1\nmax_batch: 2\n", `:2:1: key "max_batch" stands here a second time; the first is at`},
		{"a mapping", "redis:\n  host: a\n", `:2:3: redis: a single value, or a list of them, belongs here`},
		{"empty", "redis:\n", `redis: a single value, or a list of them, belongs here, not nothing`},
		{"a list", "- redis\n", `:1:1: keys belong here (redis, redis-user, redis-password-file, ...), not a list`},
		{"no YAML", "redis: [a\n", `:1:`},
		{"a password", "redis-password: hunter2\n", `did you mean redis-password-file?`},
		{"all faults", "a: 1\ntimeout: 1\n", `:2:10: --timeout`},
		{"config in it", "config: x\n", `unknown key "config"`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			path := write(t, "c.yaml", c.text)
			_, err := Parse([]string{"--config", path}, "test", io.Discard)
			var usage *UsageError
			if !errors.As(err, &usage) || !strings.Contains(err.Error(), c.want) ||
				!strings.Contains(err.Error(), path+":") {
				t.Errorf("%v, want a usage error with the place and %q", err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the password is in the error: %v", err)
			}
		})
	}
}

func TestAnEmptyFileChangesNothing(t *testing.T) {
	bare(t)
	if r := parse(t, "--config", write(t, "c.yaml", "# nothing\n")); r.Pipeline.Ingest.MaxBatch != 1000 {
		t.Errorf("max batch %d, want the default", r.Pipeline.Ingest.MaxBatch)
	}
}

func TestSecretsComeFromVariableOrFileAndAreNotPrinted(t *testing.T) {
	bare(t)
	t.Setenv("SLUICE_REDIS_PASSWORD", "hunter2")
	r := parse(t, "--kafka-sasl=plain", "--kafka-user=me",
		"--kafka-password-file="+write(t, "secret", "hunter3\n"))
	c := r.Pipeline
	if string(c.Redis.Password) != "hunter2" || string(c.Kafka.SASL.Password) != "hunter3" {
		t.Errorf("passwords %q and %q", string(c.Redis.Password), string(c.Kafka.SASL.Password))
	}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("config", "run", r.Pipeline.Redis, "sasl", c.Kafka.SASL)
	text := fmt.Sprintf("%v %+v %#v %s", r, r, r.Pipeline.Kafka, log.String())
	if strings.Contains(text, "hunter") {
		t.Errorf("a password is printed: %s", text)
	}
	for _, args := range [][]string{
		{"--redis-password-file=" + write(t, "other", "hunter4")},
		{"--kafka-password-file=" + write(t, "empty", "\n")},
		{"--redis=redis://:hunter5@host:6379"},
		{"--kafka-password-file=nosuch"},
	} {
		_, err := Parse(args, "test", io.Discard)
		if err == nil || strings.Contains(err.Error(), "hunter") {
			t.Errorf("%v: %v, want an error without the password", args, err)
		}
	}
}

func TestHelpNamesEveryFlagItsVariableAndNoSecret(t *testing.T) {
	bare(t)
	t.Setenv("SLUICE_REDIS_PASSWORD", "hunter2")
	var out strings.Builder
	if _, err := Parse([]string{"--help"}, "test", &out); !errors.Is(err, ErrHelp) {
		t.Fatalf("%v, want ErrHelp", err)
	}
	for _, want := range []string{"--restart-budget=10", "$SLUICE_RESTART_BUDGET", "--embedded"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %s in the help", want)
		}
	}
	if strings.Contains(out.String(), "hunter2") {
		t.Error("the password is in the help")
	}
}

func TestUnknownVariables(t *testing.T) {
	got := UnknownVariables([]string{"SLUICE_TIMOUT=1s", "SLUICE_TIMEOUT=1s", "HOME=/",
		"SLUICE_REDIS_PASSWORD=x"})
	if len(got) != 1 || got[0] != `SLUICE_TIMOUT; did you mean SLUICE_TIMEOUT?` {
		t.Errorf("unknown %q", got)
	}
}

func TestEmbeddedIsQuickUnlessToldOtherwise(t *testing.T) {
	bare(t)
	o := parse(t, "--embedded").Pipeline.Options
	if o.RootTimeout != 2*time.Second || o.Timeout != 4*time.Second {
		t.Errorf("time-outs %v and %v, want 2s and 4s", o.RootTimeout, o.Timeout)
	}
	t.Setenv("SLUICE_TIMEOUT", "60s")
	o = parse(t, "--embedded", "--root-timeout=10s").Pipeline.Options
	if o.RootTimeout != 10*time.Second || o.Timeout != time.Minute {
		t.Errorf("time-outs %v and %v, want what was given", o.RootTimeout, o.Timeout)
	}
}
