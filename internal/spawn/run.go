package spawn

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"

	"sluice/flusher"
)

// Job is what a worker is started with.
type Job struct {
	Spec flusher.WorkerSpec
	// Settings are the spawner's, as they came: the two sides agree on what they mean.
	Settings []byte
	Reporter flusher.Reporter
	Log      *slog.Logger
}

// Run is the life of a worker. It returns nil after it was told to stop, by the second context,
// and finished what was in flight; or early with an error. The first context ends it at once.
type Run func(ctx, stop context.Context, job Job) error

var runs = struct {
	sync.Mutex
	byName map[string]Run
}{byName: make(map[string]Run)}

// Register makes a Run known under a name, to this program and to its worker processes. It is
// called while packages are initialised, before MaybeWorker. A name that is taken is a panic.
func Register(name string, run Run) {
	runs.Lock()
	defer runs.Unlock()
	if _, taken := runs.byName[name]; taken {
		panic(fmt.Sprintf("spawn: worker %q is registered twice", name))
	}
	runs.byName[name] = run
}

func lookUp(name string) (Run, error) {
	runs.Lock()
	defer runs.Unlock()
	if run, ok := runs.byName[name]; ok {
		return run, nil
	}
	return nil, fmt.Errorf("no worker is registered as %q: want one of %q",
		name, slices.Sorted(maps.Keys(runs.byName)))
}
