package harness

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/flusher"
	"sluice/reports"
	"sluice/scenarios"
)

const stopped, continued, killed = "freeze", "wake", "kill"

func TestInjectorHangsAndWakes(t *testing.T) {
	r := newRig(t, "at 1s hang worker 1 for 2s")
	r.at(t, 999*time.Millisecond)
	r.at(t, time.Second, stopped+" 101")
	r.at(t, 2999*time.Millisecond, stopped+" 101")
	r.at(t, 3*time.Second, stopped+" 101", continued+" 101")
	r.at(t, 9*time.Second, stopped+" 101", continued+" 101")
	events, _ := r.sink.record.record()
	if n := len(events); n != 4 || events[0].State != reports.StateHung ||
		events[1].Kind != reports.EventFaultBegin || events[2].State != reports.StateHealthy ||
		events[3].Kind != reports.EventFaultEnd {
		t.Errorf("events are %+v", events)
	}
}

// TestInjectorStopsAHost: it is frozen as soon as it can be, and wakes.
func TestInjectorStopsAHost(t *testing.T) {
	r := newRig(t, "at 1s hang host for 2s")
	r.fails["freeze host"] = []error{ErrBusy}
	r.at(t, time.Second)
	r.at(t, 1100*time.Millisecond, "freeze host")
	r.at(t, 4*time.Second, "freeze host", "wake host")
}

// TestInjectorWaitsForWhoIsFrozen: a consumer that is to stop, or to start, and cannot just now does as soon as
// it can; where only the healing lets it, it does behind that.
func TestInjectorWaitsForWhoIsFrozen(t *testing.T) {
	r := newRig(t, "at 1s rebalance for 1s", "at 3s crash consumer for 1s")
	frozen := []error{ErrBusy, ErrBusy}
	r.fails["stop consumer 1"], r.fails["start consumer 0"] = frozen, frozen
	r.at(t, time.Second, "start consumer 1")
	r.at(t, 2*time.Second, "start consumer 1", "stop consumer 1")
	r.at(t, 3*time.Second, "start consumer 1", "stop consumer 1", "kill consumer 0")
	r.at(t, 4*time.Second, "start consumer 1", "stop consumer 1", "kill consumer 0", "start consumer 0")

	r = newRig(t, "at 1s rebalance for 1m", "at 2s hang host for 1m")
	r.fails["stop consumer 1"] = []error{ErrBusy}
	r.at(t, time.Second, "start consumer 1")
	r.at(t, 2*time.Second, "start consumer 1", "freeze host")
	if err := r.heal(); err != nil || r.done[len(r.done)-1] != "stop consumer 1" {
		t.Errorf("the deeds are %q: %v", r.done, err)
	}
}

// TestInjectorWakesNobodyElse: the frozen worker was replaced meanwhile; its process number may
// belong to somebody else.
func TestInjectorWakesNobodyElse(t *testing.T) {
	r := newRig(t, "at 1s hang worker 1 for 2s")
	r.at(t, time.Second, stopped+" 101")
	r.first.Processes[1], r.first.Workers[1].Starts = 102, 2
	r.at(t, 4*time.Second, stopped+" 101")
	if len(r.active) != 0 {
		t.Error("the fault lasts though the successor is healthy")
	}
}

// TestInjectorResumesWhoIsFrozen, and tries again while nobody is; so does the end of a fault not.
func TestInjectorResumesWhoIsFrozen(t *testing.T) {
	r := newRig(t, "at 1s resume worker 1", "at 2s resume consumer", "at 3s hang worker 0 for 1s")
	busy := []error{ErrBusy}
	r.fails["wake 101"], r.fails["wake consumer 0"], r.fails["wake 100"] = busy, busy, busy
	r.at(t, time.Second)
	r.at(t, 1100*time.Millisecond, "wake 101")
	r.at(t, 2*time.Second, "wake 101")
	r.at(t, 2100*time.Millisecond, "wake 101", "wake consumer 0")
	r.at(t, 3*time.Second, "wake 101", "wake consumer 0", stopped+" 100")
	r.at(t, 4*time.Second, "wake 101", "wake consumer 0", stopped+" 100") // its successor is well
	if notes := r.heard(reports.EventNote); len(notes) > 0 || len(r.active) > 0 {
		t.Errorf("notes are %+v, %d effects last", notes, len(r.active))
	}
}

