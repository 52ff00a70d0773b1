package harness

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"sluice/flusher"
	"sluice/internal/options"
	"sluice/reports"
	"sluice/scenarios"
)

// injector breaks what the scenario says, when it says so. Its conditions and effects are looked at
// by one task; each fault begins and ends in a task of its own, since both may take their time.
type injector struct {
	plan   []scenarios.Occurrence
	system System
	sink   *Sink
	// countsRestarts is true if a moment depends on them.
	countsRestarts bool

	mu     sync.Mutex        // held for moments, never while something is called
	tasks  [2][]flusher.Task // of faults that begin, and that end
	state  []progress        // by occurrence
	over   int               // so many of the first occurrences have happened: a plan may be long
	causes []error           // why an occurrence failed
	tried  []time.Duration   // by occurrence: how long after the start of the load it was first tried
	active []*effect
	undone []*effect // whose undo failed; healing tries again
	healed bool
	began  time.Time          // the load
	held   []scenarios.Target // of faults that were to last longer than the load
	// covered are the stages that were hit.
	covered reports.Coverage

	// Of the task that looks, and of nobody else before it has ended.
	turns int
	last  turn
}

// turn is what the injector saw when it last looked whether a moment had come.
type turn struct {
	elapsed       time.Duration
	sent, flushed int64
	restarting    []bool // by worker: it failed, and has no healthy successor
}

// progress is how far an occurrence has come.
type progress int

const (
	waiting progress = iota
	beginning
	happened
	failed
	// dropped is what chance, drawn anew, keeps away.
	dropped
)

// effect is a fault that was injected and whose direct effect lasts.
type effect struct {
	fault scenarios.Fault
	// occurrence is its place in the plan, at when it began, and stages what it found then.
	occurrence int
	at         time.Time
	stages     reports.Coverage
	// waits is true as long as there was nothing that the fault could happen to: it says by itself when
	// that comes (see happens), and has not happened if it never does.
	waits bool
	// until is when it is ended; zero if only over tells, or the healing.
	until time.Time
	// over tells whether the system has overcome it by itself; nil if it never does.
	over func() bool
	// step does what has to be done again and again; nil for most.
	step func(now time.Time)
	// undo ends it; nil if there is nothing to end.
	undo func() error
}

func newInjector(s scenarios.Scenario, system System, sink *Sink) *injector {
	plan := s.Plan()
	i := &injector{plan: plan, system: system, sink: sink,
		countsRestarts: slices.ContainsFunc(plan, func(o scenarios.Occurrence) bool {
			return o.When.Kind == scenarios.MomentRestarted
		}),
		state: make([]progress, len(plan)), causes: make([]error, len(plan)), tried: make([]time.Duration, len(plan))}
	for _, o := range plan {
		if o.When.Kind == scenarios.MomentStage {
			sink.whenStaged(i.staged)
			break
		}
	}
	return i
}

// injectEvery is how often the conditions are looked at.
const injectEvery = 10 * time.Millisecond

// run injects faults until ctx is done.
func (i *injector) run(ctx context.Context, start time.Time) {
	i.mu.Lock()
	i.began = start
	i.mu.Unlock()
	for i.system.Sleep(ctx, injectEvery) == nil {
		now := i.system.Now()
		i.step(now, now.Sub(start))
	}
}

// step does what is due at one moment.
func (i *injector) step(now time.Time, elapsed time.Duration) {
	sent, settled := i.sink.Ledger.Counts()
	i.turns++
	var restarts []int
	var restarting []bool
	if i.countsRestarts {
		restarts, restarting = i.restarts()
	}
	i.last = turn{elapsed, sent, settled, restarting}
	last := i.effects() // before any begins: whether its task is already through is chance
	i.mu.Lock()
	for i.over < len(i.plan) && i.state[i.over] >= happened {
		i.over++
	}
	i.mu.Unlock()
	for n := i.over; n < len(i.plan); n++ {
		if i.plan[n].When.Reached(elapsed, sent, settled, restarts) && i.reached(n) {
			i.launch(n, elapsed)
		}
	}
	for _, e := range last {
		if e.step != nil {
			e.step(now)
		}
		if e.over != nil && e.over() || !e.until.IsZero() && !now.Before(e.until) {
			if i.take(e) {
				i.start(ends, "fault ends", func() { i.end(e) })
			}
		}
	}
}

// staged does what is due when somebody begins with a stage, and returns whether there is something.
func (i *injector) staged(worker int, stage string) (due bool) {
	i.mu.Lock()
	began := i.began
	i.mu.Unlock()
	if began.IsZero() {
		return false
	}
	elapsed := i.system.Now().Sub(began)
	for n := range i.plan {
		if i.plan[n].When.AtStage(elapsed, worker, stage) && i.reached(n) {
			i.launch(n, elapsed)
			due = true
		}
	}
	return due
}

