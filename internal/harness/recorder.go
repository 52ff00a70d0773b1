package harness

import (
	"strings"
	"sync"
	"time"

	"sluice/buffer"
	"sluice/flusher"
	"sluice/reports"
)

// recorder keeps what happens, in the order in which it happened.
type recorder struct {
	listen func(reports.Event)

	mu     sync.Mutex
	zero   time.Time // the start of the load, once it is known
	events []recorded
	moves  []move
	states []reports.State // by worker
	fresh  *freshness
}

// recorded is an event whose time is not yet counted from the start of the load.
type recorded struct {
	at    time.Time
	event reports.Event
}

// move is a transition of the supervisor, as it was reported.
type move struct {
	T float64
	flusher.Event
}

func newRecorder(listen func(reports.Event)) *recorder {
	if listen == nil {
		listen = func(reports.Event) {}
	}
	return &recorder{listen: listen, fresh: newFreshness()}
}

// begin makes now the time from which all others are counted, also those of earlier events.
func (r *recorder) begin(zero time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.zero = zero
}

// seconds returns a time since the start of the load; negative before it, and 0 while it is not
// known. The lock must be held.
func (r *recorder) seconds(at time.Time) float64 {
	if r.zero.IsZero() {
		return 0
	}
	return at.Sub(r.zero).Seconds()
}

// note records an event that happens now.
func (r *recorder) note(e reports.Event) {
	now := time.Now()
	r.mu.Lock()
	e.T = r.seconds(now)
	if e.Kind == reports.EventWorker {
		for len(r.states) <= e.Worker {
			r.states = append(r.states, "")
		}
		if r.states[e.Worker] == e.State {
			r.mu.Unlock()
			return
		}
		r.states[e.Worker] = e.State
	}
	r.events = append(r.events, recorded{now, e})
	r.mu.Unlock()
	r.listen(e)
}

func (r *recorder) phase(name string) {
	r.note(reports.Event{Kind: reports.EventPhase, Worker: reports.NoWorker, Text: name})
}

func (r *recorder) worker(worker int, state reports.State, text string) {
	r.note(reports.Event{Kind: reports.EventWorker, Worker: worker, State: state, Text: text})
}

// supervisor records a transition of the supervisor.
func (r *recorder) supervisor(e flusher.Event) {
	r.mu.Lock()
	r.moves = append(r.moves, move{Event: e})
	r.mu.Unlock()
	switch e.Kind {
	case flusher.EventFailed:
		state := reports.StateDead
		if strings.HasPrefix(e.Cause, "hang") {
			state = reports.StateHung
		}
		r.worker(e.Worker, state, e.Cause)
	case flusher.EventRestart:
		r.note(reports.Event{Kind: reports.EventRestart, Worker: e.Worker, Text: e.Cause})
	case flusher.EventKilled:
		r.worker(e.Worker, reports.StateDead, "killed")
	case flusher.EventStopped:
		r.stopped(e)
	case flusher.EventStarted:
		if e.Start > 1 {
			r.worker(e.Worker, reports.StateRestarting, "started again")
		} else {
			r.worker(e.Worker, reports.StateStarting, "")
		}
	case flusher.EventHealthy, flusher.EventBackpressureOff:
		r.worker(e.Worker, reports.StateHealthy, "")
	case flusher.EventBackpressureOn:
		r.worker(e.Worker, reports.StateBackpressure, "")
	case flusher.EventGateClosed:
		r.gate(reports.EventGateClosed, e)
	case flusher.EventGateOpened:
		r.gate(reports.EventGateOpened, e)
	case flusher.EventExhausted, flusher.EventStray, flusher.EventFenceFailed,
		flusher.EventMemoryFailed, flusher.EventEnded:
		r.note(reports.Event{Kind: reports.EventNote, Worker: e.Worker, Text: e.String()})
	}
}

// stopped tells a worker that is to be replaced from one that was told to end.
func (r *recorder) stopped(e flusher.Event) {
	r.mu.Lock()
	failed := false
	if e.Worker < len(r.states) {
		failed = r.states[e.Worker] == reports.StateDead || r.states[e.Worker] == reports.StateHung
	}
	r.mu.Unlock()
	if failed {
		r.worker(e.Worker, reports.StateRestarting, "proven stopped")
	} else {
		r.worker(e.Worker, reports.StateStopped, e.Cause)
	}
}

func (r *recorder) gate(kind reports.EventKind, e flusher.Event) {
	r.note(reports.Event{Kind: kind, Worker: e.Worker, Shards: numbers(e.Shards), Text: e.Cause})
}

func numbers(shards []buffer.Shard) []int {
	list := make([]int, len(shards))
	for i, shard := range shards {
		list[i] = int(shard)
	}
	return list
}

func (r *recorder) statesNow() []reports.State {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]reports.State(nil), r.states...)
}

// record returns everything, with times since the start of the load.
func (r *recorder) record() ([]reports.Event, []move) {
	r.mu.Lock()
	defer r.mu.Unlock()
	events := make([]reports.Event, len(r.events))
	for i, e := range r.events {
		events[i] = e.event
		events[i].T = r.seconds(e.at)
	}
	moves := append([]move(nil), r.moves...)
	for i := range moves {
		moves[i].T = r.seconds(moves[i].At)
	}
	return events, moves
}
