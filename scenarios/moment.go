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
//	when consumer is committing            or attaching, enqueueing, polling
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
	// Worker is the one that was restarted, or that is at the stage; OfConsumer for the consumer.
	Worker int
	// Stage is what a worker or the consumer is doing, one of Stages.
	Stage string
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
		who := fmt.Sprintf("worker %d", m.Worker)
		if m.Worker == OfConsumer {
			who = string(TargetConsumer)
		}
		text := fmt.Sprintf("when %s is %s", who, stageWords[m.Stage])
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

// AtStage tells whether the moment is that a worker, or OfConsumer, begins with a stage.
func (m Moment) AtStage(elapsed time.Duration, worker int, stage string) bool {
	return m.Kind == MomentStage && m.Worker == worker && m.Stage == stage && elapsed >= m.At
}

// OfConsumer is the worker of a moment that is the consumer's.
const OfConsumer = -1

// The stages of a consumer: the calls that it waits for.
const (
	CallPoll    = "poll"
	CallAttach  = "attach"
	CallEnqueue = "enqueue"
	CallCommit  = "commit"
	CallFence   = "fence"
)

// Stages returns the stages that a moment can be at, of a worker or of OfConsumer.
func Stages(worker int) []string {
	if worker == OfConsumer {
		return []string{CallPoll, CallAttach, CallEnqueue, CallCommit}
	}
	var list []string
	for stage := flusher.StageIdle; stage <= flusher.StageRelease; stage++ {
		list = append(list, stage.String())
	}
	return list
}

// stageWords say what somebody does at a stage.
var stageWords = map[string]string{
	"idle": "idle", "lease": "leasing", "claim": "claiming", "load": "loading", "produce": "producing",
	"wait": "waiting", "ack": "acknowledging", "release": "releasing",
	CallPoll: "polling", CallAttach: "attaching", CallEnqueue: "enqueueing", CallCommit: "committing",
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
	if w.peek() == string(TargetConsumer) {
		w.literal(string(TargetConsumer))
		return w.atStage(OfConsumer)
	}
	if w.peek() == "worker" {
		w.literal("worker")
		worker := w.number("a worker's index")
		if w.peek() == "is" {
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
	w.literal("is")
	var known []string
	for _, stage := range Stages(worker) {
		known = append(known, stageWords[stage])
	}
	m := Moment{Kind: MomentStage, Worker: worker}
	if at := slices.Index(known, w.choice("stage", known...)); at >= 0 {
		m.Stage = Stages(worker)[at]
	}
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
