package harness

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"sluice/flusher"
	"sluice/internal/judge"
	"sluice/internal/load"
	"sluice/internal/wallclock"
	"sluice/reports"
	"sluice/scenarios"
)

// fakeSystem is a System that writes down what is done to it. Its time is set by hand, and no sleep
// takes any.
type fakeSystem struct {
	wallclock.Tasks
	// send is what Send does.
	send func(ctx context.Context)
	// ended is true if every bound of time is over at once.
	ended bool

	mu    sync.Mutex
	now   time.Time
	first Consumer     // as it is while it runs
	up    map[int]bool // consumers
	done  []string
	tries int                // of needy
	fails map[string][]error // what a deed fails with, in turn
}

var _ System = (*fakeSystem)(nil)

func (f *fakeSystem) Now() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.now
}

func (f *fakeSystem) set(now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now = now
}

func (*fakeSystem) Digest() string { return "" }

func (*fakeSystem) Sleep(ctx context.Context, _ time.Duration) error { return ctx.Err() }

func (f *fakeSystem) WithTimeout(
	ctx context.Context, _ time.Duration,
) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	if f.ended {
		cancel()
	}
	return ctx, cancel
}

func (f *fakeSystem) Consumers() []Consumer {
	f.mu.Lock()
	defer f.mu.Unlock()
	var list []Consumer
	for _, index := range slices.Sorted(maps.Keys(f.up)) {
		if index == firstConsumer {
			list = append(list, f.first)
		} else {
			list = append(list, Consumer{Index: index, Life: 1})
		}
	}
	return list
}

// note writes a deed down, unless it is to fail.
func (f *fakeSystem) note(what string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if errs := f.fails[what]; len(errs) > 0 {
		f.fails[what] = errs[1:]
		return errs[0]
	}
	f.done = append(f.done, what)
	return nil
}

func (f *fakeSystem) Do(_ context.Context, act Act, to Process) error {
	if to.Worker != reports.NoWorker {
		return f.note(fmt.Sprintf("%v %d", act, to.Number))
	}
	if to.Consumer == WholeHost {
		return f.note(fmt.Sprintf("%v host", act))
	}
	f.mu.Lock()
	up := f.up[to.Consumer]
	f.mu.Unlock()
	if up == (act == ActStart) {
		return ErrBusy
	}
	err := f.note(fmt.Sprintf("%v consumer %d", act, to.Consumer))
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case act == ActStart && err == nil:
		f.up[to.Consumer] = true
	case errors.Is(err, ErrBusy):
	case act == ActKill || act == ActStop: // also with an error: that is how it ended
		delete(f.up, to.Consumer)
	}
	return err
}

func (f *fakeSystem) Break(fault scenarios.Fault) (func() error, error) {
	return func() error { return f.note("end " + fault.What()) }, f.note(fault.What())
}

func (f *fakeSystem) Send(ctx context.Context, _ time.Time) Sent {
	f.send(ctx)
	return Sent{Err: ctx.Err()}
}

func (*fakeSystem) Look() (judge.Look, reports.Sample)    { return judge.Look{}, reports.Sample{} }
func (*fakeSystem) Remains(context.Context) judge.Remains { return judge.Remains{} }
func (*fakeSystem) Finish(context.Context) error          { return nil }
func (*fakeSystem) Close() error                          { return nil }

// rig is an injector beside a system whose deeds are written down.
type rig struct {
	*injector
	*fakeSystem
	start time.Time
}

func newRig(t *testing.T, faults ...string) *rig {
	t.Helper()
	s := withFaults(t, faults...)
	r := &rig{start: time.Now()}
	r.fakeSystem = &fakeSystem{now: r.start, up: map[int]bool{firstConsumer: true},
		fails: map[string][]error{},
		first: Consumer{Life: 1, Processes: map[int]int{0: 100, 1: 101}, Workers: []flusher.WorkerState{
			{Worker: 0, State: flusher.StateHealthy, Starts: 1},
			{Worker: 1, State: flusher.StateHealthy, Starts: 1},
		}}}
	r.injector = newInjector(s, r.fakeSystem, NewSink(s, load.NewGenerator(s), nil))
	return r
}

// withFaults is the scenario of a rig.
func withFaults(t *testing.T, faults ...string) scenarios.Scenario {
	t.Helper()
	s := scenarios.Default()
	s.Topology.FlusherProcesses = 2
	for _, text := range faults {
		var fault scenarios.Fault
		if err := fault.UnmarshalText([]byte(text)); err != nil {
			t.Fatal(err)
		}
		s.Faults = append(s.Faults, fault)
	}
	return s
}

// step takes a step at a time since the start.
func (r *rig) step(elapsed time.Duration) {
	r.set(r.start.Add(elapsed))
	r.injector.step(r.Now(), elapsed)
}

// at takes a step, and expects all deeds so far.
func (r *rig) at(t *testing.T, elapsed time.Duration, want ...string) {
	t.Helper()
	r.step(elapsed)
	r.wait()
	if !slices.Equal(r.done, want) {
		t.Fatalf("at %v the deeds are %q, want %q", elapsed, r.done, want)
	}
}

// wait returns when no fault begins or ends any more.
func (r *rig) wait() {
	for _, task := range slices.Concat(r.tasks[:]...) {
		task.Wait()
	}
}

// heard returns the events so far, of one kind.
func (r *rig) heard(kind reports.EventKind) []reports.Event {
	events, _ := r.sink.record.record()
	return slices.DeleteFunc(events, func(e reports.Event) bool { return e.Kind != kind })
}
