package harness

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"sluice/flusher"
	"sluice/internal/judge"
	"sluice/internal/ledger"
	"sluice/internal/load"
	"sluice/internal/pipeline"
	"sluice/reports"
	"sluice/scenarios"
)

// Time that the phases around the load may take, beside what the scenario says.
const (
	// readyMax is how long the workers may take to become healthy at first.
	readyMax = 30 * time.Second
	// shutdownMax is how long the pipeline may take to stop.
	shutdownMax = 20 * time.Second
	// finishMax is how long reading the output to its end may take.
	finishMax = 20 * time.Second
	// settleEvery is how often the harness looks what is left in the store and the input.
	settleEvery = 200 * time.Millisecond
	// hopelessFor is how long nothing that could still come out must be left, and nothing come out,
	// before the harness waits no longer. It covers the way from the output to the ledger.
	hopelessFor = 3 * time.Second
	// pollEvery is how often the harness looks whether a phase is over.
	pollEvery = 10 * time.Millisecond
)

// run is a run in progress.
type run struct {
	cfg       Config
	servers   *world
	fleet     *fleet
	ledger    *ledger.Ledger
	latency   *latency
	sender    *sender
	collector *collector
	record    *recorder
	observer  *observer
	injector  *injector
	start     time.Time // of the load
}

// Run runs the scenario once. An EnvironmentError means that there is no result; with a context
// that is done before the end there is one, with verdict unknown. In every case nothing is left
// behind: no process, no topic, no key.
func Run(ctx context.Context, cfg Config) (out *judge.Outcome, err error) {
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
	r := &run{cfg: cfg, servers: s}
	defer r.close()
	if err := r.open(); err != nil {
		return nil, err
	}
	return r.through(ctx, began)
}

// open makes everything, and starts nothing yet.
func (r *run) open() (err error) {
	generator := load.NewGenerator(r.cfg.Scenario)
	r.ledger, r.latency = ledger.New(generator.Recipe), newLatency()
	r.ledger.InputTopic, r.ledger.FirstOut = r.servers.input, r.latency.out
	r.record = newRecorder(r.announce)
	r.fleet = newFleet(r.config(), r.cfg.Log, r.record)
	r.sender, err = newSender(&r.servers.endpoints, r.cfg.Scenario, generator, r.ledger, r.latency)
	if err != nil {
		return environment("open the load generator", err)
	}
	r.collector, err = newCollector(&r.servers.endpoints, r.ledger, r.latency)
	if err != nil {
		return environment("open the output", err)
	}
	jump := func(partition int, by time.Duration) { r.sender.jump(int32(partition), by) }
	r.injector = newInjector(r.cfg.Scenario, r.fleet, r.servers, jump, r.ledger, r.record)
	r.observer = &observer{fleet: r.fleet, world: r.servers, ledger: r.ledger,
		record: r.record, lasting: r.injector.lasting, progress: r.cfg.Progress}
	return nil
}

