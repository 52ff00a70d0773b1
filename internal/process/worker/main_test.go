package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"sluice/flusher"
	"sluice/internal/process"
	"sluice/internal/syncbuf"
	"sluice/internal/wallclock"
)

// testRole is what test workers do.
var testRole = Register("test", behave)

// asParent makes this test binary the program of the three-level test: test, parent, workers.
const asParent = "SLUICE_WORKER_TEST_PARENT"

func TestMain(m *testing.M) {
	process.MaybeChild()
	if os.Getenv(asParent) != "" {
		parentMain()
	}
	os.Exit(m.Run())
}

// behaviour is the settings of a test worker.
type behaviour struct {
	Do     string `json:"do"`
	Secret string `json:"secret"`
}

// behave is what a test worker does.
func behave(ctx, stop context.Context, job Job) error {
	var b behaviour
	if err := json.Unmarshal(job.Settings, &b); err != nil {
		return err
	}
	job.Reporter.Report(flusher.Status{Stage: flusher.StageIdle, Beats: 1})
	switch b.Do {
	case "beat":
		return beat(ctx, stop, job.Reporter)
	case "flood":
		for n := uint64(1); stop.Err() == nil; n++ {
			job.Reporter.Report(flusher.Status{Stage: flusher.StageIdle, Beats: n})
			job.Reporter.Fresh(make([]time.Duration, 20))
			// A worker has one thread, and what writes the reports needs it too.
			_ = wallclock.Clock{}.Sleep(stop, 50*time.Microsecond)
		}
		return nil
	case "silent":
		<-stop.Done()
		return nil
	case "log":
		job.Log.Warn("from the worker", "spans", 123456789, "shard", job.Spec.Owners[0].Owner.Shard)
		fmt.Fprintln(os.Stderr, "a line that is no record")
		return nil
	case "limits":
		return fmt.Errorf("threads %d, GC percent %d, memory %d", runtime.GOMAXPROCS(0),
			debug.SetGCPercent(-1), debug.SetMemoryLimit(-1))
	case "fail":
		return errors.New("no way on: disk on fire")
	case "panic":
		panic("planted")
	case "leak":
		// Everything that a process list and its neighbours show.
		cmdline, _ := os.ReadFile("/proc/self/cmdline")
		environ, _ := os.ReadFile("/proc/self/environ")
		shown := string(cmdline) + string(environ) + strings.Join(os.Environ(), " ")
		if b.Secret == "" || strings.Contains(shown, b.Secret) || strings.Contains(shown, "SLUICE_") {
			return errors.New("the secret shows")
		}
		return nil
	}
	return fmt.Errorf("behaviour %q is unknown", b.Do)
}

// beat reports until it is told to stop, and once more then.
func beat(ctx, stop context.Context, reporter flusher.Reporter) error {
	clock := wallclock.Clock{}
	for n := uint64(2); ; n++ {
		if clock.Sleep(stop, 5*time.Millisecond) != nil {
			reporter.Report(flusher.Status{Stage: flusher.StageStopped, Beats: n, Totals: flusher.Totals{Spans: 42}})
			return ctx.Err()
		}
		reporter.Report(flusher.Status{Stage: flusher.StageIdle, Beats: n})
	}
}

// newProcesses returns a spawner whose workers do as told, and its log.
func newProcesses(tb testing.TB, b behaviour) (*Processes, *syncbuf.Buffer) {
	tb.Helper()
	out := &syncbuf.Buffer{}
	cfg := Config{Role: testRole, Limits: DefaultLimits(), Clock: wallclock.Clock{}}
	cfg.Settings, _ = json.Marshal(b)
	cfg.Log = slog.New(slog.NewJSONHandler(out, nil))
	s, err := NewProcesses(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(s.Close)
	return s, out
}

func start(tb testing.TB, s flusher.Spawner) flusher.Handle {
	tb.Helper()
	h, err := s.Start(tb.Context(), flusher.WorkerSpec{Worker: 3, Owners: owners(7), Start: 1})
	if err != nil {
		tb.Fatal(err)
	}
	return h
}

// eventually polls until the condition holds, or fails the test after 20 s.
func eventually(tb testing.TB, what string, holds func() bool) {
	tb.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !holds() {
		if time.Now().After(deadline) {
			tb.Fatalf("not within 20 s: %s", what)
		}
		_ = wallclock.Clock{}.Sleep(context.Background(), 2*time.Millisecond)
	}
}

// exitOf waits until the worker has exited.
func exitOf(tb testing.TB, h flusher.Handle) flusher.Exit {
	tb.Helper()
	var exit flusher.Exit
	eventually(tb, "the worker has exited", func() (ok bool) {
		exit, ok = h.Exited()
		return ok
	})
	return exit
}

// gone tells whether no process of that number runs. A zombie is none: whoever inherits a process
// in a test's container may not reap it.
func gone(pid int) bool {
	_, alive := process.Look(pid)
	return !alive
}
