package consumer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"sluice/buffer"
	"sluice/consumer"
	"sluice/consumer/ingest"
	"sluice/flusher"
	"sluice/internal/defects"
	"sluice/internal/pipeline"
	"sluice/internal/process"
)

// Config is what a consumer is started with. Its functions are called one at a time, in the order
// in which things happened in the consumer.
type Config struct {
	// Pipeline is what runs. Its functions and its Log are not used.
	Pipeline pipeline.Config
	// Planted is what the consumer and its workers run with, to see it caught, or survived.
	Planted defects.Planted
	// Mark is a KEY=VALUE for the consumer's environment, which its workers inherit: by it every
	// process of a run is found. Workers do not inherit what begins with SLUICE_.
	Mark string
	// Log receives the consumer's log, and its workers'. Its level is theirs too. Nil: discarded.
	Log *slog.Logger
	// Events hears each transition of the consumer's supervisor, Ingest what happens to its input,
	// Audit what it has seen of the store, and Fresh how fresh its workers' segments were. State hears that it
	// told how it stands, as it does after each transition and some times a second. Nil: nobody
	// listens.
	Events func(flusher.Event)
	Ingest func(ingest.Event)
	Audit  func(consumer.AuditEvent)
	Fresh  func(worker int, samples []time.Duration)
	State  func()
}

// Validate returns every fault of the config, joined, or nil. The pipeline's own are the consumer's
// to find.
func (c Config) Validate() error {
	key, _, ok := strings.Cut(c.Mark, "=")
	if !ok || key == "" || strings.HasPrefix(key, "SLUICE_") {
		return fmt.Errorf("mark %q must be KEY=VALUE, and must not begin with SLUICE_", c.Mark)
	}
	return nil
}

// Look is what the consumer told last.
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

// Process is a pipeline in a process of its own. Its Stop drains it, as SIGTERM does with cmd/run.
type Process struct {
	*process.Process
	cfg    Config
	opened chan struct{}

	mu   sync.Mutex
	look Look
}

// Start starts a consumer, and returns when its servers have answered, with one that runs; or with
// the consumer's own words. When ctx is done before, it is killed; later ctx bounds nothing.
func Start(ctx context.Context, cfg Config) (*Process, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("start a consumer: %w", err)
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	encoded, err := cfg.Pipeline.Encode()
	if err != nil {
		return nil, fmt.Errorf("start a consumer: %w", err)
	}
	p := &Process{cfg: cfg, opened: make(chan struct{})}
	p.Process, err = role.Start(process.Options{
		Arguments:   []string{cfg.Mark},
		Environment: []string{cfg.Mark},
		Log:         cfg.Log,
	}, settings{encoded, cfg.Planted}, p.take)
	if err != nil {
		return nil, fmt.Errorf("start a consumer: %w", err)
	}
	return p.awaitOpened(ctx)
}

func (p *Process) awaitOpened(ctx context.Context) (*Process, error) {
	select {
	case <-p.opened:
		return p, nil
	case <-p.Done():
		if err := p.Err(); err != nil {
			return nil, err
		}
		return nil, errors.New("the consumer ended before its servers had answered")
	case <-ctx.Done():
		p.Kill()
		<-p.Done()
		return nil, ctx.Err()
	}
}

// take files a report, and tells who is to hear of it.
func (p *Process) take(r report) {
	switch {
	case r.State != nil:
		p.file(*r.State)
		if p.cfg.State != nil {
			p.cfg.State()
		}
	case r.Event != nil && p.cfg.Events != nil:
		p.cfg.Events(*r.Event)
	case r.Ingest != nil && p.cfg.Ingest != nil:
		p.cfg.Ingest(r.Ingest.event())
	case r.Audit != nil && p.cfg.Audit != nil:
		p.cfg.Audit(*r.Audit)
	case r.Fresh != nil && p.cfg.Fresh != nil:
		p.cfg.Fresh(r.Fresh.Worker, r.Fresh.Samples)
	}
}

// file keeps a state. The first one says that the servers have answered.
func (p *Process) file(s state) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.look.At.IsZero() {
		close(p.opened)
	}
	p.look = Look{
		Workers: s.Workers, Pids: s.Pids, Closed: s.Closed,
		Ready: s.Ready, Counters: s.Counters, At: time.Now(),
	}
}

// Look returns what the consumer told last.
func (p *Process) Look() Look {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.look
}

// Err returns how the consumer ended: nil if it drained in good order. It is to be asked for after
// Done.
func (p *Process) Err() error {
	exit := p.Exit()
	switch {
	case exit.Signal != "":
		return fmt.Errorf("killed by signal %s", exit.Signal)
	case exit.Code == process.CodeFinished || exit.Code == process.CodeFailed:
		return exit.Err
	}
	return fmt.Errorf("exited with code %d: %w", exit.Code, exit.Err)
}
