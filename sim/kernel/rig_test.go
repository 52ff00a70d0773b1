package kernel_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sluice/sim/kernel"
)

// TestMain finds coroutines that are left behind: each is a goroutine.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is a kernel, and what was logged in it.
type rig struct {
	*kernel.Kernel
	t     *testing.T
	lines []string
}

func newRig(t *testing.T) *rig {
	t.Helper()
	k, err := kernel.New(kernel.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	return &rig{Kernel: k, t: t}
}

// log adds a line that begins with the virtual time.
func (r *rig) log(format string, args ...any) {
	r.lines = append(r.lines, fmt.Sprintf("%v ", r.Elapsed())+fmt.Sprintf(format, args...))
}

// pass lets virtual time pass.
func (r *rig) pass(d time.Duration) {
	r.t.Helper()
	if err := r.Sleep(context.Background(), d); err != nil {
		r.t.Fatal(err)
	}
}

// want compares the log.
func (r *rig) want(lines ...string) {
	r.t.Helper()
	if !slices.Equal(r.lines, lines) {
		r.t.Errorf("got\n\t%q\nwant\n\t%q", r.lines, lines)
	}
}

// nap sleeps without a context that may end.
func (r *rig) nap(d time.Duration) { _ = r.Sleep(context.Background(), d) }

// failure runs what must fail.
func failure(t *testing.T, run func()) (f *kernel.Failure) {
	t.Helper()
	var err error
	func() {
		defer kernel.Catch(&err)
		run()
	}()
	f, ok := err.(*kernel.Failure)
	if !ok {
		t.Fatalf("got %v, want a failure of the kernel", err)
	}
	return f
}
