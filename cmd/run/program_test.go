package main

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"sluice/internal/process"
	"sluice/internal/syncbuf"
)

// asProgram makes this test binary the program. The program itself does not read it.
const asProgram = "RUN_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	process.MaybeChild()
	if os.Getenv(asProgram) != "" {
		os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// launched is the program as a child process.
type launched struct {
	cmd  *exec.Cmd
	out  *syncbuf.Buffer
	done chan struct{}
}

// launch starts the program with no variables of its own but those given, as NAME=value.
func launch(t testing.TB, variables []string, args ...string) *launched {
	t.Helper()
	p := &launched{cmd: exec.Command("/proc/self/exe", args...), out: &syncbuf.Buffer{}}
	p.done = make(chan struct{})
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, "SLUICE_") {
			p.cmd.Env = append(p.cmd.Env, variable)
		}
	}
	p.cmd.Env = append(append(p.cmd.Env, asProgram+"=1"), variables...)
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.out
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.done)
		_ = p.cmd.Wait() // its state says it all
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.done
		if t.Failed() {
			t.Logf("the program wrote:\n%s", p.out)
		}
	})
	return p
}

// code waits for the end and returns the exit code.
func (p *launched) code(t testing.TB) int {
	t.Helper()
	select {
	case <-p.done:
	case <-time.After(60 * time.Second):
		t.Fatal("the program does not end")
	}
	return p.cmd.ProcessState.ExitCode()
}

// wants fails the test unless the program ends with this code and these words.
func (p *launched) wants(t testing.TB, code int, words ...string) {
	t.Helper()
	if got := p.code(t); got != code {
		t.Errorf("exit code %d, want %d", got, code)
	}
	for _, word := range words {
		if !strings.Contains(p.out.String(), word) {
			t.Errorf("no %q in its output", word)
		}
	}
}

func (p *launched) signal(t testing.TB, s syscall.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// says waits until the program has written something.
func (p *launched) says(t testing.TB, words string) {
	t.Helper()
	eventually(t, "it says "+strconv.Quote(words), func() bool {
		return strings.Contains(p.out.String(), words)
	})
}

// workers returns the numbers of the worker processes.
func (p *launched) workers(t testing.TB) []int {
	t.Helper()
	path := fmt.Sprintf("/proc/%d/task", p.cmd.Process.Pid)
	threads, err := os.ReadDir(path)
	if err != nil {
		t.Fatal(err)
	}
	var pids []int
	for _, thread := range threads { // a child belongs to the thread that made it
		text, err := os.ReadFile(path + "/" + thread.Name() + "/children")
		if err != nil {
			continue // the thread has ended
		}
		for _, word := range strings.Fields(string(text)) {
			pid, err := strconv.Atoi(word)
			if err != nil {
				t.Fatal(err)
			}
			pids = append(pids, pid)
		}
	}
	return pids
}

// gone tells whether a process has ended, reaped or not.
func gone(pid int) bool {
	_, alive := process.Look(pid)
	return !alive
}

// eventually polls until the condition holds, and fails the test if it never does.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(60 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("not within a minute: %s", what)
		}
		<-tick.C
	}
}
