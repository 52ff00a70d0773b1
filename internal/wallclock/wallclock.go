// Package wallclock is the wall-clock world's side of the flusher's ports for time and concurrency.
package wallclock

import (
	"context"
	"fmt"
	"time"

	"sluice/flusher"
)

// Clock is the machine's clock. The zero value is ready for use.
type Clock struct{}

var _ flusher.Clock = Clock{}

// Now returns the time with a monotonic reading.
func (Clock) Now() time.Time { return time.Now() }

// Sleep returns nil after d, at once if d is not positive, or the context's error as soon as it is
// done: the context wins if both are.
func (Clock) Sleep(ctx context.Context, d time.Duration) error {
	if err := ctx.Err(); err != nil || d <= 0 {
		return err
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// WithTimeout returns a context that ends with its parent or after d, whichever is first.
func (Clock) WithTimeout(
	ctx context.Context, d time.Duration,
) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, d)
}

// Tasks runs tasks as goroutines. The zero value is ready for use. A panic in a task ends the
// program, as it would in any goroutine, but names the task.
type Tasks struct{}

var _ flusher.Tasks = Tasks{}

// Go starts fn in a goroutine.
func (Tasks) Go(name string, fn func()) flusher.Task {
	t := task(make(chan struct{}))
	go func() {
		defer close(t)
		defer func() {
			if cause := recover(); cause != nil {
				panic(fmt.Sprintf("task %s: %v", name, cause))
			}
		}()
		fn()
	}()
	return t
}

// task is closed when the function has returned.
type task chan struct{}

func (t task) Wait() { <-t }

func (t task) Done() bool {
	select {
	case <-t:
		return true
	default:
		return false
	}
}
