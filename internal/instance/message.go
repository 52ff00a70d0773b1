package instance

import (
	"errors"
	"time"

	"sluice/buffer"
	"sluice/flusher"
	"sluice/internal/ingest"
)

// marker is the hidden first argument of a consumer process.
const marker = "__consumer"

// Exit codes of a consumer process. A panic of the Go runtime is 2.
const (
	codeFinished = 0
	codeFailed   = 1
	codeMisused  = 64
	codeOrphan   = 65
)

// order is a line from the harness.
type order struct {
	// Begin is the configuration, in the first order.
	Begin []byte `json:"begin,omitempty"`
	// Log is false if nobody reads the log.
	Log  bool `json:"log,omitempty"`
	Stop bool `json:"stop,omitempty"`
}

// report is a line to the harness: one of its fields is set.
type report struct {
	// Open is true once the pipeline's servers have answered.
	Open   bool           `json:"open,omitempty"`
	Event  *flusher.Event `json:"event,omitempty"`
	Ingest *ingestEvent   `json:"ingest,omitempty"`
	Fresh  *fresh         `json:"fresh,omitempty"`
	Look   *Look          `json:"look,omitempty"`
	// LastWord is the error with which the consumer ends.
	LastWord string `json:"last_word,omitempty"`
}

type fresh struct {
	Worker  int             `json:"worker"`
	Samples []time.Duration `json:"samples"`
}

// Look is how a consumer stood at one moment.
type Look struct {
	// At is when the harness heard of it.
	At time.Time `json:"-"`
	// Workers are all there ever were, Pids the processes of those that run.
	Workers []flusher.WorkerState `json:"workers"`
	Pids    map[int]int           `json:"pids"`
	// Closed are the shards whose input is to pause, in order.
	Closed []buffer.Shard `json:"closed"`
	// Ready says what keeps spans from moving, in words; nil if all is well.
	Ready    []string        `json:"ready"`
	Counters ingest.Counters `json:"counters"`
}

// ingestEvent is an ingest.Event whose error is a text.
type ingestEvent struct {
	ingest.Event
	Err string `json:"err,omitempty"`
}

func (e ingestEvent) event() ingest.Event {
	out := e.Event
	if e.Err != "" {
		out.Err = errors.New(e.Err)
	}
	return out
}

func portable(e ingest.Event) *ingestEvent {
	out := &ingestEvent{Event: e}
	if e.Err != nil {
		out.Err = e.Err.Error()
	}
	out.Event.Err = nil
	return out
}
