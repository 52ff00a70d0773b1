package harness

import (
	"fmt"
	"syscall"
	"time"

	"sluice/reports"
	"sluice/scenarios"
)

// hit does a fault, and returns what lasts of it.
func (i *injector) hit(f scenarios.Fault) (*effect, error) {
	switch f.Target.Kind {
	case scenarios.TargetWorker, scenarios.TargetAllWorkers:
		return i.hitWorkers(f)
	case scenarios.TargetConsumer:
		return i.hitConsumer(f)
	case scenarios.TargetGroup:
		leave, err := i.system.join()
		return &effect{undo: leave}, err
	}
	if f.Verb == scenarios.VerbJump {
		return i.hitClock(f), nil
	}
	return i.hitServer(f)
}

func (i *injector) hitClock(f scenarios.Fault) *effect {
	partition := allPartitions
	if f.Target.Kind == scenarios.TargetPartition {
		partition = f.Target.N
	}
	i.jump(partition, f.By)
	return &effect{undo: func() error {
		i.jump(partition, 0)
		return nil
	}}
}

// Wiped is the reason under which the ledger counts the spans that went with Redis' data.
const Wiped = "wiped"

func (i *injector) hitServer(f scenarios.Fault) (*effect, error) {
	undo, err := i.servers.inject(f)
	if err != nil {
		return nil, err
	}
	e := &effect{undo: undo}
	if f.Verb == scenarios.VerbWipe {
		i.ledger.Excuse(Wiped)
	}
	if f.For == scenarios.ForGood && endsAtOnce(f.Verb) {
		e.over = func() bool { return true }
	}
	return e, nil
}

// endsAtOnce tells of a fault without a length whether it is over when it has happened.
func endsAtOnce(v scenarios.Verb) bool { return v == scenarios.VerbWipe || v == scenarios.VerbCut }

func (i *injector) hitConsumer(f scenarios.Fault) (*effect, error) {
	e := &effect{undo: i.system.restart}
	var err error
	switch f.Verb {
	case scenarios.VerbCrash:
		err = i.system.crash()
		if f.For == scenarios.ForGood {
			e.over = func() bool { return true } // it is started again at once
		}
	case scenarios.VerbStop:
		err = i.system.stop()
	case scenarios.VerbHang:
		err = i.system.freeze()
		e.undo = i.system.thaw
	case scenarios.VerbResume:
		err = i.system.thaw()
		e.undo, e.over = nil, func() bool { return true }
	default:
		err = fmt.Errorf("a consumer cannot %s", f.Verb)
	}
	return e, err
}

// victim is a process that a fault happened to.
type victim struct {
	worker, pid int
	// life of the consumer, and start of the worker in it, when it was hit.
	life, start int
}

// victims returns the processes that a fault is for, or errBusy if one of them is not there.
func (i *injector) victims(f scenarios.Fault) ([]victim, error) {
	life, states, pids := i.system.life(), i.system.Workers(), i.system.Pids()
	var list []victim
	for _, state := range states {
		if f.Target.Kind == scenarios.TargetWorker && state.Worker != f.Target.N {
			continue
		}
		pid := pids[state.Worker]
		if pid <= 0 {
			return nil, errBusy
		}
		list = append(list, victim{state.Worker, pid, life, state.Starts})
	}
	if len(list) == 0 {
		return nil, errBusy
	}
	return list, nil
}

// replaced tells whether each victim has a healthy successor.
func (i *injector) replaced(list []victim) bool {
	life, states := i.system.life(), i.system.Workers()
	for _, v := range list {
		if v.worker >= len(states) || !isWell(states[v.worker]) ||
			life == v.life && states[v.worker].Starts == v.start {
			return false
		}
	}
	return true
}

func (i *injector) hitWorkers(f scenarios.Fault) (*effect, error) {
	list, err := i.victims(f)
	if err != nil {
		return nil, err
	}
	e := &effect{}
	switch f.Verb {
	case scenarios.VerbHang:
		e.over = func() bool { return i.replaced(list) }
		e.undo = func() error { return i.wake(list) }
		err = i.send(list, syscall.SIGSTOP, reports.StateHung, f)
	case scenarios.VerbCrash:
		e.over = func() bool { return i.replaced(list) }
		err = i.send(list, syscall.SIGKILL, reports.StateDead, f)
	case scenarios.VerbResume:
		e.over = func() bool { return true }
		err = i.wake(list)
	case scenarios.VerbCrashLoop:
		e.step = i.crashLoop(f)
	case scenarios.VerbSlowStart:
		e.step, e.undo = i.slowStart(f, list)
	default:
		err = fmt.Errorf("a worker cannot %s", f.Verb)
	}
	return e, err
}

// send signals the victims, and shows in their lanes what they are now.
func (i *injector) send(
	list []victim, signal syscall.Signal, state reports.State, f scenarios.Fault,
) error {
	for _, v := range list {
		if i.system.signal(v.pid, signal) != nil {
			return errBusy // it has just ended
		}
		i.record.worker(v.worker, state, f.String())
	}
	return nil
}

// wake continues those that are still there. One that was killed meanwhile is none of ours: its
// number may be another's.
func (i *injector) wake(list []victim) error {
	pids := i.system.Pids()
	for _, v := range list {
		if pids[v.worker] == v.pid && i.system.signal(v.pid, syscall.SIGCONT) == nil {
			i.record.worker(v.worker, reports.StateHealthy, "woken")
		}
	}
	return nil
}

// crashLoop kills every process of the target that it has not killed yet.
func (i *injector) crashLoop(f scenarios.Fault) func(time.Time) {
	killed := map[int]bool{}
	return func(time.Time) {
		for worker, pid := range i.system.Pids() {
			if pid > 0 && isTarget(f, worker) && !killed[pid] {
				killed[pid] = i.system.signal(pid, syscall.SIGKILL) == nil
			}
		}
	}
}

// slowStart freezes every process of the target that is new, each for a while.
func (i *injector) slowStart(
	f scenarios.Fault, old []victim,
) (step func(time.Time), undo func() error) {
	wakeAt := map[int]time.Time{} // by process; zero for those that are not slowed down
	for _, v := range old {
		wakeAt[v.pid] = time.Time{}
	}
	wake := func(now time.Time) {
		pids := i.system.Pids()
		for pid, at := range wakeAt {
			if !at.IsZero() && !now.Before(at) {
				for _, p := range pids {
					if p == pid {
						_ = i.system.signal(pid, syscall.SIGCONT) // it may have ended
					}
				}
				wakeAt[pid] = time.Time{}
			}
		}
	}
	step = func(now time.Time) {
		for worker, pid := range i.system.Pids() {
			if _, seen := wakeAt[pid]; seen || pid <= 0 || !isTarget(f, worker) {
				continue
			}
			if i.system.signal(pid, syscall.SIGSTOP) == nil {
				wakeAt[pid] = now.Add(f.By)
			}
		}
		wake(now)
	}
	return step, func() error {
		wake(time.Now().Add(f.By))
		return nil
	}
}

func isTarget(f scenarios.Fault, worker int) bool {
	return f.Target.Kind == scenarios.TargetAllWorkers || worker == f.Target.N
}
