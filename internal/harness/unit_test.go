package harness

import (
	"fmt"
	"os"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"sluice/buffer"
	"sluice/flusher"
	"sluice/internal/ledger"
	"sluice/internal/load"
	"sluice/reports"
	"sluice/scenarios"
)

// fakeSystem is the consumers as an injector sees them; what is done to them is written down.
type fakeSystem struct {
	mu     sync.Mutex
	states []flusher.WorkerState
	pids   map[int]int
	lives  int
	down   bool
	done   []string
}

func (f *fakeSystem) Workers() []flusher.WorkerState { return f.states }
func (f *fakeSystem) Pids() map[int]int              { return f.pids }
func (f *fakeSystem) life() int                      { return f.lives }

func (f *fakeSystem) note(what string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.done = append(f.done, what)
	return nil
}

func (f *fakeSystem) crash() error {
	if f.down {
		return errBusy
	}
	f.down = true
	return f.note("crash")
}

func (f *fakeSystem) restart() error {
	f.down = false
	return f.note("restart")
}

func (f *fakeSystem) stop() error   { return f.note("stop") }
func (f *fakeSystem) freeze() error { return f.note("freeze") }
func (f *fakeSystem) thaw() error   { return f.note("thaw") }

func (f *fakeSystem) join() (func() error, error) {
	return func() error { return f.note("leave") }, f.note("join")
}

func (f *fakeSystem) signal(pid int, signal syscall.Signal) error {
	return f.note(fmt.Sprintf("%v %d", signal, pid))
}

// inject and heal make it the servers, too.
func (f *fakeSystem) inject(fault scenarios.Fault) (func() error, error) {
	return func() error { return f.note("end " + fault.What()) }, f.note(fault.What())
}

func (f *fakeSystem) heal() error { return f.note("heal") }

// rig is an injector whose deeds are written down.
type rig struct {
	*injector
	*fakeSystem
	start time.Time
}

func newRig(t *testing.T, faults ...string) *rig {
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
	f := &fakeSystem{pids: map[int]int{0: 100, 1: 101}, lives: 1, states: []flusher.WorkerState{
		{Worker: 0, State: flusher.StateHealthy, Starts: 1},
		{Worker: 1, State: flusher.StateHealthy, Starts: 1},
	}}
	r := &rig{start: time.Now(), fakeSystem: f}
	jump := func(partition int, by time.Duration) { _ = f.note(fmt.Sprintf("jump %d %v", partition, by)) }
	r.injector = newInjector(s, f, f, jump, ledger.New(load.NewRecipe(s.Workload, 1, 1)),
		newRecorder(nil))
	return r
}

// at takes a step at a time since the start, and expects all deeds so far.
func (r *rig) at(t *testing.T, elapsed time.Duration, want ...string) {
	t.Helper()
	r.now = func() time.Time { return r.start.Add(elapsed) }
	r.step(r.now(), elapsed)
	r.busy.Wait()
	if !slices.Equal(r.done, want) {
		t.Fatalf("at %v the deeds are %q, want %q", elapsed, r.done, want)
	}
}

const (
	stopped, continued, killed = "stopped (signal)", "continued", "killed"
)

func TestInjectorHangsAndWakes(t *testing.T) {
	r := newRig(t, "at 1s hang worker 1 for 2s")
	r.at(t, 999*time.Millisecond)
	r.at(t, time.Second, stopped+" 101")
	r.at(t, 2999*time.Millisecond, stopped+" 101")
	r.at(t, 3*time.Second, stopped+" 101", continued+" 101")
	r.at(t, 9*time.Second, stopped+" 101", continued+" 101")
	events, _ := r.record.record()
	// The begin has the time of the rig, the others that of the wall.
	if n := len(events); n != 4 || events[3].Kind != reports.EventFaultBegin ||
		events[0].State != reports.StateHung || events[1].State != reports.StateHealthy ||
		events[2].Kind != reports.EventFaultEnd {
		t.Errorf("events are %+v", events)
	}
}

