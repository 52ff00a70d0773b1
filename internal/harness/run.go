package harness

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"sluice/flusher"
	"sluice/internal/defects"
	"sluice/internal/journal"
	"sluice/internal/judge"
	"sluice/internal/load"
	"sluice/internal/portfault"
	"sluice/internal/portfault/inject"
	"sluice/reports"
	"sluice/scenarios"
)

// Time that the phases around the load may take, beside what the scenario says.
const (
	// readyMax is how long the workers may take to become healthy at first.
	readyMax = 30 * time.Second
	// ShutdownMax is how long a consumer may take to stop, and stopSlack how much later than that it
	// is killed.
	ShutdownMax = 20 * time.Second
	stopSlack   = 5 * time.Second
	// emptyMax is how much longer than drain_max and the time-out of what came last it may take until no
	// queue names what was flushed before: that is no matter of a user's, but nothing may stay.
	emptyMax = 30 * time.Second
	// finishMax is how long reading the output to its end may take, and remainsMax asking what is left.
	finishMax  = 20 * time.Second
	remainsMax = 10 * time.Second
	// settleEvery is how often the harness looks what is left in the store and the input.
	settleEvery = 200 * time.Millisecond
	// hopelessFor is how long nothing that could still come out must be left, and nothing come out,
	// before the harness waits no longer. It covers the way from the output to the ledger.
	hopelessFor = 3 * time.Second
	// pollEvery is how often the harness looks whether a phase is over.
	pollEvery = 10 * time.Millisecond
	// goneMax is how long the workers of a consumer that has ended may take to end.
	goneMax = 5 * time.Second
	// restartMax bounds the start of a consumer whose servers may be away; restartEvery is how long to
	// wait between two tries.
	restartMax   = 60 * time.Second
	restartEvery = 250 * time.Millisecond
)

// run is a run in progress.
type run struct {
	cfg       Config
	generator *load.Generator
	system    System
	sink      *Sink
	observer  *observer
	injector  *injector
	start     time.Time // of the load, loaded is its end, and healed when all faults were over
	loaded    time.Time
	healed    time.Time
	revived   bool // the first consumer was down when the load was over, and started again
	hits      inject.Hits
	deaf      bool // hits are in processes of which nothing is heard of them
}

// ErrServersGone says, as the cause of the end of Run's context, that nothing can be waited for: what
// runs is killed, and neither the output nor the store is looked through.
var ErrServersGone = errors.New("the servers of the run are gone")

// Run runs the scenario once. An EnvironmentError means that there is no result; with a context
// that is done before the end there is one, with verdict unknown. In every case nothing is left
// behind: no process, no topic, no key.
func Run(ctx context.Context, cfg Config) (out *judge.Outcome, err error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	r := &run{cfg: cfg, generator: load.NewGenerator(cfg.Scenario)}
	r.sink = NewSink(cfg.Scenario, r.generator, r.announce)
	if cfg.Journal {
		r.sink.Journal = journal.New(r.generator.Recipe)
		if cfg.Follow != nil {
			r.sink.Journal.Follow(*cfg.Follow)
		}
	}
	r.hits.Note = func(f portfault.Fault, begins bool, at time.Time) {
		kind := map[bool]reports.EventKind{true: reports.EventFaultBegin, false: reports.EventFaultEnd}[begins]
		r.sink.record.note(at, reports.Event{Kind: kind, Worker: reports.NoWorker, Fault: f.String()})
	}
	defect, err := defects.Find(cfg.Defect)
	if err != nil {
		return nil, err
	}
	r.system, err = cfg.World.Open(ctx, Setup{
		Scenario: cfg.Scenario, Load: r.generator, Sink: r.sink, Log: cfg.log(),
		Planted: defects.Planted{Defect: defect, Faults: cfg.ports(),
			Hit: func(f portfault.Fault) { r.hits.Add(f, r.system.Now()) }},
	})
	if err != nil {
		return nil, environment("open world "+cfg.World.Name(), err)
	}
	defer func() {
		// What cannot be removed is said, but takes no verdict away.
		if left := r.system.Close(); left != nil && out != nil {
			out.Litter = left
		}
	}()
	r.injector = newInjector(cfg.Scenario, r.system, r.sink)
	r.observer = newObserver(r)
	return r.through(ctx)
}

