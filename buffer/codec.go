package buffer

// Decoder reads an input message. On the way in, nothing else knows how a span is
// written.
type Decoder interface {
	// Decode reads one message. The span's Payload is the value itself, not a copy; its Position
	// is left to the caller. An error condemns this message alone, and says which field is wrong
	// and what would be right.
	Decode(value []byte) (Decoded, error)
}

// Decoded is a message that was read.
type Decoded struct {
	Span
	// Organization is the organization_id, for the kill switch.
	Organization int64
}

// Encoder writes a segment. On the way out, nothing else knows how a span is written.
type Encoder interface {
	// Encode writes the spans of a generation, in their order, as one message, or as several if
	// their written size is over the limit that the encoder was made with. Equal spans give equal
	// bytes.
	Encode(g Generation, spans []Span) ([]Chunk, error)
}

// PartEncoder is an Encoder that can say of what it writes that it is not the whole segment. It
// writes the parts of a chunk that the broker refused as too large.
type PartEncoder interface {
	Encoder
	// EncodePart is Encode for some of a generation's spans, and marks its messages as chunks
	// are marked.
	EncodePart(g Generation, spans []Span) ([]Chunk, error)
}

// BoundedEncoder is a PartEncoder that does not write what nobody takes.
type BoundedEncoder interface {
	PartEncoder
	// EncodeWithin is Encode, or EncodePart if part is true, but leaves out the FlushID and the Value
	// of a chunk of several spans whose value would have more than most bytes: such chunks are for
	// the caller to part.
	EncodeWithin(g Generation, spans []Span, part bool, most int) ([]Chunk, error)
}

// Chunk is one output message of a segment.
type Chunk struct {
	// Index of Count chunks of the segment, from 0.
	Index, Count int
	// FlushID is 32 hex digits: a hash of the segment's identity, the chunk's index, and the ids
	// of its spans in order. A repeat has the same FlushID and the same Value.
	FlushID string
	// Spans of the chunk, in order: a part of the slice that was encoded.
	Spans []Span
	// Value is the message.
	Value []byte
}
