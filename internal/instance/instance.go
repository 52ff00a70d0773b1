package instance

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"sluice/flusher"
	"sluice/internal/ingest"
	"sluice/internal/pipeline"
)

// Config says what a consumer runs, and who hears of it.
type Config struct {
	// Pipeline is the configuration; its functions and its log are not used.
	Pipeline pipeline.Config
	// Mark is a variable, NAME=VALUE, that the consumer and its workers have in their environment, so
	// that all processes of a run can be found. The name must not begin with SLUICE_, which workers
	// do not inherit.
	Mark string
	// Log receives the log, a JSON line a record. Nil: nothing is logged.
	Log io.Writer
	// Events, Ingest and Fresh hear what pipeline.Config says of theirs, in order, one call at a
	// time. Nil: nobody does.
	Events func(flusher.Event)
	Ingest func(ingest.Event)
	Fresh  func(worker int, samples []time.Duration)
}

// Instance is a consumer process.
type Instance struct {
	cfg    Config
	cmd    *exec.Cmd
	orders *os.File
	opened chan struct{} // closed when its servers have answered
	done   chan struct{}
	err    error // written before done is closed

	mu       sync.Mutex
	look     Look
	lastWord string
	tail     []byte // of the standard error
}

// Start starts a consumer and returns when its servers have answered, or with its own words why it
// ended before that.
func Start(ctx context.Context, cfg Config) (*Instance, error) {
	settings, err := cfg.Pipeline.Portable()
	if err != nil {
		return nil, err
	}
	path, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program's own file: %w", err)
	}
	if runtime.GOOS == "linux" {
		path = "/proc/self/exe" // the file may have been replaced while this process runs
	}
	i := &Instance{cfg: cfg, opened: make(chan struct{}), done: make(chan struct{})}
	i.cmd = exec.Command(path, marker, cfg.Pipeline.Group)
	i.cmd.Args[0] = os.Args[0]
	i.cmd.Env = environment(cfg.Mark)
	i.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := i.begin(settings); err != nil {
		return nil, fmt.Errorf("start a consumer: %w", err)
	}
	select {
	case <-i.opened:
		return i, nil
	case <-i.done:
		return nil, i.err
	case <-ctx.Done():
		i.Kill()
		<-i.done
		return nil, ctx.Err()
	}
}

// environment is this process's own without what configures it.
func environment(mark string) []string {
	var env []string
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, "SLUICE_") {
			env = append(env, variable)
		}
	}
	return append(env, mark)
}

// begin starts the process with its pipes and gives it its first order.
func (i *Instance) begin(settings []byte) error {
	orders, ordersOut, err := os.Pipe()
	if err != nil {
		return err
	}
	defer orders.Close()
	reportsIn, reports, err := os.Pipe()
	if err != nil {
		return errors.Join(err, ordersOut.Close())
	}
	defer reports.Close()
	stderrIn, stderr, err := os.Pipe()
	if err != nil {
		return errors.Join(err, ordersOut.Close(), reportsIn.Close())
	}
	defer stderr.Close()
	i.cmd.Stdin, i.cmd.ExtraFiles, i.cmd.Stderr = orders, []*os.File{reports}, stderr
	if err := i.cmd.Start(); err != nil {
		return errors.Join(err, ordersOut.Close(), reportsIn.Close(), stderrIn.Close())
	}
	i.orders = ordersOut
	// In the background: what is sent may be more than the pipe holds.
	go func() {
		// One that cannot be told has ended, and says why.
		_ = json.NewEncoder(ordersOut).Encode(order{Begin: settings, Log: i.cfg.Log != nil})
	}()
	go i.reap(reportsIn, stderrIn)
	return nil
}

// drainMax bounds the wait for a dead consumer's pipes to end: a frozen worker that it left behind
// may hold one open.
const drainMax = time.Second

