package spawn

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"sluice/flusher"
	"sluice/internal/child"
)

// Process is a worker process.
type Process struct {
	*inbox
	spec flusher.WorkerSpec
	cmd  *exec.Cmd
	stop chan struct{} // holds one: the worker is to be told
	log  *child.Forwarder

	exited   chan struct{} // closed after the process was waited for
	exit     flusher.Exit  // written before exited is closed
	lastWord string        // written by the reader of reports, read after it ended
}

var _ flusher.Handle = (*Process)(nil)

func startProcess(cmd *exec.Cmd, cfg ProcessConfig, spec flusher.WorkerSpec) (*Process, error) {
	p := &Process{
		inbox:  newInbox(cfg.Clock.Now),
		spec:   spec,
		cmd:    cmd,
		stop:   make(chan struct{}, 1),
		exited: make(chan struct{}),
	}
	ends, err := child.Connect(cmd)
	if err != nil {
		return nil, err
	}
	p.log = child.NewForwarder("worker", cfg.Log.With("worker", spec.Worker))
	level := child.LevelOf(cfg.Log)
	first := order{Begin: &begin{Settings: cfg.Settings, Spec: spec, LogLevel: level}}
	go p.command(ends.Orders, first)
	go p.reap(ends)
	return p, nil
}

// command writes orders, in a goroutine of its own: a frozen worker does not read, and the
// supervisor must not wait for it. It closes the pipe when the worker has exited, not before.
func (p *Process) command(pipe *os.File, first order) {
	defer func() { _ = pipe.Close() }()
	enc := json.NewEncoder(pipe)
	if err := enc.Encode(first); err != nil {
		<-p.exited // it died early, and its exit says why
		return
	}
	select {
	case <-p.stop:
		_ = enc.Encode(order{Stop: true})
		<-p.exited
	case <-p.exited:
	}
}

// reap reads what the worker says, waits for its end, and then tells of it.
func (p *Process) reap(ends child.Pipes) {
	var readers sync.WaitGroup
	readers.Go(func() { p.readReports(ends.Reports) })
	readers.Go(func() { p.log.Run(ends.Stderr) })
	err := p.cmd.Wait()
	ends.Drain(&readers)
	p.exit = p.judge(err)
	close(p.exited)
}

func (p *Process) readReports(pipe io.Reader) {
	dec := json.NewDecoder(bufio.NewReader(pipe))
	for {
		var r report
		if err := dec.Decode(&r); err != nil {
			// A worker that was killed may have left half a line.
			_, _ = io.Copy(io.Discard, pipe)
			return
		}
		p.take(r)
		if r.LastWord != "" {
			p.lastWord = r.LastWord
		}
	}
}

// judge tells how the process ended.
func (p *Process) judge(waited error) flusher.Exit {
	var failed *exec.ExitError
	if waited != nil && !errors.As(waited, &failed) {
		return flusher.Exit{Code: -1, Err: fmt.Errorf("wait for the worker: %w", waited)}
	}
	state := p.cmd.ProcessState
	exit := flusher.Exit{Code: state.ExitCode()}
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		exit.Code, exit.Signal = -1, unix.SignalName(status.Signal())
	}
	switch {
	case p.lastWord != "":
		exit.Err = errors.New(p.lastWord)
	case exit.Signal == "" && exit.Code != codeFinished:
		exit.Err = p.log.LastWord()
	}
	return exit
}

// Pid returns the number of the process.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Stop asks the worker to finish what is in flight and end. It never blocks.
func (p *Process) Stop() {
	select {
	case p.stop <- struct{}{}:
	default:
	}
}

// Kill ends the worker with SIGKILL, a frozen one too. It never blocks.
func (p *Process) Kill() {
	// The only error is that the process is gone.
	_ = p.cmd.Process.Kill()
}

// Exited tells whether the process was waited for, and how it ended.
func (p *Process) Exited() (flusher.Exit, bool) {
	select {
	case <-p.exited:
		return p.exit, true
	default:
		return flusher.Exit{}, false
	}
}

// Wait returns when the process was waited for, or with the context's error.
func (p *Process) Wait(ctx context.Context) (flusher.Exit, error) {
	select {
	case <-p.exited:
		return p.exit, nil
	case <-ctx.Done():
		return flusher.Exit{}, ctx.Err()
	}
}

// CanKill is true.
func (p *Process) CanKill() bool { return true }
