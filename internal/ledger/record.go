package ledger

import (
	"fmt"
	"time"

	"sluice/buffer"
)

// Record is a message of the output topic or the dead-letter topic.
type Record struct {
	// Partition and Offset are where it stands.
	Partition int32
	Offset    int64
	// At is when it was read, since the start of the load.
	At time.Duration
	// Key, Value and Headers are the message's own.
	Key, Value []byte
	Headers    []Header

	letter bool // of the dead-letter topic
}

// String names the record by its place: "output record 3@1207" for offset 1207 of partition 3.
func (r *Record) String() string {
	topic := "output record"
	if r.letter {
		topic = "dead letter"
	}
	return fmt.Sprintf("%s %v", topic, buffer.Position{Partition: r.Partition, Offset: r.Offset})
}

// Header is a header of a message.
type Header struct {
	Key   string
	Value []byte
}

// The headers of the data contract. They are named here once more, so that a flusher that renames
// one is found out.
const (
	HeaderSegment    = "segment_id"
	HeaderProject    = "project_id"
	HeaderTrace      = "trace_id"
	HeaderGeneration = "generation"
	HeaderChunkIndex = "chunk_index"
	HeaderChunkCount = "chunk_count"
	HeaderChunkPart  = "chunk_part"
	HeaderSpan       = "span_id"
	HeaderError      = "error"
	HeaderTopic      = "topic"
	HeaderPartition  = "partition"
	HeaderOffset     = "offset"
	HeaderValueBytes = "value-bytes"
)

// Reasons for which a span is dropped on purpose.
const (
	// DeadLettered spans went to the dead-letter topic.
	DeadLettered = "dead_lettered"
)
