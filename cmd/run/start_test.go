package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/twmb/franz-go/pkg/kfake"

	"sluice/internal/pipeline/pipelinetest"
	"sluice/internal/servers/servertest"
)

func TestEmbeddedShowsItWorking(t *testing.T) {
	t.Parallel()
	p := launch(t, nil, "--embedded", "--duration=2s", "--flusher-processes=2")
	p.wants(t, codeDone, "segments/s", "worker 1 healthy", "spans sent")
	if out := p.out.String(); strings.Contains(out, "still buffered when") {
		t.Error("not every span came out")
	}
}

func TestDeadServersAreNamedWithTheCause(t *testing.T) {
	t.Parallel()
	redis, kafka := servertest.Unused(t), servertest.Unused(t)
	p := launch(t, nil, "--redis", redis, "--kafka", kafka, "--http=off")
	p.wants(t, codeFailed, "redis "+redis, "kafka "+kafka, "connection refused")
}

func TestMissingTopicIsNamedOrCreated(t *testing.T) {
	t.Parallel()
	redis := miniredis.RunT(t)
	kafka, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "ingest-spans"))
	if err != nil {
		t.Fatal(err)
	}
	defer kafka.Close()
	args := []string{"--redis", redis.Addr(), "--kafka", kafka.ListenAddrs()[0], "--http=off"}
	launch(t, nil, args...).wants(t, codeFailed, "buffered-segments, ingest-spans-dlq",
		"--create-topics")
	p := launch(t, nil, append(args, "--create-topics", "--duration=1s")...)
	p.wants(t, codeDone, "topics created")
}

// A namespace in which a newer version has written is left alone; an older one is noted as this version's.
func TestNamespaceOfANewerVersionEndsTheStart(t *testing.T) {
	t.Parallel()
	w := pipelinetest.Fakes(t)
	redis := servertest.Redis(t)
	w.Redis = []string{redis.Addr}
	key := w.Config().Redis.Namespace + "layout"
	if _, err := redis.Do("SET", key, "99"); err != nil {
		t.Fatal(err)
	}
	launch(t, nil, w.Args()...).wants(t, codeFailed, "a newer version", "layout 99", "delete the key "+key)
	if _, err := redis.Do("DEL", key); err != nil {
		t.Fatal(err)
	}
	p := launch(t, nil, w.Args()...)
	p.says(t, "partitions assigned")
	p.signal(t, syscall.SIGTERM)
	p.wants(t, codeDone)
	if layout, err := redis.Do("GET", key); err != nil || layout == "" {
		t.Errorf("layout %q is noted (%v)", layout, err)
	}
}

func TestBadFlagsEndWithTwo(t *testing.T) {
	t.Parallel()
	launch(t, nil, "--root-timeout=2").wants(t, codeUsage, "write 2s for seconds or 2ms", "run --help")
	launch(t, []string{"SLUICE_RESTART_BUDGET=ten"}).wants(t, codeUsage, "SLUICE_RESTART_BUDGET")
	launch(t, nil, "--kill-switch=nosuch", "--embedded").wants(t, codeUsage, "nosuch")
	launch(t, nil, "--help").wants(t, codeDone, "$SLUICE_REDIS_PASSWORD")
}

func TestAddressInUseIsNamed(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	address := l.Addr().String()
	launch(t, nil, "--embedded", "--http", address).wants(t, codeFailed, "--http", address, "in use")
	// Before any server is asked: a second start of an --instance-id would take the place of the first.
	launch(t, nil, "--redis=127.0.0.1:1", "--kafka=127.0.0.1:1", "--http", address).wants(t, codeFailed, "--http", address, "in use")
}

// The passwords are right, wrong, and missing; they are never seen.
func TestSecretsAreNotPrinted(t *testing.T) {
	t.Parallel()
	const user, secret, wrong = "keeper", "hunter2-right", "hunter2-wrong"
	w := pipelinetest.Fakes(t)
	redis := miniredis.RunT(t)
	redis.RequireUserAuth(user, secret)
	w.Redis = []string{redis.Addr()}
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	args := append(w.Args(), "--redis-user", user, "--log-level=debug")
	cases := []struct {
		name      string
		variables []string
		args      []string
		code      int
	}{
		{"right, by file", nil, []string{"--redis-password-file", file}, codeDone},
		{"right, by variable", []string{"SLUICE_REDIS_PASSWORD=" + secret}, nil, codeDone},
		{"wrong", []string{"SLUICE_REDIS_PASSWORD=" + wrong}, nil, codeFailed},
		{"missing", nil, nil, codeUsage},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			p := launch(t, c.variables, append(args, c.args...)...)
			if c.code == codeDone {
				p.says(t, `"msg":"healthy"`) // the workers have logged in
				p.signal(t, syscall.SIGTERM)
			}
			p.wants(t, c.code)
			if strings.Contains(p.out.String(), "hunter2") {
				t.Error("the password is in the output")
			}
		})
	}
}
