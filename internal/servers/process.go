package servers

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// pollEvery is the pause between two looks at something that has no way to call back.
const pollEvery = 5 * time.Millisecond

// gateScript becomes the server only when it is told to: a program that dies between starting
// the process and naming it to the guard closes the pipe, and the process ends without ever having
// been a server.
const gateScript = `read -r go && exec "$@" </dev/null`

// process is one server process. Its methods are safe for concurrent use.
type process struct {
	name string
	log  string
	pid  int

	mu     sync.Mutex
	exited bool
	status syscall.WaitStatus
}

// startProcess runs argv in dir, its output appended to a file there. The process has a session of
// its own: Ctrl-C at the terminal reaches this program, whose end is what stops the servers.
func startProcess(name, dir string, argv ...string) (*process, error) {
	g, err := theGuard()
	if err != nil {
		return nil, err
	}
	p := &process{name: name, log: filepath.Join(dir, "output.log")}
	out, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	defer out.Close()
	cmd := exec.Command("sh", append([]string{"-c", gateScript, "sluice-" + name}, argv...)...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	gate, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	p.pid = cmd.Process.Pid
	err = g.add(p.pid)
	if err == nil {
		_, err = gate.Write([]byte("go\n"))
	}
	if closed := gate.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, errors.Join(err, p.kill()))
	}
	return p, nil
}

// running says whether the process has not ended; it reaps one that has.
func (p *process) running() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.exited {
		return false
	}
	pid, err := syscall.Wait4(p.pid, &p.status, syscall.WNOHANG, nil)
	if err == syscall.EINTR || (err == nil && pid == 0) {
		return true
	}
	p.exited = true
	if g, err := theGuard(); err == nil {
		_ = g.del(p.pid) // a guard that is gone forgot it already
	}
	return false
}

// signal sends sig unless the process has been waited for, so it never reaches a stranger.
func (p *process) signal(sig syscall.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.exited {
		return fmt.Errorf("send %s to %s: it has ended (%s)", sig, p.name, exitCause(p.status))
	}
	if err := syscall.Kill(p.pid, sig); err != nil {
		return fmt.Errorf("send %s to %s: %w", sig, p.name, err)
	}
	return nil
}

// waitExit reports whether the process ended within the time.
func (p *process) waitExit(within time.Duration) bool {
	for deadline := time.Now().Add(within); p.running(); {
		if time.Now().After(deadline) {
			return false
		}
		time.Sleep(pollEvery)
	}
	return true
}

// terminate asks the process to end and kills it if it does not within the time. Frozen ones are
// woken first.
func (p *process) terminate(within time.Duration) error {
	if !p.running() {
		return nil
	}
	if err := errors.Join(p.signal(syscall.SIGTERM), p.signal(syscall.SIGCONT)); err != nil {
		return err
	}
	if p.waitExit(within) {
		return nil
	}
	return p.kill()
}

// kill ends the process at once and returns when it is proven ended.
func (p *process) kill() error {
	if !p.running() {
		return nil
	}
	if err := p.signal(syscall.SIGKILL); err != nil {
		return err
	}
	if !p.waitExit(10 * time.Second) {
		return fmt.Errorf("kill %s: process %d is still there after 10s", p.name, p.pid)
	}
	return nil
}

// waitReady asks ready again and again until it has no error, and explains a failure with the end
// of the log.
func (p *process) waitReady(within time.Duration, ready func() error) error {
	deadline := time.Now().Add(within)
	for {
		if !p.running() {
			return fmt.Errorf("start %s: it ended (%s):\n%s", p.name, exitCause(p.status), p.tail())
		}
		err := ready()
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("start %s: not ready after %s: %w\n%s", p.name, within, err, p.tail())
		}
		time.Sleep(pollEvery)
	}
}

// tail is the end of the output, for error messages.
func (p *process) tail() string {
	const lines = 15
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

func exitCause(s syscall.WaitStatus) string {
	if s.Signaled() {
		return "signal " + s.Signal().String()
	}
	return fmt.Sprintf("exit code %d", s.ExitStatus())
}
