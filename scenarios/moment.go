package scenarios

import (
	"fmt"
	"slices"
	"time"

	"sluice/flusher"
)

// Moment is when a fault happens:
//
//	at 5s
//	when 20000 spans sent                  or flushed
//	when worker 1 restarted                as soon as its successor is healthy
//	when worker 1 is producing             as soon as it begins a step; only the virtual world sees that
//	when worker 1 is producing from 5s
//	every 10s                              at 10s, 20s, ... while load arrives
//	every 10s from 5s                      at 5s, 15s, ...
//	randomly every 8s                      at times drawn from the seed, 8 s apart on average
//	randomly every 8s from 20s
type Moment struct {
	// Kind says which of the other fields counts.
	Kind MomentKind
	// At is the time since the start of the load: of a fault that happens once, or from which on a
	// repeated one happens.
	At time.Duration
	// Every is the time between two faults, or its average.
	Every time.Duration
	// Spans is the number of spans sent or flushed.
	Spans int64
	// Worker is the one that was restarted, or that is at the stage.
	Worker int
	// Stage is what a worker is doing.
	Stage flusher.Stage
}

// MomentKind is a kind of moment.
type MomentKind string

// The kinds of moment.
const (
	MomentAt        MomentKind = "at"
	MomentSent      MomentKind = "sent"
	MomentFlushed   MomentKind = "flushed"
	MomentRestarted MomentKind = "restarted"
	MomentStage     MomentKind = "stage"
	MomentEvery     MomentKind = "every"
	MomentRandomly  MomentKind = "randomly"
)

// everyMin is the least time between two repeats of a fault.
const everyMin = 100 * time.Millisecond

// String returns the text form.
func (m Moment) String() string {
	switch m.Kind {
	case MomentSent, MomentFlushed:
		return fmt.Sprintf("when %d spans %s", m.Spans, m.Kind)
	case MomentRestarted:
		return fmt.Sprintf("when worker %d restarted", m.Worker)
	case MomentStage:
		text := fmt.Sprintf("when worker %d is %s", m.Worker, stageWords[m.Stage])
		if m.At > 0 {
			text += " from " + m.At.String()
		}
		return text
	case MomentEvery, MomentRandomly:
		text := "every " + m.Every.String()
		if m.Kind == MomentRandomly {
			text = "randomly " + text
		}
		if m.At != m.start() {
			text += " from " + m.At.String()
		}
		return text
	}
	return fmt.Sprintf("at %v", m.At)
}

// start is the At of a repeated fault that does not say from when on it happens.
func (m Moment) start() time.Duration {
	if m.Kind == MomentEvery {
		return m.Every
	}
	return 0
}

// Reached tells whether the moment has come: elapsed since the start of the load, with so many
// spans sent and flushed, and restarts per worker. Repeated moments must be planned first. That of a
// stage has come if AtStage says so.
func (m Moment) Reached(elapsed time.Duration, sent, flushed int64, restarts []int) bool {
	switch m.Kind {
	case MomentSent:
		return sent >= m.Spans
	case MomentFlushed:
		return flushed >= m.Spans
	case MomentRestarted:
		return m.Worker < len(restarts) && restarts[m.Worker] > 0
	case MomentStage:
		return false
	}
	return elapsed >= m.At
}

// AtStage tells whether the moment is that a worker begins with a stage.
func (m Moment) AtStage(elapsed time.Duration, worker int, stage flusher.Stage) bool {
	return m.Kind == MomentStage && m.Worker == worker && m.Stage == stage && elapsed >= m.At
}

// stageWords say what a worker does at a stage.
var stageWords = [...]string{
	flusher.StageIdle: "idle", flusher.StageLease: "leasing", flusher.StageClaim: "claiming",
	flusher.StageLoad: "loading", flusher.StageProduce: "producing", flusher.StageWait: "waiting",
	flusher.StageAck: "acknowledging", flusher.StageRelease: "releasing",
}

func (w *words) moment() Moment {
	switch w.choice("moment", "at", "when", "every", "randomly") {
	case "at":
		return Moment{Kind: MomentAt, At: w.duration()}
	case "every":
		return w.every(MomentEvery)
	case "randomly":
		w.literal("every")
		return w.every(MomentRandomly)
	}
	if w.peek() == "worker" {
		w.literal("worker")
		worker := w.number("a worker's index")
		if w.peek() == "is" {
			w.literal("is")
			return w.atStage(int(worker))
		}
		w.literal("restarted")
		return Moment{Kind: MomentRestarted, Worker: int(worker)}
	}
	spans := w.number("a number of spans")
	w.literal("spans")
	kind := w.choice("condition", string(MomentSent), string(MomentFlushed))
	return Moment{Kind: MomentKind(kind), Spans: spans}
}

func (w *words) atStage(worker int) Moment {
	known := stageWords[flusher.StageIdle:]
	word := w.choice("stage", known...)
	m := Moment{Kind: MomentStage, Worker: worker,
		Stage: flusher.StageIdle + flusher.Stage(max(0, slices.Index(known, word)))}
	if w.peek() == "from" {
		w.literal("from")
		m.At = w.duration()
	}
	return m
}

func (w *words) every(kind MomentKind) Moment {
	m := Moment{Kind: kind, Every: w.duration()}
	if w.err == nil && m.Every < everyMin {
		w.err = fmt.Errorf("every %v is more often than every %v", m.Every, everyMin)
	}
	m.At = m.start()
	if w.peek() == "from" {
		w.literal("from")
		m.At = w.duration()
	}
	return m
}
