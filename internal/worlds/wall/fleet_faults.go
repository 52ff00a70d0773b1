package wall

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"syscall"
	"time"

	"sluice/internal/harness"
	"sluice/internal/process"
	"sluice/reports"
)

// What is done to the consumers and their workers on purpose.

var signals = map[harness.Act]syscall.Signal{
	harness.ActKill: syscall.SIGKILL, harness.ActFreeze: syscall.SIGSTOP, harness.ActWake: syscall.SIGCONT,
}

// signal does something to a worker, if the process is still that: what the consumer said of it is a
// little old, and its number may be another's by now.
func (f *fleet) signal(act harness.Act, to harness.Process) error {
	signal, ok := signals[act]
	if !ok {
		return fmt.Errorf("nobody can %v a worker", act)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	c, err := f.get(to.Consumer)
	if err != nil || act == harness.ActWake && f.still || !process.IsChild(to.Number, c.instance.Pid()) {
		return harness.ErrBusy
	}
	was, known := process.Look(to.Number)
	if err := syscall.Kill(to.Number, signal); err != nil {
		return err
	}
	if act == harness.ActWake && known && !was.Stopped {
		return harness.ErrBusy // it was awake; the signal does no harm, and one that was about to stop goes on
	}
	return nil
}

// ask takes note that somebody ends a consumer, and returns it; ErrBusy if it is being ended already,
// or, with a frozen one, if it must not be.
func (f *fleet) ask(index int, frozenToo bool) (*consumer, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	c, err := f.get(index)
	if err != nil || c.asked || c.frozen && !frozenToo {
		return nil, harness.ErrBusy
	}
	c.asked = true
	return c, nil
}

// kill kills a consumer. Its workers end by themselves.
func (f *fleet) kill(index int) error {
	c, err := f.ask(index, true)
	if err != nil {
		return err
	}
	c.instance.Kill()
	<-c.over
	return nil
}

// stop lets a consumer drain, and returns how it ended; it is killed when ctx is done.
func (f *fleet) stop(ctx context.Context, index int) error {
	c, err := f.ask(index, false)
	if err != nil {
		return err
	}
	c.instance.Stop()
	select {
	case <-c.over:
		return c.instance.Err()
	case <-ctx.Done():
		c.instance.Kill()
		<-c.over
		return ctx.Err()
	}
}

// freeze stops a consumer, and then its workers.
func (f *fleet) freeze(index int) error {
	f.mu.Lock()
	c, err := f.get(index)
	if err != nil || !c.canFreeze() || !c.stops() {
		f.mu.Unlock()
		return harness.ErrBusy
	}
	f.mu.Unlock()
	f.sink.Consumer(time.Now(), index, reports.StateHung, "frozen")
	return nil
}

// canFreeze tells whether nobody has frozen a consumer, ended it, or asked it to end.
func (c *consumer) canFreeze() bool { return !c.asked && !c.frozen }

// stops has a consumer that runs stand still with its workers; false if it has just ended. Its fleet is locked.
func (c *consumer) stops() bool {
	if c.instance.Signal(syscall.SIGSTOP) != nil {
		return false
	}
	c.frozen = true
	for _, pid := range c.instance.Look().Pids {
		_ = syscall.Kill(pid, syscall.SIGSTOP) // one that has just ended needs none
	}
	return true
}

// freezeAll stops all consumers that run, or none.
func (f *fleet) freezeAll() error {
	f.mu.Lock()
	var all []*consumer
	for _, c := range f.consumers {
		if c.starting || c.up() && !c.canFreeze() {
			f.mu.Unlock()
			return harness.ErrBusy
		}
		if c.up() {
			all = append(all, c)
		}
	}
	all = slices.DeleteFunc(all, func(c *consumer) bool { return !c.stops() })
	f.still = len(all) > 0
	f.mu.Unlock()
	if len(all) == 0 {
		return harness.ErrBusy
	}
	for _, c := range all {
		f.sink.Consumer(time.Now(), c.index, reports.StateHung, "frozen")
	}
	return nil
}

// wakeAll lets all consumers go on that are frozen.
func (f *fleet) wakeAll() error {
	f.mu.Lock()
	if !f.still {
		f.mu.Unlock()
		return harness.ErrBusy
	}
	f.still = false
	n := len(f.consumers)
	f.mu.Unlock()
	var errs []error
	for index := range n {
		if err := f.wake(index); !errors.Is(err, harness.ErrBusy) { // it was ended meanwhile
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// wake lets the workers of a consumer go on, and then itself, so that it finds them well.
func (f *fleet) wake(index int) error {
	f.mu.Lock()
	c, err := f.get(index)
	if err != nil || !c.frozen || f.still {
		f.mu.Unlock()
		return harness.ErrBusy // it was ended meanwhile
	}
	c.frozen = false
	for _, pid := range c.instance.Look().Pids {
		_ = syscall.Kill(pid, syscall.SIGCONT)
	}
	err = c.instance.Signal(syscall.SIGCONT)
	f.mu.Unlock()
	f.sink.Consumer(time.Now(), index, reports.StateHealthy, "woken")
	return err
}
