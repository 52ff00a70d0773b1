package main

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"sluice/internal/pipeline/pipelinetest"
)

// processArgs are those of a world, with processes as workers.
func processArgs(w *pipelinetest.World, more ...string) []string {
	return append(append(w.Args(), "--flusher-mode=process"), more...)
}

// send sends spans in the background; the returned function waits for the end.
func send(t *testing.T, w *pipelinetest.World, spans, perSecond int) func() {
	t.Helper()
	sent := make(chan error, 1)
	go func() { sent <- w.Send(t.Context(), spans, perSecond) }()
	return func() {
		t.Helper()
		if err := <-sent; err != nil {
			t.Fatal(err)
		}
	}
}

// The program is asked to stop while spans are in flight, and another one finishes the work.
func TestFirstSignalDrains(t *testing.T) {
	t.Parallel()
	w := pipelinetest.Fakes(t)
	first := launch(t, nil, processArgs(w)...)
	wait := send(t, w, 16_000, 2000)
	w.AwaitOut(t, 500)
	workers := first.workers(t)
	first.signal(t, syscall.SIGTERM)
	first.wants(t, codeDone, "finishing what is in flight", `"msg":"stopped"`, "exited with code 0")
	if len(workers) != 2 || !gone(workers[0]) || !gone(workers[1]) {
		t.Errorf("workers %v, want two that have ended", workers)
	}
	launch(t, nil, processArgs(w)...)
	wait()
	w.AwaitSettled(t)
	w.CheckNothingLost(t, pipelinetest.NoRepeats)
	w.CheckEmpty(t)
}

// A frozen worker would keep the program for ever; the second Ctrl-C does not wait for it.
func TestSecondSignalEndsAtOnce(t *testing.T) {
	t.Parallel()
	w := pipelinetest.Fakes(t)
	p := launch(t, nil, processArgs(w, "--shutdown-timeout=none")...)
	wait := send(t, w, 1000, 2000)
	w.AwaitOut(t, 1)
	wait()
	workers := p.workers(t)
	if len(workers) != 2 {
		t.Fatalf("%d workers, want 2", len(workers))
	}
	for _, pid := range workers {
		if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
	}
	p.signal(t, syscall.SIGINT)
	p.says(t, "a second signal exits at once")
	p.signal(t, syscall.SIGINT)
	p.wants(t, codeAtOnce, "exiting at once")
	eventually(t, "the workers are gone", func() bool {
		return gone(workers[0]) && gone(workers[1])
	})
}

// kill -9 of the program takes the workers with it, and a new one loses nothing.
func TestKilledProgramLosesNothing(t *testing.T) {
	t.Parallel()
	w := pipelinetest.Fakes(t)
	first := launch(t, nil, processArgs(w, "--instance-id=one")...)
	wait := send(t, w, 20_000, 2000)
	w.AwaitOut(t, 500)
	workers := first.workers(t)
	first.signal(t, syscall.SIGKILL)
	eventually(t, "the workers are gone", func() bool {
		return len(workers) == 2 && gone(workers[0]) && gone(workers[1])
	})
	launch(t, nil, processArgs(w, "--instance-id=one")...)
	wait()
	w.AwaitSettled(t)
	w.CheckNothingLost(t, pipelinetest.RepeatsAllowed)
	w.CheckEmpty(t)
}

var served = regexp.MustCompile(`"address":"(http://[^"]+)"`)

// ask returns an answer of the program's HTTP server.
func ask(t testing.TB, p *launched, path string) (int, string) {
	t.Helper()
	p.says(t, "serving http")
	base := served.FindStringSubmatch(p.out.String())[1]
	answer, err := http.Get(base + path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

// What an operator asks, of a program that works.
func TestHealthAndMetricsOverHTTP(t *testing.T) {
	t.Parallel()
	rules := filepath.Join(t.TempDir(), "kill.yaml")
	if err := os.WriteFile(rules, []byte("- organization_id: 987654321\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	w := pipelinetest.Fakes(t)
	p := launch(t, nil, processArgs(w, "--http=127.0.0.1:0", "--kill-switch="+rules)...)
	wait := send(t, w, 2000, 2000)
	w.SendRaw(t, 1, []byte(`{"no":"span"}`))
	wait()
	w.AwaitSettled(t)
	eventually(t, "it is ready", func() bool {
		code, body := ask(t, p, "/readyz")
		return code == http.StatusOK && body == "ok\n"
	})
	if code, body := ask(t, p, "/healthz"); code != http.StatusOK {
		t.Errorf("/healthz: %d %s", code, body)
	}
	_, metrics := ask(t, p, "/metrics")
	lintMetrics(t, metrics)
	for _, want := range []string{
		`sluice_worker_state{state="healthy",worker="1"} 1`,
		`sluice_shard_dead_letters_total{shard="1"} 1`,
		`sluice_kafka_fetch_records_total{client="source"`,
		`sluice_shard_due_segments{shard="0"} 0`,
		`sluice_worker_cpu_seconds_total{worker="0"}`,
		"process_resident_memory_bytes",
	} {
		if !strings.Contains(metrics, want) {
			t.Errorf("no %s in /metrics", want)
		}
	}
	if err := os.WriteFile(rules, []byte("- organisation_id: 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p.says(t, "the old rules stay")
	p.signal(t, syscall.SIGTERM)
	p.wants(t, codeDone)
}

// A worker that dies once more than the budget allows ends the program, and nothing is left of it.
func TestUsedUpBudgetEndsTheProgram(t *testing.T) {
	t.Parallel()
	w := pipelinetest.Fakes(t)
	p := launch(t, nil, processArgs(w, "--restart-budget=1", "--flusher-processes=1")...)
	for starts := 1; starts <= 2; starts++ {
		eventually(t, "the worker is healthy", func() bool {
			return strings.Count(p.out.String(), `"msg":"healthy"`) == starts
		})
		if err := syscall.Kill(p.workers(t)[0], syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	p.wants(t, codeFailed, "budget exhausted", "run: supervisor:", "SIGKILL")
}

// lintMetrics is what promtool check metrics does.
func lintMetrics(t *testing.T, text string) {
	t.Helper()
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil {
		t.Error(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}
