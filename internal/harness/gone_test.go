package harness

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"sluice/internal/judge"
)

// TestServersGone: an interrupted run lets its consumer drain, and one whose servers are gone kills it.
func TestServersGone(t *testing.T) {
	gone := fmt.Errorf("%w: redis", ErrServersGone)
	for _, c := range []struct {
		cause error
		want  string
	}{{nil, "stop consumer 0"}, {gone, "kill consumer 0"}} {
		rig := newRig(t)
		r := &run{system: rig.fakeSystem, sink: rig.sink}
		ctx, end := context.WithCancelCause(t.Context())
		end(c.cause)
		e := &judge.Evidence{}
		r.stop(ctx, e)
		if !slices.Equal(rig.done, []string{c.want}) || !errors.Is(e.PipelineErr, c.cause) {
			t.Errorf("because of %v: %q, %v; want %s", c.cause, rig.done, e.PipelineErr, c.want)
		}
	}
}
