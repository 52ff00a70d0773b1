package harness

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"sluice/buffer"
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
		return i.join()
	case scenarios.TargetHost:
		return i.hitHost()
	}
	return i.hitServer(f)
}

// Wiped is the reason under which the ledger counts the spans that went with Redis' data.
const Wiped = "wiped"

func (i *injector) hitServer(f scenarios.Fault) (*effect, error) {
	held, err := i.heldBy(f) // as long as the node is there
	if err != nil {
		return nil, err
	}
	undo, err := i.system.Break(f)
	if err != nil {
		return nil, err
	}
	e := &effect{undo: undo}
	if f.Verb == scenarios.VerbWipe {
		if held == nil {
			i.sink.Ledger.Excuse(Wiped)
		} else {
			i.sink.Ledger.ExcuseSome(Wiped, held)
		}
	}
	if f.For == scenarios.ForGood && endsAtOnce(f.Verb) {
		e.over = atOnce
	}
	return e, nil
}

// heldBy returns which traces the target of a wipe holds; nil: all. What another node of a cluster holds
// is not lost with this one, whatever becomes of the queues.
func (i *injector) heldBy(f scenarios.Fault) (func(buffer.TraceKey) bool, error) {
	where, knows := i.system.(Locator)
	if !knows || f.Verb != scenarios.VerbWipe || f.Target.N == scenarios.AllNodes {
		return nil, nil
	}
	ctx, cancel := i.system.WithTimeout(context.Background(), remainsMax)
	defer cancel()
	home, err := where.Homes(ctx)
	if err != nil {
		return nil, ErrBusy // a node is down just now
	}
	return func(trace buffer.TraceKey) bool { return home(trace) == f.Target.N }, nil
}

// endsAtOnce tells of a fault without a length whether it is over when it has happened.
func endsAtOnce(v scenarios.Verb) bool {
	return v == scenarios.VerbWipe || v == scenarios.VerbCut || v == scenarios.VerbDelete ||
		v == scenarios.VerbFailover
}

func atOnce() bool { return true }

// join starts another consumer, which drains when the fault is over.
func (i *injector) join() (*effect, error) {
	index := firstConsumer + 1
	for _, c := range i.system.Consumers() {
		if c.Index == index {
			index++
		}
	}
	ctx, cancel := i.system.WithTimeout(context.Background(), restartMax)
	defer cancel()
	if i.system.Do(ctx, ActStart, consumerAt(index)) != nil {
		return nil, ErrBusy // the servers are away, most likely
	}
	stop := func() error { return i.do(ActStop, consumerAt(index)) }
	return &effect{undo: func() error { return i.patiently(index, false, stop) }}, nil
}

// patiently does what has a consumer run, or not. While it is frozen, or its machine is, it has to wait; where
// only the healing ends that, it fails, and the healing tries again.
func (i *injector) patiently(index int, runs bool, do func() error) error {
	for {
		err := do()
		if !errors.Is(err, ErrBusy) || runs == slices.ContainsFunc(i.system.Consumers(),
			func(c Consumer) bool { return c.Index == index }) {
			return notBusy(err) // it is so already if that was seen to
		}
		i.mu.Lock()
		healed := i.healed
		i.mu.Unlock()
		if healed {
			return err
		}
		_ = i.system.Sleep(context.Background(), retryAfter) // it has no end but this
	}
}

// do does something that takes as long as the system lets it. An error with which a consumer ended
// that was asked to stop is the consumer's, and not do's; and so is that it did not, and was ended.
func (i *injector) do(act Act, to Process) error {
	ctx, cancel := i.system.WithTimeout(context.Background(), ShutdownMax+stopSlack)
	defer cancel()
	err := i.system.Do(ctx, act, to)
	switch {
	case act != ActStop || errors.Is(err, ErrBusy):
		return err
	case ctx.Err() != nil:
		i.sink.force(ShutdownMax + stopSlack)
	}
	return nil
}

func (i *injector) hitConsumer(f scenarios.Fault) (*effect, error) {
	start := func() error { return restart(i.system) }
	e := &effect{undo: func() error { return i.patiently(firstConsumer, true, start) }}
	act := ActKill
	switch f.Verb {
	case scenarios.VerbCrash:
		if f.For == scenarios.ForGood {
			e.over = atOnce // it is started again at once
		}
	case scenarios.VerbStop:
		act = ActStop
	case scenarios.VerbHang:
		act = ActFreeze
		e.undo = i.wakeConsumer
	case scenarios.VerbResume:
		e.undo, e.over = nil, atOnce
		return e, i.do(ActWake, consumerAt(firstConsumer)) // busy while it is awake
	default:
		return nil, fmt.Errorf("a consumer cannot %s", f.Verb)
	}
	return e, i.do(act, consumerAt(firstConsumer))
}

// hitHost freezes all consumers, or none of them.
func (i *injector) hitHost() (*effect, error) {
	wake := func() error { return notBusy(i.do(ActWake, consumerAt(WholeHost))) }
	return &effect{undo: wake}, i.do(ActFreeze, consumerAt(WholeHost))
}

