package instance

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"sluice/buffer"
	"sluice/consumer/ingest"
	"sluice/flusher"
	"sluice/internal/child"
	"sluice/internal/pipeline"
)

// Config is what an instance is started with. Its functions are called one at a time, in the order
// in which things happened in the child.
type Config struct {
	// Pipeline is what runs. Its functions and its Log are not used.
	Pipeline pipeline.Config
	// Mark is a KEY=VALUE for the child's environment, which its workers inherit: by it every
	// process of a run is found. Workers do not inherit what begins with SLUICE_.
	Mark string
	// Log receives the child's log, and its workers'. Its level is theirs too. Nil: discarded.
	Log *slog.Logger
	// Events hears each transition of the child's supervisor, Ingest what happens to its input,
	// and Fresh how fresh its workers' segments were. Nil: nobody listens.
	Events func(flusher.Event)
	Ingest func(ingest.Event)
	Fresh  func(worker int, samples []time.Duration)
}

// Validate returns every fault of the config, joined, or nil. The pipeline's own are the child's to
// find.
func (c Config) Validate() error {
	key, _, ok := strings.Cut(c.Mark, "=")
	if !ok || key == "" || strings.HasPrefix(key, "SLUICE_") {
		return fmt.Errorf("mark %q must be KEY=VALUE, and must not begin with SLUICE_", c.Mark)
	}
	return nil
}

// Look is what the child told last.
type Look struct {
	// Workers are the states of all workers there ever were, by index; Pids the process numbers of
	// those that run, none for goroutines.
	Workers []flusher.WorkerState
	Pids    map[int]int
	// Closed are the shards whose input is to pause.
	Closed []buffer.Shard
	// Ready says what keeps spans from moving, in words; nil if all is well.
	Ready    []string
	Counters ingest.Counters
	// At is when this arrived; zero if nothing did yet.
	At time.Time
}

// Instance is a pipeline in a child process.
type Instance struct {
	cfg    Config
	cmd    *exec.Cmd
	log    *child.Forwarder
	stop   chan struct{} // holds one: the child is to be told
	opened chan struct{}
	exited chan struct{} // the process was waited for
	done   chan struct{}

	lastWord string // written by the reader of reports, read after it ended
	err      error  // written before done is closed, as is crashed
	crashed  bool

	mu   sync.Mutex
	look Look
}

// Start starts a child, and returns when its servers have answered, with an instance that runs; or
// with the child's own words. When ctx is done before, the child is killed; later it bounds
// nothing.
func Start(ctx context.Context, cfg Config) (*Instance, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("start an instance: %w", err)
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	settings, err := cfg.Pipeline.Encode()
	if err != nil {
		return nil, fmt.Errorf("start an instance: %w", err)
	}
	i := &Instance{
		cfg:    cfg,
		log:    child.NewForwarder("consumer", cfg.Log),
		stop:   make(chan struct{}, 1),
		opened: make(chan struct{}),
		exited: make(chan struct{}),
		done:   make(chan struct{}),
	}
	if i.cmd, err = command(cfg.Mark); err != nil {
		return nil, fmt.Errorf("start an instance: %w", err)
	}
	ends, err := child.Connect(i.cmd)
	if err != nil {
		return nil, fmt.Errorf("start an instance: %w", err)
	}
	go i.order(ends.Orders, begin{Config: settings, LogLevel: child.LevelOf(cfg.Log)})
	go i.reap(ends)
	return i.awaitOpened(ctx)
}

func command(mark string) (*exec.Cmd, error) {
	path, err := child.Program()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(path, marker, mark)
	cmd.Args[0] = os.Args[0]
	for _, variable := range os.Environ() {
		// What configures the harness, secrets among it, is none of the pipeline's.
		if !strings.HasPrefix(variable, "SLUICE_") {
			cmd.Env = append(cmd.Env, variable)
		}
	}
	cmd.Env = append(cmd.Env, mark)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return cmd, nil
}

func (i *Instance) awaitOpened(ctx context.Context) (*Instance, error) {
	select {
	case <-i.opened:
		return i, nil
	case <-i.done:
		if i.err == nil {
			return nil, errors.New("the instance ended before its servers had answered")
		}
		return nil, i.err
	case <-ctx.Done():
		i.Kill()
		<-i.done
		return nil, ctx.Err()
	}
}

