package kernel

import (
	"context"
	"time"
)

// Cond is where tasks wait for something that other tasks or timers bring about: the answer to a
// request, a place in a queue. It has no state of its own. Like sync.Cond it is asked in a loop:
//
//	for !f.done {
//		if err := f.cond.Wait(ctx); err != nil {
//			return err
//		}
//	}
type Cond struct {
	k       *Kernel
	name    string
	waiters list
}

// NewCond returns a condition; reports say that somebody waits for its name.
func (k *Kernel) NewCond(name string) *Cond { return &Cond{k: k, name: name} }

// Wait returns nil when the task is signalled, or why the context has ended.
func (c *Cond) Wait(ctx context.Context) error { return c.wait(ctx, endless) }

// WaitFor is Wait for at most d: after that it returns context.DeadlineExceeded. It does what a context
// with a timeout would do, and makes none.
func (c *Cond) WaitFor(ctx context.Context, d time.Duration) error { return c.wait(ctx, c.k.in(d)) }

// endless is until when who waits without a limit does.
const endless = -1

func (c *Cond) wait(ctx context.Context, until int64) error {
	k := c.k
	t := k.enter()
	if err := Err(ctx); err != nil {
		return err
	}
	t.signalled = false
	c.waiters.add(&t.queue)
	if done := ctx.Done(); done != nil {
		k.attend(t, ctx, done)
	}
	if until != endless {
		k.schedule(t, until)
	}
	k.park(t, c)
	if t.signalled {
		return nil
	}
	if err := Err(ctx); err != nil || until == endless {
		return err
	}
	return context.DeadlineExceeded
}

// Signal readies the task that has waited longest, and tells whether there was one.
func (c *Cond) Signal() bool {
	if c.waiters.first == nil || !c.k.Alive() {
		return false
	}
	t := c.waiters.first.task
	t.signalled = true
	c.k.ready(t)
	return true
}

// Broadcast readies all tasks that wait, in the order in which they came.
func (c *Cond) Broadcast() {
	for c.Signal() {
	}
}

// String returns the condition's name.
func (c *Cond) String() string { return c.name }
