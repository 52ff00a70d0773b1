package flusher_test

import (
	"fmt"
	"testing"

	"sluice/buffer"
	"sluice/flusher"
)

func TestEventText(t *testing.T) {
	shards := []buffer.Shard{0, 4}
	tests := []struct {
		event       flusher.Event
		text, attrs string
	}{
		{flusher.Event{Kind: flusher.EventRestart, Worker: 2, Start: 3, Restarts: 3, Shards: shards,
			Cause: "killed by signal SIGSEGV"},
			"worker 2.3: restart shards 0,4 after 3 restarts: killed by signal SIGSEGV",
			"[worker=2 start=3 shards=[0 4] restarts=3 cause=killed by signal SIGSEGV]"},
		{flusher.Event{Kind: flusher.EventGateClosed, Worker: 0, Shards: shards[:1], Cause: "full"},
			"worker 0: gate closed shards 0: full", "[worker=0 shards=[0] cause=full]"},
		{flusher.Event{Kind: flusher.EventEnded, Worker: flusher.NoWorker}, "supervisor: ended", "[]"},
		{flusher.Event{Kind: flusher.EventKind(99), Worker: 1}, "worker 1: unknown", "[worker=1]"},
	}
	for _, test := range tests {
		if got := test.event.String(); got != test.text {
			t.Errorf("text %q, want %q", got, test.text)
		}
		if got := fmt.Sprint(test.event.Attrs()); got != test.attrs {
			t.Errorf("attributes %s, want %s", got, test.attrs)
		}
	}
	for kind := flusher.EventAssigned; kind <= flusher.EventEnded; kind++ {
		if kind.String() == "unknown" {
			t.Errorf("event %d has no name", kind)
		}
	}
}

func TestStateSurvivesText(t *testing.T) {
	for want := flusher.StateStopped; want <= flusher.StateStopping; want++ {
		text, err := want.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		var got flusher.State
		if err := got.UnmarshalText(text); err != nil || got != want {
			t.Errorf("%q reads as %v, %v", text, got, err)
		}
	}
	var s flusher.State
	if err := s.UnmarshalText([]byte("asleep")); err == nil {
		t.Error("a state that there is not was read")
	}
}