// close ends whatever runs, also a process that everybody has lost track of.
func (r *run) close() {
	r.fleet.killAll()
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
func (r *run) through(ctx context.Context, began time.Time) (*judge.Outcome, error) {
	var tasks sync.WaitGroup
	defer tasks.Wait()
	// The collector outlives the consumers, whose last records it is to see.
	reading, endReading := context.WithCancel(context.WithoutCancel(ctx))
	defer endReading()
	watching, endWatching := context.WithCancel(reading)
	defer endWatching()

	r.observer.enter(reports.PhaseStart)
	tasks.Go(func() { r.collector.run(reading) })
	if err := r.startConsumer(ctx); err != nil {
		return nil, err
	}
	e := &judge.Evidence{Scenario: r.cfg.Scenario, World: string(r.cfg.World)}
	r.load(ctx, watching, &tasks, e)
	r.drain(ctx, e)
	r.observer.enter(reports.PhaseStop)
	forced, err := r.fleet.drainAll()
	if e.PipelineErr = err; forced {
		e.ForcedAfter = shutdownMax.Seconds()
	}
	e.Survivors = r.awaitGone()
	endWatching()
	r.observer.look(time.Now()) // the very last state
	e.FinishErr = r.finish(ctx)
	e.MissedFaults, e.SkippedFaults = r.injector.missed()
	r.gather(e)
	e.WallSeconds = time.Since(began).Seconds()
	return judge.Judge(e), nil
}

// startConsumer returns when the first consumer's workers are healthy.
func (r *run) startConsumer(ctx context.Context) error {
	if err := r.fleet.start(ctx, first); err != nil {
		return environment("start the consumer", err)
	}
	deadline := time.Now().Add(readyMax + 2*r.cfg.Scenario.Pipeline.MaxUnhealthy)
	for {
		healthy, want := 0, r.cfg.Scenario.Topology.Workers()
		for _, state := range r.fleet.Workers() {
			if state.State == flusher.StateHealthy {
				healthy++
			}
		}
		if healthy == want {
			return nil
		}
		if err, ended := r.fleet.fallen(); ended {
			return environment("start the consumer", errors.Join(err, errors.New("it ended at once")))
		}
		select {
		case <-ctx.Done():
			return environment("start the consumer", ctx.Err())
		case now := <-time.After(pollEvery):
			if now.After(deadline) {
				return environment("start the consumer", fmt.Errorf(
					"%d of %d workers are healthy after %v: %v", healthy, want, readyMax, r.fleet.ready()))
			}
		}
	}
}

// load is the safety phase, in which load arrives and faults happen.
func (r *run) load(ctx, watching context.Context, tasks *sync.WaitGroup, e *judge.Evidence) {
	start := time.Now()
	r.record.begin(start)
	r.observer.enter(reports.PhaseLoad)
	loading, endLoad := context.WithCancel(ctx)
	defer endLoad()
	tasks.Go(func() { r.observer.run(watching) })
	tasks.Go(func() { r.injector.run(loading, start) })
	if r.cfg.Scenario.Expectations.End != scenarios.EndBudget {
		tasks.Go(func() { r.whenFallen(loading, endLoad) })
	}
	r.start = start
	e.SendErr = r.sender.run(loading, start)
	e.LoadSeconds = time.Since(start).Seconds()
	e.Behind = time.Duration(r.sender.behind.Load())
	e.Limit, e.Limited = r.sender.limit()
}

// whenFallen ends the load of a consumer that ended though nobody had ended it.
func (r *run) whenFallen(loading context.Context, endLoad context.CancelFunc) {
	for {
		if _, ended := r.fleet.fallen(); ended {
			endLoad()
			return
		}
		select {
		case <-loading.Done():
			return
		case <-time.After(pollEvery):
		}
	}
}

// drain is the liveness phase: the faults are healed, and everything must come out.
func (r *run) drain(ctx context.Context, e *judge.Evidence) {
	if err := r.injector.heal(); err != nil {
		e.HealErr = err
	}
	r.observer.enter(reports.PhaseDrain)
	_, e.EndedEarly = r.fleet.fallen()
	if e.EndedEarly {
		e.EndedErr, _ = r.fleet.fallen()
	}
	if ctx.Err() == nil && (!e.EndedEarly || e.Scenario.Expectations.End == scenarios.EndBudget) {
		e.HealErr = errors.Join(e.HealErr, r.fleet.revive())
	}
	began := time.Now()
	e.Drained = r.awaitDrained(ctx)
	e.DrainSeconds = time.Since(began).Seconds()
	if first, last := r.collector.bounds(); !last.IsZero() {
		e.FirstSeconds, e.LastSeconds = first.Sub(r.start).Seconds(), last.Sub(r.start).Seconds()
	}
	if !e.Drained {
		e.Stuck = r.fleet.ready()
	}
	if err, ended := r.fleet.fallen(); ended {
		e.EndedEarly, e.EndedErr = true, err
	}
	e.Interrupted = ctx.Err() != nil
}

// awaitDrained returns true when every span and bad message sent has come out, was dropped or is
// excused, and nothing is left in the store that may still come out; and false when that has taken
// too long, or cannot happen any more, or the consumer or the run has ended.
func (r *run) awaitDrained(ctx context.Context) bool {
	began := time.Now()
	asked := began
	var hopeless time.Time // since when nothing is left that could come out
	for {
		now := time.Now()
		settled := r.ledger.Pending() == 0
		if !settled && r.collector.quiet(now) < hopelessFor {
			hopeless = time.Time{}
		} else if now.Sub(asked) >= settleEvery {
			// What a wipe of Redis has spared may still be on its way, and a queue may name a generation
			// that was flushed before, until its time has come.
			switch left := r.remains(ctx); {
			case settled && left.Err == nil && left.Store.Empty():
				return true
			case settled || !left.Hopeless():
				hopeless = time.Time{}
			case hopeless.IsZero():
				hopeless = now
			case now.Sub(hopeless) >= hopelessFor:
				return false
			}
			asked = time.Now()
		}
		if _, ended := r.fleet.fallen(); ended {
			return false
		}
		if now.Sub(began) > r.cfg.Scenario.Expectations.DrainMax {
			// What is left then is judged for itself.
			return r.ledger.Pending() == 0 && r.ledger.Excusable() == 0
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(pollEvery):
		}
	}
}

// goneMax is how long the workers of a consumer that has ended may take to end.
const goneMax = 5 * time.Second

// awaitGone returns how many processes of the run are left when all had their time to end.
func (r *run) awaitGone() int {
	deadline := time.Now().Add(goneMax)
	for {
		left, _ := r.fleet.processes()
		if len(left) == 0 || time.Now().After(deadline) {
			return len(left)
		}
		time.Sleep(pollEvery)
	}
}

// finish reads the output to its end and looks what is left in the store.
func (r *run) finish(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishMax)
	defer cancel()
	return r.collector.finish(ctx)
}

// gather adds what the record holds to the evidence.
func (r *run) gather(e *judge.Evidence) {
	e.Left = r.remains(context.Background())
	e.Events, e.Moves = r.record.record()
	e.Looks, e.Samples = r.observer.seen()
	e.Freshness, e.Latency = r.record.fresh.quantiles(), r.latency.quantiles()
	e.Balance = r.ledger.Balance(0)
	if !e.Drained && !e.Left.Store.Empty() {
		// Which spans those are is not known; they are not lost as long as the store holds them.
		e.Balance = r.ledger.Balance(e.Balance.Lost)
	}
	if e.Balance.Lost+e.Balance.Buffered > 0 {
		e.LostDue = r.latency.dueAt(e.Balance.FirstLost)
	}
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
	c.Partitions = int32(s.Topology.Partitions)
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
	// The least that Kafka allows: a killed consumer's partitions are not to wait for long.
	c.Source.SessionTimeout = 6 * time.Second
	c.Variant = r.cfg.Defect
	return c
}