// wakeConsumer lets the first consumer go on, unless it was ended meanwhile.
func (i *injector) wakeConsumer() error {
	return notBusy(i.do(ActWake, consumerAt(firstConsumer)))
}

// victim is a process that a fault happened to.
type victim struct {
	Process
	// life of the consumer, and start of the worker in it, when it was hit.
	life, start int
}

// victims returns the processes that a fault is for, or ErrBusy if one of them is not there.
func (i *injector) victims(f scenarios.Fault) ([]victim, error) {
	c := first(i.system)
	var list []victim
	for _, state := range c.Workers {
		if !isTarget(f, state.Worker) {
			continue
		}
		number := c.Processes[state.Worker]
		if number <= 0 {
			return nil, ErrBusy
		}
		list = append(list, victim{Process{c.Index, state.Worker, number}, c.Life, state.Starts})
	}
	if len(list) == 0 {
		return nil, ErrBusy
	}
	return list, nil
}

// replaced tells whether each victim has a healthy successor.
func (i *injector) replaced(list []victim) bool {
	c := first(i.system)
	for _, v := range list {
		if v.Worker >= len(c.Workers) || !isWell(c.Workers[v.Worker]) ||
			c.Life == v.life && c.Workers[v.Worker].Starts == v.start {
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
		e.undo = func() error { return notBusy(i.wake(list)) }
		err = i.strike(list, ActFreeze, reports.StateHung, f)
	case scenarios.VerbCrash:
		e.over = func() bool { return i.replaced(list) }
		err = i.strike(list, ActKill, reports.StateDead, f)
	case scenarios.VerbResume:
		e.over = atOnce
		err = i.wake(list)
	case scenarios.VerbCrashLoop:
		e.step = i.crashLoop(f)
	case scenarios.VerbSlowStart:
		i.slowStart(f, list, e)
	default:
		err = fmt.Errorf("a worker cannot %s", f.Verb)
	}
	return e, err
}

// strike kills or freezes the victims, and shows in their lanes what they are now.
func (i *injector) strike(
	list []victim, act Act, state reports.State, f scenarios.Fault,
) error {
	for _, v := range list {
		at := i.system.Now() // before the supervisor's, which may see it at once
		if i.do(act, v.Process) != nil {
			return ErrBusy // it has just ended
		}
		i.sink.record.worker(at, v.Worker, state, f.String())
	}
	return nil
}

// wake lets those go on that are still there, or says ErrBusy if none is frozen. One that was killed meanwhile
// is left alone: its number may belong to another process.
func (i *injector) wake(list []victim) error {
	woken := ErrBusy
	for _, v := range list {
		if first(i.system).Processes[v.Worker] == v.Number && i.do(ActWake, v.Process) == nil {
			i.sink.record.worker(i.system.Now(), v.Worker, reports.StateHealthy, "woken")
			woken = nil
		}
	}
	return woken
}

// crashLoop kills every process of the target that it has not killed yet.
func (i *injector) crashLoop(f scenarios.Fault) func(time.Time) {
	killed := map[int]bool{}
	return func(time.Time) {
		for _, p := range i.targets(f) {
			if !killed[p.Number] {
				killed[p.Number] = i.do(ActKill, p) == nil
			}
		}
	}
}

// targets returns the processes of the fault's target, in the order of workers.
func (i *injector) targets(f scenarios.Fault) []Process {
	var list []Process
	c := first(i.system)
	for _, state := range c.Workers {
		if number := c.Processes[state.Worker]; number > 0 && isTarget(f, state.Worker) {
			list = append(list, Process{c.Index, state.Worker, number})
		}
	}
	return list
}

// slowStart has an effect freeze every process of the target that is new, each for a while.
func (i *injector) slowStart(f scenarios.Fault, old []victim, e *effect) {
	wakeAt := map[int]time.Time{} // by process; zero for those that are not slowed down
	for _, v := range old {
		wakeAt[v.Number] = time.Time{}
	}
	wake := func(now time.Time) {
		for _, p := range i.targets(f) {
			if at := wakeAt[p.Number]; !at.IsZero() && !now.Before(at) {
				_ = i.do(ActWake, p) // it may have ended
				wakeAt[p.Number] = time.Time{}
			}
		}
	}
	e.waits = true
	e.step = func(now time.Time) {
		for _, p := range i.targets(f) {
			if _, seen := wakeAt[p.Number]; !seen && i.do(ActFreeze, p) == nil {
				wakeAt[p.Number] = now.Add(f.By)
				if e.waits {
					i.happens(e)
				}
			}
		}
		wake(now)
	}
	e.undo = func() error {
		wake(i.system.Now().Add(f.By))
		return nil
	}
}

func isTarget(f scenarios.Fault, worker int) bool {
	return f.Target.Kind == scenarios.TargetAllWorkers || worker == f.Target.N
}

// notBusy is an error but ErrBusy.
func notBusy(err error) error {
	if errors.Is(err, ErrBusy) {
		return nil
	}
	return err
}
