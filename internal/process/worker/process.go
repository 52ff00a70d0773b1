package worker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"

	"sluice/flusher"
	"sluice/internal/process"
)

// Processes starts each worker as an OS process.
type Processes struct {
	cfg Config
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
func NewProcesses(cfg Config) (*Processes, error) {
	if err := errors.Join(cfg.validate(), cfg.Limits.Validate()); err != nil {
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
	left := slices.Collect(maps.Keys(s.live))
	s.mu.Unlock()
	for _, p := range left {
		p.Kill()
	}
	for _, p := range left {
		<-p.Done()
	}
}