// TestInjectorWakesNobodyElse: the frozen worker was replaced meanwhile; its process number may
// belong to somebody else.
func TestInjectorWakesNobodyElse(t *testing.T) {
	r := newRig(t, "at 1s hang worker 1 for 2s")
	r.at(t, time.Second, stopped+" 101")
	r.pids[1], r.states[1].Starts = 102, 2
	r.at(t, 4*time.Second, stopped+" 101")
	if len(r.active) != 0 {
		t.Error("the fault lasts though the successor is healthy")
	}
}

func TestInjectorWaitsForItsWorkerAndCondition(t *testing.T) {
	r := newRig(t, "at 1s crash worker 1", "when worker 1 restarted crash worker 1",
		"when 2 spans sent crash worker 0")
	delete(r.pids, 1)
	r.at(t, time.Second)
	r.pids[1] = 101
	r.at(t, 2*time.Second, killed+" 101")
	r.states[1] = flusher.WorkerState{
		Worker: 1, State: flusher.StateStarting, Starts: 2, Restarts: 1,
	}
	r.pids[1] = 102
	r.at(t, 3*time.Second, killed+" 101")
	if missed, _ := r.missed(); len(missed) != 2 {
		t.Errorf("missed are %v", missed)
	}
	r.states[1].State = flusher.StateHealthy
	r.at(t, 4*time.Second, killed+" 101", killed+" 102")
	r.ledger.Sent(0, 0, 0)
	r.ledger.Sent(1, 0, 0)
	r.at(t, 5*time.Second, killed+" 101", killed+" 102", killed+" 100")
	if missed, _ := r.missed(); len(missed) != 0 {
		t.Errorf("missed are %v", missed)
	}
}

func TestInjectorReachesEverything(t *testing.T) {
	r := newRig(t, "at 1s crash consumer for 1s", "at 1s slow redis by 20ms for 2s",
		"at 4s rebalance for 1s", "at 6s jump partition 3 by -5s for 1s", "at 8s hang consumer for 1s",
		"at 10s black-hole kafka for 9s", "at 10s hang all workers")
	r.at(t, 999*time.Millisecond)
	r.step(r.start.Add(time.Second), time.Second)
	r.busy.Wait()
	slices.Sort(r.done) // both begin at once
	r.at(t, 1900*time.Millisecond, "crash", "slow redis by 20ms for 2s")
	r.at(t, 2900*time.Millisecond, "crash", "slow redis by 20ms for 2s", "restart")
	so := append(slices.Clone(r.done), "end slow redis by 20ms for 2s")
	r.at(t, 3900*time.Millisecond, so...)
	for _, c := range []struct {
		at   time.Duration
		deed string
	}{{4000, "join"}, {5000, "leave"}, {6000, "jump 3 -5s"}, {7000, "jump 3 0s"}, {8000, "freeze"},
		{9000, "thaw"}} {
		so = append(so, c.deed)
		r.at(t, c.at*time.Millisecond, so...)
	}
	r.step(r.start.Add(10*time.Second), 10*time.Second)
	if err := r.injector.heal(); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"stopped (signal) 100", "stopped (signal) 101",
		"black-hole kafka for 9s", "end black-hole kafka for 9s", "continued 100", "continued 101",
		"heal"} {
		if !slices.Contains(r.done, want) {
			t.Errorf("in the end the deeds are %q, without %q", r.done, want)
		}
	}
	r.step(r.start.Add(time.Hour), time.Hour)
	if r.done[len(r.done)-1] != "heal" {
		t.Errorf("after the healing there is %q", r.done[len(r.done)-1])
	}
	if missed, _ := r.missed(); len(missed) != 0 {
		t.Errorf("missed are %q", missed)
	}
}

