package flusher

import (
	"fmt"
	"log/slog"
	"strings"
	"time"

	"sluice/buffer"
	"sluice/internal/options"
)

// EventKind is what an Event reports.
type EventKind uint8

// The events of a supervisor. Those of one failure come in this order: failed, killed, stopped,
// fenced, started, healthy.
const (
	// EventAssigned: a worker's shards are now these (none: it is to end).
	EventAssigned EventKind = iota
	// EventFailed: a worker is dead, hung, or did not start. Cause says which, with the exit code
	// or the signal.
	EventFailed
	// EventRestart: the failure was counted, and the budget allows the restart.
	EventRestart
	// EventExhausted: the failure was one more than the budget allows.
	EventExhausted
	// EventStopping: a worker was asked to finish what is in flight and end.
	EventStopping
	// EventKilled: a worker is being ended by force.
	EventKilled
	// EventWaiting: a killed worker is still not proven stopped. It comes ever more rarely.
	EventWaiting
	// EventStopped: a worker is proven stopped.
	EventStopped
	// EventStray: a worker that cannot be killed did not end; it lives on without its shards.
	EventStray
	// EventStrayEnded: a stray ended after all.
	EventStrayEnded
	// EventFenceFailed: the store refused or could not be reached; it is tried until it works.
	EventFenceFailed
	// EventSetBack: the store has lost data, so the shards are fenced again, which costs no budget.
	EventSetBack
	// EventSuperseded: a worker has ended, because all its shards have another owner. They are fenced
	// again when they are assigned again, or have been that owner's for too long, which is a failure.
	EventSuperseded
	// EventFenced: the shards have a new owner, and what the last one had leased is due.
	EventFenced
	// EventStarted: a worker was started.
	EventStarted
	// EventHealthy: it gives signs of life.
	EventHealthy
	// EventBackpressureOn: a worker's leases return all they may.
	EventBackpressureOn
	// EventBackpressureOff: they no longer do.
	EventBackpressureOff
	// EventGateClosed: the input of these shards is to pause. Cause says why.
	EventGateClosed
	// EventGateOpened: the input of these shards may be read again.
	EventGateOpened
	// EventMemoryFailed: the memory of the Redis nodes cannot be read; the last answer stays.
	EventMemoryFailed
	// EventEnded: the supervisor ends; every worker has ended.
	EventEnded
)

var eventNames = [...]string{
	"assigned", "failed", "restart", "budget exhausted", "stopping", "killed", "waiting", "stopped",
	"stray", "stray ended", "fence failed", "set back", "superseded", "fenced", "started", "healthy",
	"backpressure on", "backpressure off", "gate closed", "gate opened", "memory unknown", "ended",
}

// String returns the kind's name, as it stands in logs and results.
func (k EventKind) String() string { return nameOf(eventNames[:], int(k)) }

// NoWorker is the Worker of an event that concerns none or all.
const NoWorker = -1

// Event is one transition of the supervisor or of a worker: for a reader, a switch and a log.
type Event struct {
	At     time.Time
	Kind   EventKind
	Worker int
	// Shards that it concerns, in order.
	Shards []buffer.Shard
	// Epochs are those of the shards' new owners, in EventFenced; nil in all others.
	Epochs []buffer.Epoch
	// Start is which start of the worker it concerns, from 1; 0 if none.
	Start int
	// Restarts is how many restarts the worker has used.
	Restarts int
	// State is what the worker is from now on; zero if the event concerns no worker.
	State State
	// Health is the judgement that a failure is about, in EventFailed, EventRestart and
	// EventExhausted; zero in all others.
	Health Health
	// Cause says why, in words, where there is a why.
	Cause string
}

// String returns the event as one line, without the time.
func (e Event) String() string {
	var text strings.Builder
	if e.Worker == NoWorker {
		text.WriteString("supervisor")
	} else {
		fmt.Fprintf(&text, "worker %d", e.Worker)
		if e.Start > 0 {
			fmt.Fprintf(&text, ".%d", e.Start)
		}
	}
	fmt.Fprintf(&text, ": %v", e.Kind)
	if len(e.Shards) > 0 {
		fmt.Fprintf(&text, " shards %s", shardList(e.Shards))
	}
	if e.Kind == EventRestart || e.Kind == EventExhausted {
		fmt.Fprintf(&text, " after %s", options.FormatCount(e.Restarts, "restart"))
	}
	if e.Cause != "" {
		fmt.Fprintf(&text, ": %s", e.Cause)
	}
	return text.String()
}

// Level returns at which level the event is to be logged.
func (e Event) Level() slog.Level {
	switch e.Kind {
	case EventExhausted:
		return slog.LevelError
	case EventFailed, EventKilled, EventWaiting, EventStray, EventFenceFailed, EventSetBack,
		EventSuperseded, EventMemoryFailed:
		return slog.LevelWarn
	case EventFenced, EventStopping, EventEnded,
		EventGateClosed, EventGateOpened: // the input says so, once for all shards
		return slog.LevelDebug
	}
	return slog.LevelInfo
}

// Attrs returns the event for a structured log whose message is Kind; the time is left to the log.
func (e Event) Attrs() []slog.Attr {
	var attrs []slog.Attr
	add := func(known bool, attr slog.Attr) {
		if known {
			attrs = append(attrs, attr)
		}
	}
	add(e.Worker != NoWorker, slog.Int("worker", e.Worker))
	add(e.Start > 0, slog.Int("start", e.Start))
	add(len(e.Shards) > 0, slog.Any("shards", e.Shards))
	add(e.Kind == EventRestart || e.Kind == EventExhausted, slog.Int("restarts", e.Restarts))
	add(e.Cause != "", slog.String("cause", e.Cause))
	return attrs
}

func shardList(shards []buffer.Shard) string {
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(shards), " ", ","), "[]")
}

// describe says in words how a worker ended.
func (e Exit) describe() string {
	text := fmt.Sprintf("exited with code %d", e.Code)
	if e.Signal != "" {
		text = "killed by signal " + e.Signal
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}
