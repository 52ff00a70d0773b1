package wallclock

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestSleep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		if err := (Clock{}).Sleep(t.Context(), time.Hour); err != nil || time.Since(start) != time.Hour {
			t.Errorf("slept %v with %v, want 1h and no error", time.Since(start), err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		start = time.Now()
		err := Clock{}.Sleep(ctx, time.Hour)
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Minute {
			t.Errorf("slept %v with %v, want to be woken after 1m", time.Since(start), err)
		}
		if err := (Clock{}).Sleep(ctx, 0); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("no sleep at all in a finished context returned %v", err)
		}
		if err := (Clock{}).Sleep(t.Context(), -time.Second); err != nil {
			t.Errorf("a negative sleep returned %v", err)
		}
	})
}

func TestTaskIsDoneOnlyWhenItsFunctionReturned(t *testing.T) {
	gate := make(chan struct{})
	task := Tasks{}.Go("gate", func() { <-gate })
	if task.Done() {
		t.Fatal("done before the function returned")
	}
	close(gate)
	task.Wait()
	if !task.Done() {
		t.Fatal("not done after Wait")
	}
}