func TestInjectorKillsInALoop(t *testing.T) {
	r := newRig(t, "at 1s crash-loop worker 1 for 2s")
	r.at(t, time.Second)
	r.at(t, 1010*time.Millisecond, killed+" 101")
	r.at(t, 1020*time.Millisecond, killed+" 101")
	r.pids[1] = 102
	r.at(t, 1500*time.Millisecond, killed+" 101", killed+" 102")
	r.pids[1] = 103
	r.at(t, 3100*time.Millisecond, killed+" 101", killed+" 102", killed+" 103")
	r.pids[1] = 104
	r.at(t, 3200*time.Millisecond, killed+" 101", killed+" 102", killed+" 103")
}

func TestInjectorSlowsStarts(t *testing.T) {
	r := newRig(t, "at 1s slow-start worker 1 by 2s for 9s")
	r.at(t, time.Second)
	r.at(t, 1100*time.Millisecond) // the process that runs is left alone
	r.pids[1] = 102
	r.at(t, 2*time.Second, stopped+" 102")
	r.at(t, 3900*time.Millisecond, stopped+" 102")
	r.at(t, 4*time.Second, stopped+" 102", continued+" 102")
	r.at(t, 5*time.Second, stopped+" 102", continued+" 102")
}

func TestRecorderFollowsAWorker(t *testing.T) {
	var heard int
	r := newRecorder(func(reports.Event) { heard++ })
	tell := func(kinds ...flusher.EventKind) {
		for _, kind := range kinds {
			// A start that takes too long is a hang, whatever its cause says.
			r.supervisor(first, 1, flusher.Event{Kind: kind, At: time.Now(), Worker: 0, Start: 1,
				State: flusher.StateHung, Cause: "not healthy 2m after its start", Shards: []buffer.Shard{3}})
		}
	}
	tell(flusher.EventStarted, flusher.EventHealthy, flusher.EventBackpressureOn,
		flusher.EventBackpressureOff, flusher.EventFailed, flusher.EventRestart, flusher.EventKilled,
		flusher.EventGateClosed, flusher.EventStopped, flusher.EventFenced)
	r.begin(time.Now().Add(time.Second))
	tell(flusher.EventStarted, flusher.EventHealthy, flusher.EventGateOpened, flusher.EventStopping,
		flusher.EventStopped)
	events, moves := r.record()
	var got []reports.State
	for _, e := range events {
		if e.Kind == reports.EventWorker {
			got = append(got, e.State)
		}
		if e.T >= 0 {
			t.Errorf("an event before the load is at %v", e.T)
		}
	}
	want := []reports.State{reports.StateStarting, reports.StateHealthy, reports.StateBackpressure,
		reports.StateHealthy, reports.StateHung, reports.StateDead, reports.StateRestarting,
		reports.StateStarting, reports.StateHealthy, reports.StateStopped}
	if !slices.Equal(got, want) {
		t.Errorf("states are %v, want %v", got, want)
	}
	if len(moves) != 15 || heard != len(events) || len(events) != len(want)+3 {
		t.Errorf("%d moves, %d events, %d heard", len(moves), len(events), heard)
	}
}

func TestProcessesAreMeasured(t *testing.T) {
	self := []int{os.Getpid()}
	if memory := residentMax(self); memory < 1<<20 {
		t.Errorf("this process holds %d bytes", memory)
	}
	var meter cpuMeter
	for used := 0.0; used == 0; used = meter.seconds(self) { // until the first tick
		if t.Context().Err() != nil {
			t.Fatal("this process has used no time")
		}
	}
	const nobody = 1 << 30
	if before, after := meter.seconds(self), meter.seconds([]int{nobody}); after < before {
		t.Errorf("%v s were used, then %v", before, after)
	}
}

func TestFreshnessQuantiles(t *testing.T) {
	f := newFreshness()
	if q := f.quantiles(); q != (reports.Quantiles{}) {
		t.Errorf("without values: %+v", q)
	}
	for i := range 100 {
		f.add([]time.Duration{time.Duration(i+1) * 10 * time.Millisecond, -time.Second})
	}
	q := f.quantiles()
	if q.Count != 200 || q.Max < 0.999 || q.Max > 1.001 || q.P90 < 0.79 || q.P90 > 0.81 {
		t.Errorf("quantiles are %+v", q)
	}
}
