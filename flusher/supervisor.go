package flusher

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"sluice/buffer"
)

// Fencer is the part of the buffer.Store that a supervisor needs.
type Fencer interface {
	Fence(ctx context.Context, shard buffer.Shard, last buffer.Epoch) (buffer.Fenced, error)
}

// MemoryMeter tells how full the Redis nodes are: each node is asked once. With an error it returns those
// that answered all the same.
type MemoryMeter interface {
	Memory(ctx context.Context) ([]buffer.NodeMemory, error)
}

// SupervisorPorts are a supervisor's side effects.
type SupervisorPorts struct {
	Clock   Clock
	Tasks   Tasks
	Spawner Spawner
	Store   Fencer
	// Memory is asked only if MaxMemory is below MemoryOff, and may be nil otherwise.
	Memory MemoryMeter
	// Events hears of every transition, in the order of each worker's. It is called from several
	// tasks and must not block. Optional.
	Events func(Event)
	// Fresh hears the workers' freshness samples, on the same terms. Optional.
	Fresh func(worker int, samples []time.Duration)
}

// ErrStrays means that more workers that cannot be killed live on than are tolerated.
var ErrStrays = errors.New("too many stray workers")

// Supervisor keeps the workers of the assigned shards alive. See the package's documentation.
type Supervisor struct {
	cfg      Config
	ports    SupervisorPorts
	troubles *Troubles

	running atomic.Bool

	mu      sync.Mutex // held for moments, never while a port is called
	keepers []*keeper  // by worker; it only grows, so budgets and totals outlive assignments
	ending  bool
	endBy   time.Time // when workers are killed; zero: never
	fatal   error
	blamed  error // why another part ends this one
	nodes   []buffer.NodeMemory
	closed  map[buffer.Shard]string
}

var (
	_ Assigner = (*Supervisor)(nil)
	_ Gate     = (*Supervisor)(nil)
)

// NewSupervisor returns a supervisor without shards. Its errors are the config's faults.
func NewSupervisor(cfg Config, ports SupervisorPorts) (*Supervisor, error) {
	err := cfg.Validate()
	if cfg.MaxMemory < MemoryOff && ports.Memory == nil {
		err = errors.Join(err, fmt.Errorf("max_memory is %v, but the memory of the store cannot "+
			"be read: want 1.0 (off)", cfg.MaxMemory))
	}
	if err != nil {
		return nil, fmt.Errorf("supervisor: %w", err)
	}
	// The events say what the register would.
	return &Supervisor{cfg: cfg, ports: ports, troubles: NewTroubles(ports.Clock, nil)}, nil
}

// Troubles returns the register of what the supervisor itself tries again for now: a worker's
// troubles are in its Status.
func (s *Supervisor) Troubles() *Troubles { return s.troubles }

// Run supervises until ctx is done or a fault ends it: a restart budget that is used up
// (ErrBudget), too many strays (ErrStrays), or a list of shards that makes no sense. It returns
// when every worker has ended, in every case: within ShutdownTimeout they may finish what is in
// flight, then they are killed, and each is waited for until it is proven stopped. The error is
// nil if ctx was the reason. Run may be called once.
func (s *Supervisor) Run(ctx context.Context) error {
	if s.running.Swap(true) {
		return errors.New("supervisor: Run was called twice")
	}
	// The keepers' own context: they must not see the end before its time is known, or one would
	// let its worker finish that is to be killed at once.
	keeping, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	var tasks []Task
	if s.cfg.MaxMemory < MemoryOff {
		tasks = append(tasks, s.ports.Tasks.Go("memory", func() { s.watchMemory(keeping) }))
	}
	kept := 0
	for ctx.Err() == nil && s.Fault() == nil {
		for _, k := range s.newKeepers(kept) {
			tasks = append(tasks, s.ports.Tasks.Go(
				fmt.Sprintf("keeper %d", k.worker), func() { k.keep(keeping) }))
			kept++
		}
		s.judgeGate()
		_ = s.ports.Clock.Sleep(ctx, s.cfg.CheckEvery) // its error ends the loop
	}
	s.end()
	cancel() // wakes the keepers
	for _, task := range tasks {
		task.Wait()
	}
	return s.ended()
}

func (s *Supervisor) newKeepers(from int) []*keeper {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.keepers[from:])
}

// fail notes the first fault that ends the supervisor.
func (s *Supervisor) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fatal == nil {
		s.fatal = err
	}
}

// Blame notes the fault of another part, which is about to end this one by its context: that end is one by a
// fault, too, but Run does not return it.
func (s *Supervisor) Blame(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.blamed = err
}

// Fault returns why the supervisor ends without being asked to, or nil: Run ends, but only once all workers
// have ended.
func (s *Supervisor) Fault() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return cmp.Or(s.fatal, s.blamed)
}

// FaultTimeout is how long a supervisor that ends of a fault waits without a ShutdownTimeout: nobody asked for
// that end, so nobody is there to say that it takes too long. (A fault in an end that was asked for shortens
// nothing: who wants to wait for what is in flight does so all the same, and is told of the fault.)
const FaultTimeout = 30 * time.Second

// ShutdownTimeout is that of the config; but if there is none, FaultTimeout once a fault ends the supervisor.
func (s *Supervisor) ShutdownTimeout() time.Duration {
	if s.cfg.ShutdownTimeout == NoTimeout && s.Fault() != nil {
		return FaultTimeout
	}
	return s.cfg.ShutdownTimeout
}

// end starts the shutdown's time.
func (s *Supervisor) end() {
	now, timeout := s.ports.Clock.Now(), s.ShutdownTimeout()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ending = true
	if timeout != NoTimeout {
		s.endBy = now.Add(timeout)
	}
}

// ended returns what Run returns, when all keepers have.
func (s *Supervisor) ended() error {
	s.mu.Lock()
	err := s.fatal
	s.mu.Unlock()
	strays := 0
	for _, k := range s.newKeepers(0) {
		strays += k.dropEndedStrays()
	}
	if strays > 0 && !errors.Is(err, ErrStrays) {
		err = errors.Join(err, fmt.Errorf("%w: %d did not end with the supervisor",
			ErrStrays, strays))
	}
	event := Event{Kind: EventEnded, Worker: NoWorker}
	if err != nil {
		event.Cause = err.Error()
		err = fmt.Errorf("supervisor: %w", err)
	}
	s.tell(event)
	return err
}

// tell reports an event. The lock must not be held: the listener may ask for the state.
func (s *Supervisor) tell(event Event) {
	if s.ports.Events != nil {
		event.At = s.ports.Clock.Now()
		s.ports.Events(event)
	}
}
