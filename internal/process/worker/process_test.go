package worker

import (
	"fmt"
	"math"
	"strings"
	"syscall"
	"testing"
	"time"

	"sluice/buffer"
	"sluice/flusher"
	"sluice/internal/process"
)

func owners(shard buffer.Shard) []buffer.Fenced {
	return []buffer.Fenced{{Owner: buffer.Owner{Shard: shard, Epoch: 1}}}
}

func TestStopEndsAWorkerInGoodOrder(t *testing.T) {
	s, _ := newProcesses(t, behaviour{Do: "beat"})
	h := start(t, s)
	eventually(t, "the worker beats", func() bool { st, _ := h.Status(); return st.Beats > 3 })
	if _, done := h.Exited(); done {
		t.Fatal("exited while it beats")
	}
	h.Stop()
	h.Stop() // twice is as good as once
	if exit := exitOf(t, h); exit != (flusher.Exit{}) {
		t.Errorf("exit %+v, want code 0 and no error", exit)
	}
	if st, _ := h.Status(); st.Spans != 42 || st.Stage != flusher.StageStopped {
		t.Errorf("last status %+v, want the one it reported at its end", st)
	}
	if u := h.(*Process).Usage(); u.CPU <= 0 || u.RSS <= 0 {
		t.Errorf("usage %+v, want some", u)
	}
}

func TestExitCause(t *testing.T) {
	cases := []struct {
		do   string
		code int
		err  string
	}{
		{"fail", process.CodeFailed, "disk on fire"},
		{"panic", 2, "panic: planted"},
		{"dance", process.CodeFailed, `"dance" is unknown`},
	}
	for _, c := range cases {
		t.Run(c.do, func(t *testing.T) {
			s, out := newProcesses(t, behaviour{Do: c.do})
			exit := exitOf(t, start(t, s))
			if exit.Code != c.code || exit.Signal != "" || exit.Err == nil ||
				!strings.Contains(exit.Err.Error(), c.err) {
				t.Errorf("exit %+v, want code %d with %q", exit, c.code, c.err)
			}
			if c.do == "panic" && !strings.Contains(out.String(), "behave(") {
				t.Errorf("the stack is not in the log:\n%s", out)
			}
		})
	}
}

func TestKillEndsAFrozenWorkerAndNamesTheSignal(t *testing.T) {
	s, _ := newProcesses(t, behaviour{Do: "beat"})
	h := start(t, s)
	eventually(t, "the worker beats", func() bool { st, _ := h.Status(); return st.Beats > 3 })
	freeze(t, h.(*Process).Pid())
	h.Stop() // is not read by a frozen worker, and must not block
	h.Kill()
	exit := exitOf(t, h)
	if exit.Code != -1 || exit.Signal != "SIGKILL" {
		t.Errorf("exit %+v, want code -1 by SIGKILL", exit)
	}
	h.Kill() // of what is gone already
}

// freeze stops a process, and returns when it is stopped.
func freeze(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the worker is stopped", func() bool {
		p, _ := process.Look(pid)
		return p.Stopped
	})
}

func TestAFrozenWorkerIsSilentAndBeatsAgainWhenItWakes(t *testing.T) {
	s, _ := newProcesses(t, behaviour{Do: "beat"})
	h := start(t, s)
	eventually(t, "the worker beats", func() bool { st, _ := h.Status(); return st.Beats > 3 })
	pid := h.(*Process).Pid()
	freeze(t, pid)
	// What was on its way when it froze arrives within an interval or two.
	last, quiet := heard(h), time.Now()
	eventually(t, "it falls silent", func() bool {
		if at := heard(h); at != last {
			last, quiet = at, time.Now()
		}
		return time.Since(quiet) > 6*reportInterval
	})
	if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it beats again", func() bool { return heard(h) != last })
}

// heard is when the last report arrived.
func heard(h flusher.Handle) time.Time {
	_, at := h.Status()
	return at
}

