package process

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// Options say how a child is started.
type Options struct {
	// Arguments are there for whoever reads the process list.
	Arguments []string
	// Environment holds variables, KEY=VALUE, beside the parent's. The parent's own that begin with
	// SLUICE_ configure the parent, with secrets among them, and are not handed on.
	Environment []string
	// Log receives the child's log. Its level is the child's too.
	Log *slog.Logger
}

// Process is a child that was started.
type Process struct {
	cmd  *exec.Cmd
	log  *forwarder
	stop chan struct{} // holds one: the child is to be told

	done     chan struct{}
	exit     Exit   // written before done is closed
	lastWord string // written by the reader of reports, read after it ended
}

// Exit is how a process ended.
type Exit struct {
	// Code is the exit code; -1 if a signal ended the process.
	Code int
	// Signal is the signal's name, or empty.
	Signal string
	// Err is the child's own last word, or the first line of its crash; or nil.
	Err error
}

// Start starts a child in this role, and hands its reports to take, one at a time. The process ends
// by Stop, by Kill, by itself, or with its parent.
func (r *Role[S, R]) Start(o Options, settings S, take func(R)) (*Process, error) {
	first, err := json.Marshal(order[S]{Begin: &begin[S]{settings, levelOf(o.Log)}})
	if err != nil {
		return nil, err
	}
	cmd, err := command(append([]string{r.marker()}, o.Arguments...), o.Environment)
	if err != nil {
		return nil, err
	}
	ends, err := connect(cmd)
	if err != nil {
		return nil, err
	}
	p := &Process{
		cmd:  cmd,
		log:  &forwarder{what: r.Name, log: o.Log},
		stop: make(chan struct{}, 1),
		done: make(chan struct{}),
	}
	go p.order(ends.orders, first)
	go p.reap(ends, func(reports io.Reader) { p.lastWord = readReports(reports, take) })
	return p, nil
}

// command is this program, started again.
func command(arguments, environment []string) (*exec.Cmd, error) {
	path, err := program()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(path, arguments...)
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(slices.DeleteFunc(os.Environ(), func(variable string) bool {
		return strings.HasPrefix(variable, "SLUICE_")
	}), environment...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return cmd, nil
}

// order writes orders, in a goroutine of its own: a frozen child does not read, and nobody must
// wait for it. It closes the pipe when the child has ended, not before.
func (p *Process) order(pipe *os.File, first []byte) {
	defer func() { _ = pipe.Close() }()
	enc := json.NewEncoder(pipe)
	if enc.Encode(json.RawMessage(first)) == nil {
		select {
		case <-p.stop:
			_ = enc.Encode(order[struct{}]{Stop: true})
		case <-p.done:
		}
	}
	<-p.done // one that cannot be told died early, and its exit says why
}

// reap reads what the child says, waits for its end, and then tells of it.
func (p *Process) reap(ends pipes, read func(reports io.Reader)) {
	var readers sync.WaitGroup
	readers.Go(func() { read(ends.reports) })
	readers.Go(func() { p.log.follow(ends.stderr) })
	err := p.cmd.Wait()
	ends.drain(&readers)
	p.exit = p.judge(err)
	close(p.done)
}

// readReports reads until the end, and returns the last word.
func readReports[R any](pipe io.Reader, take func(R)) (lastWord string) {
	dec := json.NewDecoder(bufio.NewReader(pipe))
	for {
		var l line[R]
		if err := dec.Decode(&l); err != nil {
			// A child that was killed may have left half a line.
			_, _ = io.Copy(io.Discard, pipe)
			return lastWord
		}
		if l.Report != nil {
			take(*l.Report)
		}
		if l.LastWord != "" {
			lastWord = l.LastWord
		}
	}
}

// judge tells how the process ended.
func (p *Process) judge(waited error) Exit {
	var failed *exec.ExitError
	if waited != nil && !errors.As(waited, &failed) {
		return Exit{Code: -1, Err: fmt.Errorf("wait for the %s: %w", p.log.what, waited)}
	}
	state := p.cmd.ProcessState
	exit := Exit{Code: state.ExitCode()}
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		exit.Signal = unix.SignalName(status.Signal())
	}
	switch {
	case p.lastWord != "":
		exit.Err = errors.New(p.lastWord)
	case exit.Signal == "" && exit.Code != CodeFinished:
		exit.Err = p.log.lastWord()
	}
	return exit
}

// Pid returns the number of the process.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Stop asks the child to finish what is in flight and end. It never blocks.
func (p *Process) Stop() {
	select {
	case p.stop <- struct{}{}:
	default:
	}
}

// Kill ends the child with SIGKILL, a frozen one too; its own children end with it. It never
// blocks.
func (p *Process) Kill() {
	// The only error is that the process is gone.
	_ = p.cmd.Process.Kill()
}

// Signal sends a signal to the child's process, not to its own children. The error is
// os.ErrProcessDone if it has ended.
func (p *Process) Signal(signal syscall.Signal) error { return p.cmd.Process.Signal(signal) }

// Done is closed when the process has ended and all that it wrote was read.
func (p *Process) Done() <-chan struct{} { return p.done }

// Exit returns how the process ended. It is to be asked for after Done.
func (p *Process) Exit() Exit { return p.exit }
