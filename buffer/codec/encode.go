package codec

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math"

	"sluice/buffer"
)

// ErrNoSpans is the error of a segment that holds nothing.
var ErrNoSpans = errors.New("a segment without spans cannot be written")

// ErrNoPayload is the error of a span whose bytes are not known.
var ErrNoPayload = errors.New("span has no payload to write")

// Encode writes the spans as
//
//	{"flush_id":"<32 hex>","spans":[...]}
//
// with "skip_enrichment":true before the spans if the written spans are over the limit together,
// so that the segment may be in several messages (also if it is a single span). Each span is its
// payload byte for byte but for two fields:
//
//   - The attribute sentry.segment.id becomes {"type":"string","value":"<segment>"} if it is
//     missing, null or empty; another value stays. Missing or null attributes become an object.
//   - is_segment becomes what span.IsSegment says.
//
// A field that is there is written over where it stands, the last one if it stands twice; a new one
// is added at the end of its object.
//
// Errors: ErrNoSpans; ErrNoPayload, or an *Error if Decode does not accept a payload, wrapped
// with the span's id and position.
func (c *JSON) Encode(g buffer.Generation, spans []buffer.Span) ([]buffer.Chunk, error) {
	return c.encode(g, spans, skipNone, math.MaxInt)
}

// EncodePart is Encode for some of a segment's spans: its messages have "skip_enrichment":true in
// any case.
func (c *JSON) EncodePart(g buffer.Generation, spans []buffer.Span) ([]buffer.Chunk, error) {
	return c.encode(g, spans, skipEnrichment, math.MaxInt)
}

// EncodeWithin is Encode, or EncodePart if part is true, without what would be larger than most bytes.
func (c *JSON) EncodeWithin(
	g buffer.Generation, spans []buffer.Span, part bool, most int,
) ([]buffer.Chunk, error) {
	if part {
		return c.encode(g, spans, skipEnrichment, most)
	}
	return c.encode(g, spans, skipNone, most)
}

// encode writes spans; skip is what the message has before them if it is the only one. A message of
// several spans that would be larger than most bytes is not written.
func (c *JSON) encode(
	g buffer.Generation, spans []buffer.Span, skip string, most int,
) ([]buffer.Chunk, error) {
	if len(spans) == 0 {
		return nil, fmt.Errorf("encode segment %v of trace %v: %w", g.Segment, g.Trace, ErrNoSpans)
	}
	w := writer{generation: g, skip: skip, most: most, room: c.room}
	hex.Encode(w.segment[:], g.Segment[:])
	chunks, ok, err := w.write(spans, c.limit, true)
	if !ok && err == nil {
		chunks, _, err = w.write(spans, c.limit, false)
	}
	return chunks, err
}

// The pieces of a message around its spans.
const (
	opening        = `{"flush_id":"`
	afterID        = `",`
	skipNone       = ``
	skipEnrichment = `"skip_enrichment":true,`
	beforeSpans    = `"spans":[`
	ending         = `]}`
	idLen          = 32 // of a flush id
)

// writer writes the messages of one segment.
type writer struct {
	generation buffer.Generation
	segment    [16]byte // in text form
	skip       string
	most       int // bytes of a message of several spans
	room       func(size int) []byte
}

// write writes spans as one message or as several. It returns false if a payload does not hold what its
// marks say, which were trusted.
func (w writer) write(
	spans []buffer.Span, limit buffer.Bytes, trust bool,
) (chunks []buffer.Chunk, ok bool, err error) {
	var few [32]splice // most segments are small: theirs need no heap
	splices := few[:0]
	if len(spans) > len(few) {
		splices = make([]splice, 0, len(spans))
	}
	splices = splices[:len(spans)]
	total := 0
	for i := range spans {
		if err := splices[i].plan(&spans[i], w.generation.Segment, trust); err != nil {
			return nil, true, fmt.Errorf("encode span %v of segment %v, trace %v, read at %v: %w",
				spans[i].ID, w.generation.Segment, w.generation.Trace, spans[i].Position, err)
		}
		total += splices[i].size
	}
	if limit == buffer.NoSegmentLimit || buffer.Bytes(total) <= limit {
		chunks = make([]buffer.Chunk, 1)
		chunks[0], ok = w.chunk(0, 1, spans, splices)
		return chunks, ok, nil
	}
	w.skip = skipEnrichment
	sizes := make([]int, len(splices))
	for i := range splices {
		sizes[i] = splices[i].size
	}
	ranges := buffer.Chunks(sizes, limit)
	chunks = make([]buffer.Chunk, len(ranges))
	for i, r := range ranges {
		if chunks[i], ok = w.chunk(i, len(ranges), spans[r[0]:r[1]:r[1]], splices[r[0]:r[1]]); !ok {
			return nil, false, nil
		}
	}
	return chunks, true, nil
}

// chunk writes one message, of the exact size that its memory is asked for with.
func (w *writer) chunk(
	index, count int, spans []buffer.Span, splices []splice,
) (_ buffer.Chunk, ok bool) {
	size := len(opening) + idLen + len(afterID) + len(w.skip) + len(beforeSpans) + len(ending) - len(",")
	for i := range splices {
		size += splices[i].size + len(",")
	}
	if size > w.most && len(spans) > 1 {
		return buffer.Chunk{Index: index, Count: count, Spans: spans}, true
	}
	for i := range spans {
		buffer.Touch(spans[i].Payload)
	}
	id := buffer.FlushID(w.generation, index, spans, w.skip == skipEnrichment)
	var value []byte
	if w.room != nil {
		value = w.room(size)
	} else {
		value = make([]byte, 0, size)
	}
	value = append(value, opening...)
	value = append(value, id...)
	value = append(value, afterID...)
	value = append(value, w.skip...)
	value = append(value, beforeSpans...)
	for i := range splices {
		if i > 0 {
			value = append(value, ',')
		}
		if value, ok = splices[i].append(value, spans[i].Payload, w.segment[:]); !ok {
			return buffer.Chunk{}, false
		}
	}
	value = append(value, ending...)
	return buffer.Chunk{Index: index, Count: count, FlushID: id, Spans: spans, Value: value}, true
}
