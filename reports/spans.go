package reports

import (
	"encoding/json"
	"fmt"
	"time"
)

// Watched is what was seen of a run for its timeline, beside its events and samples.
type Watched struct {
	Glances []Glance
	// Stages are those of workers, each when it began, where the world saw them all; StagesMissed
	// counts further ones, which were not kept. Start is when the load began.
	Stages       []StageChange
	StagesMissed int
	Start        time.Time
	Spans        *StorySpans
	Certainty    *Certainty
}

// StageChange is a worker that begins a stage.
type StageChange struct {
	At               time.Time
	Consumer, Worker int
	Stage            string
}

// StorySpans tells where spans were.
type StorySpans struct {
	// IDKey and TraceKey are those of load.Recipe, in hexadecimal: they turn an id into the number of
	// its span, or of its trace's root.
	IDKey    string `json:"idKey"`
	TraceKey string `json:"traceKey"`
	// Exact is true if the world saw every step of the store.
	Exact bool `json:"exact"`
	// Total counts the traces of which something was kept, Beyond the spans that were not kept.
	Total  int   `json:"total"`
	Beyond int64 `json:"beyond"`
	// Look are ids of spans of which something is to be explained.
	Look   []string     `json:"look,omitempty"`
	Traces []StoryTrace `json:"traces"`
}

// StoryTrace is what happened to the spans of a trace.
type StoryTrace struct {
	// Root is the number of its first span, Partition that of the input.
	Root      uint64 `json:"r"`
	Partition int32  `json:"p"`
	// Sent is when each span was sent, in milliseconds since the start of the load, and Offsets where
	// it stands in the input: each minus the last one that is known, or NotSent.
	Sent    []int   `json:"s"`
	Offsets []int64 `json:"o"`
	// Generations are the names that entries refer to.
	Generations []string    `json:"g,omitempty"`
	Entries     []SpanEntry `json:"e"`
}

// NotSent stands for what is not known of a span. No difference is as low.
const NotSent = -1 << 40

// SpanStep is what happened to spans.
type SpanStep uint8

// The steps of spans. The script knows them by their numbers.
const (
	SpanStored SpanStep = iota
	SpanMerged
	SpanQueued
	SpanLeased
	SpanBusy
	SpanLoaded
	SpanOut
	SpanAcked
	SpanAckRefused
	SpanBack
	SpanLetter
	SpanSentAgain
)

// SpanEntry is a step of some spans of a trace.
type SpanEntry struct {
	// At is when, in milliseconds since the start of the load.
	At               int
	Step             SpanStep
	Consumer, Worker int
	// Generation that it concerns, -1 if that is not known.
	Generation int
	// Spans by their places in the trace, "0-3,7"; "" for all of the generation.
	Spans string
	// Place of the record, "partition@offset".
	Place string
}

// MarshalJSON writes the entry as a list, which is a third as long as an object.
func (e SpanEntry) MarshalJSON() ([]byte, error) {
	list := []any{e.At, e.Step, e.Consumer, e.Worker, e.Generation, e.Spans, e.Place}
	switch {
	case e.Place != "":
	case e.Spans != "":
		list = list[:6]
	default:
		list = list[:5]
	}
	return json.Marshal(list)
}

// notes say what is known of spans, and what is not.
func (s *StorySpans) notes() []string {
	var notes []string
	if !s.Exact {
		notes = append(notes, "Where is a span: this world sees when a span is sent, where it stands in the "+
			"input, and the records that it comes out in. What the store and the workers do with it meanwhile "+
			"only the virtual world can tell; of a record, the worker is whoever owned its shard then.")
	}
	if n := len(s.Traces); n < s.Total {
		notes = append(notes, fmt.Sprintf("Where is a span: this page has %d of %d traces, those among them of "+
			"which something is to be explained.", n, s.Total))
	}
	if s.Beyond > 0 {
		notes = append(notes, fmt.Sprintf("%d later spans were not followed; in the virtual world `simulate "+
			"replay DIR --span ID` follows any.", s.Beyond))
	}
	return notes
}
