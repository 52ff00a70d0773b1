package consumer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sluice/buffer"
	"sluice/consumer/ingest"
	"sluice/flusher"
)

// Config is what a consumer is made with.
type Config struct {
	Flusher flusher.Config
	Ingest  ingest.Config
	// Audit is how the store is watched, if Ports.Auditor is given.
	Audit Audit
}

// Ports are a consumer's side effects: those of its two parts, without the ones that they are to
// each other.
type Ports struct {
	Clock   flusher.Clock
	Tasks   flusher.Tasks
	Source  flusher.Source
	Store   buffer.Store
	Decoder buffer.Decoder
	// DeadLetters takes messages that cannot be decoded.
	DeadLetters flusher.Producer
	Spawner     flusher.Spawner
	// KillWorkers ends every worker of the spawner by force, and from then on the spawner refuses to
	// start any. It may wait until they have ended.
	KillWorkers func()
	// Memory may be nil if Flusher.MaxMemory is MemoryOff.
	Memory flusher.MemoryMeter
	// Auditor watches over what the store has kept: it is the store, once more. Nil: nobody does, so
	// that a store must never lose data.
	Auditor buffer.Auditor
	// KillSwitch, Events, IngestEvents, AuditEvents and Fresh are optional.
	KillSwitch   func() *buffer.KillSwitch
	Events       func(flusher.Event)
	IngestEvents func(ingest.Event)
	AuditEvents  func(AuditEvent)
	Fresh        func(worker int, samples []time.Duration)
}

// Consumer reads partitions into the store, and has its shards flushed.
type Consumer struct {
	ports      Ports
	supervisor *flusher.Supervisor
	loop       *ingest.Loop
	auditor    *auditor
}

// New returns a consumer that runs nothing yet. The error names every fault of the config and every
// port of the ingest loop that is missing.
func New(cfg Config, ports Ports) (*Consumer, error) {
	supervisor, err := flusher.NewSupervisor(cfg.Flusher, flusher.SupervisorPorts{
		Clock: ports.Clock, Tasks: ports.Tasks, Spawner: ports.Spawner, Store: ports.Store,
		Memory: ports.Memory, Events: ports.Events, Fresh: ports.Fresh,
	})
	loop, loopErr := ingest.New(cfg.Ingest, ingest.Ports{
		Clock: ports.Clock, Tasks: ports.Tasks, Source: ports.Source, Store: ports.Store,
		Decoder: ports.Decoder, DeadLetters: ports.DeadLetters, KillSwitch: ports.KillSwitch,
		Events: ports.IngestEvents, Gate: supervisor, Assigner: supervisor,
	})
	if ports.Auditor != nil {
		err = errors.Join(err, cfg.Audit.Validate())
	}
	if err := errors.Join(err, loopErr); err != nil {
		return nil, err
	}
	c := &Consumer{
		ports: ports, supervisor: supervisor, loop: loop,
	}
	o := cfg.Ingest.Options
	c.auditor = &auditor{
		cfg: cfg.Audit, ports: ports, after: max(o.Timeout, o.RootTimeout), stored: c.stored, hasty: 1,
		mine: c.flushed, storing: loop.Storing, setBack: supervisor.SetBack,
		troubles: flusher.NewTroubles(ports.Clock, nil),
	}
	return c, nil
}

// stored returns how many spans were stored so far.
func (c *Consumer) stored() uint64 {
	stored := uint64(0)
	for _, p := range c.loop.Counters().Partitions {
		stored += p.Spans - min(p.Spans, p.Duplicates)
	}
	return stored
}

// flushed returns the shards that are flushed here.
func (c *Consumer) flushed() []buffer.Shard {
	var shards []buffer.Shard
	for _, w := range c.supervisor.Workers() {
		shards = append(shards, w.Shards...)
	}
	return shards
}

// Run moves spans until stop is done, then finishes what is in flight and returns nil. When ctx is
// done it gives up at once, and returns nil too if stop was done before. Any other error is one
// that does not pass by itself. In every case each worker has ended. stop is to be derived from
// ctx; finishing takes Flusher.ShutdownTimeout at most. Run may be called once.
func (c *Consumer) Run(ctx, stop context.Context) error {
	// Whichever part ends first, for whatever reason, ends the other.
	stop, stopBoth := context.WithCancel(stop)
	defer stopBoth()
	running, end := context.WithCancel(ctx)
	defer end()
	reading, giveUp := context.WithCancel(running)
	defer giveUp()
	draining, drain := context.WithCancel(reading)
	defer drain()
	shutdown := c.ports.Tasks.Go("shutdown", func() {
		c.await(stop)
		drain()
		timeout := c.supervisor.ShutdownTimeout()
		if timeout != flusher.NoTimeout && c.ports.Clock.Sleep(reading, timeout) == nil {
			giveUp()
		}
		c.await(running)
		if ctx.Err() != nil {
			c.ports.KillWorkers()
		}
	})
	var fatal error
	supervised := c.ports.Tasks.Go("supervisor", func() {
		defer stopBoth()
		fatal = c.supervisor.Run(stop)
	})
	var audits []flusher.Task
	if c.ports.Auditor != nil {
		audits = append(audits,
			c.ports.Tasks.Go("pulse", func() { c.auditor.watchPulse(stop) }),
			c.ports.Tasks.Go("sweep", func() { c.auditor.sweep(stop) }))
	}
	err := c.loop.Run(reading, draining)
	if errors.Is(err, context.Canceled) {
		err = nil // what was read is not all stored, but Kafka delivers it again
		if ctx.Err() == nil && c.ports.IngestEvents != nil {
			c.ports.IngestEvents(ingest.Event{
				Kind: ingest.ShutdownCut, Reason: fmt.Sprintf("after %v", c.supervisor.ShutdownTimeout()),
			})
		}
	}
	if err != nil {
		c.supervisor.Blame(err)
	}
	stopBoth()
	for _, task := range audits {
		task.Wait()
	}
	supervised.Wait()
	end()
	shutdown.Wait()
	return errors.Join(err, fatal)
}

// await returns when the context is done.
func (c *Consumer) await(ctx context.Context) {
	const long = 24 * time.Hour
	for c.ports.Clock.Sleep(ctx, long) == nil {
	}
}

// Workers returns the state of every worker there ever was.
func (c *Consumer) Workers() []flusher.WorkerState { return c.supervisor.Workers() }

// Fault returns why Run will end, though it may take until the workers have: an error that does not pass by
// itself, or nil.
func (c *Consumer) Fault() error { return c.supervisor.Fault() }

// Closed returns the shards whose input pauses, each with the reason in words.
func (c *Consumer) Closed() map[buffer.Shard]string { return c.supervisor.Closed() }

// Counters returns what was done with the input so far.
func (c *Consumer) Counters() ingest.Counters { return c.loop.Counters() }

// Audited returns what the audit of the store has seen so far.
func (c *Consumer) Audited() AuditCounters {
	c.auditor.mu.Lock()
	defer c.auditor.mu.Unlock()
	return c.auditor.counters
}

// Troubles returns the registers of what fails for now and is tried until it works: those of the input,
// of the supervisor and of the audit. What workers try is in their status.
func (c *Consumer) Troubles() []*flusher.Troubles {
	return []*flusher.Troubles{c.loop.Troubles(), c.supervisor.Troubles(), c.auditor.troubles}
}
