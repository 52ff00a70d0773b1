package harness

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"sluice/flusher"
	"sluice/internal/ledger"
	"sluice/internal/load"
	"sluice/internal/pipeline"
	"sluice/reports"
)

// The phases of a run.
const (
	PhaseStart = "start"
	PhaseLoad  = "load"
	PhaseDrain = reports.PhaseDrain
	PhaseStop  = "stop"
)

// Time that the phases around the load may take, beside what the scenario says.
const (
	// readyMax is how long the workers may take to become healthy at first.
	readyMax = 30 * time.Second
	// shutdownMax is how long the pipeline may take to stop.
	shutdownMax = 20 * time.Second
	// finishMax is how long reading the output to its end may take.
	finishMax = 20 * time.Second
	// pollEvery is how often the harness looks whether a phase is over.
	pollEvery = 10 * time.Millisecond
)

// run is a run in progress.
type run struct {
	cfg       Config
	servers   *world
	pipeline  *pipeline.Pipeline
	ledger    *ledger.Ledger
	latency   *latency
	sender    *sender
	collector *collector
	record    *recorder
	observer  *observer
	injector  *injector

	ended chan struct{} // closed when the pipeline has ended
	err   error         // with what it ended
}

// Run runs the scenario once. An EnvironmentError means that there is no result; with a context
// that is done before the end there is one, with verdict unknown. In every case nothing is left
// behind: no process, no topic, no key.
func Run(ctx context.Context, cfg Config) (out *Outcome, err error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	began := time.Now()
	s, err := openWorld(ctx, cfg)
	if err != nil {
		return nil, environment("open world "+string(cfg.World), err)
	}
	defer func() {
		// What cannot be removed is said, but takes no verdict away.
		if err2 := s.close(); err2 != nil && out != nil {
			out.Litter = err2
		}
	}()
	r := &run{cfg: cfg, servers: s, ended: make(chan struct{})}
	if err := r.open(ctx); err != nil {
		return nil, err
	}
	defer r.close()
	return r.through(ctx, began)
}

// open connects everything, and starts nothing yet.
func (r *run) open(ctx context.Context) (err error) {
	generator := load.NewGenerator(r.cfg.Scenario)
	r.ledger, r.latency = ledger.New(generator.Recipe), newLatency()
	r.ledger.InputTopic, r.ledger.FirstOut = r.servers.input, r.latency.out
	r.record = newRecorder(r.announce)
	defer func() {
		if err != nil {
			r.close()
		}
	}()
	if r.pipeline, err = pipeline.Open(ctx, r.config()); err != nil {
		return environment("open the pipeline", err)
	}
	r.sender, err = newSender(r.servers, r.cfg.Scenario, generator, r.ledger, r.latency)
	if err != nil {
		return environment("open the load generator", err)
	}
	if r.collector, err = newCollector(r.servers, r.ledger, r.latency); err != nil {
		return environment("open the output", err)
	}
	r.injector = newInjector(r.cfg.Scenario, r.pipeline, r.ledger, r.record)
	r.observer = &observer{subject: r.pipeline, gate: r.pipeline.Supervisor(), ledger: r.ledger,
		record: r.record, progress: r.cfg.Progress, census: newCensus()}
	return nil
}

func (r *run) close() {
	if r.pipeline != nil {
		r.pipeline.Close()
	}
	if r.sender != nil {
		r.sender.close()
	}
	if r.collector != nil {
		r.collector.close()
	}
}

// announce passes an event on to whoever watches the run.
func (r *run) announce(e reports.Event) {
	if r.cfg.Progress != nil {
		r.cfg.Progress(Progress{Event: &e, States: r.record.statesNow()})
	}
}

// through takes the run through its phases.
func (r *run) through(ctx context.Context, began time.Time) (*Outcome, error) {
	var tasks sync.WaitGroup
	defer tasks.Wait()
	// The collector outlives the pipeline, whose last records it is to see.
	reading, endReading := context.WithCancel(context.WithoutCancel(ctx))
	defer endReading()
	watching, endWatching := context.WithCancel(reading)
	defer endWatching()
	hard, giveUp := context.WithCancel(reading)
	defer giveUp()
	stop, stopPipeline := context.WithCancel(hard)
	defer stopPipeline()

	r.observer.enter(PhaseStart)
	tasks.Go(func() { r.collector.run(reading) })
	tasks.Go(func() {
		defer close(r.ended)
		r.err = r.pipeline.Run(hard, stop)
	})
	if err := r.awaitReady(ctx); err != nil {
		stopPipeline()
		<-r.ended
		return nil, err
	}
	e := r.loadAndDrain(ctx, watching, &tasks)
	r.observer.enter(PhaseStop)
	stopPipeline()
	r.awaitEnd(e, giveUp)
	e.childrenLeft = r.observer.census.count()
	endWatching()
	r.observer.look(time.Now()) // the very last state
	e.finishErr = r.finish(ctx)
	e.missedFaults = r.injector.missed()
	return r.outcome(e, began), nil
}

