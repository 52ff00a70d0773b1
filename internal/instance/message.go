package instance

import (
	"encoding/json"
	"errors"
	"log/slog"
	"time"

	"sluice/buffer"
	"sluice/consumer/ingest"
	"sluice/flusher"
)

// marker is the hidden first argument of the child. The one after it, the mark, is there for
// whoever reads the process list.
const marker = "__consumer"

// Exit codes of the child. A panic of the Go runtime is 2.
const (
	codeFinished = 0
	codeFailed   = 1
	codeMisused  = 64
	codeOrphan   = 65
)

// order is a line from harness to child. The first one begins, a later one stops.
type order struct {
	Begin *begin `json:"begin,omitempty"`
	Stop  bool   `json:"stop,omitempty"`
}

type begin struct {
	// Config is what pipeline.Config.Encode made.
	Config   json.RawMessage `json:"config"`
	LogLevel slog.Level      `json:"log_level"`
}

// report is a line from child to harness: one of its fields is set.
type report struct {
	Event  *flusher.Event `json:"event,omitempty"`
	Ingest *input         `json:"ingest,omitempty"`
	Fresh  *fresh         `json:"fresh,omitempty"`
	// State comes only when the servers have answered.
	State *state `json:"state,omitempty"`
	// LastWord is the error that the child ends with.
	LastWord string `json:"last_word,omitempty"`
}

// input is an ingest.Event; its error crosses as words.
type input struct {
	Kind       ingest.EventKind `json:"kind"`
	Partitions []int32          `json:"partitions,omitempty"`
	Reason     string           `json:"reason,omitempty"`
	Err        string           `json:"err,omitempty"`
}

func fromEvent(e ingest.Event) *input {
	in := &input{Kind: e.Kind, Partitions: e.Partitions, Reason: e.Reason}
	if e.Err != nil {
		in.Err = e.Err.Error()
	}
	return in
}

func (in *input) event() ingest.Event {
	e := ingest.Event{Kind: in.Kind, Partitions: in.Partitions, Reason: in.Reason}
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
