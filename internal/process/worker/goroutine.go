package worker

import (
	"context"
	"fmt"
	"runtime/debug"

	"sluice/flusher"
	"sluice/internal/process"
)

// Goroutines starts each worker as a goroutine of this process.
type Goroutines struct {
	cfg Config
	// all ends with Close.
	all    context.Context
	endAll context.CancelFunc
}

var _ flusher.Spawner = (*Goroutines)(nil)

// NewGoroutines returns a spawner of workers in goroutines.
func NewGoroutines(cfg Config) (*Goroutines, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	g := &Goroutines{cfg: cfg}
	g.all, g.endAll = context.WithCancel(context.Background())
	return g, nil
}

// Close ends the context of every worker, running or to come. It does not wait: it could wait for
// ever.
func (s *Goroutines) Close() { s.endAll() }

// Pids returns nothing: the workers have no processes of their own.
func (s *Goroutines) Pids() map[int]int { return nil }

// Usage returns nothing, as nobody can tell.
func (s *Goroutines) Usage() map[int]process.Usage { return nil }

// Start starts a worker in a goroutine. The context bounds nothing, as with processes.
func (s *Goroutines) Start(ctx context.Context, spec flusher.WorkerSpec) (flusher.Handle, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	own, kill := context.WithCancel(s.all)
	stop, stopNow := context.WithCancel(own)
	g := &goroutine{
		inbox:  newInbox(s.cfg.Clock.Now),
		stop:   stopNow,
		kill:   kill,
		exited: make(chan struct{}),
	}
	job := Job{
		Spec:     spec,
		Settings: s.cfg.Settings,
		Reporter: g.inbox,
		Log:      s.cfg.Log.With("worker", spec.Worker),
	}
	go g.live(own, stop, s.cfg.Role.run, job)
	return g, nil
}

// goroutine is a worker in a goroutine.
type goroutine struct {
	*inbox
	stop, kill context.CancelFunc
	exited     chan struct{}
	exit       flusher.Exit // written before exited is closed
}

var _ flusher.Handle = (*goroutine)(nil)

func (g *goroutine) live(ctx, stop context.Context, run Run, job Job) {
	defer close(g.exited)
	defer g.kill()
	defer func() {
		// As with a process, a worker's crash is the supervisor's to judge.
		if cause := recover(); cause != nil {
			job.Log.Error("worker crashed", "panic", cause, "stack", string(debug.Stack()))
			g.exit = flusher.Exit{Code: 2, Err: fmt.Errorf("it crashed: panic: %v", cause)}
		}
	}()
	if err := run(ctx, stop, job); err != nil {
		g.exit = flusher.Exit{Code: process.CodeFailed, Err: err}
	}
}

// Pid is 0: it has no process of its own.
func (g *goroutine) Pid() int { return 0 }

// Stop asks the worker to finish what is in flight and end.
func (g *goroutine) Stop() { g.stop() }

// Kill cancels the worker's context. One that does not look at it lives on.
func (g *goroutine) Kill() { g.kill() }

// Exited tells whether the worker's function has returned, and how.
func (g *goroutine) Exited() (flusher.Exit, bool) {
	select {
	case <-g.exited:
		return g.exit, true
	default:
		return flusher.Exit{}, false
	}
}

// CanKill is false.
func (g *goroutine) CanKill() bool { return false }
