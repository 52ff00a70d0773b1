package pipeline_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"sluice/flusher"
	"sluice/internal/pipeline"
	"sluice/internal/process/worker"
	"sluice/internal/servers/servertest"
)

// lifeSigns notes when a worker reports.
type lifeSigns struct {
	mu   sync.Mutex
	last time.Time
	gap  time.Duration // the longest between two
	n    int
}

func (l *lifeSigns) Report(flusher.Status) { l.note(1) }
func (l *lifeSigns) Fresh([]time.Duration) {}

func (l *lifeSigns) note(n int) (gap time.Duration, reports int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	l.gap = max(l.gap, now.Sub(l.last))
	if l.n += n; n > 0 {
		l.last = now
	}
	return l.gap, l.n
}

// TestAWorkerStartsWhileNodesHang: it is never silent for so long that it counts as hung, or its budget would be
// used up by a Redis that others wait for.
func TestAWorkerStartsWhileNodesHang(t *testing.T) {
	t.Parallel()
	nodes := servertest.NewRedisCluster(t)
	for _, node := range nodes[1:] {
		if err := node.Freeze(); err != nil {
			t.Fatal(err)
		}
	}
	c := pipeline.DefaultConfig()
	c.Redis.Addresses = servertest.Addrs(nodes)
	c.Flusher.MaxUnhealthy = 3 * time.Second
	settings, err := c.Encode()
	if err != nil {
		t.Fatal(err)
	}
	const during = 20 * time.Second
	ctx, cancel := context.WithTimeout(t.Context(), during)
	defer cancel()
	signs, stops := &lifeSigns{last: time.Now()}, servertest.Standstills()
	err = pipeline.RunWorker(ctx, ctx, worker.Job{
		Settings: settings, Reporter: signs, Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	}, nil)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("it ends with %v", err)
	}
	gap, n := signs.note(0)
	stood, _ := stops()
	t.Logf("%d reports in %v, the longest time between two %v; this process stood still for up to %v", n, during,
		gap, stood)
	if gap-stood >= c.Flusher.MaxUnhealthy {
		t.Errorf("it was silent for %v, and counts as hung after %v", gap, c.Flusher.MaxUnhealthy)
	}
}
