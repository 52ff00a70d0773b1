package main

import (
	"net/http"
	"strings"
	"syscall"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"

	"sluice/internal/pipeline/pipelinetest"
	"sluice/internal/servers/servertest"
)

// Rights in Redis, or its password, change while spans arrive, and a worker has to be started
// meanwhile: input, workers and fences wait, say why, and go on when all is as it was.
func TestRightsThatAreTakenAwayAreWaitedFor(t *testing.T) {
	t.Parallel()
	redis := servertest.Redis(t)
	kafka, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(kafka.Close)
	set := func(words ...string) {
		t.Helper()
		if _, err := redis.Do(append([]string{"ACL", "SETUSER", "keeper"}, words...)...); err != nil {
			t.Fatal(err)
		}
	}
	set("on", ">pw", "~*", "+@all")
	w := pipelinetest.On(t, []string{redis.Addr}, kafka.ListenAddrs())
	p := launch(t, []string{"SLUICE_REDIS_PASSWORD=pw"},
		processArgs(w, "--redis-user=keeper", "--http=127.0.0.1:0", "--restart-budget=2")...)
	wait := send(t, w, 16_000, 2000)
	w.AwaitOut(t, 500)
	for _, c := range []struct {
		name, away, back, words string
	}{
		{"rights", "-@all", "+@all", "NOPERM"},
		{"password", "resetpass >other", "resetpass >pw", "WRONGPASS"},
	} {
		set(strings.Fields(c.away)...)
		if _, err := redis.Do("CLIENT", "KILL", "USER", "keeper"); err != nil {
			t.Fatal(err)
		}
		eventually(t, "input and workers wait for "+c.name+" and say why", func() bool {
			code, body := ask(t, p, "/readyz")
			said := 0
			for line := range strings.Lines(body) {
				if strings.Contains(line, c.words) &&
					(strings.HasPrefix(line, "input waits since") || strings.HasPrefix(line, "worker ")) {
					said++
				}
			}
			return code == http.StatusServiceUnavailable && said >= 3
		})
		if code, body := ask(t, p, "/healthz"); code != http.StatusOK {
			t.Errorf("/healthz: %d %s, but another start would not help", code, body)
		}
		if err := syscall.Kill(p.workers(t)[0], syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the fence waits for "+c.name, func() bool {
			_, body := ask(t, p, "/readyz")
			return strings.Contains(body, "fence")
		})
		set(strings.Fields(c.back)...)
		eventually(t, "it is ready", func() bool {
			code, _ := ask(t, p, "/readyz")
			return code == http.StatusOK
		})
	}
	wait()
	w.AwaitSettled(t)
	p.signal(t, syscall.SIGTERM)
	p.wants(t, codeDone)
	w.CheckNothingLost(t, pipelinetest.RepeatsAllowed)
	w.CheckEmpty(t)
	if n := strings.Count(p.out.String(), `"msg":"failed"`); n != 2 {
		t.Errorf("%d workers failed, want the two that were killed", n)
	}
}
