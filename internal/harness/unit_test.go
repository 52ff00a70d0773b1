package harness

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
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

// fakeWorkers are workers as the pipeline shows them.
type fakeWorkers struct {
	states []flusher.WorkerState
	pids   map[int]int
}

func (w *fakeWorkers) Workers() []flusher.WorkerState { return w.states }
func (w *fakeWorkers) Pids() map[int]int              { return w.pids }

// rig is an injector whose signals are written down.
type rig struct {
	*injector
	workers *fakeWorkers
	signals []string
	start   time.Time
}

func newRig(t *testing.T, faults ...string) *rig {
	t.Helper()
	s := scenarios.Default()
	for _, text := range faults {
		var fault scenarios.Fault
		if err := fault.UnmarshalText([]byte(text)); err != nil {
			t.Fatal(err)
		}
		s.Faults = append(s.Faults, fault)
	}
	r := &rig{start: time.Now(), workers: &fakeWorkers{pids: map[int]int{0: 100, 1: 101},
		states: []flusher.WorkerState{
			{Worker: 0, State: flusher.StateHealthy, Starts: 1},
			{Worker: 1, State: flusher.StateHealthy, Starts: 1},
		}}}
	r.injector = newInjector(s, r.workers, ledger.New(load.NewRecipe(s.Workload, 1, 1)),
		newRecorder(nil))
	r.signal = func(pid int, signal syscall.Signal) error {
		r.signals = append(r.signals, fmt.Sprintf("%v %d", signal, pid))
		return nil
	}
	return r
}

// at takes a step at a time since the start, and expects all signals so far.
func (r *rig) at(t *testing.T, elapsed time.Duration, want ...string) {
	t.Helper()
	r.step(r.start.Add(elapsed), elapsed)
	if !slices.Equal(r.signals, want) {
		t.Fatalf("at %v the signals are %q, want %q", elapsed, r.signals, want)
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
	if n := len(events); n != 4 || events[0].Kind != reports.EventFaultBegin ||
		events[1].State != reports.StateHung || events[2].State != reports.StateHealthy ||
		events[3].Kind != reports.EventFaultEnd {
		t.Errorf("events are %+v", events)
	}
}

// TestInjectorWakesNobodyElse: the frozen worker was replaced meanwhile; its process number may
// belong to somebody else.
func TestInjectorWakesNobodyElse(t *testing.T) {
	r := newRig(t, "at 1s hang worker 1 for 2s")
	r.at(t, time.Second, stopped+" 101")
	r.workers.pids[1], r.workers.states[1].Starts = 102, 2
	r.at(t, 4*time.Second, stopped+" 101")
	if len(r.active) != 0 {
		t.Error("the fault lasts though the successor is healthy")
	}
}

func TestInjectorWaitsForItsWorkerAndCondition(t *testing.T) {
	r := newRig(t, "at 1s crash worker 1", "when worker 1 restarted crash worker 1",
		"when 2 spans sent crash worker 0")
	delete(r.workers.pids, 1)
	r.at(t, time.Second)
	r.workers.pids[1] = 101
	r.at(t, 2*time.Second, killed+" 101")
	r.workers.states[1] = flusher.WorkerState{
		Worker: 1, State: flusher.StateStarting, Starts: 2, Restarts: 1,
	}
	r.workers.pids[1] = 102
	r.at(t, 3*time.Second, killed+" 101")
	if missed := r.missed(); len(missed) != 2 {
		t.Errorf("missed are %v", missed)
	}
	r.workers.states[1].State = flusher.StateHealthy
	r.at(t, 4*time.Second, killed+" 101", killed+" 102")
	r.ledger.Sent(0, 0)
	r.ledger.Sent(1, 0)
	r.at(t, 5*time.Second, killed+" 101", killed+" 102", killed+" 100")
	if missed := r.missed(); len(missed) != 0 {
		t.Errorf("missed are %v", missed)
	}
}

func TestRecorderFollowsAWorker(t *testing.T) {
	var heard int
	r := newRecorder(func(reports.Event) { heard++ })
	tell := func(kinds ...flusher.EventKind) {
		for _, kind := range kinds {
			r.supervisor(flusher.Event{Kind: kind, At: time.Now(), Worker: 0, Start: 1,
				Cause: "hang: planted", Shards: []buffer.Shard{3}})
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

func TestParseStat(t *testing.T) {
	for text, want := range map[string]struct {
		parent int
		state  byte
		ok     bool
	}{
		"12 (a) S 7 12 12 0":         {7, 'S', true},
		"12 (odd ) R 9 (name) Z 7 1": {7, 'Z', true},
		"12 (a) S":                   {0, 0, false},
		"":                           {0, 0, false},
		"12 (a) S x 12":              {0, 'S', false},
	} {
		parent, state, ok := parseStat([]byte(text))
		if ok != want.ok || ok && (parent != want.parent || state != want.state) {
			t.Errorf("%q: %d, %c, %v", text, parent, state, ok)
		}
	}
}

// TestCensusCountsChildren starts a process, and expects it to be counted until it has ended.
func TestCensusCountsChildren(t *testing.T) {
	before := newCensus()
	if before.count() == processesUnknown {
		t.Skip("this system has no /proc")
	}
	child := exec.Command("cat") // it ends when its input does
	in, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	if live := before.count(); live != 1 {
		t.Errorf("%d children, want 1", live)
	}
	if memory := residentMax(map[int]int{0: os.Getpid()}); memory < 1<<20 {
		t.Errorf("this process holds %d bytes", memory)
	}
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	if err := child.Wait(); err != nil {
		t.Fatal(err)
	}
	if live := before.count(); live != 0 {
		t.Errorf("%d children are left", live)
	}
}

func TestFreshnessQuantiles(t *testing.T) {
	f := newFreshness()
	if q := f.quantiles(); q != (reports.Quantiles{}) {
		t.Errorf("without values: %+v", q)
	}
	for i := range 100 {
		f.add(0, []time.Duration{time.Duration(i+1) * 10 * time.Millisecond, -time.Second})
	}
	q := f.quantiles()
	if q.Count != 200 || q.Max < 0.999 || q.Max > 1.001 || q.P90 < 0.79 || q.P90 > 0.81 {
		t.Errorf("quantiles are %+v", q)
	}
}
