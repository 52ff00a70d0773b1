package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/internal/backend"
	"sluice/internal/harness"
	"sluice/internal/judge"
	"sluice/internal/pipeline"
	"sluice/internal/pipeline/pipelinetest"
	"sluice/internal/servers"
	"sluice/internal/servers/servertest"
	"sluice/internal/syncbuf"
	"sluice/internal/worlds/wall/real"
	"sluice/scenarios"
)

// checkBackend calls the command and returns its report.
func checkBackend(t *testing.T, args ...string) (code int, r backendReport) {
	t.Helper()
	code, out, errs := call(append([]string{"check-backend", "--json"}, args...)...)
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatalf("exit code %d, %v\n%s\n%s", code, err, out, errs)
	}
	return code, r
}

// failure returns the checks that failed, as "on: check: detail", and how many were not tried.
func (r backendReport) failure() (failed string, notTried int) {
	for _, c := range r.Checks {
		switch c.Verdict {
		case backend.Failed:
			failed += c.On + ": " + c.Name + ": " + c.Detail + "\n"
		case backend.NotTried:
			notTried++
		}
	}
	return failed, notTried
}

// grant allows users to do operations on topics and groups of the check.
func grant(t *testing.T, kafka string, user string, topics, groups []kadm.ACLOperation) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(kafka))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	of := func(operations []kadm.ACLOperation) *kadm.ACLBuilder {
		return kadm.NewACLs().Allow("User:" + user).AllowHosts().Operations(operations...).
			ResourcePatternType(kadm.ACLPatternPrefixed)
	}
	for _, b := range []*kadm.ACLBuilder{
		of(topics).Topics("sluice-sim-"), of(groups).Groups("sluice-sim-"),
	} {
		results, err := kadm.NewClient(client).CreateACLs(t.Context(), b)
		for _, r := range results {
			err = errors.Join(err, r.Err)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func secretFile(t *testing.T, password string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(password), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// What a user of a managed service has: a login on both servers, with rights for nothing but the
// check. And servers that will not do, each of which is named with what is wrong.
func TestCheckBackend(t *testing.T) {
	kafka := servertest.GuardedKafka(t, servers.Logins{"keeper": "pw", "writer": "pw", "nobody": "pw"})
	all := []kadm.ACLOperation{kadm.OpCreate, kadm.OpDescribe, kadm.OpRead, kadm.OpWrite, kadm.OpDelete}
	grant(t, kafka.Addr, "keeper", all, []kadm.ACLOperation{kadm.OpRead, kadm.OpDescribe, kadm.OpDelete})
	grant(t, kafka.Addr, "writer", all, []kadm.ACLOperation{kadm.OpDelete})
	redis := servertest.Redis(t)
	for user, rules := range map[string]string{
		"keeper": "~sluice-sim-* +@read +@write +@scripting +@connection +info",
		"reader": "~* +@read +info +@connection",
	} {
		words := append([]string{"ACL", "SETUSER", user, "on", ">pw"}, strings.Fields(rules)...)
		if _, err := redis.Do(words...); err != nil {
			t.Fatal(err)
		}
	}
	replica := servertest.Redis(t)
	host, port, _ := strings.Cut(redis.Addr, ":")
	if _, err := replica.Do("REPLICAOF", host, port); err != nil {
		t.Fatal(err)
	}
	secret := secretFile(t, "pw\n")
	asRedis := func(user string) []string {
		return []string{"--redis-user", user, "--redis-password-file", secret}
	}
	asKafka := func(user string) []string {
		return []string{"--kafka", kafka.Guarded, "--kafka-sasl", "plain", "--kafka-user", user,
			"--kafka-password-file", secret}
	}
	plain := []string{"--kafka", kafka.Addr}
	cluster := servertest.RedisCluster(t)
	for _, c := range []struct {
		name  string
		redis []string
		args  []string
		// failed are words of the one check that fails, "" if none does.
		failed   string
		notTried int
	}{
		{"logins", []string{redis.Addr}, slices.Concat(asRedis("keeper"), asKafka("keeper")), "", 0},
		{"cluster", cluster, plain, "", 0},
		{"replica", []string{replica.Addr}, plain, "redis: every step once: .*address of its primary", 2},
		{"no rights in Redis", []string{redis.Addr}, slices.Concat(asRedis("reader"), plain),
			"redis: every step once: .*the user needs", 2},
		{"wrong password", []string{redis.Addr}, slices.Concat([]string{"--redis-user", "keeper",
			"--redis-password-file", secretFile(t, "other")}, plain), "redis: connection: .*WRONGPASS", 3},
		{"no Kafka", []string{redis.Addr}, []string{"--kafka", "127.0.0.1:1"},
			"kafka: connection: .*connection refused", 5},
		{"no rights in Kafka", []string{redis.Addr}, asKafka("nobody"),
			"kafka: create topics: .*TOPIC_AUTHORIZATION_FAILED", 4},
		{"no right to a group", []string{redis.Addr}, asKafka("writer"),
			"kafka: read in a group: .*GROUP_AUTHORIZATION_FAILED", 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			holds := c.redis
			if holds[0] == replica.Addr { // a replica holds what its primary does
				holds = []string{redis.Addr}
			}
			on := newShared(t, holds, kafka.Addr)
			code, r := checkBackend(t, append([]string{"--redis", strings.Join(c.redis, ",")}, c.args...)...)
			failed, notTried := r.failure()
			want := judge.ExitPassed
			if c.failed != "" {
				want = judge.ExitEnvironment
			}
			if code != want || notTried != c.notTried || len(r.Checks) != 10 {
				t.Errorf("exit code %d, %d of %d not tried, want %d, %d of 10\n%+v", code, notTried,
					len(r.Checks), want, c.notTried, r)
			}
			if (failed == "") != (c.failed == "") || !regexp.MustCompile("^"+c.failed).MatchString(failed) {
				t.Errorf("failed: %q, want %q", failed, c.failed)
			}
			on.expectGone("sluice-sim-check")
		})
	}
}

// Servers that want TLS and a login, of the check, of a run and of what removes its litter.
func TestGivenServersWithTLS(t *testing.T) {
	certificate, ca := pipelinetest.Certificate(t)
	redis, err := miniredis.RunTLS(certificate)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(redis.Close)
	redis.RequireUserAuth("keeper", "secret")
	kafka, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.TLS(certificate), kfake.EnableSASL(),
		kfake.Superuser("PLAIN", "me", "secret"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(kafka.Close)
	t.Setenv("SLUICE_REDIS_PASSWORD", "secret")
	t.Setenv("SLUICE_KAFKA_PASSWORD", "secret")
	servers := []string{"--redis", redis.Addr(), "--redis-user", "keeper", "--redis-tls", "--redis-tls-ca", ca,
		"--kafka", strings.Join(kafka.ListenAddrs(), ","), "--kafka-sasl", "plain", "--kafka-user", "me",
		"--kafka-tls", "--kafka-tls-ca", ca}
	if code, r := checkBackend(t, servers...); code != judge.ExitPassed {
		t.Errorf("exit code %d: %+v", code, r)
	}
	dir := filepath.Join(t.TempDir(), "out")
	code, out, errs := call(slices.Concat([]string{"run", scenarioFile(t, quick), "--world", "real",
		"--out", dir}, servers)...)
	if code != judge.ExitPassed {
		t.Fatalf("exit code %d\n%s\n%s", code, out, errs)
	}
	redisLogin, kafkaLogin := strings.Join(servers[2:7], " "), strings.Join(servers[9:], " ")
	if replay := resultOf(t, dir).Replay; strings.Contains(replay, "secret") ||
		!strings.Contains(replay, redisLogin+" "+kafkaLogin) {
		t.Errorf("replay: %s, want %s %s, and no password", replay, redisLogin, kafkaLogin)
	}
	if code, _, errs := call(append([]string{"clean"}, servers...)...); code != judge.ExitPassed {
		t.Errorf("clean: exit code %d, %s", code, errs)
	}
	t.Setenv("SLUICE_KAFKA_PASSWORD", "")
	plain := []string{"--redis", redis.Addr(), "--kafka", strings.Join(kafka.ListenAddrs(), ",")}
	code, r := checkBackend(t, plain...)
	if failed, _ := r.failure(); code != judge.ExitEnvironment ||
		strings.Count(failed, "speaks TLS, which is off here") != 2 {
		t.Errorf("in plain text: exit code %d, %s", code, failed)
	}
}

// Moments of a check, by names of keys and groups that are on the servers then.
var (
	inConformance = regexp.MustCompile(`^sluice-sim-check-\d[^:]*:\d+:`)
	inGroup       = regexp.MustCompile(`^sluice-sim-check-\d[0-9-]*-[0-9a-f]{8}$|` + underLoad.String())
	underLoad     = regexp.MustCompile(`^sluice-sim-check-backend-.*\{s:`)
)

// A check that is interrupted, or whose servers die or hang in the middle of it, ends soon, says so,
// and leaves nothing that simulate clean does not find.
func TestCheckBackendThatEndsEarly(t *testing.T) {
	program := build(t)
	type world struct {
		check *exec.Cmd
		redis *servers.RedisServer
		kafka *servers.KafkaServer
	}
	for _, c := range []struct {
		name string
		when *regexp.Regexp
		end  func(world) error
		code int
		// words of the report, and whether all is removed by then.
		words   string
		removed bool
	}{
		{"Ctrl-C", underLoad, func(w world) error { return w.check.Process.Signal(os.Interrupt) },
			judge.ExitUnknown, `verdict: unknown \(interrupted\)`, true},
		{"Redis dies", underLoad, func(w world) error { return w.redis.Kill() },
			judge.ExitEnvironment, "under load +failed +a server stopped answering meanwhile: redis", true},
		{"Kafka dies", underLoad, func(w world) error { return w.kafka.Kill() },
			judge.ExitEnvironment, "under load +failed +a server stopped answering meanwhile: kafka", false},
		{"Redis hangs", underLoad, func(w world) error { return w.redis.Freeze() },
			judge.ExitEnvironment, "under load +failed +a server stopped answering meanwhile: redis", false},
		{"Kafka hangs", underLoad, func(w world) error { return w.kafka.Freeze() },
			judge.ExitEnvironment, "under load +failed +a server stopped answering meanwhile: kafka", false},
		{"Redis hangs before", inConformance, func(w world) error { return w.redis.Freeze() },
			// And this for longer than the rest takes, if the test stands still.
			judge.ExitEnvironment, `redis +\S.* failed +the server stopped answering: redis|` +
				"under load +failed +a server stopped answering meanwhile: redis", false},
		{"Kafka hangs before", inGroup, func(w world) error { return w.kafka.Freeze() },
			// The group is there for a moment, so this may come when the pipeline has begun.
			judge.ExitEnvironment, "failed +(the server stopped answering|a server stopped answering meanwhile): kafka", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := world{redis: servertest.Redis(t), kafka: servertest.NewKafka(t)}
			on := newShared(t, []string{w.redis.Addr}, w.kafka.Addr)
			var out syncbuf.Buffer
			bounded, cancel := context.WithTimeout(t.Context(), 4*time.Minute) // 10 to 45 s after the failure
			defer cancel()
			w.check = exec.CommandContext(bounded, program, "check-backend", "--redis", w.redis.Addr,
				"--kafka", w.kafka.Addr)
			w.check.Stdout, w.check.Stderr = &out, &out
			if err := w.check.Start(); err != nil {
				t.Fatal(err)
			}
			defer w.check.Process.Kill()
			for !slices.ContainsFunc(on.names(), c.when.MatchString) {
				if bounded.Err() != nil {
					t.Fatalf("the check never came so far:\n%s", out.String())
				}
				time.Sleep(10 * time.Millisecond)
			}
			if err := c.end(w); err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			_ = w.check.Wait() // the code says it
			if code := w.check.ProcessState.ExitCode(); code != c.code ||
				!regexp.MustCompile(c.words).MatchString(out.String()) {
				t.Errorf("exit code %d, want %d and %q\n%s", code, c.code, c.words, out.String())
			}
			t.Logf("%s: it ended after %v", c.name, time.Since(began))
			for _, server := range []interface {
				Running() bool
				Start() error
				Thaw() error
			}{w.redis, w.kafka} {
				err := server.Thaw()
				if !server.Running() {
					err = server.Start()
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			if !c.removed {
				if !strings.Contains(out.String(), "which simulate clean can do later") {
					t.Errorf("no word of what is left:\n%s", out.String())
				}
				// Members that died are there for some seconds, and a broker that was started has no
				// coordinator for a moment.
				said := ""
				for end := time.Now().Add(time.Minute); slices.ContainsFunc(on.names(), func(name string) bool {
					return strings.HasPrefix(name, "sluice-sim-check")
				}) && time.Now().Before(end); time.Sleep(time.Second) {
					_, _, said = call("clean", "--yes", "--redis", w.redis.Addr, "--kafka", w.kafka.Addr)
				}
				if t.Failed() {
					t.Log("the last clean said: ", said)
				}
			}
			if c.name == "Redis dies" { // its strangers died with it
				newShared(t, []string{w.redis.Addr}, w.kafka.Addr)
			}
			on.expectGone("sluice-sim-check")
		})
	}
}

// A server that takes connections and never answers: the check ends by itself, and says which it is.
func TestCheckBackendOfServersThatHang(t *testing.T) {
	redis, kafka := servertest.Redis(t), servertest.NewKafka(t)
	for name, server := range map[string]interface {
		Freeze() error
		Thaw() error
	}{"redis": redis, "kafka": kafka} {
		t.Run(name, func(t *testing.T) {
			if err := server.Freeze(); err != nil {
				t.Fatal(err)
			}
			defer server.Thaw()
			code, r := checkBackend(t, "--redis", redis.Addr, "--kafka", kafka.Addr)
			failed, _ := r.failure()
			if code != judge.ExitEnvironment || !strings.Contains(failed, name) || !strings.Contains(failed, "answer") {
				t.Errorf("exit code %d, %s", code, failed)
			}
		})
	}
}

func TestVerdictOfABackend(t *testing.T) {
	passed := backend.Check{Verdict: backend.Passed}
	failed := backend.Check{On: "redis", Name: "x", Verdict: backend.Failed}
	wrong := failed
	wrong.Wrong = true
	untried := backend.Check{Verdict: backend.NotTried}
	for _, c := range []struct {
		checks []backend.Check
		ofRun  int
		want   string
		code   int
	}{
		{[]backend.Check{passed, passed}, 0, "passed", judge.ExitPassed},
		{[]backend.Check{failed, untried}, 0, "failed (redis: x)", judge.ExitEnvironment},
		{[]backend.Check{failed, wrong}, 0, "failed (redis: x; redis: x)", judge.ExitSafety},
		{[]backend.Check{failed}, judge.ExitLiveness, "failed (redis: x)", judge.ExitLiveness},
		{[]backend.Check{passed, untried}, 0, "unknown (interrupted)", judge.ExitUnknown},
	} {
		if verdict, code := judgeBackend(c.checks, c.ofRun); verdict != c.want || code != c.code {
			t.Errorf("%+v: %q, %d; want %q, %d", c.checks, verdict, code, c.want, c.code)
		}
	}
}

// A server that is gone when the pipeline starts is found by that first.
func TestCheckBackendWhoseServersAreGoneAtTheStart(t *testing.T) {
	nowhere := []string{"127.0.0.1:1"}
	on := backends{pipeline.DefaultRedis(), pipeline.DefaultKafka()}
	on.redis.Addresses, on.kafka.Brokers = nowhere, nowhere
	s, err := scenarios.Load("steady", nil)
	if err != nil {
		t.Fatal(err)
	}
	check, code, _ := runBoth(t.Context(), backend.Check{}, on,
		harness.Config{Scenario: s, World: real.World{Redis: nowhere, Kafka: nowhere}})
	if code != judge.ExitEnvironment || !strings.HasPrefix(check.Detail, "a server stopped answering meanwhile: ") {
		t.Errorf("exit code %d, %+v", code, check)
	}
}