// reached tells whether an occurrence whose moment has come waits for it, and takes note.
func (i *injector) reached(n int) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.healed || i.state[n] != waiting {
		return false
	}
	i.state[n] = beginning
	return true
}

// launch begins an occurrence of a fault. (In the loops themselves its closure would cost memory in
// every turn.)
func (i *injector) launch(n int, elapsed time.Duration) {
	i.start(begins, "fault begins", func() { i.begin(n, i.plan[n].Fault, elapsed) })
}

// Kinds of tasks.
const (
	begins = iota
	ends
)

// start starts a task that heal waits for.
func (i *injector) start(kind int, name string, do func()) {
	task := i.system.Go(name, do)
	i.mu.Lock()
	defer i.mu.Unlock()
	i.tasks[kind] = append(i.tasks[kind], task)
}

// effects returns those that last.
func (i *injector) effects() []*effect {
	i.mu.Lock()
	defer i.mu.Unlock()
	return append([]*effect(nil), i.active...)
}

// take takes an effect out of those that last, to end it; false if somebody else has.
func (i *injector) take(e *effect) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	at := slices.Index(i.active, e)
	if at >= 0 {
		i.active = slices.Delete(i.active, at, at+1)
	}
	return at >= 0
}

// restarts returns those of each worker, and which are on their way. One counts for a condition when
// the successor is healthy.
func (i *injector) restarts() (done []int, underway []bool) {
	states := first(i.system).Workers
	done, underway = make([]int, len(states)), make([]bool, len(states))
	for w, state := range states {
		if isWell(state) {
			done[w] = state.Restarts
		} else {
			underway[w] = len(state.Causes) > 0
		}
	}
	return done, underway
}

func isWell(w flusher.WorkerState) bool {
	return w.State == flusher.StateHealthy || w.State == flusher.StateBackpressure
}

const (
	// retryAfter is how long a fault whose target is busy waits for its next try.
	retryAfter = 100 * time.Millisecond
	// patience is how long some faults are tried: random ones, of which many would pile up, and a resume, which
	// would undo what comes later.
	patience = 2 * time.Second
)

