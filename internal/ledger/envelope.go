package ledger

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"sluice/buffer"
)

// envelope is what a record says of itself.
type envelope struct {
	flushID    flushID
	segment    buffer.SpanID
	trace      buffer.TraceID
	project    buffer.ProjectID
	generation buffer.DeliveryID
	chunk      chunk
	cutOff     cutOff
	// repeats is true if the record came before, at firstAt, and again if that was of another
	// generation.
	repeats bool
	again   bool
	firstAt time.Duration
	// latest is which of the spans so far that come out for the first time was delivered last.
	latest identity
	out    Out
	// attribute is how the segment attribute of the record's spans must be written.
	attribute []byte
	// The trace and project of the root that was asked for last, if any was.
	ofRoot      bool
	root        uint64
	rootTrace   buffer.TraceID
	rootProject buffer.ProjectID
}

// chunk says which of a segment's records it is. Part is the way to a part of a chunk that was too
// large for a record; index and count are within the part then.
type chunk struct {
	index, count int64
	part         string
}

// chunked names the records that share a count.
type chunked struct {
	segment    buffer.SpanID
	generation buffer.DeliveryID
	part       string
}

type cutOff int

const (
	cutOffUnknown cutOff = iota
	cutOffNo
	cutOffYes
)

// A record is these parts around the flush id, what a chunk has beside it, and the spans.
const (
	recordHead  = `{"flush_id":"`
	recordSkip  = `","skip_enrichment":true,"spans":`
	recordWhole = `","spans":`
	recordTail  = `}`
)

// split finds the flush id and the spans of a record, which it leaves in l.spans. One that belongs
// to a chunk, or is too large for a segment by its only span, says that enrichment is to be skipped.
// Every byte that is no span's is known.
func (l *Ledger) split(value []byte, in *envelope) (id []byte, err error) {
	const digits = 2 * len(flushID{})
	rest, ok := bytes.CutPrefix(value, []byte(recordHead))
	ok = ok && len(rest) > digits && bytes.HasSuffix(rest, []byte(recordTail))
	var spans []byte
	skips := false
	if ok {
		id, spans = rest[:digits], rest[digits:len(rest)-len(recordTail)]
		if spans, skips = bytes.CutPrefix(spans, []byte(recordSkip)); !skips {
			spans, ok = bytes.CutPrefix(spans, []byte(recordWhole))
		}
	}
	if !ok {
		return nil, fmt.Errorf("%q does not begin and end with %q, 32 digits, %q or %q, and %q", clip(value),
			recordHead, recordWhole, recordSkip, recordTail)
	}
	if l.plain = l.readPlainly(spans, in); !l.plain {
		if l.spans, err = elements(l.spans[:0], spans); err != nil {
			return nil, fmt.Errorf("spans: %w", err)
		}
		between := len(spans) - len("[]") - max(0, len(l.spans)-1)
		for i := range l.spans {
			between -= len(l.spans[i].value)
		}
		if between != 0 {
			return nil, fmt.Errorf("%d bytes too many stand between the spans", between)
		}
	}
	alone := l.SegmentBytesMax > 0 && len(l.spans) == 1 && len(l.spans[0].value) > l.SegmentBytesMax
	if part := in.chunk.count > 1 || in.chunk.part != "" || alone; part != skips {
		return nil, fmt.Errorf("%q has skip_enrichment %v, want %v: it is chunk %d of %d", clip(value), skips,
			part, in.chunk.index, in.chunk.count)
	}
	return id, nil
}

// unpack reads the envelope of a record, and leaves its spans in l.spans.
func (l *Ledger) unpack(r *Record) (envelope, error) {
	in, err := readHeaders(r.Headers)
	if err != nil {
		return in, fmt.Errorf("headers: %w", err)
	}
	id, err := l.split(r.Value, &in)
	if err != nil {
		return in, err
	}
	var trace [2 * len(in.trace)]byte
	switch {
	case !buffer.DecodeHex(in.flushID[:], id):
		return in, fmt.Errorf("flush_id %q is not 32 hex digits", clip(id))
	case len(l.spans) == 0:
		return in, errors.New("there are no spans")
	case string(r.Key) != string(hex.AppendEncode(trace[:0], in.trace[:])):
		return in, fmt.Errorf("key %q is not the trace id %v", r.Key, in.trace)
	}
	return in, l.counted(&in)
}

// counted checks that all chunks of a generation are of as many.
func (l *Ledger) counted(in *envelope) error {
	if in.chunk.count == 1 {
		return nil
	}
	name := chunked{in.segment, in.generation, in.chunk.part}
	if count, known := l.chunks[name]; known && count != in.chunk.count {
		return fmt.Errorf("chunk %d is of %d, another of that generation was of %d", in.chunk.index,
			in.chunk.count, count)
	}
	l.chunks[name] = in.chunk.count
	return nil
}
