package servers

import (
	"errors"
	"fmt"
	"os/exec"
	"syscall"
	"time"
)

// ErrMissing is wrapped by every error that says that a server's program is not installed.
var ErrMissing = errors.New("not installed: run `make tools`")

// Installed returns what of the servers' programs is missing.
func Installed() error {
	_, err := kafkaJava()
	return errors.Join(redisInstalled(), err)
}

func redisInstalled() error {
	if _, err := exec.LookPath("redis-server"); err != nil {
		return fmt.Errorf("redis-server is %w", ErrMissing)
	}
	return nil
}

// server is what the servers have in common: one process after the other on the same address.
type server struct {
	// Addr is "127.0.0.1:port".
	Addr string

	dir     string
	stopMax time.Duration
	proc    *process // the last one; nil before the first
}

// launch starts the server's next process, and returns when it is ready.
func (s *server) launch(
	name string, within time.Duration, ready func() error, argv ...string,
) error {
	if s.Running() {
		return fmt.Errorf("start %s on %s: it is running", name, s.Addr)
	}
	proc, err := startProcess(name, s.dir, argv...)
	if err != nil {
		return err
	}
	s.proc = proc
	return proc.waitReady(within, ready)
}

// Stop ends the server in good order; a Redis does not save.
func (s *server) Stop() error { return s.proc.terminate(s.stopMax) }

// Kill ends the server with SIGKILL; what it has written to its folder stays for Start. It returns
// when the process is gone.
func (s *server) Kill() error {
	if s.proc == nil { // a start that failed
		return nil
	}
	return s.proc.kill()
}

// Freeze stops the process with SIGSTOP: connections stay open and nothing answers.
func (s *server) Freeze() error { return s.proc.signal(syscall.SIGSTOP) }

// Thaw continues a frozen process.
func (s *server) Thaw() error { return s.proc.signal(syscall.SIGCONT) }

// Running says whether the process is there (frozen counts as there).
func (s *server) Running() bool { return s.proc != nil && s.proc.running() }

// Pid is the number of the process started last.
func (s *server) Pid() int { return s.proc.pid }
