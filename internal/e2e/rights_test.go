package e2e

import (
	"errors"
	"net/http"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"sluice/internal/servers/servertest"
)

// Rights in Redis, or its password, change while spans arrive, and a worker has to be started
// meanwhile: input, workers and fences wait, say why, are counted by step, and go on when all is as it
// was.
func TestRightsThatAreTakenAwayAreWaitedFor(t *testing.T) {
	t.Parallel()
	redis := oneRedis(t)
	set := func(words string) {
		t.Helper()
		redis.do(t, append([]string{"ACL", "SETUSER", "keeper"}, strings.Fields(words)...)...)
	}
	set("on >pw ~* +@all")
	tr := newTraffic(t, servertest.KafkaAddr(t), workload)
	p := launch(t, func(c *exec.Cmd) { c.Env = append(c.Env, "SLUICE_REDIS_PASSWORD=pw") },
		append(append(tr.args(), "--redis", redis.addrs(), "--redis-user", "keeper", "--restart-budget", "2"),
			options...)...)
	p.awaitReady()
	tr.send()
	sentAtLeast(tr, 4000)
	p.awaitWorkers(4) // a member that has no partitions yet is ready, too
	for _, c := range []struct{ name, away, back, words string }{
		{"rights", "-@all", "+@all", "NOPERM"},
		{"password", "resetpass >other", "resetpass >pw", "WRONGPASS"},
	} {
		set(c.away)
		redis.do(t, "CLIENT", "KILL", "USER", "keeper")
		until(t, soon, "input and workers wait for "+c.name+" and say why", func() error {
			_, body, err := p.get("/readyz")
			if !hasLine(body, "input waits since", c.words) || !hasLine(body, "worker ", "fails since", c.words) {
				err = errors.Join(err, errors.New(body))
			}
			return err
		})
		if code, body, err := p.get("/healthz"); code != http.StatusOK {
			t.Errorf("/healthz: %d %s %v, but another start would not help", code, body, err)
		}
		p.signal(p.awaitWorkers(4)[0], syscall.SIGKILL)
		p.says("fence fails since", c.words)
		set(c.back)
		until(t, time.Minute, "the program is ready", p.ready)
	}
	if err := errors.Join(
		reach(p, "sluice_retries_total", 2, `step="fence"`),
		reach(p, "sluice_retries_total", 2, `step="attach"`),
		reach(p, "sluice_worker_retries_total", 2, `step="lease"`),
	); err != nil {
		t.Error(err)
	}
	if n := p.said("failed"); n != 2 {
		t.Errorf("%d workers failed, want the two that were killed", n)
	}
	tr.settled(time.Minute)
	finish(t, tr, p, redis)
}
