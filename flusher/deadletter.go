package flusher

import (
	"strconv"

	"sluice/buffer"
)

// The headers of dead letters, whoever sends them.
const (
	HeaderError = "error"
	// HeaderTopic, HeaderPartition and HeaderOffset are where the message was read. The topic is
	// left out if the sender does not know it.
	HeaderTopic     = "topic"
	HeaderPartition = "partition"
	HeaderOffset    = "offset"
	// HeaderValueBytes is set if not even the dead-letter topic takes the value: how long it was.
	HeaderValueBytes = "value-bytes"
)

// DeadLetter is a span that no broker takes as part of a segment.
type DeadLetter struct {
	Shard buffer.Shard
	Trace buffer.TraceKey
	Span  buffer.SpanID
	// At is where it was read.
	At buffer.Position
	// Bytes is its size. Lost is true if not even the dead-letter topic takes it: the letter has the
	// headers alone, and the bytes are in the input topic for as long as that keeps them.
	Bytes int
	Lost  bool
	Cause error
}

// DeadLetterHeaders say what is wrong and where it was read: in the topic input ("": unknown), at
// that position.
func DeadLetterHeaders(cause error, input string, at buffer.Position) []Header {
	headers := make([]Header, 0, 5)
	headers = append(headers, Header{HeaderError, []byte(cause.Error())})
	if input != "" {
		headers = append(headers, Header{HeaderTopic, []byte(input)})
	}
	return append(headers,
		Header{HeaderPartition, decimal(int64(at.Partition))},
		Header{HeaderOffset, decimal(at.Offset)})
}

// LeaveOut drops the value of a dead letter, and says how many bytes are missing.
func (r *Record) LeaveOut(bytes int) {
	r.Value = nil
	r.Headers = append(r.Headers, Header{HeaderValueBytes, decimal(int64(bytes))})
}

func decimal(n int64) []byte { return strconv.AppendInt(nil, n, 10) }
