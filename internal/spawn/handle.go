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
	"time"

	"golang.org/x/sys/unix"

	"sluice/flusher"
)

// drainMax bounds the wait for a dead worker's pipes to end. They end with it, unless something
// it started holds them open; nothing should.
const drainMax = time.Second

// Process is a worker process.
type Process struct {
	*inbox
	spec flusher.WorkerSpec
	cmd  *exec.Cmd
	stop chan struct{} // holds one: the worker is to be told
	log  *forwarder

	exited   chan struct{} // closed after the process was waited for
	exit     flusher.Exit  // written before exited is closed
	lastWord string        // written by the reader of reports, read after it ended
}

var _ flusher.Handle = (*Process)(nil)

// pipes are the parent's ends.
type pipes struct{ orders, reports, stderr *os.File }

func startProcess(cmd *exec.Cmd, cfg ProcessConfig, spec flusher.WorkerSpec) (*Process, error) {
	p := &Process{
		inbox:  newInbox(cfg.Clock.Now),
		spec:   spec,
		cmd:    cmd,
		stop:   make(chan struct{}, 1),
		exited: make(chan struct{}),
	}
	ends, err := connect(cmd)
	if err != nil {
		return nil, err
	}
	p.log = newForwarder(cfg.Log.With("worker", spec.Worker))
	level := levelOf(cfg.Log)
	first := order{Begin: &begin{Settings: cfg.Settings, Spec: spec, LogLevel: level}}
	go p.command(ends.orders, first)
	go p.reap(ends)
	return p, nil
}

// connect starts the process with its three pipes.
func connect(cmd *exec.Cmd) (_ pipes, err error) {
	var ours, theirs []*os.File
	defer func() {
		closeAll(theirs)
		if err != nil {
			closeAll(ours)
		}
	}()
	for i := range 3 {
		r, w, err := os.Pipe()
		if err != nil {
			return pipes{}, err
		}
		if i == 0 {
			r, w = w, r // the parent writes orders and reads the rest
		}
		ours, theirs = append(ours, r), append(theirs, w)
	}
	cmd.Stdin, cmd.ExtraFiles, cmd.Stderr = theirs[0], []*os.File{theirs[1]}, theirs[2]
	if err := cmd.Start(); err != nil {
		return pipes{}, err
	}
	return pipes{orders: ours[0], reports: ours[1], stderr: ours[2]}, nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		_ = f.Close()
	}
}

// command writes orders, in a goroutine of its own: a frozen worker does not read, and the
// supervisor must not wait for it. It closes the pipe when the worker has exited, not before.
func (p *Process) command(pipe *os.File, first order) {
	defer closeAll([]*os.File{pipe})
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
func (p *Process) reap(ends pipes) {
	var readers sync.WaitGroup
	readers.Go(func() { p.readReports(ends.reports) })
	readers.Go(func() { p.log.run(ends.stderr) })
	err := p.cmd.Wait()
	deadline := time.Now().Add(drainMax)
	_ = ends.reports.SetReadDeadline(deadline)
	_ = ends.stderr.SetReadDeadline(deadline)
	readers.Wait()
	closeAll([]*os.File{ends.reports, ends.stderr})
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
		exit.Err = p.log.lastWord()
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