// serversGone returns the cause of the end of the context if that is ErrServersGone, else nil.
func serversGone(ctx context.Context) error {
	if gone := context.Cause(ctx); errors.Is(gone, ErrServersGone) {
		return gone
	}
	return nil
}

// announce passes an event on to whoever watches the run.
func (r *run) announce(e reports.Event) {
	if r.cfg.Progress != nil {
		r.cfg.Progress(Progress{Event: &e, States: r.sink.record.statesNow()})
	}
}

// through takes the run through its phases.
func (r *run) through(ctx context.Context) (*judge.Outcome, error) {
	began := r.system.Now()
	r.observer.enter(reports.PhaseStart)
	if err := r.startConsumer(ctx); err != nil {
		return nil, err
	}
	e := &judge.Evidence{Scenario: r.cfg.Scenario, World: r.cfg.World.Name()}
	e.Slacks, e.Unmeasured = r.cfg.World.Grants(r.cfg.Scenario)
	input := Settings(r.cfg.Scenario).Ingest
	e.BatchMax = input.MaxBatch * input.BatchGrowth
	e.CommitsFail = slices.ContainsFunc(r.cfg.ports(), func(f portfault.Fault) bool {
		return f.Port == portfault.SourceCommit
	})
	watching, endWatching := context.WithCancel(context.WithoutCancel(ctx))
	defer endWatching()
	observing, err := r.load(ctx, watching, e)
	if err != nil {
		return nil, environment("draw chance anew", err)
	}
	r.drain(ctx, e)
	r.observer.enter(reports.PhaseStop)
	r.stop(ctx, e)
	endWatching()
	observing.Wait()
	r.observer.look() // the very last state
	r.finish(ctx, e)
	e.Seconds, e.Digest = r.system.Now().Sub(began).Seconds(), r.system.Digest()
	out := judge.Judge(e)
	// Who can be had again can be seen at every step.
	watched := r.sink.Journal.Tell(journal.Named(out.Result), e.Digest != "")
	watched.Glances = out.Watched.Glances
	out.Watched = watched
	out.Result.Defect = r.cfg.Defect
	for _, f := range r.cfg.PortFaults {
		out.Result.PortFaults = append(out.Result.PortFaults, f.String())
	}
	return out, nil
}

// startConsumer returns when the first consumer's workers are healthy.
func (r *run) startConsumer(ctx context.Context) error {
	const what = "start the consumer"
	if err := r.system.Do(ctx, ActStart, consumerAt(firstConsumer)); err != nil {
		return environment(what, err)
	}
	within := readyMax + 2*r.cfg.Scenario.Pipeline.MaxUnhealthy
	deadline := r.system.Now().Add(within)
	for want := r.cfg.Scenario.Topology.Workers(); ; {
		healthy := 0
		for _, state := range first(r.system).Workers {
			if state.State == flusher.StateHealthy {
				healthy++
			}
		}
		if healthy == want {
			return nil
		}
		if err, ended := r.sink.fallen(); ended {
			return environment(what, errors.Join(err, errors.New("it ended at once")))
		}
		if r.system.Now().After(deadline) {
			return environment(what, fmt.Errorf("%d of %d workers are healthy after %v: %v", healthy, want,
				within, r.stuck()))
		}
		if err := r.system.Sleep(ctx, pollEvery); err != nil {
			return environment(what, err)
		}
	}
}

// first returns the first consumer; the zero Consumer while it is down.
func first(s System) Consumer {
	if list := s.Consumers(); len(list) > 0 && list[0].Index == firstConsumer {
		return list[0]
	}
	return Consumer{}
}

// stuck says what keeps spans from moving, in words.
func (r *run) stuck() []string {
	var words []string
	list := r.system.Consumers()
	for _, c := range list {
		words = append(words, c.Stuck...)
	}
	if len(list) == 0 || list[0].Index != firstConsumer {
		words = append(words, "the consumer is down")
	}
	return words
}