// loadAndDrain is the safety phase, in which load arrives and faults happen, and the liveness
// phase, in which everything must come out.
func (r *run) loadAndDrain(ctx, watching context.Context, tasks *sync.WaitGroup) *evidence {
	e := &evidence{scenario: r.cfg.Scenario}
	start := time.Now()
	r.record.begin(start)
	r.observer.enter(PhaseLoad)
	tasks.Go(func() { r.observer.run(watching) })
	tasks.Go(func() { r.injector.run(watching, start) })
	loading, endLoad := context.WithCancel(ctx)
	defer endLoad()
	defer r.whenEnded(endLoad)()
	e.sendErr = r.sender.run(loading, start)
	e.loadSeconds = time.Since(start).Seconds()
	e.behind = time.Duration(r.sender.behind.Load())
	e.limit, e.limited = r.sender.limit()
	r.observer.enter(PhaseDrain)
	e.drained = r.awaitDrained(ctx)
	if first, last := r.collector.bounds(); !last.IsZero() {
		e.firstSeconds, e.lastSeconds = first.Sub(start).Seconds(), last.Sub(start).Seconds()
	}
	if !e.drained {
		e.stuck = r.pipeline.Ready()
	}
	select {
	case <-r.ended:
		e.endedEarly = true
	default:
	}
	e.interrupted = ctx.Err() != nil
	return e
}

// whenEnded calls a function should the pipeline end by itself; the result calls that off.
func (r *run) whenEnded(call func()) func() {
	done := make(chan struct{})
	go func() {
		select {
		case <-r.ended:
			call()
		case <-done:
		}
	}()
	return func() { close(done) }
}

// awaitReady returns when all workers are healthy.
func (r *run) awaitReady(ctx context.Context) error {
	deadline := time.Now().Add(readyMax + 2*r.cfg.Scenario.Pipeline.MaxUnhealthy)
	for {
		states, healthy := r.pipeline.Workers(), 0
		for _, state := range states {
			if state.State == flusher.StateHealthy {
				healthy++
			}
		}
		if want := r.cfg.Scenario.Topology.Workers(); healthy == want {
			return nil
		}
		select {
		case <-r.ended:
			return environment("start the pipeline", errors.Join(r.err, errors.New("it ended at once")))
		case <-ctx.Done():
			return environment("start the pipeline", ctx.Err())
		case <-time.After(pollEvery):
		}
		if time.Now().After(deadline) {
			return environment("start the pipeline", fmt.Errorf("%d of %d workers are healthy after %v: %v",
				healthy, r.cfg.Scenario.Topology.Workers(), readyMax, r.pipeline.Ready()))
		}
	}
}

// awaitDrained returns true when every span and bad message sent has come out, was dropped or is
// excused, and false when it has taken too long, or the pipeline or the run has ended.
func (r *run) awaitDrained(ctx context.Context) bool {
	deadline := time.Now().Add(r.cfg.Scenario.Expectations.DrainMax)
	for {
		if r.ledger.Pending() == 0 {
			return true
		}
		select {
		case <-r.ended:
			return false
		case <-ctx.Done():
			return false
		case now := <-time.After(pollEvery):
			if now.After(deadline) {
				return false
			}
		}
	}
}

// awaitEnd waits for the pipeline to stop, and ends it by force if it takes too long.
func (r *run) awaitEnd(e *evidence, giveUp context.CancelFunc) {
	select {
	case <-r.ended:
	case <-time.After(shutdownMax + time.Second):
		e.stopTooLong = true
		giveUp()
		<-r.ended
	}
	e.pipelineErr = r.err
}

// finish reads the output to its end and looks what is left in the store.
func (r *run) finish(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishMax)
	defer cancel()
	return r.collector.finish(ctx)
}

// config returns the pipeline of the scenario.
func (r *run) config() pipeline.Config {
	s, c := r.cfg.Scenario, pipeline.DefaultConfig()
	c.Redis.Addresses, c.Redis.Namespace = r.servers.redis, r.servers.namespace
	c.Kafka.Brokers = r.servers.kafka
	c.Redis.Routes, c.Kafka.Routes = r.servers.redisRoutes, r.servers.kafkaRoutes
	c.InputTopic, c.OutputTopic = r.servers.input, r.servers.output
	c.DeadLetterTopic = r.servers.letters
	c.Group = r.servers.group
	c.CreateTopics, c.Partitions = true, int32(s.Topology.Partitions)
	c.Mode = pipeline.Mode(s.Topology.FlusherMode)
	c.Options.Timeout, c.Options.RootTimeout = s.Pipeline.Timeout, s.Pipeline.RootTimeout
	c.Options.MaxSegmentAge = s.Pipeline.MaxSegmentAge
	c.Options.MaxSegmentBytes = s.Pipeline.MaxSegmentBytes
	c.Flusher.Processes = s.Topology.Workers()
	c.Flusher.MaxUnhealthy = s.Pipeline.MaxUnhealthy
	c.Flusher.BackpressureAfter = s.Pipeline.BackpressureAfter
	c.Flusher.RestartBudget = s.Pipeline.RestartBudget
	c.Flusher.MaxMemory = s.Pipeline.MaxMemory
	c.Flusher.ShutdownTimeout = shutdownMax
	c.Worker.MaxFlushSegments = s.Pipeline.MaxFlushSegments
	c.Ingest.MaxBatch, c.Ingest.MaxBatchWait = s.Pipeline.MaxBatch, s.Pipeline.MaxBatchWait
	c.Events, c.Fresh = r.record.supervisor, r.record.fresh.add
	c.Log = r.cfg.Log
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}
