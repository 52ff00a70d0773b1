package consumer

import (
	"errors"
	"time"

	"sluice/buffer"
	"sluice/consumer"
	"sluice/consumer/ingest"
	"sluice/flusher"
)

// report is what the consumer says: one of its fields is set.
type report struct {
	Event  *flusher.Event       `json:"event,omitempty"`
	Ingest *input               `json:"ingest,omitempty"`
	Audit  *consumer.AuditEvent `json:"audit,omitempty"`
	Fresh  *fresh               `json:"fresh,omitempty"`
	// State comes only when the servers have answered.
	State *state `json:"state,omitempty"`
}

// input is an ingest.Event; its error crosses as words.
type input struct {
	Kind       ingest.EventKind `json:"kind"`
	Partitions []int32          `json:"partitions,omitempty"`
	Reason     string           `json:"reason,omitempty"`
	Gap        flusher.Gap      `json:"gap,omitzero"`
	Err        string           `json:"err,omitempty"`
}

func fromEvent(e ingest.Event) *input {
	in := &input{Kind: e.Kind, Partitions: e.Partitions, Reason: e.Reason, Gap: e.Gap}
	if e.Err != nil {
		in.Err = e.Err.Error()
	}
	return in
}

func (in *input) event() ingest.Event {
	e := ingest.Event{Kind: in.Kind, Partitions: in.Partitions, Reason: in.Reason, Gap: in.Gap}
	if in.Err != "" {
		e.Err = errors.New(in.Err)
	}
	return e
}

type fresh struct {
	Worker  int             `json:"worker"`
	Samples []time.Duration `json:"samples"`
}

// state is what a Look is made of.
type state struct {
	Workers  []flusher.WorkerState `json:"workers"`
	Pids     map[int]int           `json:"pids"`
	Closed   []buffer.Shard        `json:"closed"`
	Ready    []string              `json:"ready"`
	Counters ingest.Counters       `json:"counters"`
}