// load is the safety phase, in which load arrives and faults happen. The observer looks until
// watching is done.
func (r *run) load(
	ctx, watching context.Context, e *judge.Evidence,
) (observing flusher.Task, err error) {
	r.start = r.system.Now()
	if err := r.chance(watching); err != nil {
		return nil, err
	}
	r.sink.begin(r.start)
	r.observer.enter(reports.PhaseLoad)
	_, r.deaf = e.Unmeasured[judge.VirtualTime]
	r.hits.Begin(r.cfg.ports(), r.start, r.deaf)
	loading, endLoad := context.WithCancel(ctx)
	defer endLoad()
	observing = r.system.Go("observer", func() { r.observer.watch(watching) })
	injecting := r.system.Go("injector", func() { r.injector.run(loading, r.start) })
	if r.cfg.Scenario.Expectations.End != scenarios.EndBudget {
		r.sink.whenFallen(endLoad)
	}
	sent := r.system.Send(loading, r.start)
	e.Behind, e.Limit, e.Limited, e.SendErr = sent.Behind, sent.Limit, sent.Limited, sent.Err
	r.loaded = r.system.Now()
	e.LoadSeconds = r.loaded.Sub(r.start).Seconds()
	endLoad()
	injecting.Wait()
	return observing, nil
}

// drain is the liveness phase: the faults are healed, and everything must come out.
func (r *run) drain(ctx context.Context, e *judge.Evidence) {
	e.HealErr = r.injector.heal()
	r.observer.enter(reports.PhaseDrain)
	r.sink.Ledger.SentAll()
	e.EndedErr, e.EndedEarly = r.sink.fallen()
	if ctx.Err() == nil && (!e.EndedEarly || e.Scenario.Expectations.End == scenarios.EndBudget) {
		e.HealErr = errors.Join(e.HealErr, r.revive())
	}
	r.healed = r.system.Now()
	drained, err := r.awaitDrained(ctx)
	e.Drained, e.HealErr = drained, errors.Join(e.HealErr, err)
	e.DrainSeconds = r.system.Now().Sub(r.loaded).Seconds()
	if first, last := r.sink.outputs(); !last.IsZero() {
		e.FirstSeconds, e.LastSeconds = first.Sub(r.start).Seconds(), last.Sub(r.start).Seconds()
	}
	if !e.Drained {
		e.Stuck = r.stuck()
		if ctx.Err() == nil {
			e.Held = r.remains(ctx)
		}
	}
	if err, ended := r.sink.fallen(); ended {
		e.EndedEarly, e.EndedErr = true, err
	}
	e.Interrupted = ctx.Err() != nil
}

// revive starts the first consumer again if it is down.
func (r *run) revive() error {
	if first(r.system).Life > 0 {
		return nil
	}
	r.revived = true
	r.sink.forgive()
	return restart(r.system)
}

// restart starts the first consumer again, and tries until its servers answer: cmd/run ends with an
// error then, and whatever looks after it starts it again.
func restart(s System) error {
	ctx, cancel := s.WithTimeout(context.Background(), restartMax)
	defer cancel()
	for {
		err := s.Do(ctx, ActStart, consumerAt(firstConsumer))
		if err == nil || errors.Is(err, ErrBusy) || s.Sleep(ctx, restartEvery) != nil {
			return err // it runs, or cannot just now
		}
	}
}

