package kernel

import "context"

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
func (c *Cond) Wait(ctx context.Context) error {
	k := c.k
	t := k.enter()
	if err := Err(ctx); err != nil {
		return err
	}
	t.signalled = false
	c.waiters.add(&t.queue)
	k.attend(t, ctx)
	k.park(t, c)
	if t.signalled {
		return nil
	}
	return Err(ctx)
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
