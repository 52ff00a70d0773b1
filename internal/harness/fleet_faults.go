package harness

import (
	"context"
	"syscall"
	"time"

	"sluice/internal/process"
	"sluice/reports"
)

// What faults do to the consumers: fleet is the injector's system.
var _ system = (*fleet)(nil)

// signal sends a signal to a worker of the first consumer, if the process is still that: what the
// consumer said of it is a little old, and its number may be another's by now.
func (f *fleet) signal(pid int, signal syscall.Signal) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	c, err := f.get(first)
	if err != nil || !process.IsChild(pid, c.instance.Pid()) {
		return errBusy
	}
	return syscall.Kill(pid, signal)
}

// crash kills the first consumer. Its workers end by themselves.
func (f *fleet) crash() error {
	f.mu.Lock()
	c, err := f.get(first)
	if err != nil || c.asked {
		f.mu.Unlock()
		return errBusy
	}
	c.asked = true
	f.mu.Unlock()
	c.instance.Kill()
	<-c.instance.Done()
	return nil
}

// stop lets the first consumer drain, and returns when it has ended.
func (f *fleet) stop() error {
	f.mu.Lock()
	c, err := f.get(first)
	if err != nil || c.asked || c.frozen {
		f.mu.Unlock()
		return errBusy
	}
	c.asked = true
	f.mu.Unlock()
	return f.drain(c)
}

// restartMax bounds the start of a consumer whose servers may be away.
const restartMax = 60 * time.Second

// restartEvery is how long to wait between two tries.
const restartEvery = 250 * time.Millisecond

// restart starts the first consumer again, and tries until its servers answer: cmd/run ends with an
// error then, and whatever looks after it starts it again.
func (f *fleet) restart() error {
	ctx, cancel := context.WithTimeout(context.Background(), restartMax)
	defer cancel()
	for {
		err := f.start(ctx, first)
		if err == nil || ctx.Err() != nil {
			return err
		}
		select {
		case <-time.After(restartEvery):
		case <-ctx.Done():
			return err
		}
	}
}

// freeze stops the first consumer, and then its workers.
func (f *fleet) freeze() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	c, err := f.get(first)
	if err != nil || c.asked || c.frozen || c.instance.Signal(syscall.SIGSTOP) != nil {
		return errBusy
	}
	c.frozen = true
	for _, pid := range c.instance.Look().Pids {
		_ = syscall.Kill(pid, syscall.SIGSTOP) // one that has just ended needs none
	}
	f.record.consumer(first, reports.StateHung, "frozen")
	return nil
}

// thaw lets the workers of the first consumer go on, and then itself, so that it finds them well.
func (f *fleet) thaw() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	c, err := f.get(first)
	if err != nil || !c.frozen {
		return nil // it was ended meanwhile
	}
	c.frozen = false
	for _, pid := range c.instance.Look().Pids {
		_ = syscall.Kill(pid, syscall.SIGCONT)
	}
	f.record.consumer(first, reports.StateHealthy, "woken")
	return c.instance.Signal(syscall.SIGCONT)
}

// join starts a second consumer; leave lets it drain.
func (f *fleet) join() (leave func() error, err error) {
	f.mu.Lock()
	index := len(f.consumers)
	for i, c := range f.consumers[1:] {
		if !c.up() && !c.starting {
			index = i + 1
			break
		}
	}
	f.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), restartMax)
	defer cancel()
	if f.start(ctx, index) != nil {
		return nil, errBusy // the servers are away, most likely
	}
	return func() error {
		f.mu.Lock()
		c, err := f.get(index)
		if err == nil {
			c.asked = true
		}
		f.mu.Unlock()
		if err != nil {
			return nil // it has ended already, and that was seen
		}
		return f.drain(c)
	}, nil
}