// awaitDrained returns true when every span and bad message sent has come out, was dropped or is
// excused, and nothing is left in the store or the input that may still come out; and false when that
// has taken too long since all faults were over, or cannot happen any more, or the consumer or the run has
// ended. (What is out too long after the load, since the healing took its time, misses drain_max.)
func (r *run) awaitDrained(ctx context.Context) (bool, error) {
	asked := r.system.Now()
	var hopeless time.Time // since when nothing is left that could come out
	for {
		now := r.system.Now()
		settled := r.sink.Ledger.Pending() == 0
		_, last := r.sink.outputs()
		if !settled && now.Sub(last) < hopelessFor {
			hopeless = time.Time{}
		} else if now.Sub(asked) >= settleEvery {
			// What a wipe of Redis has spared may still be on its way, and a queue may name a generation
			// that was flushed before, until its time has come.
			switch left := r.remains(ctx); {
			case settled && left.Err == nil && left.Waiting == 0 && left.Store.Empty():
				return true, nil
			case settled || !left.Hopeless():
				hopeless = time.Time{}
			case hopeless.IsZero():
				hopeless = now
			case now.Sub(hopeless) >= hopelessFor:
				return false, nil
			}
			asked = r.system.Now()
		}
		if _, ended := r.sink.fallen(); ended {
			// A budget that was used up at the end of the load ends the consumer only now.
			if r.revived || r.cfg.Scenario.Expectations.End != scenarios.EndBudget {
				return false, nil
			}
			if ctx.Err() != nil {
				return false, nil
			}
			if err := r.revive(); err != nil {
				return false, err
			}
		}
		limit := r.cfg.Scenario.Expectations.DrainMax
		if p := r.cfg.Scenario.Pipeline; settled {
			limit += max(p.Timeout, p.RootTimeout) + emptyMax
		}
		if now.Sub(r.healed) > limit {
			// What is left then is judged for itself.
			return r.sink.Ledger.Pending() == 0 && r.sink.Ledger.Excusable() == 0, nil
		}
		if r.system.Sleep(ctx, pollEvery) != nil {
			return false, nil
		}
	}
}

func (r *run) remains(ctx context.Context) judge.Remains {
	ctx, cancel := r.system.WithTimeout(ctx, remainsMax)
	defer cancel()
	return r.system.Remains(ctx)
}

// stop lets every consumer drain, and waits until all processes are gone.
func (r *run) stop(ctx context.Context, e *judge.Evidence) {
	for _, c := range r.system.Consumers() {
		if gone := serversGone(ctx); gone != nil {
			e.PipelineErr = cmp.Or(e.PipelineErr, gone)
			_ = r.system.Do(ctx, ActKill, consumerAt(c.Index)) // it may have just ended
			continue
		}
		stopping, cancel := r.system.WithTimeout(context.WithoutCancel(ctx), ShutdownMax+stopSlack)
		err := r.system.Do(stopping, ActStop, consumerAt(c.Index))
		if stopping.Err() != nil {
			r.sink.force(ShutdownMax + stopSlack)
		} else if e.PipelineErr == nil && !errors.Is(err, ErrBusy) { // it has just ended
			e.PipelineErr = err
		}
		cancel()
	}
	deadline := r.system.Now().Add(goneMax)
	for {
		look, _ := r.system.Look()
		e.Survivors = look.Processes
		if e.Survivors == 0 || r.system.Now().After(deadline) {
			return
		}
		_ = r.system.Sleep(context.Background(), pollEvery) // it has no end but this
	}
}

// finish reads the output to its end, and adds what is known then to the evidence.
func (r *run) finish(ctx context.Context, e *judge.Evidence) {
	if gone := serversGone(ctx); gone != nil {
		e.FinishErr, e.Left.Err = gone, gone
	} else {
		ctx = context.WithoutCancel(ctx)
		reading, cancel := r.system.WithTimeout(ctx, finishMax)
		defer cancel()
		e.FinishErr = r.system.Finish(reading)
		e.Left = r.remains(ctx)
	}
	e.MissedFaults, e.LateFaults, e.SkippedFaults = r.injector.missed()
	if !r.deaf {
		e.IdlePorts = r.hits.End(r.cfg.ports(), r.system.Now())
	}
	e.UndrawnFaults = r.cfg.Scenario.Undrawn(r.injector.plan)
	e.Turns, e.Coverage = r.injector.turnShare(), r.injector.covered
	e.Events, e.Moves = r.sink.record.record()
	r.sink.tell(e)
	e.Looks, e.Changes, e.Samples = r.observer.looks, r.sink.record.changes, r.observer.samples
	r.sink.record.fresh.tell(e)
	e.Latency = r.sink.latency.Quantiles()
	e.Balance = r.sink.Ledger.Balance(0)
	if !e.Drained && !e.Left.Store.Empty() {
		// Which spans those are is not known; they are not lost as long as the store holds them.
		e.Balance = r.sink.Ledger.Balance(e.Balance.Lost)
	}
	if e.Balance.Lost+e.Balance.Buffered > 0 {
		e.LostDue = r.sink.Ledger.Due(e.Balance.FirstLost).Seconds()
	}
}