// reap reads what the consumer says, waits for its end, and then tells of it.
func (i *Instance) reap(reports, stderr *os.File) {
	var readers sync.WaitGroup
	readers.Go(func() { i.readReports(reports) })
	readers.Go(func() { i.readLog(stderr) })
	err := i.cmd.Wait()
	deadline := time.Now().Add(drainMax)
	_ = reports.SetReadDeadline(deadline)
	_ = stderr.SetReadDeadline(deadline)
	readers.Wait()
	_ = errors.Join(reports.Close(), stderr.Close(), i.orders.Close()) // all was read
	i.err = i.judge(err)
	close(i.done)
}

func (i *Instance) readReports(pipe io.Reader) {
	decoder := json.NewDecoder(bufio.NewReader(pipe))
	for {
		var r report
		if decoder.Decode(&r) != nil {
			return // a consumer that was killed may have left half a line
		}
		i.take(r)
	}
}

func (i *Instance) take(r report) {
	switch {
	case r.Event != nil:
		if i.cfg.Events != nil {
			i.cfg.Events(*r.Event)
		}
	case r.Ingest != nil:
		if i.cfg.Ingest != nil {
			i.cfg.Ingest(r.Ingest.event())
		}
	case r.Fresh != nil:
		if i.cfg.Fresh != nil {
			i.cfg.Fresh(r.Fresh.Worker, r.Fresh.Samples)
		}
	case r.Open:
		close(i.opened)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if r.Look != nil {
		i.look = *r.Look
		i.look.At = time.Now()
	}
	if r.LastWord != "" {
		i.lastWord = r.LastWord
	}
}

// tailBytes is how much of the standard error is kept for the error of one that crashed.
const tailBytes = 4 << 10

func (i *Instance) readLog(pipe io.Reader) {
	in := bufio.NewReader(pipe)
	for {
		line, err := in.ReadBytes('\n')
		if len(line) > 0 {
			i.mu.Lock()
			i.tail = append(i.tail, line...)
			i.tail = i.tail[max(0, len(i.tail)-tailBytes):]
			i.mu.Unlock()
			if i.cfg.Log != nil {
				_, _ = i.cfg.Log.Write(line) // a log that cannot be written has nobody to be told
			}
		}
		if err != nil {
			return
		}
	}
}

// judge tells how the consumer ended.
func (i *Instance) judge(waited error) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.lastWord != "" {
		return errors.New(i.lastWord)
	}
	state := i.cmd.ProcessState
	if state == nil {
		return fmt.Errorf("wait for the consumer: %w", waited)
	}
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return fmt.Errorf("the consumer was ended by %s", unix.SignalName(status.Signal()))
	}
	if code := state.ExitCode(); code != codeFinished {
		return fmt.Errorf("the consumer ended with exit code %d without a word; its log ends:\n%s",
			code, i.tail)
	}
	return nil
}

// Pid returns the number of the process.
func (i *Instance) Pid() int { return i.cmd.Process.Pid }

// Look returns the last look that arrived; the zero Look before the first.
func (i *Instance) Look() Look {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.look
}

// Stop asks the consumer to finish what is in flight and end, as SIGTERM does to cmd/run. It never
// blocks.
func (i *Instance) Stop() {
	go func() { _ = json.NewEncoder(i.orders).Encode(order{Stop: true}) }()
}

// Kill ends the consumer with SIGKILL, a frozen one too. It never blocks.
func (i *Instance) Kill() { _ = i.cmd.Process.Kill() }

// Signal sends a signal, or returns an error if the consumer has ended.
func (i *Instance) Signal(signal syscall.Signal) error { return i.cmd.Process.Signal(signal) }

// Done is closed when the process has ended and all it said was heard.
func (i *Instance) Done() <-chan struct{} { return i.done }

// Ended tells without blocking whether Done is closed.
func (i *Instance) Ended() bool {
	select {
	case <-i.done:
		return true
	default:
		return false
	}
}

// Err returns, once Done is closed, nil for one that drained in good order, and otherwise how and
// why it ended.
func (i *Instance) Err() error { return i.err }
