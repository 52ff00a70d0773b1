package consumer

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"sluice/flusher"
	"sluice/internal/pipeline"
	"sluice/internal/process"
)

func TestStopDrainsInGoodOrder(t *testing.T) {
	r := run(t, nil)
	look := r.Look()
	if look.At.IsZero() || len(look.Pids) != 2 || len(look.Counters.Partitions) == 0 {
		t.Errorf("look is %+v", look)
	}
	if shards := append(slices.Clone(look.Workers[0].Shards), look.Workers[1].Shards...); len(
		shards) != len(look.Counters.Partitions) {
		t.Errorf("the workers have shards %v of %d", shards, len(look.Counters.Partitions))
	}
	if n := marked(t, r.mark); n != 3 {
		t.Errorf("%d processes have the mark, want the consumer and two workers", n)
	}
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		if err := r.Signal(s); err != nil { // it ignores them
			t.Fatal(err)
		}
	}
	r.Stop()
	r.Stop() // twice is as good as once
	<-r.Done()
	if err := r.Err(); err != nil {
		t.Errorf("a drain ended with %v", err)
	}
	if n := marked(t, r.mark); n != 0 {
		t.Errorf("%d processes are left", n)
	}
	want := []flusher.EventKind{flusher.EventAssigned, flusher.EventFenced, flusher.EventStarted,
		flusher.EventHealthy, flusher.EventStopping, flusher.EventStopped}
	got := without(r.heard.kinds(0), flusher.EventGateClosed, flusher.EventGateOpened)
	if !slices.Equal(got, want) {
		t.Errorf("events of worker 0 are %v, want %v", got, want)
	}
	if all := r.heard.kinds(flusher.NoWorker); all[len(all)-1] != flusher.EventEnded {
		t.Errorf("the last event is not the end: %v", all)
	}
	if len(r.heard.input) == 0 {
		t.Error("nothing was heard of the input")
	}
	if err := r.Signal(syscall.SIGCONT); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("a signal to what has ended: %v", err)
	}
}

func without(kinds []flusher.EventKind, some ...flusher.EventKind) []flusher.EventKind {
	return slices.DeleteFunc(kinds, func(k flusher.EventKind) bool { return slices.Contains(some, k) })
}

// A drain that waits for frozen workers says so for as long as it does.
func TestTheHarnessHearsWhatIsNotReady(t *testing.T) {
	r := run(t, func(c *pipeline.Config) { c.Flusher.ShutdownTimeout = flusher.NoTimeout })
	if ready := r.Look().Ready; len(ready) > 0 {
		t.Errorf("ready says %q though all is well", ready)
	}
	for _, pid := range r.Look().Pids {
		if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
	}
	r.Stop()
	eventually(t, "a worker is stopping", func() bool {
		return slices.ContainsFunc(r.Look().Workers, func(w flusher.WorkerState) bool {
			return w.State == flusher.StateStopping
		})
	})
	if ready := strings.Join(r.Look().Ready, "; "); !strings.Contains(ready, "is stopping") {
		t.Errorf("ready says %q, want that a worker is stopping", ready)
	}
}

func TestKillTakesTheWorkersAlong(t *testing.T) {
	r := run(t, nil)
	if err := r.Signal(syscall.SIGSTOP); err != nil { // a frozen one, too
		t.Fatal(err)
	}
	r.Kill()
	<-r.Done()
	if err := r.Err(); err == nil || !strings.Contains(err.Error(), "SIGKILL") {
		t.Errorf("it ended with %v", err)
	}
	eventually(t, "the workers are gone", func() bool { return marked(t, r.mark) == 0 })
}

func TestAFrozenConsumerIsSilentAndGoesOn(t *testing.T) {
	r := run(t, nil)
	if err := r.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	scanner := process.NewScanner(r.mark)
	eventually(t, "it is seen stopped, its workers are not", func() bool {
		list, _ := scanner.Scan()
		return len(list) == 3 && !slices.ContainsFunc(list, func(p process.Info) bool {
			return p.Stopped != (p.Pid == r.Pid())
		})
	})
	r.Stop() // is not read for now, and must not block
	if err := r.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	<-r.Done()
	if err := r.Err(); err != nil {
		t.Errorf("it ended with %v", err)
	}
}

// TestAConsumerEndsByItself when a worker fails once more than its budget allows.
func TestAConsumerEndsByItself(t *testing.T) {
	r := run(t, func(c *pipeline.Config) { c.Flusher.RestartBudget = 0 })
	if err := syscall.Kill(r.Look().Pids[1], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-r.Done()
	if err := r.Err(); err == nil || !strings.Contains(err.Error(), "budget") {
		t.Errorf("it ended with %v", err)
	}
	if kinds := r.heard.kinds(1); !slices.Contains(kinds, flusher.EventExhausted) {
		t.Errorf("events are %v", kinds)
	}
	if r.heard.mu.Lock(); r.heard.states == 0 {
		t.Error("nobody heard that it told how it stands")
	}
	r.heard.mu.Unlock()
}

func TestGoroutineWorkersHaveNoProcess(t *testing.T) {
	r := run(t, func(c *pipeline.Config) { c.Mode = pipeline.ModeGoroutine })
	if n := marked(t, r.mark); n != 1 || len(r.Look().Pids) != 0 {
		t.Errorf("%d processes, pids %v", n, r.Look().Pids)
	}
}

func TestStartSaysWhyNot(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	c := pipeline.DefaultConfig()
	c.Redis.Addresses, c.Kafka.Brokers = []string{"127.0.0.1:1"}, []string{"127.0.0.1:1"}
	_, err := Start(t.Context(), Config{Pipeline: c, Mark: "CONSUMER_TEST=1"})
	if err == nil || !strings.Contains(err.Error(), "127.0.0.1:1") {
		t.Errorf("servers that are not there: %v", err)
	}
	for _, mark := range []string{"", "x", "=x", "SLUICE_X=1"} {
		if _, err := Start(t.Context(), Config{Pipeline: c, Mark: mark}); err == nil ||
			!strings.Contains(err.Error(), "KEY=VALUE") {
			t.Errorf("mark %q: %v", mark, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Start(ctx, Config{Pipeline: c, Mark: "CONSUMER_TEST=1"}); err == nil {
		t.Error("it was started though the context is done")
	}
}