func TestInjectorWaitsForItsWorkerAndCondition(t *testing.T) {
	r := newRig(t, "at 1s crash worker 1", "when worker 1 restarted crash worker 1",
		"when 2 spans sent crash worker 0")
	delete(r.first.Processes, 1)
	r.at(t, time.Second)
	r.first.Processes[1] = 101
	r.at(t, 2*time.Second, killed+" 101")
	r.first.Workers[1] = flusher.WorkerState{
		Worker: 1, State: flusher.StateStarting, Starts: 2, Restarts: 1,
	}
	r.first.Processes[1] = 102
	r.at(t, 3*time.Second, killed+" 101")
	if missed, _, _ := r.missed(); len(missed) != 2 {
		t.Errorf("missed are %v", missed)
	}
	r.first.Workers[1].State = flusher.StateHealthy
	r.at(t, 4*time.Second, killed+" 101", killed+" 102")
	r.sink.Ledger.Sent(0, 0, 0)
	r.sink.Ledger.Sent(1, 0, 0)
	r.at(t, 5*time.Second, killed+" 101", killed+" 102", killed+" 100")
	if missed, _, _ := r.missed(); len(missed) != 0 {
		t.Errorf("missed are %v", missed)
	}
}

func TestInjectorReachesEverything(t *testing.T) {
	r := newRig(t, "at 1s crash consumer for 1s", "at 1s slow redis by 20ms for 2s",
		"at 4s rebalance for 1s", "at 6s jump partition 3 by -5s for 1s", "at 8s hang consumer for 1s",
		"at 10s black-hole kafka for 9s", "at 10s hang all workers", "at 11s stop consumer for 9s")
	r.at(t, 999*time.Millisecond)
	r.step(time.Second)
	r.wait()
	slices.Sort(r.done) // both begin at once
	r.at(t, 1900*time.Millisecond, "kill consumer 0", "slow redis by 20ms for 2s")
	r.at(t, 2900*time.Millisecond, "kill consumer 0", "slow redis by 20ms for 2s", "start consumer 0")
	so := append(slices.Clone(r.done), "end slow redis by 20ms for 2s")
	r.at(t, 3900*time.Millisecond, so...)
	for _, c := range []struct {
		at   time.Duration
		deed string
	}{{4000, "start consumer 1"}, {5000, "stop consumer 1"}, {6000, "jump partition 3 by -5s for 1s"},
		{7000, "end jump partition 3 by -5s for 1s"}, {8000, "freeze consumer 0"},
		{9000, "wake consumer 0"}} {
		so = append(so, c.deed)
		r.at(t, c.at*time.Millisecond, so...)
	}
	r.step(10 * time.Second)
	if err := r.heal(); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"freeze 100", "freeze 101", "black-hole kafka for 9s",
		"end black-hole kafka for 9s", "wake 100", "wake 101"} {
		if !slices.Contains(r.done, want) {
			t.Errorf("in the end the deeds are %q, without %q", r.done, want)
		}
	}
	missed, late, _ := r.missed()
	if len(missed) != 0 || len(late) != 1 || late[0] !=
		"at 11s stop consumer for 9s: its time had not come when the load ended, at 10.0s" {
		t.Errorf("missed are %q, late %q", missed, late)
	}
	r.at(t, time.Hour, slices.Clone(r.done)...) // after the healing there is no more
}

