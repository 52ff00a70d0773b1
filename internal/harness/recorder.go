package harness

import (
	"slices"
	"sync"
	"time"

	"sluice/flusher"
	"sluice/internal/judge"
	"sluice/reports"
)

// recorder keeps what happens, in the order in which it happened.
type recorder struct {
	listen func(reports.Event)

	mu     sync.Mutex
	zero   time.Time // the start of the load, once it is known
	events []recorded
	moves  []judge.Move
	within string // the phase
	// changes are how the consumers stood after each change.
	changes []judge.Look
	states  map[who]reports.State
	fresh   *freshness
}

// recorded is an event whose time is not yet counted from the start of the load.
type recorded struct {
	at    time.Time
	event reports.Event
}

// who is a worker of a consumer, or the consumer itself: worker reports.NoWorker.
type who struct{ consumer, worker int }

func newRecorder(listen func(reports.Event)) *recorder {
	if listen == nil {
		listen = func(reports.Event) {}
	}
	return &recorder{listen: listen, fresh: newFreshness(), states: map[who]reports.State{}}
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

// note records an event.
func (r *recorder) note(at time.Time, e reports.Event) {
	r.mu.Lock()
	e.T = r.seconds(at)
	if e.Kind == reports.EventWorker || e.Kind == reports.EventConsumer {
		subject := who{e.Consumer, e.Worker}
		if r.states[subject] == e.State {
			r.mu.Unlock()
			return
		}
		r.states[subject] = e.State
	}
	r.events = append(r.events, recorded{at, e})
	r.mu.Unlock()
	r.listen(e)
}

func (r *recorder) phase(at time.Time, name string) {
	r.mu.Lock()
	r.within = name
	r.mu.Unlock()
	r.note(at, reports.Event{Kind: reports.EventPhase, Worker: reports.NoWorker, Text: name})
}

// worker records what a worker of the first consumer is from now on.
func (r *recorder) worker(at time.Time, worker int, state reports.State, text string) {
	r.workerOf(at, firstConsumer, worker, state, text)
}

func (r *recorder) workerOf(at time.Time, consumer, worker int, state reports.State, text string) {
	r.note(at, reports.Event{Kind: reports.EventWorker, Consumer: consumer, Worker: worker, State: state,
		Text: text})
}

// consumer records what a consumer is from now on.
func (r *recorder) consumer(at time.Time, index int, state reports.State, text string) {
	r.note(at, reports.Event{Kind: reports.EventConsumer, Consumer: index, Worker: reports.NoWorker,
		State: state, Text: text})
}

// orphaned records that the workers of a consumer have lost it.
func (r *recorder) orphaned(at time.Time, consumer int, text string) {
	r.mu.Lock()
	var workers []int
	for subject, state := range r.states { //order-free: sorted below
		if subject.consumer == consumer && subject.worker != reports.NoWorker &&
			state != reports.StateStopped {
			workers = append(workers, subject.worker)
		}
	}
	r.mu.Unlock()
	slices.Sort(workers)
	for _, worker := range workers {
		r.workerOf(at, consumer, worker, reports.StateDead, text)
	}
}

// supervisor records a transition of a consumer's supervisor.
func (r *recorder) supervisor(consumer, life int, e flusher.Event) {
	r.mu.Lock()
	r.moves = append(r.moves, judge.Move{Consumer: consumer, Life: life, Event: e})
	r.mu.Unlock()
	note := func(kind reports.EventKind, text string) {
		r.note(e.At, reports.Event{Kind: kind, Consumer: consumer, Worker: e.Worker,
			Shards: judge.ShardNumbers(e.Shards), Text: text})
	}
	worker := func(state reports.State, text string) {
		r.workerOf(e.At, consumer, e.Worker, state, text)
	}
	switch e.Kind {
	case flusher.EventFailed:
		state := reports.StateDead
		if e.State == flusher.StateHung {
			state = reports.StateHung
		}
		worker(state, e.Cause)
	case flusher.EventRestart:
		note(reports.EventRestart, e.Cause)
	case flusher.EventKilled:
		worker(reports.StateDead, "killed")
	case flusher.EventStopped:
		r.stopped(consumer, e)
	case flusher.EventStarted:
		if e.Start > 1 {
			worker(reports.StateRestarting, "started again")
		} else {
			worker(reports.StateStarting, "")
		}
	case flusher.EventHealthy, flusher.EventBackpressureOff:
		worker(reports.StateHealthy, "")
	case flusher.EventBackpressureOn:
		worker(reports.StateBackpressure, "")
	case flusher.EventGateClosed:
		note(reports.EventGateClosed, e.Cause)
	case flusher.EventGateOpened:
		note(reports.EventGateOpened, e.Cause)
	case flusher.EventExhausted, flusher.EventStray, flusher.EventFenceFailed,
		flusher.EventMemoryFailed, flusher.EventSuperseded:
		note(reports.EventNote, e.String())
	}
}

// changed records whose shards are whose, if that is judged now and not what it was.
func (r *recorder) changed(at time.Time, stand func() []judge.ConsumerLook) {
	r.mu.Lock()
	judged := judge.Watches(r.within)
	r.mu.Unlock()
	if !judged {
		return
	}
	now := judge.Look{Consumers: judge.Bare(stand())}
	r.mu.Lock()
	defer r.mu.Unlock()
	now.T, now.Phase = r.seconds(at), r.within // which may have become that in which all end
	if n := len(r.changes); judge.Watches(r.within) && (n == 0 || !now.Alike(r.changes[n-1])) {
		r.changes = append(r.changes, now)
	}
}

// stopped tells a worker that is to be replaced from one that was told to end.
func (r *recorder) stopped(consumer int, e flusher.Event) {
	r.mu.Lock()
	state := r.states[who{consumer, e.Worker}]
	r.mu.Unlock()
	if state == reports.StateDead || state == reports.StateHung {
		r.workerOf(e.At, consumer, e.Worker, reports.StateRestarting, "proven stopped")
	} else {
		r.workerOf(e.At, consumer, e.Worker, reports.StateStopped, e.Cause)
	}
}

// statesNow returns the states of the first consumer's workers, by worker.
func (r *recorder) statesNow() []reports.State {
	r.mu.Lock()
	defer r.mu.Unlock()
	var states []reports.State
	for worker := 0; ; worker++ {
		state, known := r.states[who{firstConsumer, worker}]
		if !known {
			return states
		}
		states = append(states, state)
	}
}

// record returns everything, with times since the start of the load.
func (r *recorder) record() ([]reports.Event, []judge.Move) {
	r.mu.Lock()
	defer r.mu.Unlock()
	// What takes a while is noted when it is done, with the time of its begin.
	slices.SortStableFunc(r.events, func(a, b recorded) int { return a.at.Compare(b.at) })
	events := make([]reports.Event, len(r.events))
	for i, e := range r.events {
		events[i] = e.event
		events[i].T = r.seconds(e.at)
	}
	moves := append([]judge.Move(nil), r.moves...)
	for i := range moves {
		moves[i].T = r.seconds(moves[i].At)
	}
	return events, moves
}
