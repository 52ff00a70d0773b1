package worker

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"sluice/flusher"
	"sluice/internal/wallclock"
)

// parentMain is the middle level: it starts two workers, tells their numbers when both beat, and
// waits to be killed. When its stdin ends the test is gone.
func parentMain() {
	cfg := Config{
		Role: testRole, Limits: DefaultLimits(), Clock: wallclock.Clock{}, Log: slog.Default(),
	}
	cfg.Settings, _ = json.Marshal(behaviour{Do: "beat"})
	s, err := NewProcesses(cfg)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for n := range 2 {
		h, err := s.Start(context.Background(), flusher.WorkerSpec{Worker: n})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		for st, _ := h.Status(); st.Beats == 0; st, _ = h.Status() {
			_ = wallclock.Clock{}.Sleep(context.Background(), 1e6)
		}
		fmt.Println(h.(*Process).Pid())
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
	os.Exit(0)
}

// family is a parent process with two workers that beat.
type family struct {
	parent  *exec.Cmd
	workers [2]int
}

func newFamily(t *testing.T) family {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), asParent+"=1")
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	f := family{parent: cmd}
	t.Cleanup(func() {
		_ = stdin.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		for _, pid := range f.workers {
			if pid > 0 && !gone(pid) {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
	})
	in := bufio.NewReader(stdout)
	for i := range f.workers {
		if _, err := fmt.Fscan(in, &f.workers[i]); err != nil {
			t.Fatalf("the parent did not start: %v", err)
		}
	}
	return f
}

func TestNoWorkerSurvivesKillOfTheParent(t *testing.T) {
	f := newFamily(t)
	if gone(f.workers[0]) || gone(f.workers[1]) {
		t.Fatal("a worker is gone before its parent")
	}
	if err := f.parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "both workers are gone", func() bool {
		return gone(f.workers[0]) && gone(f.workers[1])
	})
}

func TestAFrozenWorkerEndsWhenItWakesWithoutItsParent(t *testing.T) {
	f := newFamily(t)
	freeze(t, f.workers[0])
	if err := f.parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = f.parent.Wait()
	eventually(t, "the other worker is gone", func() bool { return gone(f.workers[1]) })
	// The kernel has woken it if the group was orphaned; where the parent's heir is of the same
	// session, somebody else has to.
	if err := syscall.Kill(f.workers[0], syscall.SIGCONT); err != nil && err != syscall.ESRCH {
		t.Fatal(err)
	}
	eventually(t, "the frozen worker is gone", func() bool { return gone(f.workers[0]) })
}

func TestWorkersIgnoreTheTerminalsSignals(t *testing.T) {
	s, _ := newProcesses(t, behaviour{Do: "beat"})
	h := start(t, s)
	eventually(t, "the worker beats", func() bool { st, _ := h.Status(); return st.Beats > 3 })
	pid := h.(*Process).Pid()
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		if err := syscall.Kill(pid, s); err != nil {
			t.Fatal(err)
		}
	}
	if group, err := syscall.Getpgid(pid); err != nil || group != pid {
		t.Errorf("the worker's process group is %d (%v), want its own, %d", group, err, pid)
	}
	// Some more beats take longer than a signal needs to end a process.
	st, _ := h.Status()
	before := st.Beats
	eventually(t, "it beats on, or has ended", func() bool {
		st, _ := h.Status()
		_, exited := h.Exited()
		return exited || st.Beats > before+20
	})
	h.Stop()
	if exit := exitOf(t, h); exit != (flusher.Exit{}) {
		t.Errorf("exit %+v, want that it ends when it is told to", exit)
	}
}