// TestInjectorTriesAFailedEndAgain: what could not be undone is said, and undone by the healing.
func TestInjectorTriesAFailedEndAgain(t *testing.T) {
	for _, c := range []struct {
		times int
		want  string
	}{{1, ""}, {2, "planted 2"}} {
		r := newRig(t, "at 1s slow redis by 20ms for 1s")
		for n := range c.times {
			const end = "end slow redis by 20ms for 1s"
			r.fails[end] = append(r.fails[end], fmt.Errorf("planted %d", n+1))
		}
		r.at(t, time.Second, "slow redis by 20ms for 1s")
		r.at(t, 2*time.Second, "slow redis by 20ms for 1s")
		notes := r.heard(reports.EventNote)
		if len(notes) != 1 || !strings.Contains(notes[0].Text, "could not be ended: planted 1") ||
			len(r.heard(reports.EventFaultEnd)) != 1 {
			t.Errorf("notes are %+v", notes)
		}
		err := r.heal()
		ended := slices.Contains(r.done, "end slow redis by 20ms for 1s")
		if ended != (c.want == "") || ended != (err == nil) || err != nil && err.Error() != c.want {
			t.Errorf("with %d failures the deeds are %q, and the healing says %v", c.times, r.done, err)
		}
	}
}

// TestInjectorLeavesItToTheConsumerHowItEnds: one that is asked to stop and ends with an error has
// stopped.
func TestInjectorLeavesItToTheConsumerHowItEnds(t *testing.T) {
	r := newRig(t, "at 1s stop consumer for 1s", "at 3s rebalance for 1s")
	r.fails["stop consumer 0"] = []error{errors.New("planted: Redis is away")}
	r.fails["stop consumer 1"] = []error{errors.New("planted: Redis is away")}
	r.at(t, time.Second)
	r.at(t, 2*time.Second, "start consumer 0")
	r.at(t, 3*time.Second, "start consumer 0", "start consumer 1")
	r.at(t, 4*time.Second, "start consumer 0", "start consumer 1")
	missed, _, _ := r.missed()
	if notes := r.heard(reports.EventNote); len(notes)+len(missed) > 0 || len(r.up) != 1 {
		t.Errorf("notes are %+v, missed are %q; %v run", notes, missed, r.up)
	}
	if err := r.heal(); err != nil {
		t.Error(err)
	}
}

// TestInjectorForcesAConsumerThatDoesNotStop: its fault could not be injected.
func TestInjectorForcesAConsumerThatDoesNotStop(t *testing.T) {
	r := newRig(t, "at 1s stop consumer for 1s")
	r.ended = true
	r.step(time.Second)
	r.wait()
	if missed, _, _ := r.missed(); len(missed) > 0 || r.sink.forced != 25*time.Second {
		t.Errorf("missed are %q, it was forced after %v", missed, r.sink.forced)
	}
}

func TestInjectorKillsInALoop(t *testing.T) {
	r := newRig(t, "at 1s crash-loop worker 1 for 2s")
	r.at(t, time.Second)
	r.at(t, 1010*time.Millisecond, killed+" 101")
	r.at(t, 1020*time.Millisecond, killed+" 101")
	r.first.Processes[1] = 102
	r.at(t, 1500*time.Millisecond, killed+" 101", killed+" 102")
	r.first.Processes[1] = 103
	r.at(t, 3100*time.Millisecond, killed+" 101", killed+" 102", killed+" 103")
	r.first.Processes[1] = 104
	r.at(t, 3200*time.Millisecond, killed+" 101", killed+" 102", killed+" 103")
}

func TestInjectorSlowsStarts(t *testing.T) {
	r := newRig(t, "at 1s slow-start worker 1 by 2s for 9s")
	r.at(t, time.Second)
	r.at(t, 1100*time.Millisecond) // the process that runs is left alone
	r.first.Processes[1] = 102
	r.at(t, 2*time.Second, stopped+" 102")
	r.at(t, 3900*time.Millisecond, stopped+" 102")
	r.at(t, 4*time.Second, stopped+" 102", continued+" 102")
	r.at(t, 5*time.Second, stopped+" 102", continued+" 102")
}

