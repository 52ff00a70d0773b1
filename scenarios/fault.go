package scenarios

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Fault is something that is broken on purpose, at a time or on a condition:
//
//	at 5s hang worker 1                      frozen (SIGSTOP) until somebody kills it
//	at 5s hang worker 1 for 3s               and woken (SIGCONT) after that
//	at 5s crash worker 2                     killed (SIGKILL)
//	when 20000 spans flushed crash worker 2
//	when worker 1 restarted hang worker 1    as soon as its successor is healthy
//
// Times count from the start of the load. Each fault happens once.
type Fault struct {
	// When is the moment.
	When Moment
	// Kind is what happens.
	Kind FaultKind
	// Worker is the index of the worker it happens to, from 0.
	Worker int
	// For is how long it lasts; ForGood if nobody ends it.
	For time.Duration
}

// ForGood is the length of a fault that nobody ends but the system itself.
const ForGood time.Duration = 0

// FaultKind is a kind of fault.
type FaultKind string

// The faults that can be injected.
const (
	// FaultHang freezes a worker process: it keeps its connections and does nothing.
	FaultHang FaultKind = "hang"
	// FaultCrash kills a worker process without warning.
	FaultCrash FaultKind = "crash"
)

// FaultKinds returns the faults that can be injected.
func FaultKinds() []string { return []string{string(FaultHang), string(FaultCrash)} }

// planned are the first words of faults that the design names and no world can inject yet.
var planned = []string{
	"resume", "crash-loop", "slow-start", "consumer", "rebalance", "redis", "kafka", "network",
	"clock",
}

// Moment is when a fault happens: exactly one of its conditions.
type Moment struct {
	// Kind says which of the other fields counts.
	Kind MomentKind
	// At is the time since the start of the load.
	At time.Duration
	// Spans is the number of spans sent or flushed.
	Spans int64
	// Worker is the one that was restarted.
	Worker int
}

// MomentKind is a kind of moment.
type MomentKind string

// The kinds of moment.
const (
	MomentAt        MomentKind = "at"
	MomentSent      MomentKind = "sent"
	MomentFlushed   MomentKind = "flushed"
	MomentRestarted MomentKind = "restarted"
)

// String returns the text form: "at 5s", "when 20000 spans flushed", "when worker 1 restarted".
func (m Moment) String() string {
	switch m.Kind {
	case MomentSent, MomentFlushed:
		return fmt.Sprintf("when %d spans %s", m.Spans, m.Kind)
	case MomentRestarted:
		return fmt.Sprintf("when worker %d restarted", m.Worker)
	}
	return fmt.Sprintf("at %v", m.At)
}

// Reached tells whether the moment has come: elapsed since the start of the load, with so many
// spans sent and flushed, and restarts per worker.
func (m Moment) Reached(elapsed time.Duration, sent, flushed int64, restarts []int) bool {
	switch m.Kind {
	case MomentSent:
		return sent >= m.Spans
	case MomentFlushed:
		return flushed >= m.Spans
	case MomentRestarted:
		return m.Worker < len(restarts) && restarts[m.Worker] > 0
	}
	return elapsed >= m.At
}

// UnmarshalText reads one of the forms above.
func (f *Fault) UnmarshalText(text []byte) error {
	w := &words{list: strings.Fields(string(text))}
	fault := Fault{When: w.moment()}
	kind := w.peek()
	if w.err == nil && slices.Contains(planned, kind) {
		return fmt.Errorf("fault %q is known but not available yet; available: %s",
			kind, strings.Join(FaultKinds(), ", "))
	}
	fault.Kind = FaultKind(w.choice("fault", FaultKinds()...))
	w.literal("worker")
	fault.Worker = int(w.number("a worker's index"))
	if fault.Kind == FaultHang && w.peek() == "for" {
		w.literal("for")
		fault.For = w.duration()
		if w.err == nil && fault.For <= 0 {
			w.err = fmt.Errorf("a hang must last longer than 0s")
		}
	}
	w.end()
	if w.err != nil {
		return fmt.Errorf("fault %q: %w; forms: at 5s hang worker 1 for 3s, "+
			"when 20000 spans flushed crash worker 2", text, w.err)
	}
	*f = fault
	return nil
}

func (w *words) moment() Moment {
	if w.choice("moment", "at", "when") == "at" {
		return Moment{Kind: MomentAt, At: w.duration()}
	}
	if w.peek() == "worker" {
		w.literal("worker")
		worker := w.number("a worker's index")
		w.literal("restarted")
		return Moment{Kind: MomentRestarted, Worker: int(worker)}
	}
	spans := w.number("a number of spans")
	w.literal("spans")
	kind := w.choice("condition", string(MomentSent), string(MomentFlushed))
	return Moment{Kind: MomentKind(kind), Spans: spans}
}

// MarshalText writes what UnmarshalText reads.
func (f Fault) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// String returns the text form.
func (f Fault) String() string {
	text := fmt.Sprintf("%v %s worker %d", f.When, f.Kind, f.Worker)
	if f.For != ForGood {
		text += " for " + f.For.String()
	}
	return text
}