func TestASilentCoreSendsNothing(t *testing.T) {
	s, _ := newProcesses(t, behaviour{Do: "silent"})
	began := time.Now()
	h := start(t, s)
	if st, at := h.Status(); st.Beats == 0 && (at.Before(began) || at.After(time.Now())) {
		t.Errorf("before the first report the time is %v, want that of the start", at)
	}
	eventually(t, "the first report", func() bool { st, _ := h.Status(); return st.Beats == 1 })
	first := heard(h)
	eventually(t, "ten intervals have passed", func() bool {
		return time.Since(first) > 10*reportInterval
	})
	if at := heard(h); at != first {
		t.Errorf("a core that reported once was heard again %v later", at.Sub(first))
	}
}

func TestReportsAreThinnedOutAndSamplesAreNot(t *testing.T) {
	s, _ := newProcesses(t, behaviour{Do: "flood"})
	h := start(t, s)
	eventually(t, "the first report", func() bool { st, _ := h.Status(); return st.Beats > 0 })
	began := heard(h)
	last, reports, samples := began, 0, 0
	eventually(t, "six more", func() bool {
		if at := heard(h); at != last {
			last = at
			reports++
		}
		samples += len(h.DrainFresh())
		return reports >= 6
	})
	// Two lines may arrive together after this process was kept from reading the first.
	if most := int(last.Sub(began)/reportInterval) + 2; reports > most {
		t.Errorf("%d reports in %v, want at most one in %v", reports, last.Sub(began), reportInterval)
	}
	if samples < 1000 {
		t.Errorf("%d samples, want all of a flood", samples)
	}
	h.Stop()
	if exit := exitOf(t, h); exit != (flusher.Exit{}) {
		t.Errorf("exit %+v", exit)
	}
}

func TestLogsCarryTheWorker(t *testing.T) {
	s, out := newProcesses(t, behaviour{Do: "log"})
	exitOf(t, start(t, s))
	for _, want := range []string{
		`"level":"WARN","msg":"from the worker","worker":3,"shard":7,"spans":123456789}`,
		`"line":"a line that is no record"`,
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %s in the log:\n%s", want, out)
		}
	}
}

func TestSecretsAreInNoArgumentAndNoEnvironment(t *testing.T) {
	t.Setenv("SLUICE_REDIS_PASSWORD", "hunter2")
	s, out := newProcesses(t, behaviour{Do: "leak", Secret: "hunter2"})
	if exit := exitOf(t, start(t, s)); exit != (flusher.Exit{}) {
		t.Errorf("exit %+v", exit)
	}
	if strings.Contains(out.String(), "hunter2") {
		t.Errorf("the secret is in the log:\n%s", out)
	}
}

func TestLimitsReachTheWorkers(t *testing.T) {
	for _, c := range []struct {
		max  buffer.Bytes
		want string
	}{
		{123 << 20, "threads 2, GC percent 150, memory 128974848"},
		{NoMemoryMax, fmt.Sprintf("threads 2, GC percent 150, memory %d", int64(math.MaxInt64))},
	} {
		s, _ := newProcesses(t, behaviour{Do: "limits"})
		cfg := s.cfg
		cfg.Threads, cfg.GCPercent, cfg.MemoryMax = 2, 150, c.max
		limited, err := NewProcesses(cfg)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(limited.Close)
		if exit := exitOf(t, start(t, limited)); exit.Err == nil || exit.Err.Error() != c.want {
			t.Errorf("limits are %v, want %s", exit.Err, c.want)
		}
	}
}

func TestCloseKillsWhatIsLeft(t *testing.T) {
	s, _ := newProcesses(t, behaviour{Do: "beat"})
	h := start(t, s)
	s.Close()
	if exit, done := h.Exited(); !done || exit.Signal != "SIGKILL" {
		t.Errorf("exit %+v, %v, want it killed", exit, done)
	}
	if _, err := s.Start(t.Context(), flusher.WorkerSpec{}); err == nil {
		t.Error("a closed spawner started a worker")
	}
}

func TestConfigFaultsAreAllNamed(t *testing.T) {
	_, err := NewProcesses(Config{Limits: Limits{MemoryMax: -1}})
	for _, want := range []string{"no role", "threads 0", "GC percent 0", "memory -1", "no clock"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not name %s", err, want)
		}
	}
}
