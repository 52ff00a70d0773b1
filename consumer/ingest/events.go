package ingest

import (
	"fmt"
	"strings"

	"sluice/flusher"
)

// EventKind is what happened.
type EventKind string

// The kinds of events.
const (
	// PartitionsAssigned, PartitionsRevoked and PartitionsLost are changes of the assignment;
	// PartitionsReleased says that nothing of revoked ones is in work any more.
	PartitionsAssigned EventKind = "partitions assigned"
	PartitionsRevoked  EventKind = "partitions revoked"
	PartitionsLost     EventKind = "partitions lost"
	PartitionsReleased EventKind = "partitions released"
	// InputPaused and InputResumed are changes of the gate, with its reason.
	InputPaused  EventKind = "input paused"
	InputResumed EventKind = "input resumed"
	// TroubleBegan says that a step fails for now and is tried again, once for all partitions;
	// TroubleEnded that every one of them went through.
	TroubleBegan EventKind = "trouble, trying again"
	TroubleEnded EventKind = "trouble is over"
	// CommitFailed says that offsets could not be committed, once until CommitResumed.
	CommitFailed  EventKind = "commit failed, trying again"
	CommitResumed EventKind = "commits work again"
	// CommitGivenUp says that a partition left with offsets that could not be committed: its next
	// owner reads some spans again.
	CommitGivenUp EventKind = "commit given up"
	// DeadLettered says how many messages of a batch could not be decoded, with the offset and
	// the error of the first.
	DeadLettered EventKind = "dead letters"
	// TraceDamaged says the same of messages of a trace of which the store cannot read what it has.
	TraceDamaged EventKind = "dead letters, since the store cannot read their trace"
	// DeadLetterCut says that a message is too large for the dead-letter topic too, so that only
	// its key and headers were sent; DeadLetterBare that not even the key was taken.
	DeadLetterCut  EventKind = "dead letter without its value"
	DeadLetterBare EventKind = "dead letter without its value and key"
	// MessagesDeleted says that Kafka deleted messages of a partition before they were read, as Gap has
	// them: they are lost.
	MessagesDeleted EventKind = "kafka deleted messages that were not read yet"
	// ShutdownCut says that the loop was given up while something was in work.
	ShutdownCut EventKind = "the shutdown took too long: what was not stored will be read again"
)

// Event is something that an operator must know.
type Event struct {
	Kind EventKind
	// Partitions concerned, sorted; nil if it is all of them.
	Partitions []int32
	// Reason in words, or empty.
	Reason string
	// Gap is the messages of MessagesDeleted.
	Gap flusher.Gap
	// Err is the cause, or nil.
	Err error
}

// String returns the event's text form: kind, partitions, reason, cause.
func (e Event) String() string {
	var text strings.Builder
	text.WriteString(string(e.Kind))
	if len(e.Partitions) > 0 {
		fmt.Fprintf(&text, " %v", e.Partitions)
	}
	if e.Reason != "" {
		text.WriteString(": " + e.Reason)
	}
	if e.Err != nil {
		text.WriteString(": " + e.Err.Error())
	}
	return text.String()
}
