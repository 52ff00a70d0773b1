package consumer

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"sluice/consumer/ingest"
	"sluice/flusher"
	"sluice/internal/pipeline"
	"sluice/internal/pipeline/pipelinetest"
	"sluice/internal/process"
	"sluice/internal/wallclock"
)

func TestMain(m *testing.M) {
	process.MaybeChild()
	if os.Getenv(asHarness) != "" {
		harnessMain()
	}
	os.Exit(m.Run())
}

// heard is what a consumer told.
type heard struct {
	mu     sync.Mutex
	events []flusher.Event
	input  []ingest.Event
	states int
}

func (h *heard) kinds(worker int) []flusher.EventKind {
	h.mu.Lock()
	defer h.mu.Unlock()
	var kinds []flusher.EventKind
	for _, e := range h.events {
		if e.Worker == worker {
			kinds = append(kinds, e.Kind)
		}
	}
	return kinds
}

// running is a consumer in a test, with what it told.
type running struct {
	*Process
	heard *heard
	mark  string
}

// run starts a consumer of two worker processes on fakes, and waits until they are healthy.
func run(t *testing.T, change func(*pipeline.Config)) *running {
	t.Helper()
	r := &running{heard: &heard{}, mark: fmt.Sprintf("CONSUMER_TEST=%s-%d", t.Name(), os.Getpid())}
	c := config(t)
	if change != nil {
		change(&c)
	}
	var err error
	r.Process, err = Start(t.Context(), Config{
		Pipeline: c, Mark: r.mark,
		Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})),
		Events: func(e flusher.Event) {
			r.heard.mu.Lock()
			defer r.heard.mu.Unlock()
			r.heard.events = append(r.heard.events, e)
		},
		Ingest: func(e ingest.Event) {
			r.heard.mu.Lock()
			defer r.heard.mu.Unlock()
			r.heard.input = append(r.heard.input, e)
		},
		State: func() {
			r.heard.mu.Lock()
			defer r.heard.mu.Unlock()
			r.heard.states++
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		r.Kill()
		<-r.Done()
	})
	eventually(t, "both workers are healthy", func() bool {
		workers := r.Look().Workers
		return len(workers) == 2 && !slices.ContainsFunc(workers, func(w flusher.WorkerState) bool {
			return w.State != flusher.StateHealthy
		})
	})
	return r
}

// config is the pipeline of two worker processes on fakes.
func config(t *testing.T) pipeline.Config {
	c := pipelinetest.Fakes(t).Config()
	c.Mode = pipeline.ModeProcess
	c.CreateTopics, c.Partitions = true, pipelinetest.Partitions
	return c
}

// marked returns how many processes have the mark.
func marked(t *testing.T, mark string) int {
	t.Helper()
	list, ok := process.NewScanner(mark).Scan()
	if !ok {
		t.Skip("this system has no /proc")
	}
	return len(list)
}

// eventually polls until the condition holds, or fails the test after 30 s.
func eventually(tb testing.TB, what string, holds func() bool) {
	tb.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !holds() {
		if time.Now().After(deadline) {
			tb.Fatalf("not within 30 s: %s", what)
		}
		_ = wallclock.Clock{}.Sleep(context.Background(), 5*time.Millisecond)
	}
}
