package flusher_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"sluice/flusher"
)

func TestDefaultsAreValid(t *testing.T) {
	if err := flusher.DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
	if err := flusher.DefaultWorkerConfig().Validate(); err != nil {
		t.Error(err)
	}
}

func TestValidateNamesEveryFault(t *testing.T) {
	bad := flusher.Config{
		Processes: 0, RestartBudget: -1, RestartWindow: -1, RestartBackoff: -1, MaxMemory: 1.5,
		MaxStrays: -1, StrayAfter: -1, LostAfter: -1, StopTimeout: -2, ShutdownTimeout: -2,
		BackpressureAfter: -1,
	}
	for _, want := range []string{
		"flusher processes 0", "max_unhealthy", "backpressure_after", "restart_budget", "window",
		"restart backoff", "max_memory 1.5", "max strays", "stray after", "lost after",
		"stop timeout", "shutdown timeout", "check interval", "memory interval",
	} {
		if err := bad.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v\ndoes not name %q", err, want)
		}
	}
	worker := flusher.WorkerConfig{OutputTopic: "a", DeadLetterTopic: "a", RetryMax: -time.Second}
	for _, want := range []string{
		"max_flush_segments", "max flush bytes", "idle sleep", "retry pause", "longest retry pause",
		"beat interval", `both "a"`,
	} {
		if err := worker.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v\ndoes not name %q", err, want)
		}
	}
}

// TestWhatWouldOverflowIsRefused: a worker that leases fewer than no segments flushes nothing, and one that
// may be silent for longer than can be reckoned with is killed at once.
func TestWhatWouldOverflowIsRefused(t *testing.T) {
	cfg, worker := flusher.DefaultConfig(), flusher.DefaultWorkerConfig()
	cfg.MaxUnhealthy, worker.MaxFlushSegments = math.MaxInt64, math.MaxInt
	for want, err := range map[string]error{
		"max_unhealthy": cfg.Validate(), "max_flush_segments": worker.Validate(),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one about %s", err, want)
		}
	}
}

func TestMaxMemoryNeedsAMeter(t *testing.T) {
	cfg := flusher.DefaultConfig()
	cfg.MaxMemory = 0.9
	_, err := flusher.NewSupervisor(cfg, flusher.SupervisorPorts{})
	if err == nil || !strings.Contains(err.Error(), "max_memory") {
		t.Errorf("error %v, want one about max_memory", err)
	}
}
