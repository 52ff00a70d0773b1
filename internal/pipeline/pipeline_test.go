package pipeline_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"sluice/internal/pipeline"
	"sluice/internal/pipeline/pipelinetest"
	"sluice/internal/process"
)

func TestMain(m *testing.M) {
	process.MaybeChild()
	os.Exit(m.Run())
}

// running is a pipeline that runs.
type running struct {
	*pipeline.Pipeline
	stop, kill context.CancelFunc
	ended      chan error
}

// start opens a pipeline and runs it until the test ends.
func start(t *testing.T, c pipeline.Config) *running {
	t.Helper()
	c.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	p, err := pipeline.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, kill := context.WithCancel(context.Background())
	stop, drain := context.WithCancel(ctx)
	r := &running{Pipeline: p, stop: drain, kill: kill, ended: make(chan error, 1)}
	go func() {
		err := p.Run(ctx, stop)
		p.Close()
		r.ended <- err
		close(r.ended)
	}()
	t.Cleanup(func() {
		kill()
		<-r.ended
	})
	return r
}

// end drains the pipeline.
func (r *running) end(t *testing.T) {
	t.Helper()
	if why := r.Alive(); why != nil {
		t.Errorf("a pipeline that runs is not alive: %q", why)
	}
	r.stop()
	if err := <-r.ended; err != nil {
		t.Errorf("run: %v", err)
	}
	if why := r.Alive(); !slices.Equal(why, []string{"the pipeline has ended"}) {
		t.Errorf("a pipeline that has ended is alive, or not: %q", why)
	}
}

var worlds = []struct {
	name string
	open func(testing.TB) *pipelinetest.World
}{
	{"fakes", pipelinetest.Fakes},
	{"real", pipelinetest.Real},
	{"cluster", pipelinetest.Cluster},
}

func TestSpansInSegmentsOut(t *testing.T) {
	t.Parallel()
	for _, world := range worlds {
		for _, mode := range []pipeline.Mode{pipeline.ModeProcess, pipeline.ModeGoroutine} {
			t.Run(world.name+"/"+string(mode), func(t *testing.T) {
				t.Parallel()
				w := world.open(t)
				c := w.Config()
				c.Mode = mode
				p := start(t, c)
				if err := w.Send(t.Context(), 4000, 4000); err != nil {
					t.Fatal(err)
				}
				w.AwaitSettled(t)
				p.end(t)
				w.CheckNothingLost(t, pipelinetest.NoRepeats)
				w.CheckEmpty(t)
			})
		}
	}
}

// TestWhatIsKnownAfterARestart, before anything comes in: what waits in Redis of each shard, and what the group
// has committed.
func TestWhatIsKnownAfterARestart(t *testing.T) {
	t.Parallel()
	w := pipelinetest.Fakes(t)
	first := start(t, w.Config())
	if err := w.Send(t.Context(), 1000, 2000); err != nil {
		t.Fatal(err)
	}
	w.AwaitSettled(t)
	first.end(t)
	second := start(t, w.Config())
	partitions := 0
	w.Await(t, func() bool {
		assigned := second.Counters().Partitions
		partitions = max(partitions, len(assigned))
		return len(assigned) > 0 && len(second.Committed()) == len(assigned)
	})
	waits, err := second.Depths(t.Context())
	if err != nil || len(waits) != partitions {
		t.Errorf("what waits of %d shards is known, %v; want %d", len(waits), err, partitions)
	}
	for partition, offset := range second.Committed() {
		if offset <= 0 {
			t.Errorf("%d is committed of partition %d", offset, partition)
		}
	}
	second.end(t)
}

// A worker is killed in the middle, by the kernel's own means; its successor finishes its work.
func TestKilledWorkerLosesNothing(t *testing.T) {
	t.Parallel()
	for _, world := range worlds[:2] {
		t.Run(world.name, func(t *testing.T) {
			t.Parallel()
			w := world.open(t)
			c := w.Config()
			c.Mode = pipeline.ModeProcess
			p := start(t, c)
			sent := make(chan error, 1)
			go func() { sent <- w.Send(t.Context(), 20_000, 2000) }()
			w.AwaitOut(t, 1000)
			pid := p.Pids()[1]
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			if err := <-sent; err != nil {
				t.Fatal(err)
			}
			w.AwaitSettled(t)
			if s := p.Workers()[1]; s.Restarts != 1 || !strings.Contains(s.Causes[0], "SIGKILL") {
				t.Errorf("worker 1 has %d restarts for %q, want 1 for SIGKILL", s.Restarts, s.Causes)
			}
			p.end(t)
			w.CheckNothingLost(t, pipelinetest.RepeatsAllowed)
			w.CheckEmpty(t)
		})
	}
}

// A second instance joins while spans arrive, and the first one leaves.
func TestTwoInstancesRebalance(t *testing.T) {
	t.Parallel()
	for _, world := range worlds[:2] {
		t.Run(world.name, func(t *testing.T) {
			t.Parallel()
			w := world.open(t)
			c := w.Config()
			first := start(t, c)
			sent := make(chan error, 1)
			go func() { sent <- w.Send(t.Context(), 24_000, 2000) }()
			w.AwaitOut(t, 500)
			second := start(t, c)
			w.Await(t, func() bool { return assigned(second) > 0 && assigned(first) < w.Partitions })
			first.end(t)
			w.Await(t, func() bool { return assigned(second) == w.Partitions })
			if err := <-sent; err != nil {
				t.Fatal(err)
			}
			w.AwaitSettled(t)
			second.end(t)
			w.CheckNothingLost(t, pipelinetest.RepeatsAllowed)
			w.CheckEmpty(t)
		})
	}
}

func assigned(p *running) int {
	n := 0
	for _, c := range p.Counters().Partitions {
		if c.Assigned {
			n++
		}
	}
	return n
}

func TestEndAtOnceLeavesNoProcess(t *testing.T) {
	t.Parallel()
	w := pipelinetest.Fakes(t)
	c := w.Config()
	c.Mode = pipeline.ModeProcess
	p := start(t, c)
	if err := w.Send(t.Context(), 500, 1000); err != nil {
		t.Fatal(err)
	}
	w.AwaitOut(t, 1)
	pids := p.Pids()
	if len(pids) != 2 {
		t.Fatalf("%d worker processes, want 2", len(pids))
	}
	p.kill()
	if err := <-p.ended; err != nil {
		t.Errorf("run: %v", err)
	}
	for _, pid := range pids {
		if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
			t.Errorf("process %d is still there: %v", pid, err)
		}
	}
}
