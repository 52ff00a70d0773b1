package main

import (
	"net/http"
	"strings"
	"syscall"
	"testing"

	"sluice/internal/pipeline/pipelinetest"
)

// Redis goes away while spans arrive, a worker dies meanwhile, and Redis comes back.
func TestRedisThatGoesAwayIsWaitedFor(t *testing.T) {
	t.Parallel()
	w := pipelinetest.Fakes(t)
	redis := newRelay(t, w.Redis[0])
	w.Redis = []string{redis.addr}
	p := launch(t, nil, processArgs(w, "--http=127.0.0.1:0", "--restart-budget=1")...)
	wait := send(t, w, 24_000, 2000)
	w.AwaitOut(t, 500)
	redis.cut()
	eventually(t, "it is not ready and says why", func() bool {
		code, body := ask(t, p, "/readyz")
		return code == http.StatusServiceUnavailable && strings.Contains(body, "input waits since")
	})
	if code, body := ask(t, p, "/healthz"); code != http.StatusOK {
		t.Errorf("/healthz: %d %s, but another start would not help", code, body)
	}
	if err := syscall.Kill(p.workers(t)[0], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	p.says(t, `"msg":"restart"`)
	wait()
	redis.mend()
	w.AwaitSettled(t)
	eventually(t, "it is ready", func() bool {
		code, _ := ask(t, p, "/readyz")
		return code == http.StatusOK
	})
	for _, words := range []string{`"msg":"trouble, trying again"`, `"msg":"trouble is over"`} {
		if n := strings.Count(p.out.String(), words); n != 1 {
			t.Errorf("%s is said %d times, want once", words, n)
		}
	}
	p.signal(t, syscall.SIGTERM)
	p.wants(t, codeDone)
	w.CheckNothingLost(t, pipelinetest.RepeatsAllowed)
	w.CheckEmpty(t)
}
