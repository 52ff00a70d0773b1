package kernel

import (
	"context"
	"errors"
	"math"
	"time"
)

// Sleep returns nil after d, at once if d is not positive, or why the context has ended as soon as
// it has: the context wins if both are.
func (k *Kernel) Sleep(ctx context.Context, d time.Duration) error {
	t := k.enter()
	if err := Err(ctx); err != nil || d <= 0 {
		return err
	}
	return k.sleep(t, ctx, k.in(d), nil)
}

// sleep waits until an instant that is to come, or the context has ended.
func (k *Kernel) sleep(t *Task, ctx context.Context, until int64, on any) error {
	if k.agenda.empty(until) && k.alone(t) {
		// Nothing else can happen before, so nobody needs to be asked to let it.
		key := k.next()<<slotBits | uint64(t.slot)
		k.next() // park's
		k.now = until
		k.happen(key)
		return nil
	}
	k.attend(t, ctx)
	k.schedule(t, until)
	t.until = until
	k.park(t, on)
	return Err(ctx)
}

// alone tells whether the running task may go on without asking the others.
func (k *Kernel) alone(t *Task) bool { return !t.process.frozen && !k.wakeEnded() }

// in returns the instant after d.
func (k *Kernel) in(d time.Duration) int64 {
	if d > time.Duration(math.MaxInt64-k.now) {
		return math.MaxInt64
	}
	return k.now + max(0, int64(d))
}

// WithCancel is context.WithCancel that tells the kernel of the end: the kernel need not ask.
func (k *Kernel) WithCancel(parent context.Context) (context.Context, context.CancelFunc) {
	s, cancel := k.scope(parent)
	return s, func() { cancel(nil) }
}

// WithTimeout returns a context that ends with its parent or after d, whichever is first.
func (k *Kernel) WithTimeout(
	parent context.Context, d time.Duration,
) (context.Context, context.CancelFunc) {
	s, cancel := k.scope(parent)
	s.deadline = k.start.Add(time.Duration(k.in(d)))
	if d <= 0 {
		cancel(context.DeadlineExceeded)
	}
	timer := k.After(d, func() { cancel(context.DeadlineExceeded) })
	return s, func() {
		timer.Stop()
		cancel(nil)
	}
}

// scope is a context of the kernel's: one of the standard library whose end the kernel is told of.
// Those that the core derives from it hang on to it without a goroutine.
type scope struct {
	context.Context
	told     bool // also of its parents' ends
	deadline time.Time
}

// scopeKey is the key under which a context names the scope that it is or comes from.
type scopeKey struct{}

func (k *Kernel) scope(parent context.Context) (*scope, context.CancelCauseFunc) {
	inner, cancel := context.WithCancelCause(parent)
	s := &scope{Context: inner, told: parent.Done() == nil || isTold(parent)}
	return s, func(cause error) {
		if inner.Err() == nil {
			cancel(cause)
			k.cancelled = true
		}
	}
}

// isTold tells whether the kernel hears of the end of a context.
func isTold(ctx context.Context) bool {
	s, ok := ctx.Value(scopeKey{}).(*scope)
	return ok && s.told && s.Done() == ctx.Done()
}

// Value returns the scope itself under its key.
func (s *scope) Value(key any) any {
	if key == (scopeKey{}) {
		return s
	}
	return s.Context.Value(key)
}

// Err returns context.DeadlineExceeded after a timeout.
func (s *scope) Err() error { return Err(s.Context) }

// Deadline returns the instant of the first timeout, also of those that it comes from.
func (s *scope) Deadline() (time.Time, bool) {
	outer, ok := s.Context.Deadline()
	if s.deadline.IsZero() || ok && outer.Before(s.deadline) {
		return outer, ok
	}
	return s.deadline, true
}

// Err returns why a context has ended, or nil. It differs from ctx.Err in one case: a context that
// the core derived with context.WithCancel from one with a timeout ends as cancelled, and only its
// cause says that its time was up.
func Err(ctx context.Context) error {
	err := ctx.Err()
	if err == context.Canceled && errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
		return context.DeadlineExceeded
	}
	return err
}
