package harness

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"syscall"
	"time"

	"sluice/flusher"
	"sluice/internal/ledger"
	"sluice/reports"
	"sluice/scenarios"
)

// system is what the injector does to the consumers of a run.
type system interface {
	// Workers and Pids are those of the first consumer; none while it is down.
	Workers() []flusher.WorkerState
	Pids() map[int]int
	// life counts its starts.
	life() int
	// crash kills the first consumer, stop lets it drain and returns when it has ended, restart
	// starts it again. freeze and thaw reach its workers, too. errBusy if it is not in a state for
	// that.
	crash() error
	stop() error
	restart() error
	freeze() error
	thaw() error
	// join starts a second consumer, leave ends it in good order.
	join() (leave func() error, err error)
	signal(pid int, signal syscall.Signal) error
}

// breakable is what the injector does to Redis, Kafka and the network. The end of a fault is a
// function, or nil if there is nothing to end.
type breakable interface {
	inject(scenarios.Fault) (undo func() error, err error)
	heal() error
}

// injector breaks what the scenario says, when it says so.
type injector struct {
	plan    []scenarios.Occurrence
	random  []bool // by occurrence: it is one of those drawn from the seed
	system  system
	servers breakable
	jump    func(partition int, by time.Duration)
	ledger  *ledger.Ledger
	record  *recorder
	now     func() time.Time

	busy sync.WaitGroup // faults that are being injected or ended

	mu     sync.Mutex
	state  []stage // by occurrence
	causes []error // why an occurrence failed
	active []*effect
	healed bool
}

// stage is how far an occurrence has come.
type stage int

const (
	waiting stage = iota
	beginning
	happened
	failed
)

// effect is a fault that was injected and whose direct effect lasts.
type effect struct {
	fault scenarios.Fault
	// until is when it is ended; zero if only over tells, or the healing.
	until time.Time
	// over tells whether the system has overcome it by itself; nil if it never does.
	over func() bool
	// step does what has to be done again and again; nil for most.
	step func(now time.Time)
	// undo ends it; nil if there is nothing to end.
	undo func() error
}

// allPartitions is the partition of a clock that jumps for all.
const allPartitions = -1

func newInjector(s scenarios.Scenario, sys system, srv breakable, jump func(int, time.Duration),
	l *ledger.Ledger, r *recorder,
) *injector {
	plan := s.Plan()
	random := make([]bool, len(plan))
	for n, occurrence := range plan {
		random[n] = s.Faults[occurrence.Index].When.Kind == scenarios.MomentRandomly
	}
	return &injector{plan: plan, random: random, system: sys, servers: srv, jump: jump, ledger: l, record: r,
		now: time.Now, state: make([]stage, len(plan)), causes: make([]error, len(plan))}
}

// injectEvery is how often the conditions are looked at.
const injectEvery = 10 * time.Millisecond

// run injects faults until ctx is done.
func (i *injector) run(ctx context.Context, start time.Time) {
	ticker := time.NewTicker(injectEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			i.step(now, now.Sub(start))
		}
	}
}

// step does what is due at one moment.
func (i *injector) step(now time.Time, elapsed time.Duration) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.healed {
		return
	}
	sent, settled := i.ledger.Counts()
	restarts := i.restarts()
	for n, occurrence := range i.plan {
		if i.state[n] == waiting && occurrence.When.Reached(elapsed, sent, settled, restarts) {
			i.state[n] = beginning
			i.busy.Go(func() { i.begin(n, occurrence.Fault, elapsed) })
		}
	}
	var lasting []*effect
	for _, e := range i.active {
		if e.step != nil {
			e.step(now)
		}
		over := e.over != nil && e.over()
		if !over && (e.until.IsZero() || now.Before(e.until)) {
			lasting = append(lasting, e)
			continue
		}
		i.busy.Go(func() { i.end(e) })
	}
	i.active = lasting
}

// restarts returns those of each worker. One counts for a condition when the successor is healthy.
func (i *injector) restarts() []int {
	states := i.system.Workers()
	restarts := make([]int, len(states))
	for w, state := range states {
		if isWell(state) {
			restarts[w] = state.Restarts
		}
	}
	return restarts
}

func isWell(w flusher.WorkerState) bool {
	return w.State == flusher.StateHealthy || w.State == flusher.StateBackpressure
}

const (
	// retryAfter is how long a fault whose target is busy waits for its next try.
	retryAfter = 100 * time.Millisecond
	// randomPatience is how long a random fault is tried: with many of them they would pile up.
	randomPatience = 2 * time.Second
)

// begin injects a fault, which may take its time, so long after the start of the load.
func (i *injector) begin(n int, fault scenarios.Fault, elapsed time.Duration) {
	at := i.now()
	e, err := i.hit(fault)
	if errors.Is(err, errBusy) {
		time.Sleep(retryAfter)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	switch {
	case errors.Is(err, errBusy):
		i.state[n], i.causes[n] = waiting, err
		if i.random[n] && elapsed > fault.When.At+randomPatience {
			i.state[n] = failed
		}
		return
	case err != nil:
		i.state[n], i.causes[n] = failed, err
		i.record.note(reports.Event{Kind: reports.EventNote, Worker: reports.NoWorker,
			Text: fmt.Sprintf("fault %q could not be injected: %v", fault, err)})
		return
	}
	i.state[n] = happened
	i.record.noteAt(at, reports.Event{Kind: reports.EventFaultBegin, Worker: workerOf(fault),
		Fault: fault.String()})
	e.fault = fault
	if fault.For != scenarios.ForGood {
		e.until = i.now().Add(fault.For)
	}
	i.active = append(i.active, e)
}

// end undoes an effect, and says so.
func (i *injector) end(e *effect) {
	if e.undo != nil {
		if err := e.undo(); err != nil {
			i.record.note(reports.Event{Kind: reports.EventNote, Worker: reports.NoWorker,
				Text: fmt.Sprintf("fault %q could not be ended: %v", e.fault, err)})
		}
	}
	i.record.note(reports.Event{Kind: reports.EventFaultEnd, Worker: workerOf(e.fault),
		Fault: e.fault.String()})
}

func workerOf(f scenarios.Fault) int {
	if f.Target.Kind == scenarios.TargetWorker {
		return f.Target.N
	}
	return reports.NoWorker
}

// heal ends every fault, and lets no other begin: what is frozen goes on, what is stopped starts.
// It returns when all that was being done is done.
func (i *injector) heal() error {
	i.mu.Lock()
	i.healed = true
	i.mu.Unlock()
	i.busy.Wait() // what was beginning is active now
	i.mu.Lock()
	active := i.active
	i.active = nil
	i.mu.Unlock()
	for _, e := range active {
		i.end(e)
	}
	return i.servers.heal()
}

// lasting returns the faults whose effect lasts.
func (i *injector) lasting() []string {
	i.mu.Lock()
	defer i.mu.Unlock()
	var faults []string
	for _, e := range i.active {
		faults = append(faults, e.fault.What())
	}
	return faults
}

// missed returns why faults did not happen that should have: those whose moment never came, or that
// could not be injected. Whether a random fault finds its target is left to chance; those that did
// not are apart.
func (i *injector) missed() (missed, chance []string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for n, occurrence := range i.plan {
		cause := i.causes[n]
		switch {
		case i.state[n] == happened:
			continue
		case cause == nil:
			cause = errors.New("its moment never came")
		}
		text := fmt.Sprintf("%v: %v", occurrence.Fault, cause)
		if i.random[n] {
			chance = append(chance, text)
		} else {
			missed = append(missed, text)
		}
	}
	return missed, chance
}
