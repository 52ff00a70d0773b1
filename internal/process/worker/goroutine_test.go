package worker

import (
	"encoding/json"
	"log/slog"
	"strings"
	"testing"

	"sluice/flusher"
	"sluice/internal/process"
	"sluice/internal/wallclock"
)

func newGoroutines(t *testing.T, do string) *Goroutines {
	t.Helper()
	settings, _ := json.Marshal(behaviour{Do: do})
	s, err := NewGoroutines(Config{
		Role: testRole, Settings: settings, Clock: wallclock.Clock{}, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestGoroutineStopAndKill(t *testing.T) {
	h := start(t, newGoroutines(t, "beat"))
	eventually(t, "it beats", func() bool { st, _ := h.Status(); return st.Beats > 3 })
	if h.CanKill() {
		t.Error("a goroutine cannot be killed")
	}
	h.Stop()
	if exit := exitOf(t, h); exit != (flusher.Exit{}) {
		t.Errorf("exit %+v after Stop, want none", exit)
	}
	h = start(t, newGoroutines(t, "beat"))
	h.Kill()
	if exit := exitOf(t, h); exit.Code != process.CodeFailed || exit.Err == nil {
		t.Errorf("exit %+v after Kill, want the context's error", exit)
	}
}

func TestGoroutineCrashIsAnExit(t *testing.T) {
	exit := exitOf(t, start(t, newGoroutines(t, "panic")))
	if exit.Code != 2 || exit.Err == nil || !strings.Contains(exit.Err.Error(), "planted") {
		t.Errorf("exit %+v, want code 2 and the panic's words", exit)
	}
}

func TestGoroutinesNeedARole(t *testing.T) {
	_, err := NewGoroutines(Config{Clock: wallclock.Clock{}, Log: slog.New(slog.DiscardHandler)})
	if err == nil || !strings.Contains(err.Error(), "no role") {
		t.Errorf("%v does not say what is missing", err)
	}
}
