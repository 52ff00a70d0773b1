package harness

import (
	"context"
	"fmt"
	"sync"
	"syscall"
	"time"

	"sluice/flusher"
	"sluice/internal/ledger"
	"sluice/reports"
	"sluice/scenarios"
)

// workers is what the harness asks the pipeline about its workers.
type workers interface {
	Workers() []flusher.WorkerState
	Pids() map[int]int
}

// injector breaks what the scenario says, when it says so.
type injector struct {
	faults  []scenarios.Fault
	workers workers
	ledger  *ledger.Ledger
	record  *recorder
	signal  func(pid int, signal syscall.Signal) error

	mu     sync.Mutex
	done   []bool
	active []*effect
}

// effect is a fault that was injected and whose direct effect lasts.
type effect struct {
	fault  scenarios.Fault
	pid    int
	start  int // of the worker that was hit
	resume time.Time
}

func newInjector(
	s scenarios.Scenario, w workers, l *ledger.Ledger, r *recorder,
) *injector {
	return &injector{faults: faultsOf(s.Plan()), workers: w, ledger: l, record: r, signal: syscall.Kill,
		done: make([]bool, len(s.Plan()))}
}

func faultsOf(plan []scenarios.Occurrence) []scenarios.Fault {
	faults := make([]scenarios.Fault, len(plan))
	for i, occurrence := range plan {
		faults[i] = occurrence.Fault
	}
	return faults
}

// injectEvery is how often the conditions are looked at.
const injectEvery = 10 * time.Millisecond

// run injects faults until ctx is done; a frozen worker whose time is over is woken even then, by
// heal.
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
	states := i.workers.Workers()
	sent, settled := i.ledger.Counts()
	restarts := make([]int, len(states))
	for w, state := range states {
		// A restart counts for a condition when the successor is healthy.
		if state.State == flusher.StateHealthy || state.State == flusher.StateBackpressure {
			restarts[w] = state.Restarts
		}
	}
	for n, fault := range i.faults {
		if !i.done[n] && fault.When.Reached(elapsed, sent, settled, restarts) {
			i.done[n] = i.inject(now, fault, states)
		}
	}
	i.end(now, states)
}

// inject hits the worker, and returns false if it is not there for now.
func (i *injector) inject(now time.Time, fault scenarios.Fault, states []flusher.WorkerState) bool {
	pid, running := i.workers.Pids()[fault.Target.N]
	if !running || fault.Target.N >= len(states) || pid <= 0 {
		return false
	}
	hit := syscall.SIGKILL
	state := reports.StateDead
	if fault.Verb == scenarios.VerbHang {
		hit, state = syscall.SIGSTOP, reports.StateHung
	}
	if i.signal(pid, hit) != nil {
		return false
	}
	e := &effect{fault: fault, pid: pid, start: states[fault.Target.N].Starts}
	if fault.For != scenarios.ForGood {
		e.resume = now.Add(fault.For)
	}
	i.active = append(i.active, e)
	i.record.note(reports.Event{
		Kind: reports.EventFaultBegin, Worker: fault.Target.N, Fault: fault.String(),
		Text: fmt.Sprintf("signal %v to process %d", hit, pid),
	})
	i.record.worker(fault.Target.N, state, fault.String())
	return true
}

// end wakes those whose time is over, and notes the end of effects: woken, or replaced by a healthy
// successor.
func (i *injector) end(now time.Time, states []flusher.WorkerState) {
	var lasting []*effect
	for _, e := range i.active {
		worker := states[e.fault.Target.N]
		healthy := worker.State == flusher.StateHealthy || worker.State == flusher.StateBackpressure
		woken := !e.resume.IsZero() && !now.Before(e.resume) && i.wake(e, worker.Starts)
		if !woken && !(healthy && worker.Starts > e.start) {
			lasting = append(lasting, e)
			continue
		}
		i.record.note(reports.Event{
			Kind: reports.EventFaultEnd, Worker: e.fault.Target.N, Fault: e.fault.String(),
		})
	}
	i.active = lasting
}

// wake continues a frozen worker, if it is still the one that was frozen.
func (i *injector) wake(e *effect, starts int) bool {
	e.resume = time.Time{}
	if starts != e.start || i.workers.Pids()[e.fault.Target.N] != e.pid {
		return false
	}
	if i.signal(e.pid, syscall.SIGCONT) != nil {
		return false
	}
	i.record.worker(e.fault.Target.N, reports.StateHealthy, "woken")
	return true
}

// missed returns the faults whose moment never came.
func (i *injector) missed() []scenarios.Fault {
	i.mu.Lock()
	defer i.mu.Unlock()
	var missed []scenarios.Fault
	for n, done := range i.done {
		if !done {
			missed = append(missed, i.faults[n])
		}
	}
	return missed
}