// begin injects a fault, which may take its time, so long after the start of the load.
func (i *injector) begin(n int, fault scenarios.Fault, elapsed time.Duration) {
	at, stages := i.system.Now(), stagesAt(i.system, fault)
	e, err := i.hit(fault)
	busy := errors.Is(err, ErrBusy)
	switch {
	case busy:
		_ = i.system.Sleep(context.Background(), retryAfter) // it has no end but this
	case err != nil:
		i.note(fmt.Sprintf("fault %q could not be injected: %v", fault, err))
	default:
		e.fault, e.occurrence, e.at, e.stages = fault, n, at, stages
		if fault.For != scenarios.ForGood {
			e.until = i.system.Now().Add(fault.For)
		}
		if !e.waits {
			i.happens(e)
		}
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.tried[n] = cmp.Or(i.tried[n], elapsed)
	switch {
	case busy && (i.plan[n].Random || fault.Verb == scenarios.VerbResume) && elapsed > i.tried[n]+patience:
		i.state[n], i.causes[n] = failed, err
	case busy:
		i.state[n], i.causes[n] = waiting, err
	case err != nil:
		i.state[n], i.causes[n] = failed, err
	default:
		i.active = append(i.active, e)
	}
}

// happens takes note that a fault does, since it began.
func (i *injector) happens(e *effect) {
	e.waits = false
	i.sink.record.note(e.at, reports.Event{Kind: reports.EventFaultBegin, Worker: workerOf(e.fault),
		Fault: e.fault.String()})
	i.mu.Lock()
	defer i.mu.Unlock()
	i.state[e.occurrence] = happened
	i.covered.AddAll(e.stages)
}

// Why a fault of processes that start did not happen.
var errNoStart = errors.New("no process of its target started meanwhile")
var errCutShort = fmt.Errorf("%w, and the load was over before its time was", errNoStart)

// end undoes an effect, and says so. What cannot be undone is kept for the healing.
func (i *injector) end(e *effect) {
	if e.undo != nil {
		if err := e.undo(); err != nil {
			i.note(fmt.Sprintf("fault %q could not be ended: %v", e.fault, err))
			i.mu.Lock()
			i.undone = append(i.undone, e)
			i.mu.Unlock()
		}
	}
	if e.waits {
		cause := errNoStart
		if i.system.Now().Before(e.until) {
			cause = errCutShort
		}
		i.mu.Lock()
		defer i.mu.Unlock()
		i.state[e.occurrence], i.causes[e.occurrence] = failed, cause
		return
	}
	i.sink.record.note(i.system.Now(), reports.Event{Kind: reports.EventFaultEnd,
		Worker: workerOf(e.fault), Fault: e.fault.String()})
}

func (i *injector) note(text string) {
	i.sink.record.note(i.system.Now(), reports.Event{Kind: reports.EventNote,
		Worker: reports.NoWorker, Text: text})
}

func workerOf(f scenarios.Fault) int {
	if f.Target.Kind == scenarios.TargetWorker {
		return f.Target.N
	}
	return reports.NoWorker
}

// heal ends every fault, and lets no other begin: what is frozen goes on, what is stopped starts.
// It returns when all that was being done is done, with what could not be ended.
func (i *injector) heal() error {
	i.mu.Lock()
	i.healed = true
	tasks := i.tasks
	i.mu.Unlock()
	i.endAll(scenarios.HealWake) // what is being done may wait for it: a start for its servers
	for _, kind := range tasks {
		for _, task := range kind {
			task.Wait()
		}
		i.endAll(scenarios.HealWake) // what was beginning
	}
	i.endAll(scenarios.HealConsumers)
	var errs []error
	for _, e := range i.undone {
		errs = append(errs, e.undo())
	}
	return errors.Join(errs...)
}

// endAll ends what lasts, in the order of healing, up to one of its turns.
func (i *injector) endAll(last scenarios.Healing) {
	list := i.effects()
	slices.SortStableFunc(list, func(a, b *effect) int { return cmp.Compare(a.fault.Heals(), b.fault.Heals()) })
	for _, e := range list {
		if e.fault.Heals() > last || !i.take(e) {
			continue
		}
		if e.fault.For != scenarios.ForGood && !e.waits {
			i.held = append(i.held, e.fault.Target)
		}
		i.end(e)
	}
}

// lasting returns the faults whose effect lasts.
func (i *injector) lasting() []string {
	var faults []string
	for _, e := range i.effects() {
		faults = append(faults, e.fault.What())
	}
	return faults
}

// turnShare is which share of its turns the injector had, over the load: a machine that is busy
// leaves it few of them.
func (i *injector) turnShare() float64 {
	return min(float64(i.turns)*injectEvery.Seconds()/max(i.last.elapsed, injectEvery).Seconds(), 1)
}

// missed returns why faults did not happen that should have: those whose condition was never met, whose
// target another fault held, or that could not be injected. Apart are late ones, which only lacked
// time: the load was over when theirs came, or their target was still on its way back; and those of which
// chance decides whether they find their target: random ones, and a drawn worker that is to start.
func (i *injector) missed() (missed, late, chance []string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for n, occurrence := range i.plan {
		if i.state[n] == happened || i.state[n] == dropped {
			continue
		}
		when, target, cause := occurrence.When, occurrence.Target, i.causes[n]
		of := &missed
		switch {
		case cause == nil:
			cause = i.last.misses(when)
			if when.Kind == scenarios.MomentAt ||
				when.Kind == scenarios.MomentRestarted && i.last.isRestarting(when.Worker) {
				of = &late
			}
		case errors.Is(cause, ErrBusy) && !slices.ContainsFunc(i.held, target.Covers), errors.Is(cause, errCutShort):
			of = &late
		}
		if occurrence.Random || occurrence.Drawn && errors.Is(cause, errNoStart) {
			of = &chance
		}
		*of = append(*of, fmt.Sprintf("%v: %v", occurrence.Fault, cause))
	}
	return missed, late, chance
}

func (t turn) isRestarting(worker int) bool {
	return worker < len(t.restarting) && t.restarting[worker]
}

// misses says what a moment still lacked.
func (t turn) misses(m scenarios.Moment) error {
	at := t.elapsed.Seconds()
	switch {
	case m.Kind == scenarios.MomentSent:
		return fmt.Errorf("only %s sent when the load ended at %.1fs", options.FormatCount(t.sent, "span"), at)
	case m.Kind == scenarios.MomentFlushed:
		return fmt.Errorf("only %s out when the load ended at %.1fs", options.FormatCount(t.flushed, "span"), at)
	case m.Kind == scenarios.MomentAt:
		return fmt.Errorf("its time had not come when the load ended, at %.1fs", at)
	case m.Kind == scenarios.MomentStage:
		return fmt.Errorf("nobody was seen at it before the load ended at %.1fs", at)
	case t.isRestarting(m.Worker):
		return fmt.Errorf("worker %d was being replaced when the load ended, at %.1fs", m.Worker, at)
	}
	return fmt.Errorf("worker %d had not restarted when the load ended, at %.1fs", m.Worker, at)
}
