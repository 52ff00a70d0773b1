package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"

	"sluice/buffer"
	"sluice/flusher"
	"sluice/internal/check"
	"sluice/internal/process"
)

// ProcessConfig says how worker processes are started.
type ProcessConfig struct {
	// Role is what a worker does.
	Role *Role
	// Settings are handed to every worker, as JSON.
	Settings json.RawMessage
	// Limits are each worker's.
	Limits
	// Clock tells when reports arrived.
	Clock flusher.Clock
	// Log receives the workers' logs, each with the worker's number. Its level is theirs too.
	Log *slog.Logger
}

// Limits bound a worker process.
type Limits struct {
	// Threads is how many threads run Go code at a time (GOMAXPROCS). Default 1: a worker is a
	// sequence of stages, and the number of workers is what scales.
	Threads int
	// GCPercent is GOGC: higher costs memory and saves CPU. Default 200.
	GCPercent int
	// MemoryMax is where the collector works against further growth (GOMEMLIMIT). Default 512 MiB;
	// NoMemoryMax for none.
	MemoryMax buffer.Bytes
}

// DefaultLimits returns the defaults named at the fields.
func DefaultLimits() Limits { return Limits{Threads: 1, GCPercent: 200, MemoryMax: 512 << 20} }

// Validate returns every fault of the limits, joined, or nil.
func (l Limits) Validate() error {
	var f check.Faults
	f.When(l.Threads < 1, "worker threads %d must be 1 or more", l.Threads)
	f.When(l.GCPercent < 1, "worker GC percent %d must be 1 or more", l.GCPercent)
	f.When(l.MemoryMax < 0, "worker memory %d must not be negative (0: no limit)", l.MemoryMax)
	return f.Err()
}

// NoMemoryMax leaves a worker's memory to the machine.
const NoMemoryMax buffer.Bytes = 0

// DefaultProcessConfig returns the defaults for workers of that role.
func DefaultProcessConfig(role *Role, clock flusher.Clock) ProcessConfig {
	return ProcessConfig{
		Role:     role,
		Settings: json.RawMessage("null"),
		Limits:   DefaultLimits(),
		Clock:    clock,
		Log:      slog.Default(),
	}
}

// Validate returns every fault of the config, joined, or nil.
func (c ProcessConfig) Validate() error {
	var f check.Faults
	f.When(c.Role == nil, "no role")
	f.Add(c.Limits.Validate())
	f.When(c.Clock == nil, "no clock")
	f.When(c.Log == nil, "no log")
	return f.Err()
}

// Processes starts each worker as an OS process.
type Processes struct {
	cfg ProcessConfig
	env []string

	mu     sync.Mutex
	live   map[*Process]struct{}
	closed bool
}

var _ flusher.Spawner = (*Processes)(nil)

// Process is a worker process.
type Process struct {
	*process.Process
	*inbox
	spec flusher.WorkerSpec
}

var _ flusher.Handle = (*Process)(nil)

// NewProcesses returns a spawner of worker processes.
func NewProcesses(cfg ProcessConfig) (*Processes, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	limit := "off"
	if cfg.MemoryMax != NoMemoryMax {
		limit = strconv.FormatInt(int64(cfg.MemoryMax), 10)
	}
	return &Processes{
		cfg: cfg,
		env: []string{"GOMAXPROCS=" + strconv.Itoa(cfg.Threads), "GOGC=" + strconv.Itoa(cfg.GCPercent),
			"GOMEMLIMIT=" + limit},
		live: make(map[*Process]struct{}),
	}, nil
}

// Start starts a worker process. The context bounds nothing: the process ends by Stop, by Kill, by
// itself, or with its parent.
func (s *Processes) Start(ctx context.Context, spec flusher.WorkerSpec) (flusher.Handle, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, fmt.Errorf("start worker %d: %w", spec.Worker, errClosed)
	}
	p := &Process{inbox: newInbox(s.cfg.Clock.Now), spec: spec}
	var err error
	p.Process, err = s.cfg.Role.process.Start(process.Options{
		Arguments:   []string{strconv.Itoa(spec.Worker)},
		Environment: s.env,
		Log:         s.cfg.Log.With("worker", spec.Worker),
	}, settings{s.cfg.Settings, spec}, p.take)
	if err != nil {
		return nil, fmt.Errorf("start worker %d: %w", spec.Worker, err)
	}
	s.live[p] = struct{}{}
	go func() {
		<-p.Done()
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.live, p)
	}()
	return p, nil
}

var errClosed = errors.New("the spawner is closed")

// Exited tells whether the process was waited for, and how it ended.
func (p *Process) Exited() (flusher.Exit, bool) {
	select {
	case <-p.Done():
		return flusher.Exit(p.Exit()), true
	default:
		return flusher.Exit{}, false
	}
}

// CanKill is true.
func (p *Process) CanKill() bool { return true }

// Pids returns the process numbers of the workers that run, by worker. A worker has more than one
// only between its kill and the proof that it stopped; the youngest is returned then.
func (s *Processes) Pids() map[int]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	pids := make(map[int]int, len(s.live))
	youngest := make(map[int]int, len(s.live))
	for p := range s.live {
		if p.spec.Start >= youngest[p.spec.Worker] {
			youngest[p.spec.Worker] = p.spec.Start
			pids[p.spec.Worker] = p.Pid()
		}
	}
	return pids
}

// Usage returns what each worker that runs has used of the machine, by worker, as of its last
// report.
func (s *Processes) Usage() map[int]process.Usage {
	s.mu.Lock()
	defer s.mu.Unlock()
	usage := make(map[int]process.Usage, len(s.live))
	for p := range s.live {
		usage[p.spec.Worker] = p.Usage()
	}
	return usage
}

// Close kills every worker that still runs and returns when all are proven stopped. No worker can
// be started afterwards.
func (s *Processes) Close() {
	s.mu.Lock()
	s.closed = true
	left := make([]*Process, 0, len(s.live))
	for p := range s.live {
		left = append(left, p)
	}
	s.mu.Unlock()
	for _, p := range left {
		p.Kill()
	}
	for _, p := range left {
		<-p.Done()
	}
}