// TestInjectorSlowsNoStart: where no process starts meanwhile that fault did not happen, and covers nothing.
func TestInjectorSlowsNoStart(t *testing.T) {
	r := newRig(t, "at 1s slow-start worker 1 by 1s for 2s", "at 4s slow-start any worker by 1s for 1s",
		"at 6s slow-start worker 0 by 1s for 1m", "at 6s slow-start worker 1 by 1s for 1m")
	for _, at := range []time.Duration{1, 2, 3, 4, 5, 6} {
		r.at(t, at*time.Second)
	}
	if len(r.covered)+len(r.heard(reports.EventFaultBegin)) > 0 {
		t.Errorf("covered are %v", r.covered)
	}
	r.first.Processes[1] = 102
	r.at(t, 7*time.Second, stopped+" 102")
	if err := r.heal(); err != nil {
		t.Fatal(err)
	}
	missed, late, chance := r.missed()
	if len(missed) != 1 || missed[0] != "at 1s slow-start worker 1 by 1s for 2s: "+errNoStart.Error() ||
		len(late) != 1 || late[0] != "at 6s slow-start worker 0 by 1s for 1m0s: "+errCutShort.Error() ||
		len(chance) != 1 || !strings.HasPrefix(chance[0], "at 4s slow-start worker ") {
		t.Errorf("missed are %q, late %q, by chance %q", missed, late, chance)
	}
	began, ended := r.heard(reports.EventFaultBegin), r.heard(reports.EventFaultEnd)
	if len(began) != 1 || len(ended) != 1 || began[0].Fault != "at 6s slow-start worker 1 by 1s for 1m0s" ||
		len(r.covered) == 0 {
		t.Errorf("events are %+v, %+v", began, ended)
	}
}

// TestInjectorCountsItsTurns, and says of each fault that did not happen what its moment lacked.
func TestInjectorCountsItsTurns(t *testing.T) {
	r := newRig(t, "when 3 spans sent crash worker 0", "when 2 spans flushed crash worker 0",
		"when worker 1 restarted crash worker 1", "at 60ms crash worker 0")
	r.sink.Ledger.Sent(0, 0, 0)
	for _, at := range []time.Duration{10, 20, 50} {
		r.at(t, at*time.Millisecond)
	}
	if share := r.turnShare(); share < 0.59 || share > 0.61 {
		t.Errorf("3 turns in 50ms are %v", share)
	}
	missed, late, _ := r.missed()
	want := []string{
		"when 3 spans sent crash worker 0: only 1 span sent when the load ended at 0.1s",
		"when 2 spans flushed crash worker 0: only 0 spans out when the load ended at 0.1s",
		"when worker 1 restarted crash worker 1: worker 1 had not restarted when the load ended, at 0.1s",
	}
	if !slices.Equal(missed, want) || len(late) != 1 || !strings.HasPrefix(late[0], "at 60ms crash worker 0: ") {
		t.Errorf("missed are %q, late %q", missed, late)
	}
}

// TestInjectorSaysWhatOnlyLackedTime: a worker that is being replaced when the load ends would have come
// back; one that another fault holds would not.
func TestInjectorSaysWhatOnlyLackedTime(t *testing.T) {
	r := newRig(t, "at 1s crash worker 1", "when worker 1 restarted crash worker 0", "at 2s crash worker 1",
		"at 3s crash-loop worker 0 for 9s", "at 4s crash worker 0")
	r.at(t, time.Second, killed+" 101")
	r.first.Workers[1] = flusher.WorkerState{Worker: 1, State: flusher.StateStarting, Causes: []string{"x"}}
	delete(r.first.Processes, 1)
	r.at(t, 2*time.Second, killed+" 101")
	r.at(t, 3*time.Second, killed+" 101")
	r.at(t, 3010*time.Millisecond, killed+" 101", killed+" 100")
	delete(r.first.Processes, 0)
	r.at(t, 4*time.Second, killed+" 101", killed+" 100")
	if err := r.heal(); err != nil {
		t.Fatal(err)
	}
	missed, late, _ := r.missed()
	if len(missed) != 1 || !strings.HasPrefix(missed[0], "at 4s crash worker 0: ") || len(late) != 2 ||
		late[0] != "at 2s crash worker 1: "+ErrBusy.Error() ||
		late[1] != "when worker 1 restarted crash worker 0: worker 1 was being replaced when the load ended, at 4.0s" {
		t.Errorf("missed are %q, late %q", missed, late)
	}
}

// needy is a system whose consumers cannot start, nor stop in order, before its server is there.
type needy struct{ *fakeSystem }