// order writes orders, in a goroutine of its own: a frozen child does not read. It closes the pipe
// when the child has exited, not before.
func (i *Instance) order(pipe *os.File, first begin) {
	defer func() { _ = pipe.Close() }()
	enc := json.NewEncoder(pipe)
	if err := enc.Encode(order{Begin: &first}); err != nil {
		<-i.exited // it died early, and its exit says why
		return
	}
	select {
	case <-i.stop:
		_ = enc.Encode(order{Stop: true})
		<-i.exited
	case <-i.exited:
	}
}

// reap reads what the child says, waits for its end, and then tells of it.
func (i *Instance) reap(ends child.Pipes) {
	var readers sync.WaitGroup
	readers.Go(func() { i.readReports(ends.Reports) })
	readers.Go(func() { i.log.Run(ends.Stderr) })
	err := i.cmd.Wait()
	close(i.exited)
	ends.Drain(&readers)
	i.err = i.judge(err)
	i.crashed = i.err != nil && i.lastWord == ""
	close(i.done)
}

func (i *Instance) readReports(pipe io.Reader) {
	dec := json.NewDecoder(bufio.NewReader(pipe))
	opened := false
	for {
		var r report
		if err := dec.Decode(&r); err != nil {
			// A child that was killed may have left half a line.
			_, _ = io.Copy(io.Discard, pipe)
			return
		}
		i.take(r)
		// The first state says that the servers answered.
		if r.State != nil && !opened {
			opened = true
			close(i.opened)
		}
	}
}

// take files a report, and tells who is to hear of it.
func (i *Instance) take(r report) {
	switch {
	case r.State != nil:
		i.mu.Lock()
		i.look = Look{
			Workers: r.State.Workers, Pids: r.State.Pids, Closed: r.State.Closed,
			Ready: r.State.Ready, Counters: r.State.Counters, At: time.Now(),
		}
		i.mu.Unlock()
	case r.Event != nil && i.cfg.Events != nil:
		i.cfg.Events(*r.Event)
	case r.Ingest != nil && i.cfg.Ingest != nil:
		i.cfg.Ingest(r.Ingest.event())
	case r.Fresh != nil && i.cfg.Fresh != nil:
		i.cfg.Fresh(r.Fresh.Worker, r.Fresh.Samples)
	case r.LastWord != "":
		i.lastWord = r.LastWord
	}
}

// judge tells how the child ended.
func (i *Instance) judge(waited error) error {
	var failed *exec.ExitError
	if waited != nil && !errors.As(waited, &failed) {
		return fmt.Errorf("wait for the consumer: %w", waited)
	}
	state := i.cmd.ProcessState
	status, ok := state.Sys().(syscall.WaitStatus)
	switch {
	case ok && status.Signaled():
		return fmt.Errorf("killed by signal %s", unix.SignalName(status.Signal()))
	case state.ExitCode() == codeFinished:
		return nil
	case i.lastWord != "":
		return errors.New(i.lastWord)
	}
	return fmt.Errorf("exited with code %d: %w", state.ExitCode(), i.log.LastWord())
}

// Pid returns the number of the child's process.
func (i *Instance) Pid() int { return i.cmd.Process.Pid }

// Look returns what the child told last.
func (i *Instance) Look() Look {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.look
}

// Stop asks the child to drain, as SIGTERM does with cmd/run. It never blocks.
func (i *Instance) Stop() {
	select {
	case i.stop <- struct{}{}:
	default:
	}
}

// Kill ends the child with SIGKILL, a frozen one too; its workers end with it. It never blocks.
func (i *Instance) Kill() {
	// The only error is that the process is gone.
	_ = i.cmd.Process.Kill()
}

// Signal sends a signal to the child's process, not to its workers. The error is os.ErrProcessDone
// if it has ended.
func (i *Instance) Signal(signal syscall.Signal) error { return i.cmd.Process.Signal(signal) }

// Done is closed when the process has ended and all that it wrote was read.
func (i *Instance) Done() <-chan struct{} { return i.done }

// Err returns how the child ended: nil if it drained in good order. It is to be asked for after
// Done.
func (i *Instance) Err() error { return i.err }

// Crashed tells whether the child was ended by a signal or a panic, so that its workers may outlive
// it for a moment. It is to be asked for after Done.
func (i *Instance) Crashed() bool { return i.crashed }