func (n needy) Do(ctx context.Context, act Act, to Process) error {
	n.mu.Lock()
	there := slices.Contains(n.done, "end stop redis for 1h0m0s")
	n.tries++
	patience := n.tries < 100_000 // the test ends, too, if it waits in vain
	n.mu.Unlock()
	if act == ActStart && !there && patience {
		return errors.New("planted: no server")
	}
	return n.fakeSystem.Do(ctx, act, to)
}

// TestHealingBeginsWithTheServers: a consumer that is being started waits for them, and one that is asked
// to stop for whoever is frozen.
func TestHealingBeginsWithTheServers(t *testing.T) {
	r := newRig(t, "at 1s rebalance for 1h", "at 2s hang consumer for 1h", "at 3s stop redis for 1h")
	r.at(t, time.Second, "start consumer 1")
	r.at(t, 2*time.Second, "start consumer 1", "freeze consumer 0")
	r.at(t, 3*time.Second, "start consumer 1", "freeze consumer 0", "stop redis for 1h0m0s")
	if err := r.heal(); err != nil {
		t.Fatal(err)
	}
	r.at(t, 4*time.Second, "start consumer 1", "freeze consumer 0", "stop redis for 1h0m0s",
		"end stop redis for 1h0m0s", "wake consumer 0", "stop consumer 1")

	r = newRig(t, "at 1s crash consumer for 1s", "at 1500ms stop redis for 1h")
	r.injector.system = needy{r.fakeSystem}
	r.at(t, time.Second, "kill consumer 0")
	r.at(t, 1500*time.Millisecond, "kill consumer 0", "stop redis for 1h0m0s")
	r.step(2 * time.Second) // the start tries, and tries
	if err := r.heal(); err != nil {
		t.Fatal(err)
	}
	r.at(t, 3*time.Second, "kill consumer 0", "stop redis for 1h0m0s", "end stop redis for 1h0m0s",
		"start consumer 0")
}

// slow is a needy system whose server takes until the healing to stop.
type slow struct {
	needy
	healing func() bool
}

func (s slow) Break(f scenarios.Fault) (func() error, error) {
	for !s.healing() {
		runtime.Gosched()
	}
	return s.needy.Break(f)
}

// TestHealingEndsWhatIsBeginning: a consumer that is being started does not wait in vain for a server that is
// being stopped while the load ends.
func TestHealingEndsWhatIsBeginning(t *testing.T) {
	r := newRig(t, "at 1s crash consumer for 1s", "at 2s stop redis for 1h")
	r.injector.system = slow{needy{r.fakeSystem}, func() bool {
		r.injector.mu.Lock()
		defer r.injector.mu.Unlock()
		return r.injector.healed
	}}
	r.at(t, time.Second, "kill consumer 0")
	r.step(2 * time.Second)
	if err := r.heal(); err != nil {
		t.Fatal(err)
	}
	r.at(t, 3*time.Second, "kill consumer 0", "stop redis for 1h0m0s", "end stop redis for 1h0m0s",
		"start consumer 0")
}

// TestInjectorForgetsWhatIsDone, so that a long plan costs nothing; what waits for its target is not done.
func TestInjectorForgetsWhatIsDone(t *testing.T) {
	r := newRig(t, "at 1s slow redis by 1ms for 1s", "at 2s crash worker 0", "at 3s slow redis by 1ms for 1s")
	delete(r.first.Processes, 0)
	for _, c := range []struct {
		at   time.Duration
		over int
	}{{1, 0}, {2, 1}, {3, 1}, {4, 1}} {
		r.step(c.at * time.Second)
		r.wait()
		if r.over != c.over {
			t.Errorf("at %ds %d occurrences are over, want %d", c.at, r.over, c.over)
		}
	}
	r.first.Processes[0] = 100
	r.step(5 * time.Second)
	r.wait()
	r.step(6 * time.Second)
	if r.over != 3 || !slices.Contains(r.done, killed+" 100") {
		t.Errorf("%d occurrences are over; the deeds are %q", r.over, r.done)
	}
}
